//! Pacing: exact values, and what must hold of any pacer.

use proptest::prelude::*;

use super::*;
use crate::executor::tests::exact::{self, Rate};
use crate::executor::{ExecutorConfig, Model};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);

fn dues(pacer: &Pacer) -> Vec<Duration> {
    (0..).map_while(|k| pacer.due(k)).collect()
}

fn ms(values: impl IntoIterator<Item = u64>) -> Vec<Duration> {
    values.into_iter().map(Duration::from_millis).collect()
}

#[test]
fn a_constant_rate() {
    for (rate, unit, duration, expected) in [
        (4, SECOND, SECOND, ms([0, 250, 500, 750])),
        (1, 10 * SECOND, 30 * SECOND, ms([0, 10_000, 20_000])),
        (1, 10 * SECOND, SECOND, ms([0])),
        (90, 60 * SECOND, 2 * SECOND, ms([0, 666, 1_333]).into_iter().collect()),
        (1, SECOND, Duration::ZERO, vec![]),
        (0, SECOND, SECOND, vec![]),
    ] {
        let dues: Vec<_> = dues(&Pacer::constant(rate, unit, duration));
        let rounded: Vec<_> = dues.iter().map(|due| Duration::from_millis(due.as_millis() as u64)).collect();
        assert_eq!(rounded, expected, "{rate} per {unit:?} for {duration:?}");
    }
}

#[test]
fn a_constant_rate_does_not_drift_in_24_hours() {
    let pacer = Pacer::constant(7, SECOND, DAY);
    assert_eq!(pacer.starts(), 7 * 86_400);
    for hour in 0..24 {
        assert_eq!(pacer.due(7 * 3_600 * hour), Some(Duration::from_hours(hour)));
    }
    assert_eq!(pacer.due(7 * 86_400 - 1), Some(Duration::from_nanos((86_400_000_000_000_u64 * 7 - 1_000_000_000) / 7)));
    let fast = Pacer::constant(999_983, SECOND, DAY);
    assert_eq!(fast.starts(), 999_983 * 86_400);
    assert_eq!(fast.due(999_983 * 80_000), Some(80_000 * SECOND));
}

#[test]
fn a_ramp_does_not_drift_in_24_hours() {
    // Up from 0 to 1,000/s in 12 h and down again: numbers at the top and at both quarters are known exactly.
    let half = Duration::from_hours(12);
    let pacer = Pacer::ramping(0, SECOND, &[(half, 1_000), (half, 0)]);
    let all = 43_200 * 1_000;
    assert_eq!(pacer.starts(), all);
    let near = |k: u64, expected: Duration| {
        let due = pacer.due(k - 1).unwrap();
        assert!(due.abs_diff(expected) <= Duration::from_nanos(2), "start {k} at {due:?}, not {expected:?}");
    };
    near(all / 2, half);
    near(all / 8, half / 2);
    near(all * 7 / 8, half + half / 2);
    near(all, DAY);
    // A constant stage of a ramp is as exact as a constant rate.
    let flat = Pacer::ramping(7, SECOND, &[(DAY, 7)]);
    assert_eq!(flat.due(7 * 3_600 * 23 - 1), Some(Duration::from_hours(23)));
}

/// What is promised where a root is taken.
const TWO_NS: Duration = Duration::from_nanos(2);

#[test]
fn every_start_of_a_day_is_due_when_the_integral_says() {
    for (name, rate, mut options) in exact::days() {
        let fields = options.as_object_mut().unwrap();
        let executor = fields.remove("executor").unwrap();
        fields.insert("preAllocatedVUs".to_owned(), 1.into());
        let executor = ExecutorConfig::parse(executor.as_str().unwrap(), fields.clone()).unwrap();
        let Model::Open { pacer } = executor.model() else { panic!("{name} is an open model") };
        assert_eq!(pacer.starts(), rate.starts(), "{name}");
        (0..pacer.starts()).for_each(|k| rate.check(k, pacer.due(k).unwrap(), TWO_NS));
        assert_eq!(pacer.due(pacer.starts()), None, "{name}");
    }
}

#[test]
fn fast_rates_are_as_exact_all_day() {
    let half = DAY / 2;
    let stages = [(half, 50), (half, 1)];
    let day = [
        (Pacer::constant(50, SECOND, DAY), Rate::constant(50, SECOND, DAY)),
        (Pacer::ramping(1, SECOND, &stages), Rate::ramping(1, SECOND, &stages)),
        (Pacer::constant(99_991, 3 * SECOND, DAY), Rate::constant(99_991, 3 * SECOND, DAY)),
    ];
    for (pacer, rate) in day {
        assert_eq!(pacer.starts(), rate.starts());
        // Every 97th: a prime, so that all places within a second and a shard come up; and the last ones.
        let last = pacer.starts().saturating_sub(1_000)..pacer.starts();
        (0..pacer.starts()).step_by(97).chain(last).for_each(|k| rate.check(k, pacer.due(k).unwrap(), TWO_NS));
    }
}

#[test]
fn the_fraction_left_by_a_stage_is_carried_over() {
    // 1.5 iterations in the first stage; the second start comes half a unit later, at a rate of 2/s: after 0.25 s.
    let stages = [(3 * SECOND / 2, 1), (Duration::ZERO, 2), (SECOND, 2)];
    assert_eq!(dues(&Pacer::ramping(1, SECOND, &stages)), ms([1_000, 1_750, 2_250]));
}

