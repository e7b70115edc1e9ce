//! The one thread that writes: takes whatever waits into one transaction, and answers when it is durable.

use std::collections::HashSet;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::batch::{Batch, Changes, Statements};
use super::index::Index;
use super::schema;
use crate::coupon::IssueOutcome;
use crate::error::StoreError;
use crate::metrics::StoreMetrics;
use crate::payment::{PaymentOutcome, PaymentRequest};
use crate::points::ChargeOutcome;
use crate::seed::Seed;

/// Requests in one transaction at most. Larger ones no longer save time per request, and make everyone wait longer.
const MAX_BATCH: usize = 4_096;

/// One request to the writer.
#[derive(Debug)]
pub(super) enum Job {
    Issue { coupon: i64, user: Option<i64>, ticket: Ticket<IssueOutcome> },
    Charge { buyer: i64, point: i64, ticket: Ticket<ChargeOutcome> },
    Pay { request: PaymentRequest, ticket: Ticket<PaymentOutcome> },
    Publish { ticket: Ticket<()> },
    Reset { seed: Box<Seed>, ticket: Ticket<()> },
}

/// Who waits for a job, and what they will be told if the transaction commits.
#[derive(Debug)]
pub(super) struct Ticket<T> {
    reply: oneshot::Sender<Result<T, StoreError>>,
    outcome: Option<T>,
}

impl<T> Ticket<T> {
    pub(super) fn new(reply: oneshot::Sender<Result<T, StoreError>>) -> Self {
        Self { reply, outcome: None }
    }

    pub(super) fn fill(&mut self, outcome: T) {
        self.outcome = Some(outcome);
    }

    /// Answers. A caller who went away is no concern: what was committed stays.
    fn settle(self, committed: &Result<(), StoreError>) {
        let answer = match (committed, self.outcome) {
            (Ok(()), Some(outcome)) => Ok(outcome),
            (Ok(()), None) => Err(StoreError::Failed("the request was not part of its transaction".to_owned())),
            (Err(error), _) => Err(error.clone()),
        };
        let _ = self.reply.send(answer);
    }
}

impl Job {
    fn settle(self, committed: &Result<(), StoreError>) {
        match self {
            Self::Issue { ticket, .. } => ticket.settle(committed),
            Self::Charge { ticket, .. } => ticket.settle(committed),
            Self::Pay { ticket, .. } => ticket.settle(committed),
            Self::Publish { ticket } | Self::Reset { ticket, .. } => ticket.settle(committed),
        }
    }
}

pub(super) struct Writer {
    connection: Connection,
    index: Arc<Index>,
    metrics: StoreMetrics,
    reported: HashSet<String>,
}

impl Writer {
    pub(super) fn new(connection: Connection, index: Arc<Index>, metrics: StoreMetrics) -> Self {
        Self { connection, index, metrics, reported: HashSet::new() }
    }

    /// Works until every sender is gone and the queue is empty.
    pub(super) fn run(self, mut queue: mpsc::Receiver<Job>) {
        let Self { connection, index, metrics, mut reported } = self;
        let mut statements = match Statements::prepare(&connection) {
            Ok(statements) => statements,
            Err(error) => return report(&mut reported, &error),
        };
        let mut waiting = Vec::with_capacity(MAX_BATCH);
        while queue.blocking_recv_many(&mut waiting, MAX_BATCH) > 0 {
            while !waiting.is_empty() {
                // A reset replaces what a transaction remembers of the tables, so it has one of its own.
                let together = match waiting.iter().position(|job| matches!(job, Job::Reset { .. })) {
                    Some(0) => 1,
                    Some(before) => before,
                    None => waiting.len(),
                };
                let mut jobs: Vec<Job> = waiting.drain(..together).collect();
                let began = Instant::now();
                let committed = transact(&connection, &mut statements, &mut jobs)
                    .and_then(|changes| take_over(&connection, &index, &metrics, &changes));
                if let Err(error) = &committed {
                    metrics.failures.inc();
                    report(&mut reported, error);
                    if !connection.is_autocommit() {
                        // Nothing was kept; a failing rollback is tried again by the next BEGIN's failure.
                        let _ = connection.execute_batch("ROLLBACK");
                    }
                } else {
                    metrics.batch_size.observe(jobs.len() as f64);
                    metrics.commit.observe(began.elapsed().as_secs_f64());
                }
                let committed = committed.map_err(|error| StoreError::Failed(error.to_string()));
                for job in jobs {
                    job.settle(&committed);
                }
            }
        }
    }
}

fn transact(connection: &Connection, statements: &mut Statements<'_>, jobs: &mut [Job]) -> rusqlite::Result<Changes> {
    statements.begin()?;
    let mut batch = Batch::new(statements);
    for job in jobs {
        match job {
            Job::Issue { coupon, user, ticket } => ticket.fill(batch.issue(*coupon, *user)?),
            Job::Charge { buyer, point, ticket } => ticket.fill(batch.charge(*buyer, *point)?),
            Job::Pay { request, ticket } => ticket.fill(batch.pay(request)?),
            Job::Publish { ticket } => ticket.fill(batch.publish()?),
            Job::Reset { seed, ticket } => {
                schema::reset(connection, seed)?;
                batch.everything_changed();
                ticket.fill(());
            }
        }
    }
    let changes = batch.finish()?;
    statements.commit()?;
    Ok(changes)
}

fn take_over(
    connection: &Connection,
    index: &Index,
    metrics: &StoreMetrics,
    changes: &Changes,
) -> rusqlite::Result<()> {
    if changes.everything {
        index.load(connection)?;
        metrics.outbox_pending.set(0);
    }
    index.apply(changes);
    metrics.outbox_pending.inc_by(changes.outbox_added - changes.outbox_published);
    Ok(())
}

/// Says each distinct failure once: a full disk would otherwise fill the log as well.
fn report(reported: &mut HashSet<String>, error: &rusqlite::Error) {
    let text = error.to_string();
    if reported.insert(text.clone()) {
        let _ = writeln!(std::io::stderr(), "store: {text}; requests are answered 503 (said once)");
    }
}
