//! When iterations of an open model are due: arithmetic only, no clock inside.
//!
//! *Constant*: start k = 0, 1, 2 … is due at `k * time_unit / rate`, as long as that is before the duration's end.
//!
//! *Ramping*: with `rate(t)` in starts per time unit, linear within each stage, start k is due when
//!
//! ```text
//! (1 / time_unit) * ∫₀ᵗ rate(s) ds = k + 1
//! ```
//!
//! so that `floor(∫ / time_unit)` iterations start in all. In a stage of length D from rate a to rate b, `m` starts (a
//! fraction carried over from the stage before included) are reached after t with `a t + (b - a) t² / 2D = m * time_unit`.
//! With `M = 2 m time_unit`, a whole number, the root that loses no digits is `t = M / (a + √(a² + (b - a) M / D))`
//! where the rate rises; where it falls, the same from the stage's end backwards, with a and b exchanged.
//!
//! Sums over stages are whole numbers, and a due time is computed from the stage's beginning, never from the start
//! before it: nothing drifts. Results are exact to the nanosecond, or within two where a root is taken.

use std::time::Duration;

/// Numbers of starts beyond this do not come about; a rate of a million per millisecond for a century stays below.
const MOST_STARTS: u128 = u64::MAX as u128;

/// So many changes of the rate are remembered.
const MOST_SEGMENTS: usize = 64;

/// The due times of one scenario's iterations, measured from the scenario's beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pacer {
    segments: Vec<Segment>,
    /// Twice the time unit in nanoseconds: the denominator of all integrals here.
    twice_unit_ns: u128,
    /// How many iterations start in all.
    starts: u64,
    /// The integral at which start 0 is due, in starts: 0 for a constant rate, 1 for a ramp.
    first: u64,
}

/// One stage of length above zero. Areas are `2 * ∫ rate dt`, rates per time unit and times in nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Segment {
    begin_ns: u128,
    length_ns: u128,
    from: u128,
    to: u128,
    /// All stages before this one.
    area_before: u128,
}

impl Segment {
    fn area(&self) -> u128 {
        (self.from + self.to) * self.length_ns
    }

    /// How long after its beginning this segment has covered `area`, which is at most all of it.
    fn time_at(&self, area: u128) -> u128 {
        if self.from == self.to {
            return area / (2 * self.from).max(1);
        }
        if self.from < self.to {
            rising(self.from, self.to, self.length_ns, area).min(self.length_ns)
        } else {
            let left = self.area() - area;
            self.length_ns - rising(self.to, self.from, self.length_ns, left).min(self.length_ns)
        }
    }
}

/// The root of `2 a t + (b - a) t² / D = area`, rounded to the nanosecond, for a < b: every term is positive.
#[expect(clippy::cast_precision_loss, reason = "53 bits: a relative error of 1e-16, which is 0.02 ns in 24 h")]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, and not negative")]
fn rising(a: u128, b: u128, length_ns: u128, area: u128) -> u128 {
    if area == 0 {
        return 0;
    }
    let (rate, slope) = (a as f64, (b - a) as f64);
    let area = area as f64;
    let root = rate.mul_add(rate, slope * area / length_ns as f64).sqrt();
    (area / (rate + root)).round() as u128
}

impl Pacer {
    /// `rate` starts per `time_unit` for `duration`, the first at once.
    #[must_use]
    pub fn constant(rate: u64, time_unit: Duration, duration: Duration) -> Self {
        let segment =
            Segment { begin_ns: 0, length_ns: duration.as_nanos(), from: rate.into(), to: rate.into(), area_before: 0 };
        let twice_unit_ns = 2 * time_unit.as_nanos().max(1);
        let starts = segment.area().div_ceil(twice_unit_ns).min(MOST_STARTS);
        Self { segments: vec![segment], twice_unit_ns, starts: saturating(starts), first: 0 }
    }

    /// From `start_rate` linearly to each stage's rate in turn; a stage without length jumps.
    #[must_use]
    pub fn ramping(start_rate: u64, time_unit: Duration, stages: &[(Duration, u64)]) -> Self {
        let mut segments = Vec::with_capacity(stages.len());
        let (mut from, mut begin_ns, mut area_before) = (u128::from(start_rate), 0, 0);
        for &(length, target) in stages {
            let to = u128::from(target);
            if !length.is_zero() {
                let segment = Segment { begin_ns, length_ns: length.as_nanos(), from, to, area_before };
                begin_ns += segment.length_ns;
                area_before += segment.area();
                segments.push(segment);
            }
            from = to;
        }
        let twice_unit_ns = 2 * time_unit.as_nanos().max(1);
        let starts = saturating((area_before / twice_unit_ns).min(MOST_STARTS));
        Self { segments, twice_unit_ns, starts, first: 1 }
    }

    /// Goes on at another rate from this time on, which is no earlier than the last change's. What part of a start has passed by then
    /// counts: nothing is due twice or never, and there is no burst.
    pub(crate) fn change_rate(&mut self, at: Duration, rate: u64) {
        let Some(last) = self.segments.last_mut() else { return };
        let end_ns = last.begin_ns + last.length_ns;
        let at_ns = at.as_nanos().clamp(last.begin_ns, end_ns);
        last.length_ns = at_ns - last.begin_ns;
        let (area_before, empty) = (last.area_before + last.area(), last.length_ns == 0);
        if empty {
            self.segments.pop();
        }
        let rate = u128::from(rate);
        let segment = Segment { begin_ns: at_ns, length_ns: end_ns - at_ns, from: rate, to: rate, area_before };
        let area = area_before + segment.area();
        self.segments.push(segment);
        if self.segments.len() > MOST_SEGMENTS {
            // Long past. A start that is late by so many changes is taken to have been due at the first one that is left.
            self.segments.remove(0);
        }
        self.starts = saturating(area.div_ceil(self.twice_unit_ns).min(MOST_STARTS));
    }

    /// How many iterations start in all.
    #[must_use]
    pub fn starts(&self) -> u64 {
        self.starts
    }

    /// When start `k` (from 0) is due, after the scenario's beginning; `None` after the last.
    #[must_use]
    pub fn due(&self, k: u64) -> Option<Duration> {
        if k >= self.starts {
            return None;
        }
        let area = (u128::from(k) + u128::from(self.first)) * self.twice_unit_ns;
        let index = if self.first == 0 {
            // The first segment in which the area grows beyond it: at a rate of 0 nothing is due.
            self.segments.partition_point(|segment| segment.area_before + segment.area() <= area)
        } else {
            // The first segment whose end reaches the area: the one before those that begin at or beyond it.
            self.segments.partition_point(|segment| segment.area_before < area).saturating_sub(1)
        };
        let segment = self.segments.get(index)?;
        let ns = segment.begin_ns + segment.time_at(area.saturating_sub(segment.area_before));
        Some(nanoseconds(ns))
    }
}

fn saturating(count: u128) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn nanoseconds(ns: u128) -> Duration {
    const PER_SECOND: u128 = 1_000_000_000;
    let seconds = u64::try_from(ns / PER_SECOND).unwrap_or(u64::MAX);
    Duration::new(seconds, u32::try_from(ns % PER_SECOND).unwrap_or(0))
}

#[cfg(test)]
#[path = "tests/pacer.rs"]
mod tests;
