//! The books of one run: the totals, and the results file that follows them.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::Instant;

use crate::host::context::TestContext;
use crate::log::Level;
use crate::metrics::{Aggregator, Totals, Window};
use crate::plan::PlannedScenario;
use crate::results::record::microseconds;
use crate::results::{End, Event, Moment, RunRecord, What, Writer};
use crate::shard::progress::{Progress, ScenarioProgress};
use crate::stop::StopReason;
use crate::summary::{RunInfo, Starts};
use crate::threshold::{Threshold, Windows};

/// Collects samples, and records what every collection brought.
#[derive(Debug)]
pub struct Ledger {
    aggregator: Aggregator,
    windows: Windows,
    context: Arc<TestContext>,
    /// `None` for a run that is not recorded.
    writer: Option<Writer>,
    /// Whether the person asked for the file by name: then a file that cannot be written fails the run.
    asked_for: bool,
    /// Why nothing is written any more.
    failed: bool,
    begun: Instant,
    progress: Option<Arc<Progress>>,
    /// How long the load lasted, once it is over.
    load: Option<Duration>,
    /// Whether the summary has been made, so that nothing may come any more.
    closed: bool,
    told_stop: Option<StopReason>,
    told_failure: bool,
}

impl Ledger {
    /// Books over these samples, without a file, that keep what these thresholds' windows need.
    pub fn new(aggregator: Aggregator, thresholds: &[Threshold], context: Arc<TestContext>) -> Self {
        Self {
            aggregator,
            windows: Windows::new(thresholds),
            context,
            writer: None,
            asked_for: false,
            failed: false,
            begun: Instant::now(),
            progress: None,
            load: None,
            closed: false,
            told_stop: None,
            told_failure: false,
        }
    }

    /// Records everything from here on. `asked_for` says that the person named the file.
    pub fn record(&mut self, mut writer: Writer, run: &RunRecord, asked_for: bool) {
        self.begun = Instant::now();
        self.asked_for = asked_for;
        let written = writer.begin(run);
        self.writer = Some(writer);
        self.heed(written);
    }

    /// Everything collected so far.
    pub const fn totals(&self) -> &Totals {
        self.aggregator.totals()
    }

    /// What the last collection brought.
    pub const fn window(&self) -> &Window {
        self.aggregator.window()
    }

    /// What the thresholds with a window came to so far.
    pub const fn windows(&self) -> &Windows {
        &self.windows
    }

    /// Fetches and records what is new.
    pub fn collect(&mut self) {
        self.aggregator.collect();
        if self.closed {
            return;
        }
        let moment = self.moment();
        self.slide(moment.load_us);
        if self.writer.is_none() {
            return;
        }
        self.tell_reasons();
        let Some(writer) = &mut self.writer else { return };
        let (totals, window) = (self.aggregator.totals(), self.aggregator.window());
        let written = writer.snapshot(moment, totals, window, &self.context.problems);
        self.heed(written);
    }

    /// Takes into the windows what the file will say of this collection.
    fn slide(&mut self, load_us: u64) {
        let totals = self.aggregator.totals();
        for (series, news) in self.aggregator.window().series() {
            if self.windows.want(totals, series) {
                self.windows.add(totals, series, &totals.as_recorded(series, news));
            }
        }
        self.windows.close(totals.registry(), load_us);
    }

    /// Notes that a stage begins.
    pub fn stage(&mut self, stage: &'static str) {
        self.event(What::Stage(stage.to_owned()));
    }

    /// From here on the load's time is known.
    pub fn load_begins(&mut self, progress: Arc<Progress>) {
        self.progress = Some(progress);
        self.stage("load");
    }

    /// The load is over, and lasted so long.
    pub const fn load_ends(&mut self, duration: Duration) {
        self.load = Some(duration);
    }

    /// Iterations that were interrupted so far.
    pub fn interrupted(&self) -> u64 {
        let sum = |progress: &Arc<Progress>| {
            progress.scenarios.iter().map(|scenario| scenario.interrupted.load(Relaxed)).sum()
        };
        self.progress.as_ref().map_or(0, sum)
    }

