//! How long a module computes. Wall-clock time says nothing: a virtual user mostly waits. What is counted is the time spent inside
//! `poll`, as the thread does nothing else then.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use wasmtime::UpdateDeadline;

/// What an iteration may compute without a pause: below this nobody else on the thread notices.
const SLICE: Duration = Duration::from_millis(2);
/// What an iteration may compute at full speed, with others getting their turn in between.
const BURST: Duration = Duration::from_millis(500);
/// Beyond the burst an iteration rests this many times as long as it computes, so that it takes a tenth of a thread at most.
const REST_FACTOR: u32 = 9;

/// One instance's computing time.
#[derive(Debug)]
pub(crate) struct CpuMeter {
    epoch: Instant,
    limit: Duration,
    /// Computed in this call, finished polls only.
    used_ns: AtomicU64,
    /// When the current poll began, in nanoseconds since `epoch`.
    polled_at_ns: AtomicU64,
    /// When the current turn of the task began: a turn may have many polls, with an exchange that is over at once in between. 0
    /// before its first.
    turn_began_ns: AtomicU64,
    /// Nobody else is on this thread: there is nobody to give way to.
    alone: AtomicBool,
    /// This call was slowed down.
    slowed: AtomicBool,
}

impl CpuMeter {
    pub(crate) fn new(limit: Duration) -> Arc<Self> {
        Arc::new(Self {
            epoch: Instant::now(),
            limit,
            used_ns: AtomicU64::new(0),
            polled_at_ns: AtomicU64::new(0),
            turn_began_ns: AtomicU64::new(0),
            alone: AtomicBool::new(false),
            slowed: AtomicBool::new(false),
        })
    }

    /// Whether the next calls have their thread to themselves.
    pub(crate) fn set_alone(&self, alone: bool) {
        self.alone.store(alone, Relaxed);
    }

    /// Whether the last call was slowed down.
    pub(crate) fn was_slowed(&self) -> bool {
        self.slowed.load(Relaxed)
    }

    /// Others have had their turn; the next poll begins one of this task's.
    pub(crate) fn begin_turn(&self) {
        self.turn_began_ns.store(0, Relaxed);
    }

    /// Polls a call into the module with its computing time counted from zero.
    pub(crate) fn measure<F: Future>(&self, mut call: Pin<&mut F>) -> impl Future<Output = F::Output> + Unpin {
        self.used_ns.store(0, Relaxed);
        self.slowed.store(false, Relaxed);
        std::future::poll_fn(move |cx| self.poll(call.as_mut(), cx))
    }

    fn poll<F: Future>(&self, call: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let begun_ns = self.now_ns();
        self.polled_at_ns.store(begun_ns, Relaxed);
        if self.turn_began_ns.load(Relaxed) == 0 {
            self.turn_began_ns.store(begun_ns.max(1), Relaxed);
        }
        let result = call.poll(cx);
        self.used_ns.fetch_add(self.now_ns() - begun_ns, Relaxed);
        result
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Called when the module is found computing at an epoch's end: go on, give way, or end it.
    pub(crate) fn at_epoch(&self) -> Verdict {
        let now_ns = self.now_ns();
        let slice = Duration::from_nanos(now_ns - self.turn_began_ns.load(Relaxed));
        let used = Duration::from_nanos(self.used_ns.load(Relaxed) + now_ns - self.polled_at_ns.load(Relaxed));
        if used > self.limit {
            Verdict::Interrupt
        } else if slice < SLICE {
            Verdict::GoOn
        } else if used < BURST || self.alone.load(Relaxed) {
            Verdict::GiveWay
        } else {
            self.slowed.store(true, Relaxed);
            Verdict::Rest(slice * REST_FACTOR)
        }
    }
}

/// What becomes of a module that computes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    GoOn,
    GiveWay,
    Rest(Duration),
    Interrupt,
}

impl From<Verdict> for UpdateDeadline {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::GoOn => Self::Continue(1),
            // wasmtime's own yield goes straight back into the queue; tokio's lets sockets and timers have their turn first.
            Verdict::GiveWay => Self::YieldCustom(1, Box::pin(tokio::task::yield_now())),
            Verdict::Rest(time) => Self::YieldCustom(1, Box::pin(tokio::time::sleep(time))),
            Verdict::Interrupt => Self::Interrupt,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waiting_costs_nothing_and_computing_is_slowed_then_ended() {
        let meter = CpuMeter::new(Duration::from_secs(1));
        let observed = Arc::clone(&meter);
        let call = std::pin::pin!(async {
            tokio::time::sleep(Duration::from_secs(100)).await;
            assert_eq!(observed.at_epoch(), Verdict::GoOn);
            // On a paused clock, time passes inside a poll only when it is advanced by hand, which needs an await:
            // the meter's own cells stand for a computation.
            observed.used_ns.store(BURST.as_nanos() as u64, Relaxed);
            observed.polled_at_ns.fetch_sub(3_000_000, Relaxed);
            observed.turn_began_ns.fetch_sub(3_000_000, Relaxed);
            assert_eq!(observed.at_epoch(), Verdict::Rest(Duration::from_millis(27)));
            observed.used_ns.store(0, Relaxed);
            assert_eq!(observed.at_epoch(), Verdict::GiveWay);
            observed.used_ns.store(2_000_000_000, Relaxed);
            assert_eq!(observed.at_epoch(), Verdict::Interrupt);
        });
        let mut measured = meter.measure(call);
        std::future::poll_fn(|cx| {
            meter.begin_turn();
            Pin::new(&mut measured).poll(cx)
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_is_as_long_as_all_its_polls() {
        let meter = CpuMeter::new(Duration::from_secs(1));
        tokio::time::advance(Duration::from_secs(1)).await;
        let verdicts = std::cell::RefCell::new(Vec::new());
        let mut call = std::pin::pin!(std::future::poll_fn(|_| {
            verdicts.borrow_mut().push(meter.at_epoch());
            Poll::<()>::Pending
        }));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut measured = meter.measure(call.as_mut());
        let mut poll = || Pin::new(&mut measured).poll(&mut cx);
        meter.begin_turn();
        assert!(poll().is_pending());
        // An exchange was over at once, and the module goes on in the same turn.
        meter.turn_began_ns.fetch_sub(3_000_000, Relaxed);
        assert!(poll().is_pending());
        meter.begin_turn();
        assert!(poll().is_pending());
        assert_eq!(*verdicts.borrow(), [Verdict::GoOn, Verdict::GiveWay, Verdict::GoOn]);
    }
}
