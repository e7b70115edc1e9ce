//! Where this code is running: the virtual user, its iteration, the scenario, the test.
//!
//! ```no_run
//! use flashcrowd::prelude::*;
//!
//! log::info!("user {} begins iteration {} of {}", exec::vu(), exec::iteration(), exec::scenario());
//! ```

use std::time::Duration;

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
