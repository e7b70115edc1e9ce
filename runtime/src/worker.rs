//! Modules as virtual users, and what they did as samples: where the scheduler's shards meet wasm and metrics.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::duration;
use crate::host::context::ShardContext;
use crate::log::{Level, Source};
use crate::metrics::builtin;
use crate::module::Module;
use crate::shard::{
    Actual, EndedIteration, Iteration, IterationEnd, Observer, Outcome, VirtualUser, VuError, VuFactory,
};
use crate::vu::{CallError, IterationPlace, Vu};

/// What the plan asks of every virtual user.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules {
    /// An iteration takes at least this long.
    pub min_iteration: Option<Duration>,
    /// The module has a `vu_init`, which may take this long.
    pub vu_init: Option<Duration>,
}

/// One module on one shard.
#[derive(Debug, Clone)]
pub struct Guest {
    /// What virtual users are instances of.
    pub module: Arc<Module>,
    /// What they have in common on this shard.
    pub shard: Arc<ShardContext>,
    /// What is asked of them.
    pub rules: Rules,
}

/// Makes the instances of one shard.
#[derive(Debug)]
pub struct WasmVus {
    guests: Vec<Guest>,
    module_of_vu: Arc<[usize]>,
}

/// Turns what happened on one shard into samples.
#[derive(Debug)]
pub struct Sampler {
    shard: Arc<ShardContext>,
}

/// The two halves of a shard's work. `module_of_vu` says which of the guests each virtual user is an instance of, from virtual user 1 on.
#[must_use]
pub fn worker(guests: Vec<Guest>, module_of_vu: Arc<[usize]>) -> (WasmVus, Sampler) {
    let sampler = Sampler { shard: Arc::clone(&guests[0].shard) };
    (WasmVus { guests, module_of_vu }, sampler)
}

/// An instance that an executor drives.
#[derive(Debug)]
pub struct WasmVu {
    vu: Vu,
    shard: Arc<ShardContext>,
    rules: Rules,
    actual: Actual,
}

impl VuFactory for WasmVus {
    type Vu = WasmVu;

    async fn create(&self, vu_id: u64) -> Result<WasmVu, VuError> {
        let place = usize::try_from(vu_id.saturating_sub(1)).unwrap_or(usize::MAX);
        let guest = &self.guests[self.module_of_vu.get(place).copied().unwrap_or(0)];
        let shard = Arc::clone(&guest.shard);
        let vu = Vu::new(Arc::clone(&guest.module), Arc::clone(&shard), vu_id)
            .await
            .map_err(|error| VuError::Machine(error.reason))?;
        let mut vu = WasmVu { vu, shard, rules: guest.rules, actual: Actual::default() };
        if let Some(timeout) = guest.rules.vu_init {
            vu.init(timeout).await?;
        }
        Ok(vu)
    }
}

impl VirtualUser for WasmVu {
    async fn iterate(&mut self, iteration: &Iteration) -> IterationEnd {
        if let Some(timeout) = self.rules.vu_init
            && self.vu.is_fresh()
        {
            let ready = self.init(timeout).await;
            self.actual.began = Some(Instant::now());
            if let Err(error) = ready {
                self.tell(Source::VuInit(iteration.vu_id), &error.to_string());
                return IterationEnd::Failed;
            }
        }
        let began = Instant::now();
        let place = IterationPlace {
            scenario: iteration.scenario,
            function: iteration.function,
            number_in_scenario: iteration.number_in_scenario,
            scenario_started: iteration.scenario_started,
            began,
        };
        let end = match self.vu.iterate(place).await {
            Ok(()) => IterationEnd::Completed,
            // The whole load is being interrupted, this iteration with it.
            Err(CallError::Aborted(_)) => std::future::pending().await,
            // It has no row to go on with, which is nobody's failure; the load ends.
            Err(CallError::RanOut(_)) => return IterationEnd::Interrupted,
            Err(error) => {
                let number = self.vu.iterations().saturating_sub(1);
                self.tell(Source::Vu { vu: iteration.vu_id, iteration: number }, &error.to_string());
                IterationEnd::Failed
            }
        };
        self.pause(began, end).await;
        end
    }

