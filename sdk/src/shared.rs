//! What virtual users share: counters and queues by name, the same for all virtual users of the test, and for `setup` and `teardown`.
//!
//! ```no_run
//! use flashcrowd::prelude::*;
//!
//! #[derive(Serialize, Deserialize)]
//! struct Order { number: u64 }
//!
//! #[flashcrowd::scenario]
//! fn create() -> Result<(), Box<dyn std::error::Error>> {
//!     let order: Order = http::post("/orders").send().json()?;
//!     shared::queue("orders").push(&order)?;
//!     Ok(())
//! }
//!
//! #[flashcrowd::scenario]
//! fn pay() {
//!     // Another virtual user's order. Waits for one for up to five seconds.
//!     let Some(order) = shared::queue("orders").pop_within::<Order>(5) else { return };
//!     http::post(url!("/orders/{number}/payment", order.number)).send();
//!     shared::counter("paid").add(1);
//! }
//! # fn main() {}
//! ```
//!
//! They begin with each run at 0 and empty, and are gone with it. A test may have 10,000 counters and 1,000 queues, with names of up to
//! 1,024 bytes; a queue holds up to 1,000,000 items and 64 MiB, and all queues together 256 MiB (an item counts 64 bytes beside its own).

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::host::shared;
use crate::text::Seconds;

/// A number that all virtual users count on together. [`counter`] gives it.
///
/// It is not a metric: the summary does not show it, and it can be read while the test runs.
#[derive(Clone, Copy, Debug)]
pub struct Counter(u32);

/// The counter of this name, which begins at 0.
///
/// ```
/// use flashcrowd::prelude::*;
///
/// let tickets = shared::counter("tickets");
/// // No other virtual user gets this number.
/// let mine = tickets.add(1);
/// assert_eq!(tickets.get(), mine);
/// ```
///
/// # Panics
/// If the test has too many counters already.
#[must_use]
#[track_caller]
pub fn counter(name: &str) -> Counter {
    std::thread_local! {
        static KNOWN: RefCell<HashMap<String, u32>> = RefCell::default();
    }
    Counter(known(&KNOWN, name, shared::counter))
}

impl Counter {
    /// Adds, or takes away where `delta` is negative, and gives the new value: each call sees another, however many virtual users add at
    /// the same time. Beyond the range of `i64` it wraps around.
    pub fn add(&self, delta: i64) -> i64 {
        shared::add(self.0, delta)
    }

    /// The value.
    #[must_use]
    pub fn get(&self) -> i64 {
        shared::value(self.0)
    }
}

/// A queue between virtual users: what is pushed first is popped first, once, by whoever comes first. [`queue`] gives it.
#[derive(Clone, Copy, Debug)]
pub struct Queue(u32);

/// The queue of this name, which begins empty.
///
/// ```
/// use flashcrowd::prelude::*;
///
/// let orders = shared::queue("orders");
/// orders.push(&7)?;
/// orders.push(&8)?;
/// assert_eq!((orders.len(), orders.pop::<u32>(), orders.pop::<u32>(), orders.pop::<u32>()), (2, Some(7), Some(8), None));
/// # Ok::<(), shared::PushError>(())
/// ```
///
/// # Panics
/// If the test has too many queues already.
#[must_use]
#[track_caller]
pub fn queue(name: &str) -> Queue {
    std::thread_local! {
        static KNOWN: RefCell<HashMap<String, u32>> = RefCell::default();
    }
    Queue(known(&KNOWN, name, shared::queue))
}

/// The number of a name, which the runtime is asked for once per instance.
#[track_caller]
fn known(
    known: &'static std::thread::LocalKey<RefCell<HashMap<String, u32>>>,
    name: &str,
    ask: fn(&str) -> Result<u32, String>,
) -> u32 {
    if let Some(number) = known.with_borrow(|known| known.get(name).copied()) {
        return number;
    }
    match ask(name) {
        Ok(number) => {
            known.with_borrow_mut(|known| known.insert(name.to_owned(), number));
            number
        }
        Err(problem) => panic!("{problem}"),
    }
}

