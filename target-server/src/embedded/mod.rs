//! The strategy that needs nothing installed: SQLite in a folder, one writer thread, group commit.
//!
//! Requests queue for the writer, which takes all that wait into one transaction and answers them when it is durable.
//! The store decides everything. The read index in memory repeats only what has been committed; it saves asking the
//! writer where the answer cannot change any more (this user has one, nothing is left, no such coupon).

mod audit;
mod batch;
mod index;
mod schema;
mod writer;

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::app::BoxFuture;
use crate::audit::{AuditReport, Auditor, IssueLines};
use crate::coupon::{CouponStrategy, IssueOutcome};
use crate::error::StoreError;
use crate::ids::{BuyerId, CouponId, UserId};
use crate::metrics::{Counted, StoreMetrics};
use crate::payment::{PaymentOutcome, PaymentRequest, PaymentStrategy};
use crate::points::{ChargeOutcome, PointStrategy};
use crate::seed::{Seed, Seeder};
use index::{Index, Known};
use writer::{Job, Ticket, Writer};

/// Requests that may wait for the writer before further ones wait for room; each is about 100 bytes.
const QUEUE: usize = 16_384;

/// How often the outbox is looked at.
const RELAY_INTERVAL: Duration = Duration::from_millis(100);

/// The file that holds everything, inside the data folder.
pub const STORE_FILE: &str = "store.sqlite";

const LOCK_FILE: &str = "lock";

/// The embedded strategy. Dropping it finishes what waits and closes the store.
#[derive(Debug)]
pub struct Embedded {
    path: PathBuf,
    index: Arc<Index>,
    metrics: StoreMetrics,
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
    /// Held for as long as the store is open.
    _lock: File,
}

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or a file in it cannot be made or read.
    #[error("--data: {path}: {source}; give a folder that can be written")]
    Io {
        /// The folder or file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another server has it.
    #[error("--data: {path} is in use by another target-server{holder}; stop that one, or give another folder")]
    InUse {
        /// The folder.
        path: String,
        /// ` (process N)` when known.
        holder: String,
    },
    /// The file is no store of ours, or of another version.
    #[error(
        "--data: {path} holds a store of format {found}, this server reads format {wanted}; give another folder, or --fresh"
    )]
    Format {
        /// The file.
        path: String,
        /// Its format.
        found: i64,
        /// Our format.
        wanted: i64,
    },
    /// SQLite refused.
    #[error("--data: {path}: {source}; give another folder, or --fresh to start anew")]
    Sqlite {
        /// The file.
        path: String,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

/// Whether opening found an earlier run's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The store was empty and has been seeded.
    Seeded,
    /// The store held data, which was kept; the seed was not used.
    Kept,
}

impl Embedded {
    /// Opens or creates the store in `folder`; an empty one gets `seed`, and `fresh` empties it first. To be called
    /// within a tokio runtime, which then also drains the outbox.
    ///
    /// # Errors
    /// [`OpenError`] when the folder cannot be used or another process has it.
    pub fn open(folder: &Path, fresh: bool, seed: &Seed, metrics: StoreMetrics) -> Result<(Self, Opened), OpenError> {
        let io = |path: &Path| {
            let path = path.display().to_string();
            move |source| OpenError::Io { path, source }
        };
        fs::create_dir_all(folder).map_err(io(folder))?;
        let lock = lock(folder)?;
        let path = folder.join(STORE_FILE);
        if fresh {
            for suffix in ["", "-wal", "-shm"] {
                let file = folder.join(format!("{STORE_FILE}{suffix}"));
                match fs::remove_file(&file) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(io(&file)(error));
                    }
                    _ => {}
                }
            }
        }
        let sqlite = |source| OpenError::Sqlite { path: path.display().to_string(), source };
        let connection = Connection::open(&path).map_err(sqlite)?;
        let found = schema::prepare(&connection).map_err(sqlite)?;
        let opened = match found {
            schema::Found::Nothing => {
                schema::create(&connection, seed).map_err(sqlite)?;
                Opened::Seeded
            }
            schema::Found::Ours => Opened::Kept,
            schema::Found::Other(found) => {
                let path = path.display().to_string();
                return Err(OpenError::Format { path, found, wanted: schema::FORMAT });
            }
        };
        let index = Arc::new(Index::default());
        index.load(&connection).map_err(sqlite)?;
        metrics.outbox_pending.set(schema::outbox_pending(&connection).map_err(sqlite)?);
        let (jobs, queue) = mpsc::channel(QUEUE);
        let writer = Writer::new(connection, Arc::clone(&index), metrics.clone());
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run(queue))
            .map_err(io(folder))?;
        tokio::spawn(relay(jobs.downgrade(), metrics.clone()));
        let store = Self { path, index, metrics, jobs: Some(jobs), writer: Some(writer), _lock: lock };
        Ok((store, opened))
    }

    async fn submit<T>(&self, job: impl FnOnce(Ticket<T>) -> Job) -> Result<T, StoreError> {
        let jobs = self.jobs.as_ref().ok_or(StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let _waiting = Counted::new(&self.metrics.waiting);
        jobs.send(job(Ticket::new(reply))).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        // The writer ends when the last sender is gone and the queue is empty.
        drop(self.jobs.take());
        if let Some(writer) = self.writer.take() {
            // A panic of the writer has been printed by the panic hook; here is nothing left to do about it.
            let _ = writer.join();
        }
    }
}

