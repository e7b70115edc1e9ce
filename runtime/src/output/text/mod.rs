//! The end-of-test summary for people.
//!
//! Its sections and lines are those that k6 users know: thresholds, checks, then metrics by category. After them stand
//! break-downs that need no configuration, whatever went wrong with its remedy, and the verdict as the last line, where the
//! eye is when the run ends.

mod metrics;
mod notes;
pub mod once;
mod style;
mod tables;
mod thresholds;
mod verdict;

use std::str::FromStr;

use self::style::{Paint, Style, plain};
use super::{Rendering, numbers};
use crate::field_error::{FieldError, did_you_mean};
use crate::summary::{Block, Summary};

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
                let problem = format!("is no mode; {}", did_you_mean(text, ["compact", "full", "disabled"]));
                Err(FieldError::new("summaryMode", format!("\"{text}\""), problem))
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
}

#[cfg(test)]
mod tests;
