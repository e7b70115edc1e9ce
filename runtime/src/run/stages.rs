//! Setup, load and teardown.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::time::Instant;

use super::Test;
use super::prepare::{Prepared, PreparedModule};
use crate::control::Stage;
use crate::exit::Exit;
use crate::log::Level;
use crate::metrics::{MetricId, builtin};
use crate::monitor::{COLLECT, Monitor, every};
use crate::plan::PlannedModule;
use crate::scheduler::{Ended, ScheduleError};
use crate::shard::VuError;
use crate::stop::StopReason;
use crate::vu::{CallError, Vu};
use crate::worker::{Guest, Rules, worker};

/// How a stage's call ended.
enum StageEnd<T> {
    Done(T),
    Failed(CallError),
    TimedOut,
    Signalled,
}

impl Test {
    /// Runs each module's `setup`; what it returns is there for every virtual user of the module then.
    pub(super) async fn set_up(&mut self) {
        for index in 0..self.prepared.modules.len() {
            if !self.set_up_one(index).await {
                return;
            }
        }
    }

    /// Whether there is something to go on with.
    async fn set_up_one(&mut self, index: usize) -> bool {
        let (module, planned) = (&mut self.prepared.modules[index], &self.prepared.plan.modules[index]);
        if !module.description.setup || planned.no_setup || !planned.runs {
            module.set_up = planned.runs;
            return true;
        }
        self.prepared.ledger.stage("setup");
        let (timeout, whose) = (planned.setup_timeout, self.whose(index));
        let end = self.timed(index, builtin::SETUP_DURATION, timeout, async |vu: &mut Vu| vu.setup().await).await;
        match end {
            StageEnd::Done(data) => {
                let module = &mut self.prepared.modules[index];
                module.set_up = true;
                if let Some(data) = data {
                    // Nobody else sets it.
                    let _ = module.main.module().setup_data.set(Bytes::from(data));
                }
                return true;
            }
            StageEnd::Failed(CallError::Aborted(_)) => self.decide(Exit::AbortedByScenario),
            StageEnd::Failed(error) => {
                self.log(Level::Error, &format!("{whose}setup failed, so no load was started: {error}"));
                self.decide(Exit::ScenarioException);
            }
            StageEnd::TimedOut => {
                self.log(
                    Level::Error,
                    &format!("{whose}setup took longer than setupTimeout ({timeout:?}), so no load was started"),
                );
                self.decide(Exit::SetupTimeout);
            }
            StageEnd::Signalled => self.decide(Exit::Signal),
        }
        false
    }

    /// Words that begin a line about one of several modules.
    pub(super) fn whose(&self, index: usize) -> String {
        match &self.prepared.modules[..] {
            [_] => String::new(),
            several => format!("module `{}`: ", several[index].name),
        }
    }

    /// Makes the virtual users and lets the executors drive them, unless something has gone wrong already.
    pub(super) async fn load(&mut self) {
        if self.verdict.is_some() {
            return;
        }
        match self.drive().await {
            Ok(ended) => {
                self.duration = ended.lasted;
                self.prepared.ledger.load_ends(self.duration);
                self.prepared.desk.live().load_lasted(self.duration);
                self.tell_of_pauses(&ended);
                if let Some(reason) = &ended.stopped {
                    self.heed(reason);
                }
            }
            Err(ScheduleError::Stopped(reason)) => self.heed(&reason),
            Err(error) => {
                self.log(Level::Error, &error.to_string());
                self.prepared.context.problems.warn(&error.to_string());
                self.decide(match error {
                    ScheduleError::Shard(_) => Exit::Panic,
                    ScheduleError::Vu { error, .. } => exit_of(&error),
                    ScheduleError::Stopped(_) => Exit::Failed,
                });
            }
        }
    }

