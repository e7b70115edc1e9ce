//! Where this code is running: the virtual user, its iteration, the scenario, the test.
//!
//! ```no_run
//! use flashcrowd::prelude::*;
//!
//! log::info!("user {} begins iteration {} of {}", exec::vu(), exec::iteration(), exec::scenario());
//! ```

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::host::execution;

/// This virtual user's number in the test, from 1; 0 outside a scenario function.
#[must_use]
pub fn vu() -> u64 {
    execution::vu_id()
}

/// How many iterations this virtual user began before this one.
#[must_use]
pub fn iteration() -> u64 {
    execution::iteration_in_vu()
}

/// This iteration's number among all of its scenario's, from 0: no other virtual user gets the same one. Fit for taking
/// one line each from a list.
#[must_use]
pub fn scenario_iteration() -> u64 {
    execution::iteration_in_scenario()
}

/// How many iterations of its current scenario this virtual user began before this one. [`iteration`] counts those of all of its
/// scenarios.
#[must_use]
pub fn iteration_in_scenario() -> u64 {
    execution::iteration_of_vu_in_scenario()
}

/// The time since this iteration began.
#[must_use]
pub fn iteration_elapsed() -> Duration {
    Duration::from_nanos(execution::iteration_elapsed())
}

/// The scenario's name; empty outside a scenario function.
#[must_use]
pub fn scenario() -> String {
    execution::scenario_name()
}

/// The scenario's executor, such as `constant-vus`; empty outside a scenario function.
#[must_use]
pub fn executor() -> String {
    execution::scenario_executor()
}

/// The time since the scenario began.
#[must_use]
pub fn scenario_elapsed() -> Duration {
    Duration::from_nanos(execution::scenario_elapsed())
}

/// When the scenario began; `None` outside a scenario function.
#[must_use]
pub fn scenario_began() -> Option<SystemTime> {
    match execution::scenario_began() {
        0 => None,
        since_1970 => Some(SystemTime::UNIX_EPOCH + Duration::from_nanos(since_1970)),
    }
}

/// How much of the scenario is over, from 0 to 1.
#[must_use]
pub fn scenario_progress() -> f64 {
    execution::scenario_progress()
}

/// The time since the load began.
#[must_use]
pub fn test_elapsed() -> Duration {
    Duration::from_nanos(execution::test_elapsed())
}

/// How many iterations of the whole test have ended by themselves so far, failed ones included.
#[must_use]
pub fn iterations_completed() -> u64 {
    execution::iterations_completed()
}

/// How many iterations of the whole test have been interrupted so far.
#[must_use]
pub fn iterations_interrupted() -> u64 {
    execution::iterations_interrupted()
}

/// How many virtual users the scenarios that have begun hold at this moment.
#[must_use]
pub fn vus_active() -> u64 {
    execution::vus_active()
}

/// How many virtual users have been made so far.
#[must_use]
pub fn vus_initialised() -> u64 {
    execution::vus_initialised()
}

/// The test's options as they were resolved, all layers merged: k6's options object.
///
/// ```no_run
/// use flashcrowd::prelude::*;
///
/// let scenarios = &exec::options()["scenarios"];
/// log::info!("runs with {}", scenarios["rush"]["preAllocatedVUs"]);
/// ```
#[must_use]
pub fn options() -> serde_json::Value {
    serde_json::from_str(&execution::options()).unwrap_or_default()
}

/// The tags that a sample made at this moment would carry: the test's, the scenario's, the group's, and those of [`tag`].
#[must_use]
pub fn tags() -> BTreeMap<String, String> {
    execution::tags().into_iter().collect()
}

/// Adds a tag to all further samples of this virtual user.
///
/// ```no_run
/// use flashcrowd::prelude::*;
///
/// exec::tag("plan", if exec::vu() % 10 == 0 { "gold" } else { "basic" });
/// ```
pub fn tag(name: &str, value: &str) {
    execution::set_vu_tag(name, value);
}

/// Takes a tag of [`tag`] away.
pub fn untag(name: &str) {
    execution::set_vu_tag(name, "");
}
