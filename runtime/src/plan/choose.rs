//! Which of the scenarios run: all, or those that were chosen by name.

use std::time::Duration;

use super::Part;
use crate::duration;
use crate::field_error::{FieldError, did_you_mean};
use crate::options::ScenarioOptions;
use crate::options::modules::{MODULE_TAG, full_name};
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

/// What does not run.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    /// Full names of scenarios.
    scenarios: Vec<String>,
    /// Names of modules of which nothing runs.
    modules: Vec<String>,
}

/// Keeps the scenarios of these names, or all if there are none, and gives the others. The first of those that are kept begins at once: who
/// tries one scenario does not wait for those before it.
pub(super) fn choose(
    wanted: &mut Vec<Wanted>,
    parts: &[Part<'_>],
    only: &[String],
    notes: &mut Vec<String>,
) -> Result<LeftOut, FieldError> {
    if only.is_empty() {
        return Ok(LeftOut::default());
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
    for wanted in wanted.iter_mut() {
        wanted.scenario.start_time -= first;
    }
    let runs = |module: usize| wanted.iter().any(|wanted| wanted.module == module);
    let modules = parts.iter().enumerate().filter(|(module, _)| !runs(*module)).filter_map(|(_, part)| part.name);
    Ok(LeftOut {
        modules: modules.map(str::to_owned).collect(),
        scenarios: left_out.into_iter().map(|wanted| wanted.full_name).collect(),
    })
}

/// The thresholds without those that select what was left out: nothing would be measured for them.
pub(super) fn without(thresholds: Vec<Threshold>, left_out: &LeftOut, notes: &mut Vec<String>) -> Vec<Threshold> {
    let selects = |threshold: &Threshold, wanted: &str, names: &[String]| {
        threshold.selector.tags.iter().any(|(tag, value)| tag == wanted && names.contains(value))
    };
    let stays = |threshold: &Threshold| {
        let whose = if selects(threshold, "scenario", &left_out.scenarios) {
            "the scenario that it selects"
        } else if selects(threshold, MODULE_TAG, &left_out.modules) {
            "its module, of which nothing runs"
        } else {
            return true;
        };
        notes.push(format!(
            "--scenario: the threshold {}: {} is left out with {whose}",
            threshold.selector_text, threshold.expression_text
        ));
        false
    };
    thresholds.into_iter().filter(stays).collect()
}
