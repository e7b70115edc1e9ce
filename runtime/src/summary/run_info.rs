//! What a summary says of the run beside its metrics.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Facts of a finished run that are not metrics.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RunInfo {
    /// What ran: the module's name, with its version where it has one.
    pub name: String,
    /// How long the load lasted, from the first scenario's start to the last iteration's end. Rates are per second of it.
    #[serde(rename = "duration_ms", serialize_with = "milliseconds")]
    pub duration: Duration,
    /// The scenarios, in the order of the plan.
    pub scenarios: Vec<ScenarioInfo>,
    /// The seed that repeats the run's random choices.
    pub seed: u64,
    /// Iterations that were under way when their `gracefulStop` was over.
    pub interrupted_iterations: u64,
    /// Failed iterations by message.
    pub iteration_errors: BTreeMap<String, u64>,
    /// Requests refused because their host is not granted, by `host:port`.
    pub refused_hosts: BTreeMap<String, u64>,
    /// Anything else that the person should know, by message.
    pub warnings: BTreeMap<String, u64>,
    /// Log lines that were thinned out.
    pub dropped_log_lines: u64,
    /// Why the load ended before its time, if it did: words that continue `stopped early: `.
    pub stopped_early: Option<String>,
    /// Whether it ended early because a threshold was crossed.
    pub aborted_by_threshold: bool,
    /// Why a scenario marked the whole run as failed, if one did.
    pub marked_failed: Option<String>,
    /// What `setup` returned.
    #[serde(skip)]
    pub setup_data: Option<Vec<u8>>,
    /// Whether standard output is a terminal.
    #[serde(skip)]
    pub stdout_is_terminal: bool,
    /// Whether standard error is a terminal.
    #[serde(skip)]
    pub stderr_is_terminal: bool,
}

/// One scenario of the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScenarioInfo {
    /// Its name, which is the value of the tag `scenario`.
    pub name: String,
    /// Its executor, such as `constant-arrival-rate`.
    pub executor: String,
    /// What it was to do, such as `100.00 iterations/s for 1m0s`.
    pub description: String,
}

fn milliseconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64() * 1e3)
}
