//! The embedded stores compared: `cargo bench -p target-server --features store-bench --bench stores`.
//!
//! The work is that of a coupon: a counter that goes down by one and a user who must not be there yet, decided by the
//! store, for 256 callers of whom each waits for its answer. One writer takes whatever waits into one transaction and
//! answers when that is durable (synced to disk). `nothing` only answers: what the queue itself costs. The stores take
//! turns, so that a busy moment of the machine does not fall on one alone; the middle of the rounds is printed. Ratios
//! are what counts.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use fjall::{Database as Fjall, Keyspace, KeyspaceCreateOptions, PersistMode};
use redb::{Database as Redb, ReadableTable, TableDefinition};
use rusqlite::Connection;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::{mpsc, oneshot};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const CALLERS: u64 = 256;
const CALLS: u64 = 100_000;
const ROUNDS: usize = 5;
const STOCK: i64 = 10_000_000;

/// Issues to each user who has none, durably; says for each whether it did.
trait Store {
    fn issue(&mut self, users: &[i64], issued: &mut Vec<bool>) -> Result<()>;
}

struct Nothing;

impl Store for Nothing {
    fn issue(&mut self, users: &[i64], issued: &mut Vec<bool>) -> Result<()> {
        issued.extend(users.iter().map(|_| true));
        Ok(())
    }
}

struct Sqlite(Connection);

impl Sqlite {
    fn open(folder: &Path) -> Result<Self> {
        let connection = Connection::open(folder.join("sqlite"))?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", 8_192)?;
        connection.execute_batch(
            "CREATE TABLE coupon (id INTEGER PRIMARY KEY, remaining INTEGER NOT NULL) STRICT;
             CREATE TABLE issue (coupon_id INTEGER, user_id INTEGER, serial INTEGER, PRIMARY KEY (coupon_id, user_id)) STRICT, WITHOUT ROWID;",
        )?;
        connection.execute("INSERT INTO coupon VALUES (1, ?1)", [STOCK])?;
        Ok(Self(connection))
    }
}

impl Store for Sqlite {
    fn issue(&mut self, users: &[i64], issued: &mut Vec<bool>) -> Result<()> {
        let transaction = self.0.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut remaining: i64 =
            transaction.prepare_cached("SELECT remaining FROM coupon WHERE id = 1")?.query_row([], |row| row.get(0))?;
        let mut insert = transaction.prepare_cached("INSERT INTO issue VALUES (1, ?1, ?2) ON CONFLICT DO NOTHING")?;
        for user in users {
            let new = remaining > 0 && insert.execute([*user, remaining])? == 1;
            remaining -= i64::from(new);
            issued.push(new);
        }
        drop(insert);
        transaction.prepare_cached("UPDATE coupon SET remaining = ?1 WHERE id = 1")?.execute([remaining])?;
        Ok(transaction.commit()?)
    }
}

struct InRedb(Redb);

const COUPON: TableDefinition<'_, i64, i64> = TableDefinition::new("coupon");
const ISSUE: TableDefinition<'_, (i64, i64), i64> = TableDefinition::new("issue");

impl InRedb {
    fn open(folder: &Path) -> Result<Self> {
        let database = Redb::create(folder.join("redb"))?;
        let transaction = database.begin_write()?;
        transaction.open_table(COUPON)?.insert(1, STOCK)?;
        transaction.open_table(ISSUE)?;
        transaction.commit()?;
        Ok(Self(database))
    }
}

impl Store for InRedb {
    fn issue(&mut self, users: &[i64], issued: &mut Vec<bool>) -> Result<()> {
        let transaction = self.0.begin_write()?;
        {
            let (mut coupon, mut issue) = (transaction.open_table(COUPON)?, transaction.open_table(ISSUE)?);
            let mut remaining = coupon.get(1)?.ok_or("no coupon")?.value();
            for user in users {
                let new = remaining > 0 && issue.get((1, *user))?.is_none();
                if new {
                    issue.insert((1, *user), remaining)?;
                    remaining -= 1;
                }
                issued.push(new);
            }
            coupon.insert(1, remaining)?;
        }
        // The default durability syncs before it returns.
        Ok(transaction.commit()?)
    }
}

struct InFjall {
    database: Fjall,
    coupon: Keyspace,
    issue: Keyspace,
}

impl InFjall {
    fn open(folder: &Path) -> Result<Self> {
        let database = Fjall::builder(folder.join("fjall")).open()?;
        let coupon = database.keyspace("coupon", KeyspaceCreateOptions::default)?;
        let issue = database.keyspace("issue", KeyspaceCreateOptions::default)?;
        coupon.insert("1", STOCK.to_be_bytes())?;
        Ok(Self { database, coupon, issue })
    }
}

