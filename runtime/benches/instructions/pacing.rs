//! Which start is due when.

use std::hint::black_box;
use std::time::Duration;

use flashcrowd_runtime::executor::pacer::Pacer;

/// The next start of a ramp of five stages, which takes a root.
pub(crate) fn run(times: u64) {
    let minute = Duration::from_mins(1);
    let stages = [(minute, 1_000), (minute, 5_000), (minute, 5_000), (minute, 200), (minute, 0)];
    let pacer = Pacer::ramping(10, Duration::from_secs(1), &stages);
    let every = pacer.starts() / 200_000;
    (0..times).for_each(|k| {
        black_box(pacer.due(black_box(k * every)));
    });
}
