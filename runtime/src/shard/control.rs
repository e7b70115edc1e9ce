//! The reins of one virtual user, held by its shard: finish, or break off.
//!
//! Timers and tokens are watched once per shard, not once per virtual user and iteration. What they decide reaches a
//! virtual user through two flags and the waker of its task, which is cheap enough to look at in every poll.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use super::alarm::Alarm;
use super::clock::LoadClock;

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// As it was meant to.
    Reached,
    /// The load's clock was paused or resumed, or somebody changed the load: look again.
    Changed,
    /// Nothing further is to begin.
    Finishing,
}

/// The reins of one virtual user, or of whoever gives out starts.
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

    /// Waits for `future`, unless the clock's version is another than the one `seen`, or nothing further is to begin. Its shard wakes it
    /// when the version changes.
    pub async fn unless_changed<F: Future<Output = ()>>(&self, clock: &LoadClock, seen: u64, future: F) -> Waited {
        let mut future = pin!(future);
        std::future::poll_fn(|context| {
            if future.as_mut().poll(context).is_ready() {
                return Poll::Ready(Waited::Reached);
            }
            if self.finish.get() {
                return Poll::Ready(Waited::Finishing);
            }
            if clock.version() != seen {
                return Poll::Ready(Waited::Changed);
            }
            self.remember(context);
            Poll::Pending
        })
        .await
    }

    /// Waits until the clock shows `time`, unless it changes.
    pub async fn reach_unless_changed(&self, clock: &LoadClock, time: Duration, alarm: &Alarm) -> Waited {
        let seen = clock.version();
        match clock.instant_of(time) {
            Some(at) if at <= Instant::now() => Waited::Reached,
            Some(at) => self.unless_changed(clock, seen, alarm.sleep_until(at)).await,
            None => self.unless_changed(clock, seen, std::future::pending()).await,
        }
    }

    /// Waits until the clock shows `time`, however often it is paused. False if nothing further is to begin.
    pub async fn reach(&self, clock: &LoadClock, time: Duration, alarm: &Alarm) -> bool {
        loop {
            match self.reach_unless_changed(clock, time, alarm).await {
                Waited::Reached => return true,
                Waited::Changed => {}
                Waited::Finishing => return false,
            }
        }
    }

    /// Waits until the clock runs. False if nothing further is to begin.
    pub async fn while_paused(&self, clock: &LoadClock) -> bool {
        loop {
            let seen = clock.version();
            if !clock.is_paused() {
                return true;
            }
            if self.unless_changed(clock, seen, std::future::pending()).await == Waited::Finishing {
                return false;
            }
        }
    }

    fn remember(&self, context: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        match waker.as_mut() {
            Some(known) => known.clone_from(context.waker()),
            None => *waker = Some(context.waker().clone()),
        }
    }
}
