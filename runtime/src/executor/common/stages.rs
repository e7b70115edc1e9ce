//! Stages: how a number of virtual users, or a rate, changes over time.

use std::time::Duration;

/// One stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// How long the way to the target takes; 0 jumps there.
    pub duration: Duration,
    /// The value at its end.
    pub target: u64,
}

/// How long all stages take together.
#[must_use]
pub fn total(stages: &[Stage]) -> Duration {
    stages.iter().map(|stage| stage.duration).sum()
}

/// The same stages with other targets, in other times.
#[must_use]
pub fn scaled(stages: &[Stage], load: f64, time: f64) -> Vec<Stage> {
    let scale = |stage: &Stage| Stage {
        duration: scale_duration(stage.duration, time),
        target: scale_count(stage.target, load),
    };
    stages.iter().map(scale).collect()
}

/// `count * factor`, rounded; 0 stays 0, and anything else is at least 1.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rounded, not negative, and saturating"
)]
pub fn scale_count(count: u64, factor: f64) -> u64 {
    if count == 0 { 0 } else { ((count as f64 * factor).round() as u64).max(1) }
}

/// As [`scale_count`], for virtual users.
#[must_use]
pub fn scale_vus(vus: u32, factor: f64) -> u32 {
    u32::try_from(scale_count(vus.into(), factor)).unwrap_or(u32::MAX)
}

/// `duration * factor`; what is too long to express stays as it is.
#[must_use]
pub fn scale_duration(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(duration)
}

/// When the number of virtual users changes: pairs of a time and the number from then on.
///
/// Over a stage of length D from a to b the number follows the straight line, rounded down on the way up and up on the
/// way down: it becomes `n` at the moment at which the line reaches `n`, `D * |n - a| / |b - a|` after the stage's
/// beginning, so that the target is reached at the stage's end.
#[must_use]
pub fn counts(start: u32, stages: &[Stage]) -> Vec<(Duration, u32)> {
    let mut counts = vec![(Duration::ZERO, start)];
    let (mut from, mut begin) = (start, Duration::ZERO);
    for stage in stages {
        let to = u32::try_from(stage.target).unwrap_or(u32::MAX);
        let distance = from.abs_diff(to);
        if stage.duration.is_zero() {
            counts.push((begin, to));
        } else {
            counts.extend((1..=distance).map(|gone| {
                let number = if to > from { from + gone } else { from - gone };
                (begin + part(stage.duration, gone, distance), number)
            }));
        }
        from = to;
        begin += stage.duration;
    }
    // Where several changes fall on one moment, only the last of them counts.
    counts.dedup_by(|later, earlier| {
        let same = later.0 == earlier.0;
        if same {
            earlier.1 = later.1;
        }
        same
    });
    counts.dedup_by_key(|(_, number)| *number);
    counts
}

/// `whole * numerator / denominator`, to the nanosecond.
fn part(whole: Duration, numerator: u32, denominator: u32) -> Duration {
    let ns = whole.as_nanos() * u128::from(numerator) / u128::from(denominator.max(1));
    const PER_SECOND: u128 = 1_000_000_000;
    Duration::new(u64::try_from(ns / PER_SECOND).unwrap_or(u64::MAX), u32::try_from(ns % PER_SECOND).unwrap_or(0))
}

/// The same numbers, each decrease put off by `hold`: what is still needed while virtual users wind down. At any moment
/// it is the greatest number of the last `hold`.
#[must_use]
pub fn held(counts: &[(Duration, u32)], hold: Duration) -> Vec<(Duration, u32)> {
    // Numbers that still bear on the present, falling: the first is the greatest. Each carries the time at which the
    // number after it came, from which it is held for `hold` longer.
    let mut result: Vec<(Duration, u32)> = Vec::new();
    let mut falling: std::collections::VecDeque<(u32, Duration)> = std::collections::VecDeque::new();
    let mut current = 0;
    let mut note = |at: Duration, number: u32| match result.last_mut() {
        Some(last) if last.1 == number => {}
        Some(last) if last.0 == at => last.1 = number,
        _ => result.push((at, number)),
    };
    for (index, &(at, number)) in counts.iter().enumerate() {
        // What ran out before this change.
        while let Some(&(_, until)) = falling.front().filter(|(_, until)| *until <= at) {
            falling.pop_front();
            note(until, falling.front().map_or(current, |(held, _)| (*held).max(current)));
        }
        if index > 0 && number < current {
            while falling.back().is_some_and(|(held, _)| *held <= current) {
                falling.pop_back();
            }
            falling.push_back((current, at + hold));
        }
        current = number;
        while falling.back().is_some_and(|(held, _)| *held <= current) {
            falling.pop_back();
        }
        note(at, falling.front().map_or(current, |(held, _)| (*held).max(current)));
    }
    while let Some((_, until)) = falling.pop_front() {
        note(until, falling.front().map_or(current, |(held, _)| (*held).max(current)));
    }
    // A hold that ends as the number rises to the same again.
    result.dedup_by_key(|(_, number)| *number);
    result
}