    async fn drive(&mut self) -> Result<Ended, ScheduleError> {
        let prepared = &mut self.prepared;
        let context = Arc::clone(&prepared.context);
        let stop = context.stop.clone();
        let Some(schedule) = prepared.schedule.take() else {
            // There is one load in a test.
            return Err(ScheduleError::Stopped(StopReason::Internal("the load has been run".to_owned())));
        };
        let progress = schedule.progress();
        let _ = context.progress.set(Arc::clone(&progress));
        prepared.desk.live().enter(Stage::Load);
        prepared.ledger.load_begins(Arc::clone(&progress));
        let planned_vus = progress.planned_vus;
        let names = prepared.plan.scenarios.iter().map(|scenario| scenario.spec.name.clone()).collect();
        let monitor = Monitor {
            watch: prepared.display.watch(Arc::clone(&progress), names),
            progress,
            stop,
            thresholds: Arc::clone(&prepared.thresholds),
            recorder: Arc::clone(&prepared.recorder),
            tags: context.tags,
            gauged: false,
        };
        let guests: Vec<Vec<Guest>> = (0..prepared.shards).map(|shard| prepared.guests(shard)).collect();
        let module_of_vu = schedule.modules();
        let load = async move {
            let build = move |index: usize| worker(guests[index].clone(), Arc::clone(&module_of_vu));
            let begun = Instant::now();
            let ready = schedule.prepare(build).await?;
            let took_ms = begun.elapsed().as_secs_f64() * 1e3;
            context.log.runtime(Level::Debug, &format!("{planned_vus} VUs ready after {took_ms:.1} ms"));
            let running = ready.start();
            let _ = context.started_at.set(SystemTime::now() + (running.started() - Instant::now()));
            running.finish().await
        };
        monitor.watch_over(load, &mut prepared.ledger, &mut prepared.signals, &mut prepared.desk).await
    }

    /// Rates and durations leave pauses out: whoever compares them with a clock on the wall must know.
    fn tell_of_pauses(&self, ended: &Ended) {
        if ended.paused > Duration::ZERO {
            let paused = crate::duration::format(Duration::from_millis(
                u64::try_from(ended.paused.as_millis()).unwrap_or(u64::MAX),
            ));
            self.prepared.context.problems.warn(&format!(
                "the load was paused for {paused} in all; its duration and what is per second of it leave that out"
            ));
        }
    }

    /// The only virtual user cannot be made.
    pub(super) fn vu_failed(&mut self, error: &VuError) {
        self.log(Level::Error, &error.to_string());
        self.decide(exit_of(error));
    }

    pub(super) fn heed(&mut self, reason: &StopReason) {
        match reason {
            StopReason::Signal => self.decide(Exit::Signal),
            StopReason::Control(_) => self.decide(Exit::StoppedByControl),
            StopReason::Aborted(reason) => {
                self.log(Level::Error, &format!("the scenario aborted the test: {reason}"));
                self.decide(Exit::AbortedByScenario);
            }
            StopReason::Internal(_) => self.decide(Exit::Failed),
            // Also if it holds again by the last samples: the load was cut short because of it.
            StopReason::Threshold(_) => self.decide(Exit::ThresholdsCrossed),
            // A good end.
            StopReason::Scenario(_) => {}
        }
    }

    /// Runs each module's `teardown`, the last one's first, also after a load that was cut short, unless its `setup` did not get through.
    pub(super) async fn tear_down(&mut self) {
        for index in (0..self.prepared.modules.len()).rev() {
            self.tear_down_one(index).await;
        }
    }

    async fn tear_down_one(&mut self, index: usize) {
        let (module, planned) = (&self.prepared.modules[index], &self.prepared.plan.modules[index]);
        if !module.description.teardown || planned.no_teardown || !module.set_up {
            return;
        }
        self.prepared.ledger.stage("teardown");
        self.prepared.desk.live().enter(Stage::Teardown);
        let (timeout, whose) = (planned.teardown_timeout, self.whose(index));
        let end = self.timed(index, builtin::TEARDOWN_DURATION, timeout, async |vu: &mut Vu| vu.teardown().await).await;
        match end {
            StageEnd::Done(()) => {}
            StageEnd::Failed(error) => {
                self.log(Level::Error, &format!("{whose}teardown failed: {error}"));
                self.decide(Exit::ScenarioException);
            }
            StageEnd::TimedOut => {
                self.log(Level::Error, &format!("{whose}teardown took longer than teardownTimeout ({timeout:?})"));
                self.decide(Exit::TeardownTimeout);
            }
            StageEnd::Signalled => self.decide(Exit::Signal),
        }
    }