/// Why an item was not taken in: the queue is full, or the item cannot be written as JSON.
#[derive(Debug)]
pub struct PushError(String);

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PushError {}

impl Queue {
    /// Puts a value at the end. It travels as JSON.
    ///
    /// # Errors
    /// If the queue is full, which says how full a queue may be, or the value cannot be JSON.
    pub fn push<T: Serialize + ?Sized>(&self, item: &T) -> Result<(), PushError> {
        let item = serde_json::to_vec(item)
            .map_err(|error| PushError(format!("the item cannot be written as JSON: {error}")))?;
        self.push_bytes(item)
    }

    /// Puts bytes at the end, as they are. Whoever pops them must do so with [`pop_bytes`](Self::pop_bytes).
    ///
    /// # Errors
    /// If the queue is full.
    pub fn push_bytes(&self, item: impl AsRef<[u8]>) -> Result<(), PushError> {
        shared::push(self.0, item.as_ref()).map_err(PushError)
    }

    /// Takes the value at the front. `None` where there is none, or others have been waiting for it: does not wait.
    ///
    /// # Panics
    /// If the value does not fit the type.
    #[must_use]
    #[track_caller]
    pub fn pop<T: DeserializeOwned>(&self) -> Option<T> {
        self.pop_bytes().map(|item| read(&item))
    }

    /// Takes the value at the front, and waits for one for a number of seconds or a [`Duration`](std::time::Duration); `None` if none
    /// came. Only this virtual user waits. Those who wait are served in the order in which they came.
    ///
    /// An iteration that waits here when the load ends has its graceful stop, as any other.
    ///
    /// # Panics
    /// If the value does not fit the type.
    #[must_use]
    #[track_caller]
    pub fn pop_within<T: DeserializeOwned>(&self, time: impl Seconds) -> Option<T> {
        self.pop_bytes_within(time).map(|item| read(&item))
    }

    /// As [`pop`](Self::pop), for bytes.
    #[must_use]
    pub fn pop_bytes(&self) -> Option<Vec<u8>> {
        shared::pop(self.0)
    }

    /// As [`pop_within`](Self::pop_within), for bytes.
    #[must_use]
    pub fn pop_bytes_within(&self, time: impl Seconds) -> Option<Vec<u8>> {
        shared::pop_within(self.0, time.nanoseconds())
    }

    /// How many items it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(shared::len(self.0)).unwrap_or(usize::MAX)
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[track_caller]
fn read<T: DeserializeOwned>(item: &[u8]) -> T {
    match serde_json::from_slice(item) {
        Ok(item) => item,
        Err(error) => panic!("an item of the queue does not fit: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_counts() {
        assert_eq!((counter("a").add(5), counter("a").add(-7), counter("b").get()), (5, -2, 0));
        assert_eq!(counter("a").get(), -2);
    }

    #[test]
    fn items_of_any_kind_come_back_in_order() {
        let orders = queue("orders");
        orders.push(&("ann", 7)).unwrap();
        orders.push_bytes(b"\xff\0").unwrap();
        assert_eq!(orders.len(), 2);
        assert_eq!(orders.pop::<(String, u8)>(), Some(("ann".to_owned(), 7)));
        assert_eq!(queue("orders").pop_bytes_within(0.5), Some(vec![0xff, 0]));
        assert_eq!(orders.pop_within::<u8>(1), None);
        assert!(orders.is_empty());
        let unspeakable = std::collections::HashMap::from([(vec![1], 1)]);
        assert!(orders.push(&unspeakable).unwrap_err().to_string().contains("cannot be written as JSON"));
    }

    #[test]
    #[should_panic(expected = "an item of the queue does not fit: invalid type: string \"x\", expected u8")]
    fn an_item_of_another_type_is_refused() {
        queue("letters").push("x").unwrap();
        let _ = queue("letters").pop::<u8>();
    }
}
