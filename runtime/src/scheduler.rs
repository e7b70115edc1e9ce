//! A run from its first virtual user to its last iteration: everybody made, one beginning for all shards, one end.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::executor::drive::{Run, drive};
use crate::executor::{Helm, ScenarioSpec};
use crate::shard::progress::Progress;
use crate::shard::{self, Observer, Placement, ShardError, ShardParts, VuError, VuFactory};
use crate::stop::{StopReason, StopToken};

/// So far ahead of now is the load's beginning put, so that every shard is waiting for it when it comes.
const HEAD_START: Duration = Duration::from_millis(5);

/// Scenarios that will be run.
#[derive(Debug)]
pub struct Schedule {
    run: Arc<Run>,
    shards: usize,
    placement: Placement,
    stop: StopToken,
}

/// A run whose virtual users are ready. Dropping it ends its shards.
#[derive(Debug)]
pub struct Prepared {
    run: Arc<Run>,
    stop: StopToken,
    shards: Shards,
}

/// A run under load. Dropping it ends its shards.
#[derive(Debug)]
pub struct Running {
    prepared: Prepared,
    started: Instant,
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// When the load began.
    pub started: Instant,
    /// When the last iteration had ended.
    pub ended: Instant,
    /// How long the load lasted, pauses left out.
    pub lasted: Duration,
    /// How long it was paused in all.
    pub paused: Duration,
    /// Why the load ended before its time, if it did.
    pub stopped: Option<StopReason>,
}

/// Why a run did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// A virtual user cannot be made; nothing was started.
    #[error("virtual user {vu_id} of {vus} cannot be initialised: {error}")]
    Vu {
        /// Which, from 1.
        vu_id: u64,
        /// How many there were to be.
        vus: u32,
        /// Why.
        error: VuError,
    },
    /// Somebody stopped the run before the load began.
    #[error("stopped before the load began")]
    Stopped(StopReason),
    /// A worker thread broke.
    #[error(transparent)]
    Shard(#[from] ShardError),
}

impl Schedule {
    /// Scenarios to be run over so many shards (one at least).
    #[must_use]
    pub fn new(scenarios: Vec<ScenarioSpec>, shards: usize, placement: Placement, stop: StopToken) -> Self {
        let shards = shards.max(1);
        let run = Arc::new(Run::new(scenarios, shards, placement, stop.clone()));
        Self { run, shards, placement, stop }
    }

    /// The live counters, from before the first virtual user on.
    #[must_use]
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.run.progress)
    }

    /// A hand on the wheel, from before the first virtual user on.
    #[must_use]
    pub fn helm(&self) -> Helm {
        Helm::new(Arc::clone(&self.run))
    }

    /// Which module each virtual user is an instance of, from virtual user 1 on.
    #[must_use]
    pub fn modules(&self) -> Arc<[usize]> {
        self.run.modules()
    }

    /// Makes all virtual users that are planned, over all shards at once. `build` makes a shard's parts, on that shard.
    ///
    /// # Errors
    /// When a virtual user cannot be made, a shard breaks, or somebody stops the run.
    pub async fn prepare<B, F, O>(self, build: B) -> Result<Prepared, ScheduleError>
    where
        B: Fn(usize) -> (F, O) + Send + Sync + 'static,
        F: VuFactory,
        O: Observer,
    {
        let build = Arc::new(build);
        let (ready, mut readiness) = mpsc::unbounded_channel();
        let mut shards = Shards::new(Arc::clone(&self.run));
        for index in 0..self.shards {
            let (run, build, ready) = (Arc::clone(&self.run), Arc::clone(&build), ready.clone());
            let main = move || async move {
                let (factory, observer) = build(index);
                let parts = ShardParts { factory: Rc::new(factory), observer: Rc::new(observer) };
                drive(run, index, parts, ready).await
            };
            shards.add(shard::spawn(self.placement, index, main)?);
        }
        drop(ready);
        let mut awaited = self.run.vus();
        while awaited > 0 {
            tokio::select! {
                biased;
                () = self.stop.stopped() => {
                    let reason = self.stop.reason().unwrap_or(StopReason::Signal);
                    return Err(ScheduleError::Stopped(reason));
                }
                broken = shards.broken() => return Err(broken.into()),
                Some(ready) = readiness.recv() => match ready {
                    Ok(()) => awaited -= 1,
                    Err((vu_id, error)) => {
                        return Err(ScheduleError::Vu { vu_id, vus: self.run.progress.planned_vus, error });
                    }
                }
            }
        }
        Ok(Prepared { run: self.run, stop: self.stop, shards })
    }
}

impl Prepared {
    /// Begins the load.
    #[must_use]
    pub fn start(self) -> Running {
        let started = Instant::now() + HEAD_START;
        self.run.begin(started);
        Running { prepared: self, started }
    }
}

impl Running {
    /// When the load begins: a few milliseconds after it was started.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Waits for the last iteration to end, because time or iterations are over or because the load was stopped.
    ///
    /// # Errors
    /// When a shard breaks; the others are ended then.
    pub async fn finish(mut self) -> Result<Ended, ScheduleError> {
        self.prepared.shards.all().await?;
        let stopped = self.prepared.stop.reason();
        let ended = Instant::now();
        self.prepared.run.progress.clock.end(ended);
        let lasted = self.prepared.run.progress.clock.elapsed_at(ended).unwrap_or_default();
        let paused = self.prepared.run.progress.clock.paused_for();
        Ok(Ended { started: self.started, ended, lasted, paused, stopped })
    }
}

type ShardEnd = Pin<Box<dyn Future<Output = Result<(), ShardError>> + Send>>;

/// The shards of a run, ended when this is dropped.
struct Shards {
    run: Arc<Run>,
    ends: JoinSet<Result<(), ShardError>>,
    added: usize,
}

impl fmt::Debug for Shards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shards").field("running", &self.ends.len()).finish_non_exhaustive()
    }
}

impl Shards {
    fn new(run: Arc<Run>) -> Self {
        Self { run, ends: JoinSet::new(), added: 0 }
    }

    fn add(&mut self, end: oneshot::Receiver<Result<(), ShardError>>) {
        let shard = self.added;
        self.added += 1;
        let lost = move |_| Err(ShardError::Panicked { shard, message: "it ended without a word".to_owned() });
        let end: ShardEnd = Box::pin(async move { end.await.unwrap_or_else(lost) });
        self.ends.spawn(end);
    }

    /// Waits for a shard to break; one that ends well is as good as one that goes on.
    async fn broken(&mut self) -> ShardError {
        loop {
            match self.ends.join_next().await {
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(error))) => return error,
                Some(Err(error)) => return shard::join_error(self.added, error),
                None => std::future::pending().await,
            }
        }
    }

    /// Waits for all shards to end.
    async fn all(&mut self) -> Result<(), ShardError> {
        let mut result = Ok(());
        while let Some(joined) = self.ends.join_next().await {
            let end = joined.unwrap_or_else(|error| Err(shard::join_error(self.added, error)));
            if end.is_err() {
                // The first error is the cause; the other shards wait for messages that will not come.
                self.run.abandon.cancel();
                result = result.and(end);
            }
        }
        result
    }
}

impl Drop for Shards {
    fn drop(&mut self) {
        self.run.abandon.cancel();
    }
}

#[cfg(test)]
#[path = "scheduler/tests/mod.rs"]
mod tests;
