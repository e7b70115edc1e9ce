//! A first-in-first-out queue between virtual users, on whatever threads they are.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

/// Items in one queue.
pub const MAX_ITEMS: usize = 1_000_000;
/// Bytes in one queue, [`ITEM_BYTES`] for each item included.
pub const MAX_BYTES: usize = 64 << 20;
/// Bytes in all queues of a module.
pub const MAX_TOTAL_BYTES: usize = 256 << 20;
/// What an item takes beside its own bytes.
pub const ITEM_BYTES: usize = 64;
/// A queue that once was long gives its memory back when it is shorter than a quarter of that, and this long at least.
const SPARE_ITEMS: usize = 1024;

/// A queue. Whoever waits for an item is served in the order of arrival, and whoever is interrupted while waiting takes none.
#[derive(Debug)]
pub struct Queue {
    items: Mutex<Items>,
    /// A permit for each item that nobody was promised.
    available: Semaphore,
    /// Bytes in all queues of the test.
    total: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct Items {
    items: VecDeque<Box<[u8]>>,
    bytes: usize,
}

/// Why an item was not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// The queue is too long.
    #[error(
        "the queue is full: it holds {MAX_ITEMS} items, the most that one may; let others pop faster, or push less"
    )]
    Items,
    /// The queue is too large.
    #[error("the queue is full: with this item it would hold more than {} MiB; let others pop faster, or push less", MAX_BYTES >> 20)]
    Bytes,
    /// All queues together are too large.
    #[error(
        "the queues are full: with this item they would hold more than {} MiB together; let others pop faster, or push less",
        MAX_TOTAL_BYTES >> 20
    )]
    Total,
}

impl Queue {
    /// An empty queue; `total` counts the bytes of all.
    #[must_use]
    pub fn new(total: Arc<AtomicUsize>) -> Self {
        Self { items: Mutex::default(), available: Semaphore::new(0), total }
    }

    /// Puts an item at the end.
    ///
    /// # Errors
    /// When there is no room for it.
    pub fn push(&self, item: Vec<u8>) -> Result<(), Full> {
        let bytes = item.len().saturating_add(ITEM_BYTES);
        {
            let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
            if items.items.len() >= MAX_ITEMS {
                return Err(Full::Items);
            }
            if items.bytes.saturating_add(bytes) > MAX_BYTES {
                return Err(Full::Bytes);
            }
            let room = |total: usize| total.checked_add(bytes).filter(|total| *total <= MAX_TOTAL_BYTES);
            if self.total.fetch_update(Relaxed, Relaxed, room).is_err() {
                return Err(Full::Total);
            }
            items.bytes += bytes;
            items.items.push_back(item.into_boxed_slice());
        }
        self.available.add_permits(1);
        Ok(())
    }

    /// Takes the item at the front; `None` when there is none, or those who wait have been promised all.
    #[must_use]
    pub fn pop(&self) -> Option<Vec<u8>> {
        self.available.try_acquire().ok()?.forget();
        self.take()
    }

    /// Takes the item at the front, and waits for one for so long. Dropping the future leaves the item to the next.
    pub async fn pop_within(&self, time: Duration) -> Option<Vec<u8>> {
        // A semaphore serves those who wait in their order, and hands on the permit of one who went away.
        let permit = tokio::time::timeout(time, self.available.acquire()).await.ok()?.ok()?;
        permit.forget();
        self.take()
    }