/// Takes the folder for this process. The lock goes with the process, however it ends.
fn lock(folder: &Path) -> Result<File, OpenError> {
    let path = folder.join(LOCK_FILE);
    let io = |source| OpenError::Io { path: path.display().to_string(), source };
    let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // The number is a courtesy; without it the message is still right.
            let _ = file.read_to_string(&mut holder);
            let holder = holder.trim().parse::<u32>().map_or(String::new(), |pid| format!(" (process {pid})"));
            return Err(OpenError::InUse { path: folder.display().to_string(), holder });
        }
        Err(TryLockError::Error(source)) => return Err(io(source)),
    }
    file.set_len(0).map_err(io)?;
    file.seek(SeekFrom::Start(0)).map_err(io)?;
    writeln!(file, "{}", std::process::id()).map_err(io)?;
    Ok(file)
}

/// Stands in for the consumer of the outbox: marks rows as published. No message goes anywhere; see `docs/`.
async fn relay(jobs: mpsc::WeakSender<Job>, metrics: StoreMetrics) {
    let mut ticks = tokio::time::interval(RELAY_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if metrics.outbox_pending.get() == 0 {
            if jobs.strong_count() == 0 {
                return;
            }
            continue;
        }
        let Some(jobs) = jobs.upgrade() else { return };
        let (reply, answer) = oneshot::channel();
        if jobs.send(Job::Publish { ticket: Ticket::new(reply) }).await.is_err() {
            return;
        }
        drop(jobs);
        // A failure is counted by the writer and tried again at the next tick.
        let _ = answer.await;
    }
}

impl CouponStrategy for Embedded {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn issue(&self, coupon: CouponId, user: Option<UserId>) -> BoxFuture<'_, Result<IssueOutcome, StoreError>> {
        Box::pin(async move {
            match self.index.look_up(coupon.get(), user.map(UserId::get)) {
                Known::Outcome(outcome) => Ok(outcome),
                Known::AskTheStore => {
                    self.submit(|ticket| Job::Issue { coupon: coupon.get(), user: user.map(UserId::get), ticket }).await
                }
            }
        })
    }
}

impl PointStrategy for Embedded {
    fn charge(&self, buyer: BuyerId, point: i64) -> BoxFuture<'_, Result<ChargeOutcome, StoreError>> {
        Box::pin(self.submit(move |ticket| Job::Charge { buyer: buyer.get(), point, ticket }))
    }

    fn balance(&self, buyer: BuyerId) -> BoxFuture<'_, Result<Option<i64>, StoreError>> {
        Box::pin(async move { Ok(self.index.balance(buyer.get())) })
    }
}

impl PaymentStrategy for Embedded {
    fn pay(&self, request: PaymentRequest) -> BoxFuture<'_, Result<PaymentOutcome, StoreError>> {
        Box::pin(self.submit(move |ticket| Job::Pay { request, ticket }))
    }
}

impl Seeder for Embedded {
    fn reset(&self, seed: Seed) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.submit(move |ticket| Job::Reset { seed: Box::new(seed), ticket }))
    }
}

impl Auditor for Embedded {
    fn audit(&self) -> BoxFuture<'_, Result<AuditReport, StoreError>> {
        Box::pin(audit::audit(self.path.clone()))
    }

    fn issued_users(&self, coupon: CouponId) -> BoxFuture<'_, Result<Option<IssueLines>, StoreError>> {
        Box::pin(audit::issued_users(self.path.clone(), coupon.get()))
    }
}
