//! The reins of one virtual user, held by its shard: finish, or break off.
//!
//! Timers and tokens are watched once per shard, not once per virtual user and iteration. What they decide reaches a
//! virtual user through two flags and the waker of its task, which is cheap enough to look at in every poll.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

/// The reins of one virtual user.
#[derive(Debug, Default)]
pub struct Control {
    finish: Cell<bool>,
    interrupt: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Control {
    /// Asks it to begin nothing further.
    pub fn finish(&self) {
        self.finish.set(true);
        self.wake();
    }

    /// Breaks off what it does, and lets it begin nothing further.
    pub fn interrupt(&self) {
        self.finish.set(true);
        self.interrupt.set(true);
        self.wake();
    }

    /// Forgets what was asked: it goes on to its next task.
    pub fn reset(&self) {
        self.finish.set(false);
        self.interrupt.set(false);
    }

    /// Was it asked to begin nothing further?
    #[must_use]
    pub fn finishing(&self) -> bool {
        self.finish.get()
    }

    /// Makes its task look again at what it waits for.
    pub fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Waits for `future`, unless it is to break off first; a future that is ready at that moment still counts.
    ///
    /// It is borrowed, not taken: what an `async fn` takes, it holds twice, and a whole iteration is large.
    pub async fn unless_interrupted<F: Future>(&self, future: Pin<&mut F>) -> Option<F::Output> {
        self.unless(&self.interrupt, future).await
    }

    /// Waits for `future`, unless it is to begin nothing further.
    pub async fn unless_finishing<F: Future>(&self, future: F) -> Option<F::Output> {
        self.unless(&self.finish, pin!(future)).await
    }

    async fn unless<F: Future>(&self, flag: &Cell<bool>, mut future: Pin<&mut F>) -> Option<F::Output> {
        std::future::poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if flag.get() => Poll::Ready(None),
            Poll::Pending => {
                self.remember(context);
                Poll::Pending
            }
        })
        .await
    }

    /// Waits until `take` gives something, looking again at each [`wake`](Self::wake).
    pub async fn until<T>(&self, mut take: impl FnMut() -> Option<T>) -> Option<T> {
        self.unless_finishing(std::future::poll_fn(|_| take().map_or(Poll::Pending, Poll::Ready))).await
    }

    fn remember(&self, context: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        match waker.as_mut() {
            Some(known) => known.clone_from(context.waker()),
            None => *waker = Some(context.waker().clone()),
        }
    }
}
