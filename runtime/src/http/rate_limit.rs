//! The `rps` option: at most so many requests a second, over all virtual users of the test.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Hands out departure times that are at least `1 s / rps` apart. Nobody saves up: a quiet second is not made good by a burst.
#[derive(Debug)]
pub struct RateLimit {
    epoch: Instant,
    interval_ns: u64,
    /// When the next request may leave, in nanoseconds since `epoch`.
    next_ns: AtomicU64,
}

impl RateLimit {
    /// A limit of `rps` requests a second. `None` if `rps` is not a positive number: no limit.
    #[must_use]
    pub fn new(rps: f64) -> Option<Self> {
        (rps.is_finite() && rps > 0.0).then(|| Self {
            epoch: Instant::now(),
            interval_ns: (1e9 / rps) as u64,
            next_ns: AtomicU64::new(0),
        })
    }

    /// Waits for this request's turn.
    pub async fn wait(&self) {
        tokio::time::sleep_until(self.reserve(Instant::now())).await;
    }

    fn reserve(&self, now: Instant) -> Instant {
        let now_ns = u64::try_from(now.duration_since(self.epoch).as_nanos()).unwrap_or(u64::MAX);
        let departure = |next_ns: u64| next_ns.max(now_ns);
        let previous = self
            .next_ns
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next_ns| Some(departure(next_ns) + self.interval_ns));
        // The closure never declines, so both arms hold the value before.
        let previous = previous.unwrap_or_else(|value| value);
        self.epoch + Duration::from_nanos(departure(previous))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn departures_are_an_interval_apart_and_are_not_saved_up() {
        let limit = RateLimit::new(100.0).unwrap();
        let start = Instant::now();
        for request in 0..5 {
            limit.wait().await;
            assert_eq!(start.elapsed().as_millis(), 10 * request);
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        let later = Instant::now();
        limit.wait().await;
        limit.wait().await;
        assert_eq!(later.elapsed().as_millis(), 10);
    }

    #[test]
    fn nonsense_is_no_limit() {
        assert!(RateLimit::new(0.0).is_none());
        assert!(RateLimit::new(f64::NAN).is_none());
    }
}
