//! What is going on right now, as numbers that any thread may read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

use super::clock::LoadClock;
/// An iteration that begins later than this is in a second that is not its own: the rate of its own was not reached.
pub const LATE: Duration = Duration::from_secs(1);

/// The live counters of a run.
#[derive(Debug)]
pub struct Progress {
    /// Virtual users that are ready, or were.
    pub initialised_vus: AtomicU32,
    /// How many are made before the load.
    pub planned_vus: u32,
    /// In the order of the plan.
    pub scenarios: Vec<ScenarioProgress>,
    /// How long the load has lasted, pauses left out.
    pub clock: Arc<LoadClock>,
}

/// The live counters of one scenario.
#[derive(Debug)]
pub struct ScenarioProgress {
    /// When it begins, after the load's beginning.
    pub start_time: Duration,
    /// For how long iterations may start.
    pub regular_duration: Duration,
    /// How many iterations there will be, where that is fixed.
    pub total_iterations: Option<u64>,
    /// Virtual users that it holds.
    pub active_vus: AtomicU32,
    /// Virtual users that run an iteration at this moment.
    pub busy_vus: AtomicU32,
    /// Iterations begun.
    pub started: AtomicU64,
    /// Of those, the ones that began more than [`LATE`] after they were due.
    pub late: AtomicU64,
    /// Iterations that ran to their end.
    pub completed: AtomicU64,
    /// Iterations that failed.
    pub failed: AtomicU64,
    /// Iterations that were interrupted.
    pub interrupted: AtomicU64,
    /// Iterations that were due and did not start.
    pub dropped: AtomicU64,
    winding_down: AtomicBool,
    done: AtomicBool,
}

/// Where a scenario is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Its start time is not reached.
    Waiting,
    /// Iterations start.
    Running,
    /// None starts any more; some are under way.
    GracefulStop,
    /// All is over.
    Done,
}

impl Progress {
    /// Nothing has happened.
    #[must_use]
    pub fn new(planned_vus: u32, scenarios: Vec<ScenarioProgress>) -> Self {
        Self { initialised_vus: AtomicU32::new(0), planned_vus, scenarios, clock: Arc::default() }
    }

    /// When the load began; `None` before.
    #[must_use]
    pub fn started(&self) -> Option<Instant> {
        self.clock.began()
    }

    /// Where this scenario is, at this moment.
    #[must_use]
    pub fn phase(&self, scenario: usize, now: Instant) -> Phase {
        let Some(scenario) = self.scenarios.get(scenario) else { return Phase::Done };
        if scenario.done.load(Relaxed) {
            return Phase::Done;
        }
        match self.clock.elapsed_at(now) {
            None => Phase::Waiting,
            Some(elapsed) if elapsed < scenario.start_time => Phase::Waiting,
            Some(_) if scenario.winding_down.load(Relaxed) => Phase::GracefulStop,
            Some(elapsed) if elapsed < scenario.start_time + scenario.regular_duration => Phase::Running,
            Some(_) => Phase::GracefulStop,
        }
    }

    /// How much of this scenario is over, from 0 to 1: of its iterations where their number is fixed, else of its time.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share for a progress bar")]
    pub fn share(&self, scenario: usize, now: Instant) -> f64 {
        let phase = self.phase(scenario, now);
        let Some(scenario) = self.scenarios.get(scenario) else { return 1.0 };
        match (phase, scenario.total_iterations) {
            (Phase::Waiting, _) => 0.0,
            (Phase::Done, None) => 1.0,
            (_, Some(total)) => (scenario.over() as f64 / total.max(1) as f64).min(1.0),
            (_, None) => {
                let elapsed = self.clock.elapsed_at(now).unwrap_or_default();
                let inside = elapsed.saturating_sub(scenario.start_time).as_secs_f64();
                (inside / scenario.regular_duration.as_secs_f64().max(f64::MIN_POSITIVE)).min(1.0)
            }
        }
    }

    /// Virtual users that scenarios which have begun hold, at this moment: k6's `vus`.
    #[must_use]
    pub fn active_vus(&self, now: Instant) -> u32 {
        let begun = |index: &usize| !matches!(self.phase(*index, now), Phase::Waiting | Phase::Done);
        let held = |index: usize| self.scenarios.get(index).map_or(0, |scenario| scenario.active_vus.load(Relaxed));
        (0..self.scenarios.len()).filter(begun).map(held).sum()
    }
}

impl ScenarioProgress {
    /// A scenario that has not begun.
    #[must_use]
    pub fn new(start_time: Duration, regular_duration: Duration, total_iterations: Option<u64>) -> Self {
        Self {
            start_time,
            regular_duration,
            total_iterations,
            active_vus: AtomicU32::new(0),
            busy_vus: AtomicU32::new(0),
            started: AtomicU64::new(0),
            late: AtomicU64::new(0),
            completed: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            interrupted: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            winding_down: AtomicBool::new(false),
            done: AtomicBool::new(false),
        }
    }

    /// Iterations that ended, by themselves.
    #[must_use]
    pub fn over(&self) -> u64 {
        self.completed.load(Relaxed) + self.failed.load(Relaxed)
    }

    pub(crate) fn wind_down(&self) {
        self.winding_down.store(true, Relaxed);
    }

    pub(crate) fn end(&self) {
        self.done.store(true, Relaxed);
    }
}
