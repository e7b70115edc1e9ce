//! Checks, and metrics by category.

use super::style::{Style, pad, plain, width};
use super::{Mode, Page, numbers};
use crate::metrics::builtin;
use crate::summary::{Check, MetricSummary, MetricValue};

/// The column at which values begin, unless a name is longer.
const NAME_WIDTH: usize = 35;
const INDENT: &str = "    ";

/// The phases of a request, which only the mode `full` shows.
const PHASES: [&str; 7] = [
    "http_req_blocked",
    "http_req_connecting",
    "http_req_looking_up",
    "http_req_tls_handshaking",
    "http_req_sending",
    "http_req_waiting",
    "http_req_receiving",
];

const CATEGORIES: [&str; 6] = ["CUSTOM", "HTTP", "WEBSOCKET", "GRPC", "EXECUTION", "NETWORK"];

/// A dotted name and its values, in columns.
struct Line {
    name: String,
    /// Further columns to the right, for a part of a metric.
    shift: usize,
    is_trend: bool,
    cells: Vec<String>,
}

impl Page<'_> {
    /// The three totals, then each check.
    pub(super) fn checks(&self) -> String {
        let Some(MetricValue::Rate { rate, passes, fails }) =
            self.summary.metric("checks").filter(|checks| checks.has_samples).map(|checks| &checks.value)
        else {
            return String::new();
        };
        let total = passes + fails;
        let seconds = self.summary.run.duration.as_secs_f64();
        let per_second = if seconds > 0.0 { total as f64 / seconds } else { 0.0 };
        let line = |name: &str, cells: [String; 2]| Line {
            name: name.to_owned(),
            shift: 0,
            is_trend: false,
            cells: cells.to_vec(),
        };
        let lines = [
            line("checks_total", [total.to_string(), format!("{}/s", numbers::number(per_second))]),
            line("checks_succeeded", [numbers::percent(*rate), format!("{passes} out of {total}")]),
            line("checks_failed", [numbers::percent(1.0 - rate), format!("{fails} out of {total}")]),
        ];
        let name_width = name_width(&lines);
        format!("{}\n\n{}", self.lines(&lines, &lines, name_width), self.each_check())
    }

    fn each_check(&self) -> String {
        let all = self.summary.root_group.all_checks();
        let mut lines = Vec::new();
        for group in self.summary.root_group.all_groups() {
            for check in &group.checks {
                // The group is only needed to tell equal names apart.
                let same_name = all.iter().filter(|other| other.name == check.name).count();
                let place = if same_name > 1 { group.path.as_str() } else { "" };
                lines.push(self.check(check, place));
            }
        }
        lines.join("\n")
    }

    /// One check, with counts if it ever failed.
    pub(super) fn check(&self, check: &Check, place: &str) -> String {
        let place = if place.is_empty() { String::new() } else { format!(" ({})", plain(place)) };
        let place = self.paint.with(Style::Faint, &place);
        if check.fails == 0 {
            return format!("{INDENT}{} {}{place}", self.paint.with(Style::Green, "✓"), plain(&check.name));
        }
        let share = check.passes as f64 / (check.passes + check.fails) as f64;
        let name = self.paint.with(Style::Red, &format!("✗ {}", plain(&check.name)));
        let counts = format!("↳  {} — ✓ {} / ✗ {}", numbers::percent(share), check.passes, check.fails);
        format!("{INDENT}{name}{place}\n{INDENT}  {}", self.paint.with(Style::Red, &counts))
    }

    /// A heading for each category and its metrics.
    pub(super) fn metric_sections(&self, metrics: &[MetricSummary]) -> String {
        let shown: Vec<&MetricSummary> = metrics.iter().filter(|metric| self.is_shown(metric)).collect();
        let all: Vec<Line> = shown.iter().map(|metric| self.line(metric)).collect();
        let name_width = name_width(&all);
        let sections: Vec<String> = CATEGORIES
            .into_iter()
            .filter_map(|category| {
                let lines: Vec<Line> = shown
                    .iter()
                    .filter(|metric| category_of(&metric.metric) == category)
                    .map(|metric| self.line(metric))
                    .collect();
                let heading = self.paint.with(Style::Bold, category);
                (!lines.is_empty()).then(|| format!("{INDENT}{heading}\n{}", self.lines(&lines, &all, name_width)))
            })
            .collect();
        sections.join("\n\n")
    }

    fn is_shown(&self, metric: &MetricSummary) -> bool {
        // A part stands under its metric, so the metric is shown wherever one of its parts is.
        let has_threshold =
            |other: &MetricSummary| other.metric == metric.metric && !other.thresholds.is_empty() && other.has_samples;
        let asked_for = self.rendering.mode == Mode::Full || self.summary.metrics.iter().any(has_threshold);
        metric.has_samples && metric.metric != "checks" && (asked_for || !PHASES.contains(&metric.metric.as_str()))
    }

    fn line(&self, metric: &MetricSummary) -> Line {
        let value = |value| numbers::value(value, metric.contains, self.rendering.time_unit);
        let cells = match &metric.value {
            MetricValue::Counter { count, rate } => vec![value(*count), format!("{}/s", value(*rate))],
            MetricValue::Gauge { value: last, min, max } => {
                vec![value(*last), format!("min={}", value(*min)), format!("max={}", value(*max))]
            }
            MetricValue::Rate { rate, passes, fails } => {
                vec![numbers::percent(*rate), format!("{passes} out of {}", passes + fails)]
            }
            MetricValue::Trend(stats) => stats
                .iter()
                .map(|(name, stat)| match name.as_str() {
                    "count" => format!("count={}", numbers::number(*stat)),
                    _ => format!("{name}={}", value(*stat)),
                })
                .collect(),
        };
        let (name, shift) = match &metric.selector {
            Some(selector) => (format!("{{ {} }}", plain(selector)), 2),
            None => (plain(&metric.name), 0),
        };
        Line { name, shift, is_trend: matches!(metric.value, MetricValue::Trend(_)), cells }
    }

    /// Lines whose columns are those of `all`.
    fn lines(&self, lines: &[Line], all: &[Line], name_width: usize) -> String {
        let column = |is_trend: bool, column: usize| {
            // What ends its line needs no room for a neighbour.
            let alike = all.iter().filter(|line| line.is_trend == is_trend && line.cells.len() > column + 1);
            alike.map(|line| width(&line.cells[column])).max().unwrap_or(0)
        };
        lines
            .iter()
            .map(|line| {
                let dots = ".".repeat((name_width - line.shift).saturating_sub(width(&line.name)));
                let cells: Vec<String> = line
                    .cells
                    .iter()
                    .enumerate()
                    .map(|(number, cell)| pad(cell, column(line.is_trend, number), ' '))
                    .collect();
                let name = " ".repeat(line.shift) + &line.name;
                let line = format!("{INDENT}{name}{}: {}", self.paint.with(Style::Faint, &dots), cells.join(" "));
                line.trim_end().to_owned()
            })
            .collect::<Vec<_>>()
            .join("\n")
    }
}

fn name_width(lines: &[Line]) -> usize {
    lines.iter().map(|line| width(&line.name) + line.shift).max().unwrap_or(0).max(NAME_WIDTH)
}

fn category_of(metric: &str) -> &'static str {
    if builtin::ALL.iter().all(|(name, ..)| *name != metric) {
        "CUSTOM"
    } else if metric.starts_with("http_") || metric.starts_with("sse_") {
        "HTTP"
    } else if metric.starts_with("ws_") {
        "WEBSOCKET"
    } else if metric.starts_with("grpc_") {
        "GRPC"
    } else if metric.starts_with("data_") {
        "NETWORK"
    } else {
        "EXECUTION"
    }
}
