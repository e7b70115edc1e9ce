//! The load's clock: it begins with the load, and stands still while the run is paused.
//!
//! Whatever a schedule says is a time of this clock. A pause therefore moves all that is to come by its length: durations, stages, ends
//! and later scenarios' beginnings; nothing becomes due, late or over while it lasts. Where the clock stands is arithmetic on one number;
//! whoever waits for a time is told of changes, and works out anew when that will be.

use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// The load's clock.
#[derive(Debug)]
pub struct LoadClock {
    began: OnceLock<Instant>,
    /// In one number, so that nobody sees half of a change: twice a time in nanoseconds, and 1 more while the clock stands. The time is
    /// what the clock shows while it stands, and else by how much it is behind.
    state: AtomicU64,
    /// How much it was behind already when it showed 0.
    waited_ns: AtomicU64,
    /// When the load was over: nothing is paused from then on.
    ended: OnceLock<Instant>,
    /// Goes up with every change, after it.
    version: AtomicU64,
    changes: watch::Sender<()>,
}

impl Default for LoadClock {
    fn default() -> Self {
        Self {
            began: OnceLock::new(),
            state: AtomicU64::new(0),
            waited_ns: AtomicU64::new(0),
            ended: OnceLock::new(),
            version: AtomicU64::new(0),
            changes: watch::Sender::new(()),
        }
    }
}

/// What the number says.
#[derive(Clone, Copy)]
enum State {
    Runs { behind: Duration },
    Stands { shows: Duration },
}

impl State {
    fn of(number: u64) -> Self {
        let time = Duration::from_nanos(number / 2);
        if number % 2 == 1 { Self::Stands { shows: time } } else { Self::Runs { behind: time } }
    }

    fn number(self) -> u64 {
        let (time, stands) = match self {
            Self::Runs { behind } => (behind, 0),
            Self::Stands { shows } => (shows, 1),
        };
        nanoseconds(time).saturating_mul(2).saturating_add(stands)
    }
}

