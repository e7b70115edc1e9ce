//! Modules as virtual users, and what they did as samples: where the scheduler's shards meet wasm and metrics.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::host::context::ShardContext;
use crate::log::{Level, Source};
use crate::metrics::builtin;
use crate::module::Module;
use crate::shard::{EndedIteration, Iteration, IterationEnd, Observer, Outcome, VirtualUser, VuError, VuFactory};
use crate::vu::{CallError, IterationPlace, Vu};

/// When iterations that `minIterationDuration` makes longer really ended, and how, by virtual user: the pause is not theirs.
type Pauses = Rc<RefCell<HashMap<u64, (Instant, IterationEnd)>>>;

/// Makes the instances of one shard.
#[derive(Debug)]
pub struct WasmVus {
    module: Arc<Module>,
    shard: Arc<ShardContext>,
    min_iteration: Option<Duration>,
    pauses: Pauses,
}

/// Turns what happened on one shard into samples.
#[derive(Debug)]
pub struct Sampler {
    shard: Arc<ShardContext>,
    pauses: Pauses,
}

/// The two halves of a shard's work.
#[must_use]
pub fn worker(module: Arc<Module>, shard: Arc<ShardContext>, min_iteration: Option<Duration>) -> (WasmVus, Sampler) {
    let pauses = Pauses::default();
    let sampler = Sampler { shard: Arc::clone(&shard), pauses: Rc::clone(&pauses) };
    (WasmVus { module, shard, min_iteration, pauses }, sampler)
}

/// An instance that an executor drives.
#[derive(Debug)]
pub struct WasmVu {
    vu: Vu,
    shard: Arc<ShardContext>,
    min_iteration: Option<Duration>,
    pauses: Pauses,
}

impl VuFactory for WasmVus {
    type Vu = WasmVu;

    async fn create(&self, vu_id: u64) -> Result<WasmVu, VuError> {
        let vu = Vu::new(Arc::clone(&self.module), Arc::clone(&self.shard), vu_id)
            .await
            .map_err(|error| VuError(error.to_string()))?;
        let (shard, pauses) = (Arc::clone(&self.shard), Rc::clone(&self.pauses));
        Ok(WasmVu { vu, shard, min_iteration: self.min_iteration, pauses })
    }
}

impl VirtualUser for WasmVu {
    async fn iterate(&mut self, iteration: &Iteration) -> IterationEnd {
        let begun = Instant::now();
        let place = IterationPlace {
            scenario: iteration.scenario,
            function: iteration.function,
            number_in_scenario: iteration.number_in_scenario,
            scenario_started: iteration.scenario_started,
        };
        let end = match self.vu.iterate(place).await {
            Ok(()) => IterationEnd::Completed,
            // The whole load is being interrupted, this iteration with it.
            Err(CallError::Aborted(_)) => std::future::pending().await,
            Err(error) => {
                self.tell(iteration, &error);
                IterationEnd::Failed
            }
        };
        self.pause(iteration.vu_id, begun, end).await;
        end
    }
}

impl WasmVu {
    /// Once for each distinct message; the summary has the counts.
    fn tell(&self, iteration: &Iteration, error: &CallError) {
        let text = error.to_string();
        if self.shard.test.problems.iteration_failed(&text) {
            let source = Source::Vu { vu: iteration.vu_id, iteration: self.vu.iterations().saturating_sub(1) };
            self.shard.test.log.write(Level::Error, source, &format!("iteration failed: {text}"));
        }
    }

    async fn pause(&self, vu_id: u64, begun: Instant, end: IterationEnd) {
        let Some(left) = self.min_iteration.and_then(|least| least.checked_sub(begun.elapsed())) else {
            return;
        };
        // Noted before the pause: if that is cut short, the iteration has ended all the same.
        self.pauses.borrow_mut().insert(vu_id, (Instant::now(), end));
        tokio::time::sleep(left).await;
    }
}

impl Observer for Sampler {
    fn iteration_ended(&self, ended: &EndedIteration) {
        let finished = self.pauses.borrow_mut().remove(&ended.iteration.vu_id);
        let (end, outcome) = finished.map_or((ended.ended, ended.outcome), |(at, end)| (at, end.into()));
        if outcome == Outcome::Interrupted {
            return;
        }
        let tags = self.shard.test.scenarios[ended.iteration.scenario].tags;
        let duration = end.saturating_duration_since(ended.started);
        self.shard.record(|recorder| {
            recorder.add(builtin::ITERATIONS, tags, 1.0);
            recorder.duration(builtin::ITERATION_DURATION, tags, duration);
            if outcome == Outcome::Failed {
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
