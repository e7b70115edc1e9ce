//! The tables, and what is in them before a run.

use rusqlite::{Connection, params};

use crate::seed::Seed;

/// Written into the file, so that another version's store is recognised.
pub(super) const FORMAT: i64 = 1;

/// What `prepare` found in the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    Ours,
    Other(i64),
}

/// Pages in the log before it is copied into the file. Each copy costs syncs that everyone waits for; 8,192 pages are
/// 32 MiB, so it is rare and the log still small.
const CHECKPOINT_PAGES: u32 = 8_192;

const TABLES: &str = "
    CREATE TABLE coupon (
        id INTEGER PRIMARY KEY,
        stock INTEGER NOT NULL CHECK (stock >= 0),
        remaining INTEGER NOT NULL CHECK (remaining BETWEEN 0 AND stock)
    ) STRICT;
    -- A user of whom nothing is known is stored as minus the serial.
    CREATE TABLE issue (
        coupon_id INTEGER NOT NULL,
        user_id INTEGER NOT NULL,
        serial INTEGER NOT NULL CHECK (serial > 0),
        PRIMARY KEY (coupon_id, user_id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE buyer (
        id INTEGER PRIMARY KEY,
        seeded INTEGER NOT NULL CHECK (seeded >= 0),
        balance INTEGER NOT NULL CHECK (balance >= 0)
    ) STRICT;
    CREATE TABLE charge (
        id INTEGER PRIMARY KEY,
        buyer_id INTEGER NOT NULL,
        amount INTEGER NOT NULL CHECK (amount > 0)
    ) STRICT;
    CREATE TABLE purchase_order (
        id INTEGER PRIMARY KEY,
        price INTEGER NOT NULL CHECK (price > 0)
    ) STRICT;
    CREATE TABLE payment (
        id INTEGER PRIMARY KEY,
        order_id INTEGER NOT NULL UNIQUE,
        buyer_id INTEGER NOT NULL,
        amount INTEGER NOT NULL CHECK (amount > 0),
        balance INTEGER NOT NULL CHECK (balance >= 0)
    ) STRICT;
    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY,
        payment_id INTEGER NOT NULL UNIQUE,
        topic TEXT NOT NULL,
        payload TEXT NOT NULL,
        published_at_ms INTEGER
    ) STRICT;
    CREATE INDEX outbox_pending ON outbox (id) WHERE published_at_ms IS NULL;
    CREATE TABLE idempotency (
        key TEXT PRIMARY KEY,
        buyer_id INTEGER NOT NULL,
        order_id INTEGER NOT NULL,
        payment_id INTEGER NOT NULL,
        was_already_paid INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// Sets the connection up and looks at what the file holds.
pub(super) fn prepare(connection: &Connection) -> rusqlite::Result<Found> {
    connection.pragma_update(None, "busy_timeout", 5_000)?;
    // FULL: a commit has reached the disk when it returns, so it survives loss of power too, not `kill -9` alone.
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "cache_size", -65_536)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    let tables: i64 = connection.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let format: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    Ok(match (tables, format) {
        (0, _) => Found::Nothing,
        (_, FORMAT) => Found::Ours,
        (_, other) => Found::Other(other),
    })
}

/// Makes the tables and seeds them, together.
pub(super) fn create(connection: &Connection, seed: &Seed) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    insert(&transaction, seed)?;
    transaction.commit()
}

/// Empties the tables and seeds them. The caller holds a transaction.
pub(super) fn reset(connection: &Connection, seed: &Seed) -> rusqlite::Result<()> {
    connection.execute_batch(
        "DELETE FROM coupon; DELETE FROM issue; DELETE FROM buyer; DELETE FROM charge; DELETE FROM purchase_order;
         DELETE FROM payment; DELETE FROM outbox; DELETE FROM idempotency;",
    )?;
    insert(connection, seed)
}

fn insert(connection: &Connection, seed: &Seed) -> rusqlite::Result<()> {
    let mut coupon = connection.prepare("INSERT INTO coupon (id, stock, remaining) VALUES (?1, ?2, ?2)")?;
    for row in seed.coupons() {
        coupon.execute(params![row.id.get(), row.stock])?;
    }
    let mut buyer = connection.prepare("INSERT INTO buyer (id, seeded, balance) VALUES (?1, ?2, ?2)")?;
    for id in 1..=seed.buyers() {
        buyer.execute(params![id, seed.balance()])?;
    }
    let mut order = connection.prepare("INSERT INTO purchase_order (id, price) VALUES (?1, ?2)")?;
    for id in 1..=seed.orders() {
        order.execute(params![id, seed.price(id)])?;
    }
    Ok(())
}

pub(super) fn outbox_pending(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT COUNT(*) FROM outbox WHERE published_at_ms IS NULL", [], |row| row.get(0))
}
