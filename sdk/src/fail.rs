//! Ending an iteration.

use crate::host::execution;

/// Ends this iteration as failed: it is counted in `iteration_errors` and its reason is logged. The virtual user goes on
/// with its next iteration, on a fresh instance.
///
/// Returning an `Err` from the scenario function does the same and keeps the instance; prefer it where both are at hand.
///
/// ```no_run
/// use flashcrowd::prelude::*;
///
/// let response = http::get("https://example.test/queue/token").send();
/// let token = response.header("x-token").unwrap_or_else(|| fail("no token"));
/// ```
#[track_caller]
pub fn fail(reason: impl AsRef<str>) -> ! {
    execution::fail_iteration(reason.as_ref());
    unreachable!("the runtime ends the iteration")
}
