//! Which of the scenarios run: all, or those that were chosen by name.

use std::time::Duration;

use super::Part;
use crate::duration;
use crate::field_error::{FieldError, did_you_mean};
use crate::options::ScenarioOptions;
use crate::options::modules::full_name;
use crate::threshold::Threshold;

/// A scenario that a module brings.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) module: usize,
    /// Its name in the test.
    pub(super) full_name: String,
    pub(super) scenario: ScenarioOptions,
}

impl Wanted {
    pub(super) fn new(module: usize, part: &Part<'_>, scenario: ScenarioOptions) -> Self {
        Self { module, full_name: full_name(part.name, &scenario.name), scenario }
    }
}

/// Keeps the scenarios of these names, or all if there are none, and gives the names of the others. The first of those that are kept begins
/// at once: who tries one scenario does not wait for those before it.
pub(super) fn choose(
    wanted: &mut Vec<Wanted>,
    only: &[String],
    notes: &mut Vec<String>,
) -> Result<Vec<String>, FieldError> {
    if only.is_empty() {
        return Ok(Vec::new());
    }
    let known = || wanted.iter().map(|wanted| wanted.full_name.as_str());
    for name in only {
        if !known().any(|scenario| scenario == name) {
            let problem = format!("is no scenario of this test; {}", did_you_mean(name, known()));
            return Err(FieldError::new("--scenario", format!("\"{name}\""), problem));
        }
    }
    let left_out: Vec<Wanted> = wanted.extract_if(.., |wanted| !only.contains(&wanted.full_name)).collect();
    let first = wanted.iter().map(|wanted| wanted.scenario.start_time).min().unwrap_or_default();
    if first > Duration::ZERO {
        notes.push(format!("--scenario: all begins {} earlier than in the whole test", duration::format(first)));
    }
    for wanted in wanted {
        wanted.scenario.start_time -= first;
    }
    Ok(left_out.into_iter().map(|wanted| wanted.full_name).collect())
}

/// The thresholds without those that select a scenario which was left out.
pub(super) fn without(thresholds: Vec<Threshold>, left_out: &[String], notes: &mut Vec<String>) -> Vec<Threshold> {
    let selects = |threshold: &Threshold| {
        threshold.selector.tags.iter().any(|(tag, value)| tag == "scenario" && left_out.contains(value))
    };
    let (dropped, kept): (Vec<_>, Vec<_>) = thresholds.into_iter().partition(selects);
    notes.extend(dropped.iter().map(|threshold| {
        format!(
            "--scenario: the threshold {}: {} is left out with the scenario that it selects",
            threshold.selector_text, threshold.expression_text
        )
    }));
    kept
}
