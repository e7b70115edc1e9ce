//! A time limit that costs next to nothing when it is not reached.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep};

/// One timer for all requests of a client. It stays in the runtime's wheel from request to request and is moved when it rings, or when a
/// limit comes earlier: entering and leaving the wheel for every request would cost more than the limit is worth.
#[derive(Debug, Default)]
pub(super) struct Deadline(Option<Pin<Box<Sleep>>>);

impl Deadline {
    /// What the future gives, or `None` if it is not over by `limit`.
    pub(super) async fn limit<F: Future>(&mut self, limit: Instant, mut future: Pin<&mut F>) -> Option<F::Output> {
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => self.poll(limit, cx).map(|()| None),
        })
        .await
    }

    fn poll(&mut self, limit: Instant, cx: &mut Context<'_>) -> Poll<()> {
        // A future that used up what its task may do in a turn leaves nothing for the timer: a peer that sends without a pause would never
        // be too late. It has asked to be polled again.
        if !tokio::task::coop::has_budget_remaining() {
            return if Instant::now() >= limit { Poll::Ready(()) } else { Poll::Pending };
        }
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(limit)));
        if sleep.deadline() > limit {
            sleep.as_mut().reset(limit);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if Instant::now() >= limit {
                return Poll::Ready(());
            }
            // It rang for an earlier request, which is over.
            sleep.as_mut().reset(limit);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_future_that_never_rests_is_limited_all_the_same() {
        let busy = async {
            loop {
                tokio::time::advance(Duration::from_millis(10)).await;
                while tokio::task::coop::has_budget_remaining() {
                    tokio::task::coop::consume_budget().await;
                }
                tokio::task::yield_now().await;
            }
        };
        let start = Instant::now();
        let greedy = poll_fn({
            let mut busy = Box::pin(busy);
            move |cx: &mut Context<'_>| -> Poll<()> { busy.as_mut().poll(cx) }
        });
        let limit = start + Duration::from_secs(1);
        let task = tokio::spawn(async move { Deadline::default().limit(limit, pin!(greedy)).await });
        assert_eq!(task.await.unwrap(), None);
        assert!(Instant::now() < start + Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_holds_for_its_own_future_whatever_the_timer_was_set_to_before() {
        let mut deadline = Deadline::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let never = std::future::pending::<()>;
        let soon = tokio::time::sleep(Duration::from_secs(1));
        assert_eq!(deadline.limit(at(60), pin!(soon)).await, Some(()));
        // Earlier than the timer was set to, by the first.
        assert_eq!(deadline.limit(at(5), pin!(never())).await, None);
        assert_eq!(Instant::now(), at(5));
        // Already over.
        assert_eq!(deadline.limit(at(5), pin!(never())).await, None);
        assert_eq!(deadline.limit(at(5), pin!(async { 7 })).await, Some(7));
        // Later: it rings in between, for nobody.
        assert_eq!(deadline.limit(at(10), pin!(tokio::time::sleep_until(at(9)))).await, Some(()));
        assert_eq!(deadline.limit(at(200), pin!(never())).await, None);
        assert_eq!(Instant::now(), at(200));
    }
}
