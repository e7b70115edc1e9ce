//! The end-of-test summary for people.
//!
//! Its sections and lines are those that k6 users know: thresholds, checks, then metrics by category. After them stand
//! break-downs that need no configuration, whatever went wrong with its remedy, and the verdict as the last line, where the
//! eye is when the run ends.

mod metrics;
mod notes;
mod style;
mod tables;
mod thresholds;

use std::str::FromStr;

use self::style::{Paint, Style, plain};
use super::{Rendering, numbers};
use crate::field_error::FieldError;
use crate::summary::{Block, Summary, ThresholdSummary};
use crate::threshold::Verdict;

/// How much the text says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// What matters.
    #[default]
    Compact,
    /// Every metric, and a block for each scenario and each group.
    Full,
    /// Nothing.
    Disabled,
}

impl FromStr for Mode {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        match text {
            "compact" => Ok(Self::Compact),
            "full" => Ok(Self::Full),
            "disabled" => Ok(Self::Disabled),
            _ => {
                Err(FieldError::new("summaryMode", format!("\"{text}\""), "is unknown; use compact, full or disabled"))
            }
        }
    }
}

/// The text, with a line feed at its end; empty in the mode `disabled`.
pub fn render(summary: &Summary, rendering: &Rendering) -> String {
    if rendering.mode == Mode::Disabled {
        return String::new();
    }
    let page = Page { summary, rendering, paint: Paint(rendering.colour) };
    let mut sections = vec![
        page.thresholds(),
        page.section("TOTAL RESULTS", &page.totals()),
        page.table("BY SCENARIO", &tables::scenarios(summary, rendering)),
        page.table("BY REQUEST", &tables::names(summary, rendering)),
        page.table("BY ANSWER", &tables::answers(summary, rendering)),
    ];
    sections.extend(summary.blocks.iter().map(|block| page.block(block)));
    sections.push(page.section("ITERATION ERRORS", &page.iteration_errors()));
    sections.push(page.section("TO LOOK AT", &page.notes()));
    sections.push(page.verdict());
    format!("\n{}\n", joined(&sections))
}

/// The parts that say something, with an empty line between them.
fn joined(parts: &[String]) -> String {
    parts.iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join("\n\n")
}

/// One summary being written.
struct Page<'a> {
    summary: &'a Summary,
    rendering: &'a Rendering,
    paint: Paint,
}

impl Page<'_> {
    /// A title and its lines; empty without lines.
    fn section(&self, title: &str, body: &str) -> String {
        if body.is_empty() { String::new() } else { format!("  {}\n\n{body}", self.title(title)) }
    }

    fn title(&self, text: &str) -> String {
        format!("█ {}", self.paint.with(Style::Bold, text))
    }

    fn totals(&self) -> String {
        joined(&[self.checks(), self.metric_sections(&self.summary.metrics)])
    }

    fn block(&self, block: &Block) -> String {
        let described =
            self.summary.scenarios.iter().find(|scenario| block.kind == "SCENARIO" && scenario.name == block.name);
        let description = described.map_or_else(String::new, |scenario| {
            let text = format!("    {}: {}", scenario.executor, scenario.description);
            self.paint.with(Style::Faint, &text)
        });
        let checks: Vec<String> = block.checks.iter().map(|check| self.check(check, "")).collect();
        let body = joined(&[description, checks.join("\n"), self.metric_sections(&block.metrics)]);
        self.section(&format!("{}: {}", block.kind, plain(&block.name)), &body)
    }

    /// The last line: whether the run passed, why, and which run it was.
    fn verdict(&self) -> String {
        let run = &self.summary.run;
        let thresholds: Vec<_> = self.summary.metrics.iter().flat_map(|metric| &metric.thresholds).collect();
        let failing = thresholds.iter().filter(|threshold| !threshold.ok).count();
        let no_data =
            |threshold: &&&ThresholdSummary| threshold.ok && matches!(threshold.verdict, Verdict::NoData { .. });
        let without_data = thresholds.iter().filter(no_data).count();
        let (style, word, mut reasons) = match (thresholds.len(), failing) {
            (0, _) => (Style::Faint, "- NO VERDICT", vec!["no thresholds were set".to_owned()]),
            (all, 0) if without_data == all => {
                (Style::Yellow, "- NO VERDICT", vec!["no threshold has data to judge".to_owned()])
            }
            (all, 0) if without_data > 0 => {
                let holding = all - without_data;
                (Style::Green, "✓ PASSED", vec![format!("{holding} of {all} thresholds hold, the others have no data")])
            }
            (1, 0) => (Style::Green, "✓ PASSED", vec!["the threshold holds".to_owned()]),
            (all, 0) => (Style::Green, "✓ PASSED", vec![format!("all {all} thresholds hold")]),
            (1, _) => (Style::Red, "✗ FAILED", vec!["the threshold does not hold".to_owned()]),
            (all, 1) => (Style::Red, "✗ FAILED", vec![format!("1 of {all} thresholds does not hold")]),
            (all, _) => (Style::Red, "✗ FAILED", vec![format!("{failing} of {all} thresholds do not hold")]),
        };
        let (style, word) = match (&run.marked_failed, &run.stopped_early) {
            (Some(reason), _) => {
                reasons.insert(0, format!("the scenario failed the run: {reason}"));
                (Style::Red, "✗ FAILED")
            }
            (None, Some(_)) if run.aborted_by_threshold => (Style::Red, "✗ FAILED"),
            // A run that was cut short proves nothing by thresholds that hold so far.
            (None, Some(_)) if failing == 0 => (Style::Yellow, "- STOPPED EARLY"),
            _ => (style, word),
        };
        // Thresholds that hold over no answer at all, or over no whole iteration, are no good news.
        let useless =
            [(self.nothing_answered(), "every request failed"), (self.nothing_completed(), "every iteration failed")];
        for (_, reason) in useless.iter().filter(|(is_so, _)| *is_so) {
            reasons.push((*reason).to_owned());
        }
        let (style, word) = match word {
            "✓ PASSED" if useless.iter().any(|(is_so, _)| *is_so) => (Style::Yellow, "! PASSED"),
            _ => (style, word),
        };
        if let Some(reason) = &run.stopped_early {
            reasons.push(format!("stopped early: {reason}"));
        }
        let duration = numbers::time(run.duration.as_secs_f64() * 1e3, None);
        let which = format!("{}, {duration}, seed {}", run.name, run.seed);
        format!(
            "  {}  {}  {}",
            self.paint.with(style, word),
            plain(&reasons.join("; ")),
            self.paint.with(Style::Faint, &format!("({})", plain(&which)))
        )
    }
}

#[cfg(test)]
mod tests;
