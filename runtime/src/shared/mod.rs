//! What the virtual users of a module share beside its data: counters and queues by name.
//!
//! A module chooses the names and what it puts into queues, so that everything is limited: [`MAX_COUNTERS`], [`MAX_QUEUES`], and
//! [`queue`]'s limits of items and bytes.

mod named;
pub mod queue;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::Relaxed};

use named::Named;
use queue::Queue;

/// Counters of one module.
pub const MAX_COUNTERS: usize = 10_000;
/// Queues of one module.
pub const MAX_QUEUES: usize = 1_000;

/// The counters and queues of a module in a test.
#[derive(Debug)]
pub struct Shared {
    counters: Named<AtomicI64>,
    queues: Named<Queue>,
    /// Bytes in all queues.
    queued: Arc<AtomicUsize>,
}

impl Default for Shared {
    fn default() -> Self {
        Self { counters: Named::new(MAX_COUNTERS), queues: Named::new(MAX_QUEUES), queued: Arc::default() }
    }
}

impl Shared {
    /// The number of the counter of this name, which begins at 0.
    ///
    /// # Errors
    /// When there are [`MAX_COUNTERS`] of other names.
    pub fn counter(&self, name: &str) -> Result<u32, String> {
        let found = self.counters.intern(name, || AtomicI64::new(0));
        found.ok_or_else(|| format!("counter `{name}`: a module has {MAX_COUNTERS} counters at most; use fewer names"))
    }

    /// Adds to a counter, and gives its new value, which wraps around. `None` for a number that was never given.
    #[must_use]
    pub fn add(&self, counter: u32, delta: i64) -> Option<i64> {
        Some(self.counters.get(counter)?.fetch_add(delta, Relaxed).wrapping_add(delta))
    }

    /// A counter's value. `None` for a number that was never given.
    #[must_use]
    pub fn value(&self, counter: u32) -> Option<i64> {
        Some(self.counters.get(counter)?.load(Relaxed))
    }

    /// The number of the queue of this name, which begins empty.
    ///
    /// # Errors
    /// When there are [`MAX_QUEUES`] of other names.
    pub fn queue(&self, name: &str) -> Result<u32, String> {
        let found = self.queues.intern(name, || Queue::new(Arc::clone(&self.queued)));
        found.ok_or_else(|| format!("queue `{name}`: a module has {MAX_QUEUES} queues at most; use fewer names"))
    }

    /// A queue by its number.
    #[must_use]
    pub fn get_queue(&self, queue: u32) -> Option<&Queue> {
        self.queues.get(queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_one_for_all_who_know_its_name() {
        let shared = Arc::new(Shared::default());
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || {
                    let counter = shared.counter("orders").unwrap();
                    (0..10_000).map(|_| shared.add(counter, 1).unwrap()).collect::<Vec<_>>()
                })
            })
            .collect();
        let mut seen: Vec<i64> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        seen.sort_unstable();
        assert_eq!(seen, (1..=40_000).collect::<Vec<_>>(), "each value was given once");
        let (orders, others) = (shared.counter("orders").unwrap(), shared.counter("others").unwrap());
        assert_eq!((shared.value(orders), shared.value(others), shared.value(7)), (Some(40_000), Some(0), None));
        assert_eq!(shared.add(others, i64::MIN), Some(i64::MIN));
        assert_eq!(shared.add(others, -1), Some(i64::MAX));
    }

    #[test]
    fn names_are_limited() {
        let shared = Shared::default();
        for number in 0..MAX_COUNTERS {
            assert_eq!(shared.counter(&number.to_string()).map(|number| number as usize), Ok(number));
        }
        let error = shared.counter("one more").unwrap_err();
        assert_eq!(error, "counter `one more`: a module has 10000 counters at most; use fewer names");
        assert_eq!(shared.counter("7"), Ok(7), "those that are there stay");
        for number in 0..MAX_QUEUES {
            shared.queue(&number.to_string()).unwrap();
        }
        assert!(shared.queue("one more").unwrap_err().contains("1000 queues"));
    }
}