    /// A stage whose time is a sample of this metric, unless it was cut off.
    async fn timed<T>(
        &mut self,
        module: usize,
        metric: MetricId,
        timeout: Duration,
        call: impl AsyncFnOnce(&mut Vu) -> Result<T, CallError>,
    ) -> StageEnd<T> {
        let begun = Instant::now();
        let end = self.stage(module, timeout, call).await;
        if matches!(end, StageEnd::Done(_) | StageEnd::Failed(_)) {
            let main = &self.prepared.modules[module].main;
            main.record(|recorder| recorder.duration(metric, main.module().tags, begun.elapsed()));
            self.prepared.ledger.collect();
        }
        end
    }

    /// Calls into an instance of its own, for no longer than `timeout` and until somebody sends a signal.
    async fn stage<T>(
        &mut self,
        module: usize,
        timeout: Duration,
        call: impl AsyncFnOnce(&mut Vu) -> Result<T, CallError>,
    ) -> StageEnd<T> {
        let prepared = &self.prepared.modules[module];
        let (module, main) = (Arc::clone(&prepared.module), Arc::clone(&prepared.main));
        let work = async {
            let mut vu = Vu::new(module, main, 0).await.map_err(|error| CallError::Trapped(error.to_string()))?;
            call(&mut vu).await
        };
        let mut work = std::pin::pin!(tokio::time::timeout(timeout, work));
        let mut collect = every(COLLECT);
        let end = loop {
            tokio::select! {
                biased;
                () = self.prepared.signals.next() => break StageEnd::Signalled,
                end = &mut work => break match end {
                    Ok(Ok(done)) => StageEnd::Done(done),
                    Ok(Err(error)) => StageEnd::Failed(error),
                    Err(_elapsed) => StageEnd::TimedOut,
                },
                _ = collect.tick() => self.prepared.ledger.collect(),
                question = self.prepared.desk.next() => {
                    let ledger = &self.prepared.ledger;
                    self.prepared.desk.answer(question, ledger.totals(), ledger.windows());
                }
            }
        };
        self.prepared.ledger.collect();
        end
    }

    /// Asks the module for its own summary, which may take as long as a teardown.
    pub(super) async fn own_summary(&mut self, module: usize, data: &str) -> Option<Vec<(String, Vec<u8>)>> {
        let (timeout, whose) = (self.prepared.plan.modules[module].teardown_timeout, self.whose(module));
        let end = self.stage(module, timeout, async |vu: &mut Vu| vu.handle_summary(data).await).await;
        match end {
            StageEnd::Done(texts) => return texts,
            StageEnd::Failed(error) => {
                self.log(Level::Error, &format!("{whose}handle_summary failed, so here is the usual summary: {error}"));
            }
            StageEnd::TimedOut => {
                self.log(
                    Level::Error,
                    &format!("{whose}handle_summary took longer than {timeout:?}, so here is the usual summary"),
                );
                self.decide(Exit::OtherTimeout);
            }
            StageEnd::Signalled => self.decide(Exit::Signal),
        }
        None
    }
}

const fn exit_of(error: &VuError) -> Exit {
    match error {
        VuError::Machine(_) => Exit::Failed,
        VuError::Module(_) => Exit::ScenarioException,
        VuError::Timeout(_) => Exit::OtherTimeout,
    }
}

impl Prepared {
    /// All modules on one shard, with what the plan asks of their virtual users.
    pub(super) fn guests(&self, shard: usize) -> Vec<Guest> {
        let least = self.plan.min_iteration_duration;
        let min_iteration = (least > Duration::ZERO).then_some(least);
        let guest = |(module, planned): (&PreparedModule, &PlannedModule)| Guest {
            module: Arc::clone(&module.module),
            shard: Arc::clone(&module.shards[shard]),
            rules: Rules { min_iteration, vu_init: module.description.vu_init.then_some(planned.setup_timeout) },
        };
        self.modules.iter().zip(&self.plan.modules).map(guest).collect()
    }
}
