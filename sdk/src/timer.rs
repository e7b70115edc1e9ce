//! Waiting.

use crate::host;
use crate::text::Seconds;

/// Waits for a [`Duration`](std::time::Duration), or for a number of seconds. Only this virtual user waits; what is
/// negative is no wait at all.
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