#[test]
fn a_rate_that_falls_to_zero_and_stays_there() {
    let stages = [(2 * SECOND, 0), (100 * SECOND, 0), (2 * SECOND, 2)];
    // 2 iterations on the way down: at 2 - sqrt(2) s and at the very end; 2 on the way up.
    let dues = dues(&Pacer::ramping(2, SECOND, &stages));
    let seconds: Vec<_> = dues.iter().map(Duration::as_secs_f64).collect();
    let expected = [2.0 - 2.0_f64.sqrt(), 2.0, 102.0 + 2.0_f64.sqrt(), 104.0];
    assert_eq!(seconds.len(), 4);
    assert!(seconds.iter().zip(expected).all(|(due, expected)| (due - expected).abs() < 1e-8), "{seconds:?}");
}

#[test]
fn nothing_overflows_at_the_limits() {
    let century = Duration::from_hours(24 * 36_525);
    let pacer = Pacer::ramping(u64::from(u32::MAX), Duration::from_nanos(1), &[(century, u64::from(u32::MAX))]);
    assert!(pacer.starts() > 0 && pacer.due(0).is_some() && pacer.due(pacer.starts() - 1).is_some());
    assert_eq!(Pacer::ramping(0, SECOND, &[]).due(0), None);
}

/// Starts by the definition: the integral in starts, in floating point.
fn integral(start_rate: u64, unit: Duration, stages: &[(Duration, u64)], at: Duration) -> f64 {
    let (mut from, mut begin, mut sum) = (start_rate as f64, 0.0, 0.0);
    for (length, target) in stages {
        let (length, target) = (length.as_secs_f64(), *target as f64);
        let inside = (at.as_secs_f64() - begin).clamp(0.0, length);
        if length > 0.0 {
            sum += from * inside + (target - from) * inside * inside / (2.0 * length);
        }
        from = target;
        begin += length;
    }
    sum / unit.as_secs_f64()
}

fn any_stages() -> impl Strategy<Value = Vec<(Duration, u64)>> {
    let length = prop_oneof![Just(0), 1..20_000_u64].prop_map(Duration::from_millis);
    prop::collection::vec((length, 0..60_u64), 1..6)
}

proptest! {
    #[test]
    fn as_many_start_as_the_integral_says(start in 0..60_u64, unit_ms in 1..5_000_u64, stages in any_stages()) {
        let unit = Duration::from_millis(unit_ms);
        let pacer = Pacer::ramping(start, unit, &stages);
        let end: Duration = stages.iter().map(|(length, _)| *length).sum();
        let whole = integral(start, unit, &stages, end);
        prop_assert!((pacer.starts() as f64 - (whole + 1e-9).floor()).abs() < 0.5, "{} of {whole}", pacer.starts());
        // Each start is where the integral has reached its number, seen at a few of them.
        let step = (pacer.starts() / 50).max(1);
        for k in (0..pacer.starts()).step_by(step as usize) {
            let due = pacer.due(k).unwrap();
            prop_assert!(due <= end);
            let reached = integral(start, unit, &stages, due);
            prop_assert!((reached - (k + 1) as f64).abs() < 1e-4, "start {k} at {due:?}: {reached}");
        }
        prop_assert_eq!(pacer.due(pacer.starts()), None);
    }

    #[test]
    fn any_ramp_is_exact(start in 0..60_u64, unit_ns in 1_000_000..5_000_000_000_u64, stages in any_stages()) {
        let unit = Duration::from_nanos(unit_ns);
        let (pacer, rate) = (Pacer::ramping(start, unit, &stages), Rate::ramping(start, unit, &stages));
        prop_assert_eq!(pacer.starts(), rate.starts());
        let step = (pacer.starts() / 200).max(1);
        (0..pacer.starts()).step_by(step as usize).for_each(|k| rate.check(k, pacer.due(k).unwrap(), TWO_NS));
    }

    #[test]
    fn due_times_never_go_back(start in 0..60_u64, stages in any_stages()) {
        let pacer = Pacer::ramping(start, SECOND, &stages);
        let dues: Vec<_> = dues(&pacer);
        prop_assert!(dues.windows(2).all(|pair| pair[0] <= pair[1]));
        prop_assert_eq!(dues.len() as u64, pacer.starts());
    }

    #[test]
    fn a_constant_rate_is_spread_evenly(rate in 1..5_000_u64, unit_ms in 1..100_000_u64, seconds in 1..5_u64) {
        let (unit, duration) = (Duration::from_millis(unit_ms), Duration::from_secs(seconds));
        let pacer = Pacer::constant(rate, unit, duration);
        let expected = (u128::from(rate) * duration.as_nanos()).div_ceil(unit.as_nanos());
        prop_assert_eq!(u128::from(pacer.starts()), expected);
        for k in (0..pacer.starts()).step_by((pacer.starts() / 50).max(1) as usize) {
            let due = pacer.due(k).unwrap();
            prop_assert!(due < duration);
            prop_assert_eq!(due.as_nanos(), u128::from(k) * unit.as_nanos() / u128::from(rate));
        }
    }

    #[test]
    fn shards_share_starts_out_without_rest(start in 0..40_u64, stages in any_stages(), shards in 1..7_u64) {
        let pacer = Pacer::ramping(start, SECOND, &stages);
        let share = |shard: u64| (0..).map(move |i| shard + i * shards).map_while(|k| pacer.due(k).map(|due| (k, due)));
        let mut together: Vec<_> = (0..shards).flat_map(share).collect();
        together.sort_unstable();
        let alone: Vec<_> = (0..).map_while(|k| pacer.due(k).map(|due| (k, due))).collect();
        prop_assert_eq!(together, alone);
    }
}
