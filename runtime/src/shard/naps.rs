//! Short sleeps of virtual users, to some tens of microseconds.
//!
//! The event loop's timer rounds up to whole milliseconds. That is nothing for a think time, and makes a sleep of 0.1 ms ten times as long. A
//! timer of the operating system is exact, and a file: ten thousand virtual users cannot have one each, so a shard lends a few.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::alarm::Alarm;

/// Timers of one shard. Who finds none left sleeps by the event loop's.
const MOST: usize = 16;
/// A longer sleep is rounded up by a hundredth at most, and is left to the event loop, which costs less.
const SHORT: Duration = Duration::from_millis(100);

/// A shard's timers for short sleeps.
#[derive(Debug, Default)]
pub struct Naps {
    timers: Mutex<Timers>,
}

#[derive(Debug, Default)]
struct Timers {
    idle: Vec<Alarm>,
    made: usize,
}

impl Naps {
    /// Sleeps for so long.
    pub async fn sleep(&self, time: Duration) {
        if time >= SHORT {
            return tokio::time::sleep(time).await;
        }
        let at = Instant::now() + time;
        match self.lend() {
            Some(lent) => lent.alarm.sleep_until(at).await,
            None => tokio::time::sleep_until(at).await,
        }
    }

    fn lend(&self) -> Option<Lent<'_>> {
        let mut timers = self.timers.lock().unwrap_or_else(PoisonError::into_inner);
        let alarm = timers.idle.pop().or_else(|| {
            let more = timers.made < MOST;
            timers.made += usize::from(more);
            more.then(Alarm::precise)
        });
        Some(Lent { alarm: alarm?, naps: self })
    }
}

/// A timer, until the sleep is over or given up.
struct Lent<'a> {
    alarm: Alarm,
    naps: &'a Naps,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let alarm = std::mem::replace(&mut self.alarm, Alarm::coarse());
        self.naps.timers.lock().unwrap_or_else(PoisonError::into_inner).idle.push(alarm);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_short_sleep_is_no_millisecond() {
        let naps = Naps::default();
        // One run of many that the machine leaves alone: rounded up to milliseconds, none could take less than 50 ms.
        for _ in 0..1_000 {
            let began = Instant::now();
            for _ in 0..50 {
                naps.sleep(Duration::from_micros(100)).await;
            }
            let took = began.elapsed();
            assert!(took >= Duration::from_millis(5), "none ends early: {took:?}");
            if took < Duration::from_millis(45) {
                return;
            }
        }
        panic!("every sleep takes a millisecond or more");
    }

    #[tokio::test]
    async fn there_are_few_timers_and_those_that_are_given_up_come_back() {
        let naps = Naps::default();
        let mut sleepers: Vec<_> = (0..100).map(|_| Box::pin(naps.sleep(Duration::from_millis(90)))).collect();
        for sleeper in &mut sleepers {
            assert!(futures_util::poll!(sleeper.as_mut()).is_pending());
        }
        let timers = || {
            let timers = naps.timers.lock().unwrap();
            (timers.made, timers.idle.len())
        };
        assert_eq!(timers(), (MOST, 0));
        drop(sleepers);
        assert_eq!(timers(), (MOST, MOST));
    }
}