    fn actual(&mut self) -> Actual {
        std::mem::take(&mut self.actual)
    }
}

impl WasmVu {
    /// Runs the module's `vu_init`.
    async fn init(&mut self, timeout: Duration) -> Result<(), VuError> {
        match tokio::time::timeout(timeout, self.vu.init()).await {
            Ok(Ok(())) => Ok(()),
            // The whole load is being interrupted, or will not begin.
            Ok(Err(CallError::Aborted(_))) => std::future::pending().await,
            Ok(Err(error)) => Err(VuError::Module(format!("{}vu_init failed: {error}", self.whose()))),
            Err(_elapsed) => {
                let limit = duration::format(timeout);
                Err(VuError::Timeout(format!("{}vu_init took longer than setupTimeout ({limit})", self.whose())))
            }
        }
    }

    /// Words that begin a line about one of several modules.
    fn whose(&self) -> String {
        self.shard.module().name.as_ref().map(|name| format!("module `{name}`: ")).unwrap_or_default()
    }

    /// Once for each distinct message; the summary has the counts.
    fn tell(&self, source: Source, reason: &str) {
        let reason = &format!("{}{reason}", self.whose());
        if self.shard.test.problems.iteration_failed(reason) {
            self.shard.test.log.write(Level::Error, source, &format!("iteration failed: {reason}"));
        }
    }

    /// Waits until the iteration has taken as long as one must.
    async fn pause(&mut self, began: Instant, end: IterationEnd) {
        let Some(least) = self.rules.min_iteration else { return };
        let now = Instant::now();
        let Some(left) = least.checked_sub(now - began) else { return };
        // Noted before the pause: if that is cut short, the iteration has ended all the same.
        self.actual.ended = Some((now, end));
        tokio::time::sleep(left).await;
    }
}

impl Observer for Sampler {
    fn iteration_ended(&self, ended: &EndedIteration) {
        if ended.outcome == Outcome::Interrupted {
            return;
        }
        let tags = self.shard.test.scenarios[ended.iteration.scenario].tags;
        let duration = ended.ended.saturating_duration_since(ended.started);
        self.shard.record(|recorder| {
            recorder.add(builtin::ITERATIONS, tags, 1.0);
            recorder.duration(builtin::ITERATION_DURATION, tags, duration);
            if ended.outcome == Outcome::Failed {
                recorder.add(builtin::ITERATION_ERRORS, tags, 1.0);
            }
            if let Some(due) = ended.iteration.due {
                let lag = ended.started.saturating_duration_since(due);
                recorder.duration(builtin::ITERATION_START_LAG, tags, lag);
                recorder.duration(builtin::ITERATION_DURATION_FROM_DUE, tags, lag + duration);
            }
        });
    }

    fn iterations_dropped(&self, scenario: usize, count: u64) {
        let tags = self.shard.test.scenarios[scenario].tags;
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
        self.shard.record(|recorder| recorder.add(builtin::DROPPED_ITERATIONS, tags, count as f64));
    }

    fn vu_failed(&self, scenario: usize, error: &VuError) {
        let name = &self.shard.test.scenarios[scenario].name;
        let text = format!("scenario `{name}`: a further VU could not be initialised: {error}");
        if self.shard.test.problems.warn(&text) {
            self.shard.test.log.runtime(Level::Warn, &text);
        }
    }

    fn vus_exhausted(&self, scenario: usize) {
        let name = &self.shard.test.scenarios[scenario].name;
        let text = format!(
            "scenario `{name}`: all VUs are busy and maxVUs is reached, so iterations are dropped; raise maxVUs, or find out why \
             iterations take so long"
        );
        if self.shard.test.problems.warn(&text) {
            self.shard.test.log.runtime(Level::Warn, &text);
        }
    }
}
