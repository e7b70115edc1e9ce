//! Line charts as SVG. The background is transparent and every colour is a middle tone, so that they are readable on a light page and
//! on a dark one.
//!
//! ```
//! use bench_plot::{Axis, Chart, Point, Series};
//!
//! let memory = Series::new("resident memory", vec![Point::spread(1000.0, 60.0, 58.0, 63.0), Point::exact(5000.0, 300.0)]);
//! let svg = Chart { title: "Memory", x: Axis::linear("virtual users"), y: Axis::linear("MB"), series: vec![memory] }.svg()?;
//! assert!(svg.starts_with("<svg"));
//! # Ok::<(), bench_plot::PlotError>(())
//! ```

use std::ops::Range;

use plotters::coord::Shift;
use plotters::prelude::*;

/// Pixels.
const SIZE: (u32, u32) = (900, 480);
/// Text: as far from white as from a dark page's background.
const TEXT: RGBColor = RGBColor(0x7d, 0x7d, 0x7d);
/// Lines: at least three times as bright or dark as both backgrounds.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0x3b, 0x82, 0xf6),
    RGBColor(0xd9, 0x77, 0x06),
    RGBColor(0x16, 0xa3, 0x4a),
    RGBColor(0xa8, 0x55, 0xf7),
    RGBColor(0xdb, 0x27, 0x77),
    RGBColor(0x08, 0x91, 0xb2),
];
const FONT: &str = "sans-serif";

/// Why a chart cannot be drawn.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// No series has a point.
    #[error("the chart \"{0}\" has no points")]
    Empty(String),
    /// The drawing library refused.
    #[error("the chart \"{title}\" cannot be drawn: {reason}")]
    Drawing {
        /// Which.
        title: String,
        /// What the library says.
        reason: String,
    },
}

/// One direction of a chart.
#[derive(Debug, Clone, Copy)]
pub struct Axis<'a> {
    /// What it shows, with its unit.
    pub label: &'a str,
    /// Whether equal steps are equal factors. All values must be above 0 then.
    pub logarithmic: bool,
}

impl<'a> Axis<'a> {
    /// An axis from 0 on, on which equal steps are equal differences.
    #[must_use]
    pub fn linear(label: &'a str) -> Self {
        Self { label, logarithmic: false }
    }

    /// An axis from one power of ten to another.
    #[must_use]
    pub fn logarithmic(label: &'a str) -> Self {
        Self { label, logarithmic: true }
    }

    /// Where a value is on this axis.
    fn place(&self, value: f64) -> f64 {
        if self.logarithmic { value.max(f64::MIN_POSITIVE).log10() } else { value }
    }

    fn range(&self, values: impl Iterator<Item = f64> + Clone) -> Range<f64> {
        let most = values.clone().fold(f64::MIN, f64::max);
        if self.logarithmic {
            let least = values.fold(f64::MAX, f64::min);
            let (from, to) = (self.place(least).floor(), self.place(most).ceil());
            from..if to > from { to } else { from + 1.0 }
        } else if most > 0.0 {
            0.0..most * 1.05
        } else {
            0.0..1.0
        }
    }

    /// How many steps are labelled on an axis of that range.
    fn labels(&self, range: &Range<f64>) -> usize {
        if self.logarithmic { (range.end - range.start) as usize + 1 } else { 8 }
    }

    fn text(&self, place: f64) -> String {
        number(if self.logarithmic { 10_f64.powf(place) } else { place })
    }
}

/// A value that was measured at `x`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Where.
    pub x: f64,
    /// The value, or the median of several.
    pub y: f64,
    /// The least of several.
    pub least: f64,
    /// The greatest of several.
    pub greatest: f64,
}

impl Point {
    /// One value.
    #[must_use]
    pub fn exact(x: f64, y: f64) -> Self {
        Self { x, y, least: y, greatest: y }
    }

    /// The median, least and greatest of several values.
    #[must_use]
    pub fn spread(x: f64, median: f64, least: f64, greatest: f64) -> Self {
        Self { x, y: median, least, greatest }
    }
}

/// Points that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What they are.
    pub name: String,
    /// In the order of `x`.
    pub points: Vec<Point>,
    /// Whether each point is marked: not for curves of hundreds of points.
    pub marked: bool,
}

impl Series {
    /// Points with a mark each.
    #[must_use]
    pub fn new(name: impl Into<String>, points: Vec<Point>) -> Self {
        Self { name: name.into(), points, marked: true }
    }

    /// A curve.
    #[must_use]
    pub fn curve(name: impl Into<String>, points: Vec<Point>) -> Self {
        Self { marked: false, ..Self::new(name, points) }
    }
}

/// A line chart.
#[derive(Debug, Clone)]
pub struct Chart<'a> {
    /// What it shows.
    pub title: &'a str,
    /// The horizontal axis.
    pub x: Axis<'a>,
    /// The vertical axis.
    pub y: Axis<'a>,
    /// The lines; a legend names them if there are several.
    pub series: Vec<Series>,
}