    /// How much of these scenarios' load was started, which are the plan's; of those that promise nothing, nothing.
    pub fn starts(&self, scenarios: &[PlannedScenario]) -> Vec<Starts> {
        let counted = self.progress.iter().flat_map(|progress| &progress.scenarios);
        let lasted = self.load.unwrap_or_default();
        let starts = |(scenario, progress): (&PlannedScenario, &ScenarioProgress)| {
            let started = progress.started.load(Relaxed);
            let of_a_rate = progress.total_iterations.is_none();
            let due_for = lasted.saturating_sub(progress.start_time).min(progress.regular_duration);
            Starts {
                scenario: scenario.spec.name.clone(),
                due: started + progress.dropped.load(Relaxed),
                started,
                late: progress.late.load(Relaxed),
                due_for_ns: of_a_rate.then(|| u64::try_from(due_for.as_nanos()).unwrap_or(u64::MAX)),
            }
        };
        let promised = scenarios.iter().zip(counted).filter(|(scenario, _)| scenario.promises_iterations());
        promised.map(starts).collect()
    }

    /// The summary is made of what was collected: what comes later is not in it, and not in the file.
    pub fn close(&mut self) {
        self.collect();
        self.windows.finish(self.aggregator.totals().registry());
        self.stage("summary");
        self.closed = true;
    }

    /// Writes the end. False if the person asked for a file that does not hold everything.
    pub fn end(&mut self, info: &RunInfo, exit_code: u8) -> bool {
        let end = End {
            at_us: self.now(),
            exit_code,
            duration_ns: u64::try_from(info.duration.as_nanos()).unwrap_or(u64::MAX),
            stopped_early: info.stopped_early.clone(),
            aborted_by_threshold: info.aborted_by_threshold,
            marked_failed: info.marked_failed.clone(),
            interrupted_iterations: info.interrupted_iterations,
            dropped_log_lines: info.dropped_log_lines,
            starts: info.starts.clone(),
        };
        if let Some(writer) = self.writer.take() {
            let path = writer.path().display().to_string();
            let written = writer.end(&end);
            self.heed_at(written, &path);
        }
        !(self.failed && self.asked_for)
    }

    fn moment(&self) -> Moment {
        let running = || self.progress.as_ref()?.clock.elapsed();
        let load = self.load.or_else(running).unwrap_or_default();
        Moment {
            at_us: self.now(),
            load_us: microseconds(load),
            interrupted_iterations: self.interrupted(),
            dropped_log_lines: self.context.log.dropped(),
        }
    }

    fn now(&self) -> u64 {
        microseconds(self.begun.elapsed())
    }

    /// A run that is killed while it stops has its reason.
    fn tell_reasons(&mut self) {
        let reason = self.context.stop.reason();
        if let Some(reason) = reason.filter(|reason| self.told_stop.as_ref() != Some(reason)) {
            let by_threshold = matches!(reason, StopReason::Threshold(_));
            self.event(What::Stopping { reason: reason.in_words(), by_threshold });
            self.told_stop = Some(reason);
        }
        if !self.told_failure
            && let Some(reason) = self.context.failed_by_scenario.get()
        {
            self.told_failure = true;
            self.event(What::Failed(reason.clone()));
        }
    }

    fn event(&mut self, what: What) {
        let event = Event { at_us: self.now(), what };
        if let Some(writer) = &mut self.writer {
            let written = writer.event(&event);
            self.heed(written);
        }
    }

    fn heed(&mut self, written: std::io::Result<()>) {
        let path = self.writer.as_ref().map(|writer| writer.path().display().to_string()).unwrap_or_default();
        self.heed_at(written, &path);
    }

    /// The run is worth more than its file: it goes on, and the person is told at once.
    fn heed_at(&mut self, written: std::io::Result<()>, path: &str) {
        let Err(error) = written else { return };
        self.failed = true;
        let level = if self.asked_for { Level::Error } else { Level::Warn };
        let flag = if self.asked_for { "--results " } else { "results " };
        let text = format!("{flag}{path}: cannot be written ({error}); the run goes on, and the file ends here");
        self.context.log.runtime(level, &text);
    }
}
