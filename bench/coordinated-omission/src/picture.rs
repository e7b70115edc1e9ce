//! Percentile curves as SVG, in colours that can be read on light and on dark paper.

use std::error::Error;
use std::path::Path;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, ValueFormatter};
use plotters::prelude::*;

/// Percents from 0, and seconds.
pub(crate) type Curve = Vec<(f64, f64)>;

/// One curve.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) curve: Curve,
    pub(crate) colour: (u8, u8, u8),
    pub(crate) width: u32,
}

/// Readable on white and on black alike.
const INK: RGBColor = RGBColor(125, 125, 125);
const FONT: &str = "sans-serif";
const TICKS: [f64; 7] = [0.0, 50.0, 80.0, 90.0, 95.0, 99.0, 99.9];

/// Each step to the right is ten times closer to 100 %.
fn place(percent: f64) -> f64 {
    2.0 - (100.0 - percent).log10()
}

/// The axis of percents: from 0 to 99.9.
struct Percents;

impl Ranged for Percents {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, x: &f64, limit: (i32, i32)) -> i32 {
        limit.0 + (x / 3.0 * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        TICKS.map(place).to_vec()
    }

    fn range(&self) -> std::ops::Range<f64> {
        0.0..3.0
    }
}

impl ValueFormatter<f64> for Percents {
    fn format(x: &f64) -> String {
        let percent = TICKS.into_iter().find(|percent| (place(*percent) - x).abs() < 1e-9);
        percent.map_or_else(String::new, |percent| percent.to_string())
    }
}

/// Draws the curves; there is no background.
pub(crate) fn draw(path: &Path, lines: &[Line]) -> Result<(), Box<dyn Error>> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (860, 480)).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .margin(16)
            .margin_right(28)
            .x_label_area_size(52)
            .y_label_area_size(64)
            .build_cartesian_2d(Percents, 0.0..2.1)?;
        let text = (FONT, 15).into_font().color(&INK);
        chart
            .configure_mesh()
            .axis_style(INK)
            .bold_line_style(INK.mix(0.35))
            .light_line_style(TRANSPARENT)
            .label_style(text.clone())
            .x_desc("share of the values that are lower, in %")
            .y_desc("latency, in s")
            .y_label_formatter(&|y| format!("{y:.1}"))
            .y_labels(5)
            .draw()?;
        for line in lines {
            let colour = RGBColor(line.colour.0, line.colour.1, line.colour.2);
            let style = colour.stroke_width(line.width);
            let points = line.curve.iter().map(|(percent, seconds)| (place(*percent), *seconds));
            chart
                .draw_series(LineSeries::new(points, style))?
                .label(line.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 24, y)], style));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .legend_area_size(32)
            .margin(14)
            .label_font(text)
            .border_style(TRANSPARENT)
            .draw()?;
        area.present()?;
    }
    std::fs::write(path, svg)?;
    Ok(())
}