/// What is enough for centuries.
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl LoadClock {
    /// Begins at this moment. One that was paused before stands at 0 then.
    pub(crate) fn begin(&self, at: Instant) {
        let _ = self.began.set(at);
        self.changed();
    }

    /// The load is over.
    pub(crate) fn end(&self, at: Instant) {
        let _ = self.ended.set(at);
    }

    /// When the load began; `None` before.
    #[must_use]
    pub fn began(&self) -> Option<Instant> {
        self.began.get().copied()
    }

    /// Stops the clock. False if it stood already.
    pub fn pause(&self) -> bool {
        let now = Instant::now();
        let stand = |number| match State::of(number) {
            State::Runs { behind } => {
                let shows = self.began().map_or(Duration::ZERO, |began| now.saturating_duration_since(began + behind));
                Some(State::Stands { shows }.number())
            }
            State::Stands { .. } => None,
        };
        let paused = self.state.fetch_update(AcqRel, Acquire, stand).is_ok();
        if paused {
            self.changed();
        }
        paused
    }

    /// Lets the clock go on. False if it did already.
    pub fn resume(&self) -> bool {
        let now = Instant::now();
        let run = |number| match State::of(number) {
            State::Stands { shows } => {
                let behind = self.began().map_or(Duration::ZERO, |began| now.saturating_duration_since(began + shows));
                if shows.is_zero() {
                    self.waited_ns.store(nanoseconds(behind), std::sync::atomic::Ordering::Release);
                }
                Some(State::Runs { behind }.number())
            }
            State::Runs { .. } => None,
        };
        let resumed = self.state.fetch_update(AcqRel, Acquire, run).is_ok();
        if resumed {
            self.changed();
        }
        resumed
    }

    /// Does it stand still?
    #[must_use]
    pub fn is_paused(&self) -> bool {
        matches!(self.state(), State::Stands { .. })
    }

    /// What it shows at this moment: how long the load has lasted, pauses left out. `None` before the load.
    #[must_use]
    pub fn elapsed_at(&self, now: Instant) -> Option<Duration> {
        let began = self.began()?;
        Some(match self.state() {
            State::Runs { behind } => now.saturating_duration_since(began + behind),
            State::Stands { shows } => shows,
        })
    }

    /// What it shows now.
    #[must_use]
    pub fn elapsed(&self) -> Option<Duration> {
        self.elapsed_at(Instant::now())
    }

    /// For how long the load has been paused in all, what it waited before its beginning left out.
    #[must_use]
    pub fn paused_for(&self) -> Duration {
        let now = self.ended.get().copied().unwrap_or_else(Instant::now);
        let (Some(began), Some(elapsed)) = (self.began(), self.elapsed_at(now)) else { return Duration::ZERO };
        if elapsed.is_zero() {
            return Duration::ZERO;
        }
        let waited = Duration::from_nanos(self.waited_ns.load(Acquire));
        now.saturating_duration_since(began + elapsed).saturating_sub(waited)
    }

    /// When it will show this time, or did; `None` while nobody knows: before the load, and while it stands.
    #[must_use]
    pub fn instant_of(&self, time: Duration) -> Option<Instant> {
        let began = self.began()?;
        match self.state() {
            State::Runs { behind } => Some(began + behind + time),
            State::Stands { .. } => None,
        }
    }

    /// As [`instant_of`](Self::instant_of); a clock that stands is taken to go on now.
    #[must_use]
    pub fn moment_of(&self, time: Duration) -> Instant {
        let now = Instant::now();
        let Some(began) = self.began() else { return now };
        match self.state() {
            State::Runs { behind } => began + behind + time,
            State::Stands { shows } => match time.checked_sub(shows) {
                Some(later) => now + later,
                None => now.checked_sub(shows.saturating_sub(time)).unwrap_or(began),
            },
        }
    }

    /// Waits until it shows this time.
    pub async fn reach(&self, time: Duration) {
        let mut changes = self.changes.subscribe();
        loop {
            let changed = async {
                // The sender is ours: it cannot be gone.
                let _ = changes.changed().await;
            };
            match self.instant_of(time) {
                Some(at) => tokio::select! {
                    () = tokio::time::sleep_until(at) => return,
                    () = changed => {}
                },
                None => changed.await,
            }
        }
    }

    /// A number that every change changes, and that may be read in a hot loop: read it before what it is to guard.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version.load(Acquire)
    }

    /// Tells those who wait that something changed which they wait for.
    pub(crate) fn changed(&self) {
        self.version.fetch_add(1, AcqRel);
        self.changes.send_replace(());
    }

    /// For those who pass on that something changed.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    fn state(&self) -> State {
        State::of(self.state.load(Acquire))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    async fn sleep(seconds: u32) {
        tokio::time::sleep(seconds * SECOND).await;
    }

    #[tokio::test(start_paused = true)]
    async fn it_stands_still_while_paused() {
        let clock = LoadClock::default();
        assert_eq!((clock.elapsed(), clock.instant_of(SECOND)), (None, None));
        let began = Instant::now();
        clock.begin(began);
        sleep(3).await;
        assert!(clock.pause());
        assert!(!clock.pause());
        sleep(10).await;
        assert_eq!((clock.elapsed(), clock.instant_of(SECOND)), (Some(3 * SECOND), None));
        assert_eq!(clock.moment_of(2 * SECOND), Instant::now() - SECOND);
        assert!(clock.resume());
        assert!(!clock.resume());
        sleep(2).await;
        assert_eq!(clock.elapsed(), Some(5 * SECOND));
        assert_eq!(clock.instant_of(7 * SECOND), Some(began + 17 * SECOND));
        assert_eq!(clock.moment_of(5 * SECOND), Instant::now());
        assert_eq!(clock.paused_for(), 10 * SECOND);
        clock.pause();
        sleep(1).await;
        assert_eq!((clock.elapsed(), clock.paused_for()), (Some(5 * SECOND), 11 * SECOND));
        clock.end(Instant::now());
        sleep(7).await;
        assert_eq!(clock.paused_for(), 11 * SECOND, "what is over is not paused any more");
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_before_the_load_is_no_pause_of_it() {
        let clock = LoadClock::default();
        clock.pause();
        clock.begin(Instant::now());
        sleep(60).await;
        assert_eq!((clock.elapsed(), clock.paused_for()), (Some(Duration::ZERO), Duration::ZERO));
        clock.resume();
        sleep(1).await;
        assert_eq!((clock.elapsed(), clock.paused_for()), (Some(SECOND), Duration::ZERO));
        clock.pause();
        sleep(2).await;
        clock.resume();
        assert_eq!((clock.elapsed(), clock.paused_for()), (Some(SECOND), 2 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_a_time_waits_through_pauses() {
        let clock = std::sync::Arc::new(LoadClock::default());
        let began = Instant::now();
        let (waiting, at) = (std::sync::Arc::clone(&clock), 5 * SECOND);
        let waiter = tokio::spawn(async move { waiting.reach(at).await });
        sleep(1).await;
        clock.begin(began + SECOND);
        for _ in 0..2 {
            sleep(1).await;
            clock.pause();
            sleep(10).await;
            clock.resume();
        }
        waiter.await.unwrap();
        assert_eq!((Instant::now() - began).as_secs(), 26);
    }
}