impl Chart<'_> {
    /// Draws it.
    ///
    /// # Errors
    /// Without any point; if the drawing library refuses.
    pub fn svg(&self) -> Result<String, PlotError> {
        if self.series.iter().all(|series| series.points.is_empty()) {
            return Err(PlotError::Empty(self.title.to_owned()));
        }
        let mut svg = String::new();
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        self.draw(&root)
            .map_err(|error| PlotError::Drawing { title: self.title.to_owned(), reason: error.to_string() })?;
        drop(root);
        Ok(svg)
    }

    fn points(&self) -> impl Iterator<Item = &Point> + Clone {
        self.series.iter().flat_map(|series| &series.points)
    }

    fn draw(&self, root: &DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), Box<dyn std::error::Error>> {
        let (x, y) = (self.x, self.y);
        let x_range = x.range(self.points().map(|point| point.x));
        let y_range = y.range(self.points().flat_map(|point| [point.least, point.greatest]));
        let (x_labels, y_labels) = (x.labels(&x_range), y.labels(&y_range));
        let mut chart = ChartBuilder::on(root)
            .caption(self.title, (FONT, 25).into_font().color(&TEXT))
            .margin(12)
            .margin_right(28)
            .x_label_area_size(56)
            .y_label_area_size(88)
            .build_cartesian_2d(x_range, y_range)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(TEXT.mix(0.25))
            .axis_style(TEXT)
            .label_style((FONT, 18).into_font().color(&TEXT))
            .axis_desc_style((FONT, 19).into_font().color(&TEXT))
            .x_desc(x.label)
            .y_desc(y.label)
            .x_labels(x_labels)
            .y_labels(y_labels)
            .x_label_formatter(&|place| x.text(*place))
            .y_label_formatter(&|place| y.text(*place))
            .draw()?;
        for (series, colour) in self.series.iter().zip(COLOURS.iter().cycle()) {
            let line = series.points.iter().map(|point| (x.place(point.x), y.place(point.y)));
            chart
                .draw_series(LineSeries::new(line.clone(), colour.stroke_width(2)))?
                .label(series.name.as_str())
                .legend(|(left, middle)| {
                    PathElement::new([(left, middle), (left + 18, middle)], colour.stroke_width(2))
                });
            if series.marked {
                chart.draw_series(line.map(|at| Circle::new(at, 4, colour.filled())))?;
            }
            let spreads = series.points.iter().filter(|point| point.least < point.greatest);
            chart.draw_series(spreads.map(|point| {
                let at = x.place(point.x);
                PathElement::new([(at, y.place(point.least)), (at, y.place(point.greatest))], colour.stroke_width(1))
            }))?;
        }
        if self.series.len() > 1 {
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::LowerRight)
                .label_font((FONT, 18).into_font().color(&TEXT))
                .draw()?;
        }
        root.present()?;
        Ok(())
    }
}

/// `12`, `0.25`, `1,500`, `100k`, `10M`.
fn number(value: f64) -> String {
    let shown = |value: f64| {
        let text = format!("{value:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match value.abs() {
        size if size >= 1e6 => format!("{}M", shown(value / 1e6)),
        size if size >= 1e5 => format!("{}k", shown(value / 1e3)),
        size if size >= 1e3 => {
            let text = format!("{value:.0}");
            let (thousands, rest) = text.split_at(text.len() - 3);
            format!("{thousands},{rest}")
        }
        _ => shown(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(series: Vec<Series>) -> Chart<'static> {
        Chart { title: "Growth", x: Axis::linear("virtual users"), y: Axis::linear("memory, MB"), series }
    }

    #[test]
    fn a_chart_names_its_title_axes_and_lines() {
        let line = |name: &str| Series::new(name, vec![Point::exact(1.0, 2.0), Point::spread(10.0, 20.0, 15.0, 25.0)]);
        let svg = chart(vec![line("first"), line("second")]).svg().unwrap();
        for text in ["Growth", "virtual users", "memory, MB", "first", "second"] {
            assert!(svg.contains(text), "{text} is not in {svg}");
        }
        assert_eq!(svg.matches("<circle").count(), 4);
    }

    #[test]
    fn an_empty_chart_is_an_error() {
        assert!(
            matches!(chart(vec![Series::new("none", Vec::new())]).svg(), Err(PlotError::Empty(title)) if title == "Growth")
        );
    }

    #[test]
    fn a_logarithmic_axis_goes_from_power_to_power() {
        let axis = Axis::logarithmic("samples");
        let range = axis.range([150_000.0, 9e6].into_iter());
        assert_eq!((range.clone(), axis.labels(&range)), (5.0..7.0, 3));
        assert_eq!([5.0, 6.0, 7.0].map(|place| axis.text(place)), ["100k", "1M", "10M"]);
    }

    #[test]
    fn numbers_are_short() {
        let texts = [0.0, 0.25, 12.0, 999.5, 1500.0, 15_000.0, 123_456.0].map(number);
        assert_eq!(texts, ["0", "0.25", "12", "999.5", "1,500", "15,000", "123.46k"]);
    }
}
