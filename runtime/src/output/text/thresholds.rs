//! Each threshold with what became of it.

use super::style::{Style, plain};
use super::{Page, numbers};
use crate::metrics::Kind;
use crate::summary::{MetricSummary, ThresholdSummary, WindowSummary};
use crate::threshold::{Aggregation, Verdict};

impl Page<'_> {
    pub(super) fn thresholds(&self) -> String {
        let metrics: Vec<String> = self
            .summary
            .metrics
            .iter()
            .filter(|metric| !metric.thresholds.is_empty())
            .map(|metric| {
                let lines = metric.thresholds.iter().map(|threshold| self.threshold(metric, threshold));
                format!("    {}\n{}", plain(&metric.name), lines.collect::<Vec<_>>().join("\n"))
            })
            .collect();
        self.section("THRESHOLDS", &metrics.join("\n\n"))
    }

    fn threshold(&self, metric: &MetricSummary, threshold: &ThresholdSummary) -> String {
        let (style, mark) = match (threshold.ok, threshold.verdict) {
            (false, _) => (Style::Red, "✗"),
            (true, Verdict::NoData { .. }) => (Style::Yellow, "-"),
            (true, _) => (Style::Green, "✓"),
        };
        let found = match threshold.verdict {
            Verdict::Passed | Verdict::Crossed => {
                let found = format!("{}={}", threshold.aggregation, self.compared(metric, threshold));
                threshold.window.as_ref().map_or(found.clone(), |window| found + &windows(window))
            }
            Verdict::NoData { unknown_metric: false } if metric.selector.is_some() => {
                "no data: no sample has these tags".to_owned()
            }
            Verdict::NoData { unknown_metric: false } => "no data: the metric has no samples".to_owned(),
            Verdict::NoData { unknown_metric: true } => match &threshold.probably_meant {
                Some(known) => format!("no data: no metric has this name; did you mean `{known}`?"),
                None => "no data: no metric has this name".to_owned(),
            },
            Verdict::Unfit(kind) => format!("the metric is a {kind}; use {}", Aggregation::names_for(kind)),
        };
        format!("    {} '{}' {found}", self.paint.with(style, mark), plain(&threshold.expression))
    }

    /// The value that was compared, in the look that the metric has elsewhere.
    fn compared(&self, metric: &MetricSummary, threshold: &ThresholdSummary) -> String {
        let value = threshold.value.unwrap_or_default();
        let shown = |value| numbers::value(value, metric.contains, self.rendering.time_unit);
        match (metric.kind, threshold.aggregation.as_str()) {
            (Kind::Rate, _) => numbers::percent(value),
            (Kind::Counter, "rate") => format!("{}/s", shown(value)),
            _ => shown(value),
        }
    }
}

/// Which window the value is from, and how many there were.
fn windows(window: &WindowSummary) -> String {
    let at = |ms: f64| numbers::time(ms, None);
    let place = format!(" from {} to {}", at(window.from_ms), at(window.until_ms));
    match (window.crossed, window.windows) {
        (_, 1) => place,
        (0, all) => format!("{place}, the worst of {all} windows"),
        (crossed, all) => format!("{place}; crossed in {crossed} of {all} windows"),
    }
}
