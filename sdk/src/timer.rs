//! Waiting.

use rand::distr::uniform::{SampleRange, SampleUniform};

use crate::text::Seconds;
use crate::{host, random};

/// Waits for a [`Duration`](std::time::Duration), or for a number of seconds. Only this virtual user waits; what is
/// negative is no wait at all. A wait is never shorter than that. Below 100 ms it is exact to some tens of microseconds, as long as few virtual
/// users are in such a wait at once; else it is rounded up to a whole millisecond.
///
/// ```no_run
/// use flashcrowd::prelude::*;
///
/// sleep(1);
/// sleep(0.5);
/// sleep(millis(200));
/// sleep(random::range(1.0..3.0));
/// ```
pub fn sleep(time: impl Seconds) {
    host::timer::sleep(time.nanoseconds());
}

/// Waits for a random time from a range, as a person does who reads the page: each length is as likely as any other. What is given is
/// seconds, or [`Duration`](std::time::Duration)s.
///
/// ```no_run
/// use flashcrowd::prelude::*;
///
/// think_time(1.0..3.0);
/// think_time(millis(200)..secs(2));
/// ```
///
/// # Panics
/// If the range is empty.
#[track_caller]
pub fn think_time<T: Seconds + SampleUniform>(range: impl SampleRange<T>) {
    sleep(random::range(range));
}

/// Waits for the rest of an interval that began with this iteration: as the last line of a scenario function, it makes the iterations of this
/// virtual user start once per interval, however long each takes. That is Locust's `constant_pacing` and Gatling's `pace`.
///
/// An iteration that takes longer than the interval is followed by the next one at once; what was lost is not made up for. One that fails before
/// this line does not wait either: the option `minIterationDuration` holds for those, too.
///
/// ```no_run
/// use flashcrowd::prelude::*;
///
/// #[flashcrowd::scenario]
/// fn poll() {
///     http::get("/queue/position").send();
///     pacing(10);
/// }
/// ```
pub fn pacing(interval: impl Seconds) {
    let left_ns = interval.nanoseconds().saturating_sub(host::execution::iteration_elapsed());
    host::timer::sleep(left_ns);
}
