//! Waking on time: to some tens of microseconds, where the event loop's own timer knows only whole milliseconds.
//!
//! An open model's iterations should start when they are due. At 5,000 starts/s the event loop's timer would give out five
//! at once, late by half a millisecond on average; a timer of the operating system, waited for like any other file, is
//! late by what it takes to wake a thread.

use tokio::time::Instant;

/// A timer to be waited for again and again.
#[derive(Debug, Default)]
pub struct Alarm {
    #[cfg(target_os = "linux")]
    timer: Option<linux::Timer>,
}

impl Alarm {
    /// The event loop's timer: whole milliseconds, rounded up; follows a paused clock.
    #[must_use]
    pub fn coarse() -> Self {
        Self::default()
    }

    /// The operating system's timer, where there is one; else the event loop's.
    #[must_use]
    pub fn precise() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            timer: linux::Timer::new().ok(),
        }
    }

    /// Sleeps until `at`.
    pub async fn sleep_until(&self, at: Instant) {
        #[cfg(target_os = "linux")]
        if let Some(timer) = &self.timer
            && timer.sleep_until(at).await.is_ok()
        {
            return;
        }
        tokio::time::sleep_until(at).await;
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::time::Duration;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
    };
    use tokio::net::unix::pipe::Receiver;
    use tokio::time::Instant;

    /// The event loop's timer sleeps until so long before, and may be late by a millisecond itself: a start that is far
    /// off costs no file event.
    const REST: Duration = Duration::from_millis(3);

    /// A `timerfd`. For the event loop it is like the reading end of a pipe: readable when it rings, and what is read are 8
    /// bytes. tokio's type for those is the one that takes such a file without `unsafe`.
    #[derive(Debug)]
    pub(super) struct Timer(Receiver);

    impl Timer {
        pub(super) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            Ok(Self(Receiver::from_owned_fd_unchecked(timerfd_create(TimerfdClockId::Monotonic, flags)?)?))
        }

        pub(super) async fn sleep_until(&self, at: Instant) -> io::Result<()> {
            let left = || at.saturating_duration_since(Instant::now());
            if let Some(rest) = left().checked_sub(REST) {
                tokio::time::sleep(rest).await;
            }
            loop {
                let left = left();
                if left.is_zero() {
                    return Ok(());
                }
                self.ring_after(left).await?;
            }
        }

        async fn ring_after(&self, left: Duration) -> io::Result<()> {
            let value = Timespec::try_from(left).map_err(io::Error::other)?;
            let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
            timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
            loop {
                self.0.readable().await?;
                match self.0.try_read(&mut [0; 8]) {
                    Ok(_) => return Ok(()),
                    // A ring that an earlier sleep left unheard; setting the timer anew has taken it back.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn an_alarm_never_rings_early_and_can_be_set_again() {
        let alarm = Alarm::precise();
        for microseconds in [0, 1, 150, 700, 2_999, 3_001, 5_000] {
            let at = Instant::now() + Duration::from_micros(microseconds);
            alarm.sleep_until(at).await;
            assert!(Instant::now() >= at, "{microseconds} us");
        }
        // A sleep that is given up leaves nothing behind that would end the next one early.
        let short = Instant::now() + Duration::from_micros(300);
        let _ = tokio::time::timeout(Duration::ZERO, alarm.sleep_until(short)).await;
        std::thread::sleep(Duration::from_millis(1));
        let at = Instant::now() + Duration::from_millis(2);
        alarm.sleep_until(at).await;
        assert!(Instant::now() >= at);
    }
}
