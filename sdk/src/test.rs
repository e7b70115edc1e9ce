//! A hand on the test as a whole.

use crate::host::execution;

/// Ends this iteration, and the load at once, with exit code 108. `teardown` and the summary still run.
///
/// ```no_run
/// use flashcrowd::prelude::*;
///
/// let health = http::get("https://example.test/health").send();
/// if health.status() == 0 {
///     test::abort("the server is not there");
/// }
/// ```
#[track_caller]
pub fn abort(reason: impl AsRef<str>) -> ! {
    execution::abort(reason.as_ref());
    unreachable!("the runtime ends the test")
}

/// Marks the whole test as failed (exit code 110) and goes on.
///
/// ```no_run
/// use flashcrowd::prelude::*;
///
/// # let oversold = false;
/// if oversold {
///     test::fail("more coupons were issued than there were");
/// }
/// ```
pub fn fail(reason: impl AsRef<str>) {
    execution::fail(reason.as_ref());
}

/// Ends the load as if its time were over: iterations under way may finish, and the thresholds give the exit code.
///
/// ```no_run
/// use flashcrowd::prelude::*;
///
/// let response = http::post("https://example.test/coupons").send();
/// if response.status() == 204 {
///     test::stop("sold out");
/// }
/// ```
pub fn stop(reason: impl AsRef<str>) {
    execution::stop(reason.as_ref());
}
