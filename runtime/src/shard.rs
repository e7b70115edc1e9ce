//! One worker thread: its virtual users, and nothing that another thread could touch.
//!
//! A shard is a thread with a current-thread tokio runtime. Its virtual users are made on it and never leave it, so they
//! need not be `Send`. The same code also runs as local tasks of one runtime, which is how schedules are tested.

pub mod alarm;
pub mod clock;
pub mod control;
pub mod naps;
pub mod progress;

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use tokio::sync::oneshot;
use tokio::time::Instant;

/// What an executor drives.
pub trait VirtualUser: 'static {
    /// Runs one iteration. Dropping the future interrupts it; the next call must work again.
    fn iterate(&mut self, iteration: &Iteration) -> impl Future<Output = IterationEnd>;
    /// What of the last call of `iterate` was the iteration, where not all of it was. Asked after each, also after one that was interrupted.
    fn actual(&mut self) -> Actual {
        Actual::default()
    }
}

/// What an iteration really was, within the time that its virtual user was busy with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Actual {
    /// When it began, if the virtual user had to be got ready first.
    pub began: Option<Instant>,
    /// When and how it ended, if the virtual user then waited before the next: an interruption of that wait does not undo it.
    pub ended: Option<(Instant, IterationEnd)>,
}

/// Makes the virtual users of one shard, on that shard.
pub trait VuFactory: 'static {
    /// What it makes.
    type Vu: VirtualUser;
    /// Makes the virtual user with this number, from 1.
    fn create(&self, vu_id: u64) -> impl Future<Output = Result<Self::Vu, VuError>>;
}

/// Learns what happened on one shard. Called on that shard's thread only.
pub trait Observer: 'static {
    /// An iteration is over, however it ended.
    fn iteration_ended(&self, ended: &EndedIteration);
    /// So many iterations of this scenario were due and will not run.
    fn iterations_dropped(&self, scenario: usize, count: u64);
    /// A further virtual user, wanted while the load was running, could not be made.
    fn vu_failed(&self, scenario: usize, error: &VuError) {
        let _ = (scenario, error);
    }
    /// Iterations of this scenario are being dropped and no further virtual user may be made. Said once.
    fn vus_exhausted(&self, scenario: usize) {
        let _ = scenario;
    }
}

/// What a virtual user is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Iteration {
    /// Index in the plan.
    pub scenario: usize,
    /// Index in the module's functions.
    pub function: u32,
    /// Who runs it, from 1.
    pub vu_id: u64,
    /// From 0, unique in its scenario over all shards.
    pub number_in_scenario: u64,
    /// When it was meant to start, in an open model.
    pub due: Option<Instant>,
    /// When its scenario began.
    pub scenario_started: Instant,
}

/// How an iteration ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IterationEnd {
    /// It ran to its end.
    Completed,
    /// It panicked, trapped or returned an error.
    Failed,
    /// It ended the load, and itself with it.
    Interrupted,
}

/// How an iteration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It ran to its end.
    Completed,
    /// It panicked, trapped or returned an error.
    Failed,
    /// Its time was up, or it ended the load and itself with it.
    Interrupted,
}

impl From<IterationEnd> for Outcome {
    fn from(end: IterationEnd) -> Self {
        match end {
            IterationEnd::Completed => Self::Completed,
            IterationEnd::Failed => Self::Failed,
            IterationEnd::Interrupted => Self::Interrupted,
        }
    }
}

/// One iteration that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedIteration {
    /// What it was.
    pub iteration: Iteration,
    /// How it ended.
    pub outcome: Outcome,
    /// When it began.
    pub started: Instant,
    /// When it ended.
    pub ended: Instant,
}

/// A virtual user that cannot be made: why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VuError {
    /// There is no room for it, or its instance cannot be made.
    #[error("{0}")]
    Machine(String),
    /// The module's own `vu_init` failed.
    #[error("{0}")]
    Module(String),
    /// The module's own `vu_init` took too long.
    #[error("{0}")]
    Timeout(String),
}

/// A shard that ended otherwise than by finishing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// The operating system refused the thread or its event loop.
    #[error("worker thread {shard} cannot be started: {reason}")]
    Thread {
        /// Which, from 0.
        shard: usize,
        /// The operating system's word.
        reason: String,
    },
    /// Code of the runtime panicked: a defect.
    #[error("worker thread {shard} panicked: {message}; this is a defect of the runtime")]
    Panicked {
        /// Which, from 0.
        shard: usize,
        /// The panic's message.
        message: String,
    },
}

/// Where shards run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// Each on a thread of its own.
    Threads,
    /// As local tasks of the calling runtime: for tests on a paused clock.
    Local,
}

/// Starts one shard; the receiver learns how it ended, also when it panics.
///
/// # Errors
/// When the thread cannot be started.
pub fn spawn<F, Fut>(
    placement: Placement,
    shard: usize,
    main: F,
) -> Result<oneshot::Receiver<Result<(), ShardError>>, ShardError>
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<(), ShardError>> + 'static,
{
    let (ended, end) = oneshot::channel();
    match placement {
        Placement::Threads => {
            let thread = std::thread::Builder::new().name(format!("shard-{shard}"));
            let body = move || {
                let result = std::panic::catch_unwind(AssertUnwindSafe(|| on_this_thread(shard, main)));
                let _ = ended.send(result.unwrap_or_else(|panic| Err(panicked(shard, panic.as_ref()))));
            };
            thread.spawn(body).map_err(|error| ShardError::Thread { shard, reason: error.to_string() })?;
        }
        Placement::Local => {
            tokio::task::spawn_local(async move {
                let result = match tokio::task::spawn_local(async move { main().await }).await {
                    Ok(result) => result,
                    Err(error) => Err(join_error(shard, error)),
                };
                let _ = ended.send(result);
            });
        }
    }
    Ok(end)
}

fn on_this_thread<F, Fut>(shard: usize, main: F) -> Result<(), ShardError>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<(), ShardError>>,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| ShardError::Thread { shard, reason: error.to_string() })?;
    let local = tokio::task::LocalSet::new();
    let result = local.block_on(&runtime, async { main().await });
    drop(local);
    // A name look-up that hangs on the runtime's blocking threads must not hold up the end of the run.
    runtime.shutdown_background();
    result
}

/// The error of a task that did not finish.
#[must_use]
pub fn join_error(shard: usize, error: tokio::task::JoinError) -> ShardError {
    match error.try_into_panic() {
        Ok(panic) => panicked(shard, panic.as_ref()),
        Err(error) => ShardError::Panicked { shard, message: error.to_string() },
    }
}

fn panicked(shard: usize, panic: &(dyn Any + Send)) -> ShardError {
    let message = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned());
    ShardError::Panicked { shard, message }
}

/// What the virtual users of a shard share.
#[derive(Debug)]
pub struct ShardParts<F, O> {
    /// Makes them.
    pub factory: Rc<F>,
    /// Learns what they did.
    pub observer: Rc<O>,
}

impl<F, O> Clone for ShardParts<F, O> {
    fn clone(&self) -> Self {
        Self { factory: Rc::clone(&self.factory), observer: Rc::clone(&self.observer) }
    }
}
