//! When starts are due, by the definition and in whole numbers: what pacers are held against.
//!
//! Nothing here takes a root or divides. The integral of the rate is a polynomial with whole coefficients over a stage's length;
//! whether it has reached the number of a start at a given nanosecond is a comparison of whole numbers.

use std::time::Duration;

/// A rate over time.
#[derive(Debug, Clone)]
pub(crate) struct Rate {
    /// Lengths in nanoseconds with the rates at both ends, per `unit_ns`.
    stages: Vec<(i128, i128, i128)>,
    unit_ns: i128,
    /// The integral at which start 0 is due, in starts.
    first: i128,
}

impl Rate {
    /// The same from beginning to end; the first start is due at once.
    pub(crate) fn constant(rate: u64, unit: Duration, duration: Duration) -> Self {
        Self { stages: vec![(ns(duration), rate.into(), rate.into())], unit_ns: ns(unit), first: 0 }
    }

    /// From `start` linearly to each stage's rate in turn.
    pub(crate) fn ramping(start: u64, unit: Duration, stages: &[(Duration, u64)]) -> Self {
        let mut from = i128::from(start);
        let stage = |&(length, target): &(Duration, u64)| {
            let stage = (ns(length), from, i128::from(target));
            from = target.into();
            stage
        };
        Self { stages: stages.iter().map(stage).collect(), unit_ns: ns(unit), first: 1 }
    }

    /// How many starts there are: those due before the end of a constant rate, or by the end of a ramp.
    pub(crate) fn starts(&self) -> u64 {
        let twice: i128 = self.stages.iter().map(|(length, from, to)| (from + to) * length).sum();
        let whole = twice / (2 * self.unit_ns);
        let rest = i128::from(self.first == 0 && twice % (2 * self.unit_ns) > 0);
        u64::try_from(whole + rest).unwrap()
    }

    /// Has the integral reached the number of start `k` by `at`?
    fn reached(&self, k: u64, at: i128) -> bool {
        let mut wanted = (i128::from(k) + self.first) * 2 * self.unit_ns;
        let mut begin = 0;
        for &(length, from, to) in &self.stages {
            let inside = at - begin;
            if inside < length {
                // 2 a t + (b - a) t² / D, times D.
                return inside >= 0 && (2 * from * length + (to - from) * inside) * inside >= wanted * length;
            }
            wanted -= (from + to) * length;
            if wanted <= 0 {
                return true;
            }
            begin += length;
        }
        false
    }

    /// Start `k` must be due within `tolerance` of the first moment at which the integral reaches its number.
    #[track_caller]
    pub(crate) fn check(&self, k: u64, due: Duration, tolerance: Duration) {
        let (due, tolerance) = (ns(due), ns(tolerance));
        assert!(self.reached(k, due + tolerance), "start {k} of {self:?} is due after {due} ns: too early");
        let early = due - tolerance - 1;
        assert!(early < 0 || !self.reached(k, early), "start {k} of {self:?} is due after {due} ns: too late");
    }
}

fn ns(time: Duration) -> i128 {
    i128::try_from(time.as_nanos()).unwrap()
}

/// Rates of 24 hours whose due times are no round numbers, or lie where a root is steep.
pub(crate) fn days() -> Vec<(&'static str, Rate, serde_json::Value)> {
    const SECOND: Duration = Duration::from_secs(1);
    let constant = |name, rate: u64, unit_ns: u64| {
        let unit = Duration::from_nanos(unit_ns);
        let options = serde_json::json!({
            "executor": "constant-arrival-rate", "rate": rate, "timeUnit": format!("{unit_ns}ns"), "duration": "24h",
        });
        (name, Rate::constant(rate, unit, 24 * 3_600 * SECOND), options)
    };
    let ramp = |name, start: u64, unit: Duration, hours: &[(u32, u64)]| {
        let stages: Vec<_> = hours.iter().map(|(hours, target)| (*hours * 3_600 * SECOND, *target)).collect();
        let json: Vec<_> = hours
            .iter()
            .map(|(hours, target)| serde_json::json!({"duration": format!("{hours}h"), "target": target}))
            .collect();
        let options = serde_json::json!({
            "executor": "ramping-arrival-rate", "startRate": start, "timeUnit": format!("{}ns", unit.as_nanos()), "stages": json,
        });
        (name, Rate::ramping(start, unit, &stages), options)
    };
    vec![
        constant("1 per second", 1, 1_000_000_000),
        constant("1 per 7/3 s, which no whole number of nanoseconds is", 3, 7_000_000_000),
        constant("7/3 per second", 7, 3_000_000_000),
        constant("17 per minute", 17, 60_000_000_000),
        constant("1 per 999,999,937 ns", 1, 999_999_937),
        ramp("up from nothing and down to it", 0, SECOND, &[(12, 2), (12, 0)]),
        ramp("down all day, hardly", 3, 2 * SECOND, &[(24, 2)]),
        ramp("through zero, with a rest there and a jump", 5, 7 * SECOND, &[(6, 0), (3, 0), (9, 11), (0, 4), (6, 3)]),
    ]
}