impl Store for InFjall {
    fn issue(&mut self, users: &[i64], issued: &mut Vec<bool>) -> Result<()> {
        let stored = self.coupon.get("1")?.ok_or("no coupon")?;
        let mut remaining = i64::from_be_bytes(stored.as_ref().try_into()?);
        // A batch does not see its own writes, so repeats within it are looked for apart.
        let mut seen = std::collections::HashSet::new();
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncAll));
        for user in users {
            let key = [1_i64.to_be_bytes(), user.to_be_bytes()].concat();
            let new = remaining > 0 && !self.issue.contains_key(&key)? && seen.insert(*user);
            if new {
                batch.insert(&self.issue, key, remaining.to_be_bytes());
                remaining -= 1;
            }
            issued.push(new);
        }
        batch.insert(&self.coupon, "1", remaining.to_be_bytes());
        Ok(batch.commit()?)
    }
}

struct Round {
    calls_per_s: f64,
    cpu_us: f64,
    p99_ms: f64,
    per_commit: f64,
}

fn main() -> Result<()> {
    type Open = fn(&Path) -> Result<Box<dyn Store + Send>>;
    let stores: [(&str, Open); 4] = [
        ("nothing", |_| Ok(Box::new(Nothing))),
        ("sqlite", |folder| Ok(Box::new(Sqlite::open(folder)?))),
        ("redb", |folder| Ok(Box::new(InRedb::open(folder)?))),
        ("fjall", |folder| Ok(Box::new(InFjall::open(folder)?))),
    ];
    let mut rounds: Vec<Vec<Round>> = stores.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for ((_, open), rounds) in stores.iter().zip(&mut rounds) {
            let folder = tempfile::tempdir()?;
            rounds.push(round(open(folder.path())?)?);
        }
    }
    let middles: Vec<Round> = rounds.iter().map(|rounds| middle(rounds)).collect();
    let sqlite = &middles[1];
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{:<8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>12}",
        "store", "calls/s", "x sqlite", "CPU us", "x sqlite", "p99 ms", "calls/commit"
    )?;
    for ((name, _), round) in stores.iter().zip(&middles) {
        writeln!(
            out,
            "{name:<8} {:>9.0} {:>9.2} {:>9.1} {:>9.2} {:>9.1} {:>12.0}",
            round.calls_per_s,
            round.calls_per_s / sqlite.calls_per_s,
            round.cpu_us,
            round.cpu_us / sqlite.cpu_us,
            round.p99_ms,
            round.per_commit
        )?;
    }
    Ok(())
}

fn middle(rounds: &[Round]) -> Round {
    let of = |value: fn(&Round) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Round {
        calls_per_s: of(|round| round.calls_per_s),
        cpu_us: of(|round| round.cpu_us),
        p99_ms: of(|round| round.p99_ms),
        per_commit: of(|round| round.per_commit),
    }
}

fn round(store: Box<dyn Store + Send>) -> Result<Round> {
    let (jobs, queue) = mpsc::channel(1024);
    let writer = std::thread::spawn(move || write(store, queue));
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let (began, cpu_before) = (Instant::now(), cpu_s());
    let mut waits_ms = runtime.block_on(call(jobs))?;
    let (wall_s, cpu_s) = (began.elapsed().as_secs_f64(), cpu_s() - cpu_before);
    let commits = writer.join().map_err(|_| "the writer panicked")??;
    waits_ms.sort_by(f64::total_cmp);
    Ok(Round {
        calls_per_s: CALLS as f64 / wall_s,
        cpu_us: cpu_s * 1e6 / CALLS as f64,
        p99_ms: waits_ms[waits_ms.len() * 99 / 100],
        per_commit: CALLS as f64 / commits as f64,
    })
}

type Job = (i64, oneshot::Sender<bool>);

fn write(mut store: Box<dyn Store + Send>, mut queue: mpsc::Receiver<Job>) -> Result<u64> {
    let (mut waiting, mut commits) = (Vec::new(), 0);
    while queue.blocking_recv_many(&mut waiting, 4_096) > 0 {
        let users: Vec<i64> = waiting.iter().map(|(user, _)| *user).collect();
        let mut issued = Vec::with_capacity(users.len());
        store.issue(&users, &mut issued)?;
        commits += 1;
        for ((_, reply), issued) in waiting.drain(..).zip(issued) {
            let _ = reply.send(issued);
        }
    }
    Ok(commits)
}

async fn call(jobs: mpsc::Sender<Job>) -> Result<Vec<f64>> {
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..CALLERS {
        let jobs = jobs.clone();
        callers.spawn(async move {
            let mut waits_ms = Vec::new();
            for n in (caller..CALLS).step_by(CALLERS as usize) {
                // Users in no order, as they come; an odd factor gives each number another.
                let user = (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) & 0x7FFF_FFFF_FFFF_FFFF).cast_signed();
                let asked = Instant::now();
                let (reply, answer) = oneshot::channel();
                jobs.send((user, reply)).await?;
                if !answer.await? {
                    return Err("a new user was refused".into());
                }
                waits_ms.push(asked.elapsed().as_secs_f64() * 1e3);
            }
            Result::Ok(waits_ms)
        });
    }
    drop(jobs);
    let mut all = Vec::new();
    while let Some(waits_ms) = callers.join_next().await {
        all.extend(waits_ms??);
    }
    Ok(all)
}

/// CPU time of this process, all threads together.
fn cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
