//! The report: what a part of the bench found, as tables that a reader understands alone, and as JSON.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

/// What one part of the bench found.
#[derive(Debug, Default)]
pub(crate) struct Section {
    /// Markdown below the part's heading.
    pub(crate) text: String,
    /// All rounds' raw figures.
    pub(crate) raw: Value,
    pub(crate) bars: Vec<Bar>,
    /// What went wrong while the rest of the part got through.
    pub(crate) failures: Vec<String>,
    pub(crate) plots: Vec<Plot>,
}

/// A chart.
#[derive(Debug)]
pub(crate) struct Plot {
    /// Of the file, without extension.
    pub(crate) name: &'static str,
    /// For who cannot see it.
    pub(crate) shows: &'static str,
    pub(crate) svg: String,
}

/// One line of the table of what should be reached.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Bar {
    pub(crate) what: String,
    pub(crate) bar: String,
    pub(crate) figure: String,
    /// `None` if it was not measured.
    pub(crate) reached: Option<bool>,
}

impl Bar {
    /// A bar, and the figure that is held against it.
    pub(crate) fn new(what: impl Into<String>, bar: impl Into<String>, figure: Option<(String, bool)>) -> Self {
        let (figure, reached) =
            figure.map_or(("not measured".to_owned(), None), |(figure, reached)| (figure, Some(reached)));
        Self { what: what.into(), bar: bar.into(), figure, reached }
    }

    fn verdict(&self) -> &'static str {
        match self.reached {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "**not measured**",
        }
    }
}

/// A part's name, how long it took, and what came of it.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) seconds: f64,
    pub(crate) result: Result<Section, String>,
}

/// A table in Markdown; all columns but the first are numbers.
pub(crate) fn table(heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = format!("| {} |\n|---|{}\n", heads.join(" | "), "--:|".repeat(heads.len().saturating_sub(1)));
    for row in rows {
        let _ =
            writeln!(text, "| {} |", row.iter().map(|cell| cell.replace('|', "\\|")).collect::<Vec<_>>().join(" | "));
    }
    text
}

/// The table of all bars.
pub(crate) fn bars(parts: &[Part]) -> String {
    let bars = parts.iter().filter_map(|part| part.result.as_ref().ok()).flat_map(|section| &section.bars);
    let row = |bar: &Bar| vec![bar.what.clone(), bar.bar.clone(), bar.figure.clone(), bar.verdict().to_owned()];
    table(&["what", "bar", "here", "reached"], bars.map(row))
}

/// The parts' sections, one below the other.
pub(crate) fn sections(parts: &[Part]) -> String {
    let mut text = String::new();
    for part in parts {
        let _ = writeln!(text, "\n## {}\n", part.title);
        match &part.result {
            Ok(section) => {
                let _ = writeln!(text, "{}", section.text.trim_end());
                for failure in &section.failures {
                    let _ = writeln!(text, "\n**FAILED:** {}", failure.trim_end());
                }
                for plot in &section.plots {
                    let _ = writeln!(text, "\n![{}](plots/{}.svg)", plot.shows, plot.name);
                }
            }
            Err(error) => {
                let _ = writeln!(text, "**FAILED:**\n\n```text\n{}\n```", error.trim_end());
            }
        }
    }
    text
}

impl Part {
    /// Whether all of it got through.
    pub(crate) fn complete(&self) -> bool {
        self.result.as_ref().is_ok_and(|section| section.failures.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(result: Result<Section, String>) -> Part {
        Part { name: "memory", title: "Memory", seconds: 1.0, result }
    }

    #[test]
    fn a_bar_says_whether_it_was_reached_or_measured_at_all() {
        let bars = vec![
            Bar::new("a", "<= 1", Some(("0.9".to_owned(), true))),
            Bar::new("b", "<= 1", Some(("1.1".to_owned(), false))),
            Bar::new("c", "<= 1", None),
        ];
        let text = super::bars(&[part(Ok(Section { bars, ..Section::default() }))]);
        let rows: Vec<_> = text.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| a | <= 1 | 0.9 | yes |",
                "| b | <= 1 | 1.1 | **no** |",
                "| c | <= 1 | not measured | **not measured** |"
            ]
        );
    }

    #[test]
    fn a_part_of_which_something_failed_is_told_and_not_complete() {
        let section = |failures: &[&str]| Section {
            text: "a table".to_owned(),
            failures: failures.iter().map(ToString::to_string).collect(),
            ..Section::default()
        };
        let failed = part(Ok(section(&["k6: it ended"])));
        assert_eq!((failed.complete(), part(Ok(section(&[]))).complete()), (false, true));
        assert_eq!(sections(&[failed]), "\n## Memory\n\na table\n\n**FAILED:** k6: it ended\n");
    }

    #[test]
    fn a_part_that_failed_is_told() {
        let text = sections(&[part(Err("the server ended".to_owned()))]);
        assert_eq!(text, "\n## Memory\n\n**FAILED:**\n\n```text\nthe server ended\n```\n");
    }
}
