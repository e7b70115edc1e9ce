//! What the records say. Those that are few are JSON; those of every second are bytes.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::field_error::FieldError;
use crate::output::Mode;
use crate::plan::PlannedScenario;
use crate::summary::{ScenarioInfo, Starts};
use crate::threshold::{NoDataPolicy, Threshold};

/// Types of records.
pub(super) mod kind {
    pub(in super::super) const RUN: u8 = 1;
    pub(in super::super) const DEFINITIONS: u8 = 2;
    pub(in super::super) const SNAPSHOT: u8 = 3;
    pub(in super::super) const EVENT: u8 = 4;
    pub(in super::super) const END: u8 = 5;
}

/// The first record: what is run. Values of `-e` are not in it, as they may be secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The runtime's version.
    pub runtime: String,
    /// What runs; of several modules, the first.
    pub module: ModuleRecord,
    /// All modules, by the names that this run knows them by; empty where there is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<ModuleRecord>,
    /// When the file was begun, in milliseconds since 1970 (UTC).
    pub started_unix_ms: u64,
    /// The same for people: `2026-11-21T12:14:51.123Z`.
    pub started: String,
    /// Makes the run's randomness repeatable: 64 bits.
    pub seed: u64,
    /// Cores that the runtime could use.
    pub cores: u64,
    /// Worker threads.
    pub shards: u64,
    /// Series kept apart at most.
    pub max_series: u64,
    /// Names of the variables that `-e` gave.
    pub env: Vec<String>,
    /// In the plan's order.
    pub scenarios: Vec<ScenarioInfo>,
    /// In the plan's order.
    pub thresholds: Vec<ThresholdRecord>,
    /// How the summary was asked for.
    pub summary: SummaryRecord,
    /// k6's options object, resolved; values of scenarios' variables are left out.
    pub options: Value,
    /// What `--scale-load` and `--scale-time` changed, in a line each.
    pub scaled: Vec<String>,
}

/// A module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleRecord {
    /// Its name.
    pub name: String,
    /// Its version; may be empty.
    pub version: String,
    /// Its bytes' SHA-256, in hexadecimal digits.
    pub sha256: String,
}

/// A threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThresholdRecord {
    /// The selector as it was written.
    pub metric: String,
    /// The expression as it was written.
    pub expression: String,
    /// Whether crossing it ends the load.
    pub abort_on_fail: bool,
    /// Not before so many milliseconds of load.
    pub delay_abort_eval_ms: u64,
    /// For a threshold over the last so many milliseconds of load, and not over all of it.
    #[serde(default)]
    pub window_ms: Option<u64>,
}

/// How the summary was asked for, and what the run must meet beside its thresholds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SummaryRecord {
    /// How much of it was printed.
    pub mode: Mode,
    /// Such as `p(95)`.
    pub trend_stats: Vec<String>,
    /// `s`, `ms`, `us`, or null for the one that suits each value.
    pub time_unit: Option<String>,
    /// What a threshold without data does.
    pub no_data: NoDataPolicy,
    /// Whether a check that failed fails the run.
    #[serde(default)]
    pub fail_on_check: bool,
    /// The share of the iterations that were due which each scenario must start, if there is such a rule.
    #[serde(default)]
    pub min_rate_achieved: Option<f64>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, in microseconds since the file was begun.
    pub at_us: u64,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A stage began: `setup`, `load`, `teardown` or `summary`.
    Stage(String),
    /// The load is to end early: words that continue `stopped early: `.
    Stopping {
        /// Why.
        reason: String,
        /// Whether because a threshold was crossed.
        by_threshold: bool,
    },
    /// A scenario marked the run as failed: why.
    Failed(String),
}

/// The last record of a run that was not cut off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// When, in microseconds since the file was begun.
    pub at_us: u64,
    /// The run's exit code.
    pub exit_code: u8,
    /// How long the load lasted, in nanoseconds.
    pub duration_ns: u64,
    /// Why the load ended before its time, if it did.
    pub stopped_early: Option<String>,
    /// Whether because a threshold was crossed.
    pub aborted_by_threshold: bool,
    /// Why a scenario marked the run as failed, if one did.
    pub marked_failed: Option<String>,
    /// Iterations that were under way when their time was over.
    pub interrupted_iterations: u64,
    /// Log lines that were thinned out.
    pub dropped_log_lines: u64,
    /// How much of the load was started, of the scenarios that promise a number of iterations.
    #[serde(default)]
    pub starts: Vec<Starts>,
}

impl RunRecord {
    /// The thresholds, in the plan's order.
    ///
    /// # Errors
    /// One that no run can have.
    pub fn thresholds(&self) -> Result<Vec<Threshold>, FieldError> {
        let threshold = |record: &ThresholdRecord| {
            let window = record.window_ms.map(Duration::from_millis);
            Ok(Threshold { window, ..Threshold::parse(&record.metric, &record.expression)? })
        };
        self.thresholds.iter().map(threshold).collect()
    }

    /// What ran: the name, with the version where there is one; of several modules, all of them.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.modules[..] {
            [] => self.module.name_and_version(),
            several => several.iter().map(ModuleRecord::name_and_version).collect::<Vec<_>>().join(" + "),
        }
    }
}

impl ModuleRecord {
    fn name_and_version(&self) -> String {
        format!("{} {}", self.name, self.version).trim().to_owned()
    }
}

impl ScenarioInfo {
    /// A scenario of a plan.
    #[must_use]
    pub fn of(planned: &PlannedScenario) -> Self {
        Self {
            name: planned.spec.name.clone(),
            executor: planned.spec.executor.name().to_owned(),
            description: planned.spec.describe(),
        }
    }
}

impl From<&Threshold> for ThresholdRecord {
    fn from(threshold: &Threshold) -> Self {
        Self {
            metric: threshold.selector_text.clone(),
            expression: threshold.expression_text.clone(),
            abort_on_fail: threshold.abort_on_fail,
            delay_abort_eval_ms: milliseconds(threshold.delay_abort_eval),
            window_ms: threshold.window.map(milliseconds),
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The options of a plan without the values of scenarios' variables.
pub(crate) fn without_secrets(mut options: Value) -> Value {
    let scenarios = options.get_mut("scenarios").and_then(Value::as_object_mut);
    for scenario in scenarios.into_iter().flat_map(|scenarios| scenarios.values_mut()) {
        if let Some(Value::Object(env)) = scenario.get_mut("env") {
            env.values_mut().for_each(|value| *value = Value::Null);
        }
    }
    options
}

/// Whole microseconds.
pub(crate) fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scenario_variables_are_names_only() {
        let options = json!({"scenarios": {"buy": {"exec": "default", "env": {"TOKEN": "s3cret"}}}, "rps": 5});
        let clean = json!({"scenarios": {"buy": {"exec": "default", "env": {"TOKEN": null}}}, "rps": 5});
        assert_eq!(without_secrets(options), clean);
        assert_eq!(without_secrets(json!({})), json!({}));
    }

    #[test]
    fn events_are_flat_objects() {
        let event = |what| serde_json::to_value(Event { at_us: 7, what }).unwrap();
        assert_eq!(event(What::Stage("load".to_owned())), json!({"at_us": 7, "stage": "load"}));
        assert_eq!(
            event(What::Stopping { reason: "a signal".to_owned(), by_threshold: false }),
            json!({"at_us": 7, "stopping": {"reason": "a signal", "by_threshold": false}})
        );
        assert_eq!(event(What::Failed("sold out".to_owned())), json!({"at_us": 7, "failed": "sold out"}));
    }
}
