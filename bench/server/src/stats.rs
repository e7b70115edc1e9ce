//! What the server saw.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

/// Four digits from a microsecond on: 0.01%, far below what is compared with it.
const DIGITS: u8 = 4;
const LONGEST_NS: u64 = 120_000_000_000;

/// Nanoseconds of the monotonic clock, which all processes of a machine share.
pub(crate) fn now_ns() -> u64 {
    to_ns(clock_gettime(ClockId::Monotonic))
}

fn to_ns(time: rustix::time::Timespec) -> u64 {
    // The clocks that are read here are never negative.
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Counts since the last reset, and the connections there are.
#[derive(Debug)]
pub(crate) struct Stats(Mutex<Counts>);

#[derive(Debug)]
struct Counts {
    latency_ns: Histogram<u64>,
    arrived: u64,
    first_arrival_ns: Option<u64>,
    open: u64,
    most_open: u64,
}

impl Stats {
    pub(crate) fn new() -> Self {
        let latency_ns = Histogram::new_with_bounds(1000, LONGEST_NS, DIGITS).expect("bounds are in order");
        Self(Mutex::new(Counts { latency_ns, arrived: 0, first_arrival_ns: None, open: 0, most_open: 0 }))
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn opened(&self) {
        let mut counts = self.counts();
        counts.open += 1;
        counts.most_open = counts.most_open.max(counts.open);
    }

    pub(crate) fn closed(&self) {
        self.counts().open -= 1;
    }

    pub(crate) fn arrived(&self, at_ns: u64) {
        let mut counts = self.counts();
        counts.arrived += 1;
        counts.first_arrival_ns.get_or_insert(at_ns);
    }

    pub(crate) fn answered(&self, latency_ns: u64) {
        self.counts().latency_ns.saturating_record(latency_ns);
    }

    pub(crate) fn reset(&self) {
        let mut counts = self.counts();
        counts.latency_ns.reset();
        (counts.arrived, counts.first_arrival_ns, counts.most_open) = (0, None, counts.open);
    }

    /// `requests` counts heads read, `answers` those written, which the latency is of. `first_request_ns` and `now_ns` are of the
    /// monotonic clock. Connections include the one that asks.
    pub(crate) fn to_json(&self) -> Value {
        let counts = self.counts();
        let latency = &counts.latency_ns;
        let us = |ns: u64| ns as f64 / 1000.0;
        let quantile = |q: f64| if latency.is_empty() { Value::Null } else { json!(us(latency.value_at_quantile(q))) };
        json!({
            "requests": counts.arrived,
            "answers": latency.len(),
            "first_request_ns": counts.first_arrival_ns,
            "now_ns": now_ns(),
            "cpu_seconds": to_ns(clock_gettime(ClockId::ProcessCPUTime)) as f64 / 1e9,
            "connections": counts.open,
            "most_connections": counts.most_open,
            "latency_us": {
                "mean": if latency.is_empty() { Value::Null } else { json!(latency.mean() / 1000.0) },
                "p50": quantile(0.50),
                "p95": quantile(0.95),
                "p99": quantile(0.99),
                "max": quantile(1.0),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_answered() {
        let stats = Stats::new();
        for ms in 1..=100 {
            stats.arrived(ms);
            stats.answered(ms * 1_000_000);
        }
        let told = stats.to_json();
        assert_eq!((&told["requests"], &told["answers"]), (&json!(100), &json!(100)));
        assert_eq!(told["first_request_ns"], 1);
        for (name, ms) in [("p50", 50.0), ("p95", 95.0), ("p99", 99.0), ("max", 100.0)] {
            let us = told["latency_us"][name].as_f64().unwrap();
            assert!((us / 1000.0 / ms - 1.0).abs() < 1e-4, "{name}: {us}");
        }
    }

    #[test]
    fn a_reset_forgets_requests_but_not_connections() {
        let stats = Stats::new();
        stats.opened();
        stats.opened();
        stats.closed();
        stats.arrived(7);
        stats.answered(1_000_000);
        stats.reset();
        let told = stats.to_json();
        assert_eq!(
            (&told["requests"], &told["answers"], &told["latency_us"]["p50"]),
            (&json!(0), &json!(0), &Value::Null)
        );
        assert_eq!((&told["connections"], &told["most_connections"]), (&json!(1), &json!(1)));
    }
}
