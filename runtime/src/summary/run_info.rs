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
    /// How much of the load was started, of the scenarios that promise a number of iterations.
    pub starts: Vec<Starts>,
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

/// How much of a scenario's load was started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Starts {
    /// Its name.
    pub scenario: String,
    /// Iterations that were due.
    pub due: u64,
    /// Those of them that began.
    pub started: u64,
    /// Those that began, but more than a second after they were due.
    pub late: u64,
    /// For so many nanoseconds iterations were due, where there is a rate; `None` where their number is given.
    pub due_for_ns: Option<u64>,
}

impl Starts {
    /// Iterations that began when they were due.
    #[must_use]
    pub const fn in_time(&self) -> u64 {
        self.started.saturating_sub(self.late)
    }

    /// Their share of those that were due; 1 if none was.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub fn share(&self) -> f64 {
        if self.due == 0 { 1.0 } else { self.in_time() as f64 / self.due as f64 }
    }
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