    /// How many items it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.lock().unwrap_or_else(PoisonError::into_inner).items.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The item at the front, for whoever has a permit.
    fn take(&self) -> Option<Vec<u8>> {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        let item = items.items.pop_front()?;
        let bytes = item.len() + ITEM_BYTES;
        items.bytes -= bytes;
        self.total.fetch_sub(bytes, Relaxed);
        let length = items.items.len();
        if items.items.capacity() > 4 * length.max(SPARE_ITEMS) {
            items.items.shrink_to(2 * length.max(SPARE_ITEMS));
        }
        Some(item.into_vec())
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tokio::time::Instant;

    use super::*;

    fn queue() -> Queue {
        Queue::new(Arc::default())
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn items_come_out_as_they_went_in() {
        let queue = queue();
        for item in [b"a", b"b", b"c"] {
            queue.push(item.to_vec()).unwrap();
        }
        assert_eq!(queue.len(), 3);
        assert_eq!(queue.pop().as_deref(), Some(&b"a"[..]));
        assert_eq!(queue.pop_within(MINUTE).await.as_deref(), Some(&b"b"[..]));
        assert_eq!(queue.pop().as_deref(), Some(&b"c"[..]));
        assert_eq!((queue.pop(), queue.is_empty()), (None, true));
        assert_eq!(queue.total.load(Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_with_its_time() {
        let (queue, begun) = (queue(), Instant::now());
        assert_eq!(queue.pop_within(MINUTE).await, None);
        assert_eq!(begun.elapsed(), MINUTE);
        queue.push(vec![1]).unwrap();
        assert_eq!(queue.pop(), Some(vec![1]), "nobody who went away has a claim");
    }

    #[tokio::test(start_paused = true)]
    async fn who_came_first_is_served_first() {
        let queue = Arc::new(queue());
        let served = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = tokio::task::JoinSet::new();
        for number in 0..5 {
            let (queue, served) = (Arc::clone(&queue), Arc::clone(&served));
            waiting.spawn(async move {
                let item = queue.pop_within(MINUTE).await.unwrap();
                served.lock().unwrap().push((number, item));
            });
            tokio::task::yield_now().await;
        }
        for item in 0..5 {
            queue.push(vec![item]).unwrap();
            assert_eq!(queue.pop(), None, "who does not wait takes nothing from those who do");
        }
        waiting.join_all().await;
        assert_eq!(*served.lock().unwrap(), (0..5).map(|number| (number, vec![number])).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_interrupted_loses_no_item() {
        let queue = queue();
        {
            let mut interrupted = pin!(queue.pop_within(MINUTE));
            assert!(futures_util::poll!(interrupted.as_mut()).is_pending());
            // The item is promised to the one who waits, who goes away before taking it.
            queue.push(vec![7]).unwrap();
            assert_eq!(queue.pop(), None);
        }
        assert_eq!(queue.pop(), Some(vec![7]));
        // With another behind, it is the other's.
        let mut second = {
            let mut first = pin!(queue.pop_within(MINUTE));
            assert!(futures_util::poll!(first.as_mut()).is_pending());
            let mut second = Box::pin(queue.pop_within(MINUTE));
            assert!(futures_util::poll!(second.as_mut()).is_pending());
            queue.push(vec![8]).unwrap();
            second
        };
        assert_eq!(futures_util::poll!(second.as_mut()), std::task::Poll::Ready(Some(vec![8])));
    }

    #[test]
    fn a_queue_crosses_threads() {
        let queue = Arc::new(queue());
        let consumers: Vec<_> = (0..4)
            .map(|_| {
                let queue = Arc::clone(&queue);
                std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                    let take = || runtime.block_on(queue.pop_within(MINUTE)).filter(|item| !item.is_empty());
                    std::iter::from_fn(take).collect::<Vec<_>>()
                })
            })
            .collect();
        let item = |number: u32| number.to_le_bytes().to_vec();
        (0..5_000).for_each(|number| queue.push(item(number)).unwrap());
        // An empty item ends a consumer.
        (0..4).for_each(|_| queue.push(Vec::new()).unwrap());
        let taken: Vec<Vec<Vec<u8>>> = consumers.into_iter().map(|consumer| consumer.join().unwrap()).collect();
        let number = |item: &Vec<u8>| u32::from_le_bytes(item.as_slice().try_into().unwrap());
        for consumer in &taken {
            assert!(consumer.iter().map(number).is_sorted(), "each sees the order in which they went in");
        }
        let mut all: Vec<u32> = taken.iter().flatten().map(number).collect();
        all.sort_unstable();
        assert_eq!(all, (0..5_000).collect::<Vec<_>>());
    }

    #[test]
    fn what_a_queue_holds_is_limited() {
        let queue = queue();
        let mib = || vec![0; 1 << 20];
        while queue.push(mib()).is_ok() {}
        assert_eq!((queue.len(), queue.push(mib())), (63, Err(Full::Bytes)));
        assert!(queue.pop().is_some());
        assert_eq!(queue.push(mib()), Ok(()), "there is room again");

        let queues: Vec<Queue> = (0..5).map(|_| Queue::new(Arc::clone(&queue.total))).collect();
        let ends: Vec<Full> = queues
            .iter()
            .map(|queue| std::iter::repeat_with(mib).find_map(|item| queue.push(item).err()).unwrap())
            .collect();
        assert_eq!(ends, [Full::Bytes, Full::Bytes, Full::Bytes, Full::Total, Full::Total]);
    }

    #[test]
    fn how_long_a_queue_is_is_limited_and_its_memory_comes_back() {
        let queue = queue();
        for _ in 0..MAX_ITEMS {
            queue.push(Vec::new()).unwrap();
        }
        assert_eq!(queue.push(Vec::new()), Err(Full::Items));
        while queue.pop().is_some() {}
        let capacity = queue.items.lock().unwrap().items.capacity();
        assert!(capacity <= 4 * SPARE_ITEMS, "{capacity} places for no item");
    }
}
