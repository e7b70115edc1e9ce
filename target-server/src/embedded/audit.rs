//! The audit's questions, put to the store in one read transaction on a connection of its own.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use axum::body::Bytes;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use tokio::sync::mpsc;

use crate::audit::{AuditReport, Check, CouponState, IssueLines, Totals};
use crate::error::StoreError;

/// Rows that break an invariant shown per check.
const EXAMPLES: usize = 5;

/// Issue lines are sent in pieces of about this many bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// Name, what it says, and a query whose every row is a violation, in words.
const CHECKS: [(&str, &str, &str); 14] = [
    (
        "coupon_not_oversold",
        "a coupon has no more issues than stock",
        "SELECT format('coupon %d: %d issued of a stock of %d', id, n, stock)
         FROM (SELECT c.id, c.stock, COUNT(i.coupon_id) AS n FROM coupon c LEFT JOIN issue i ON i.coupon_id = c.id GROUP BY c.id)
         WHERE n > stock",
    ),
    (
        "coupon_issues_match_stock",
        "a coupon's issues are as many as its stock has shrunk",
        "SELECT format('coupon %d: %d issued, but %d are gone from a stock of %d', id, n, stock - remaining, stock)
         FROM (SELECT c.*, COUNT(i.coupon_id) AS n FROM coupon c LEFT JOIN issue i ON i.coupon_id = c.id GROUP BY c.id)
         WHERE n <> stock - remaining",
    ),
    (
        "coupon_remaining_in_range",
        "what remains of a coupon is between 0 and its stock",
        "SELECT format('coupon %d: %d remain of %d', id, remaining, stock) FROM coupon WHERE remaining NOT BETWEEN 0 AND stock",
    ),
    (
        "coupon_once_per_user",
        "a user has a coupon at most once",
        "SELECT format('coupon %d: user %d has it %d times', coupon_id, user_id, COUNT(*))
         FROM issue GROUP BY coupon_id, user_id HAVING COUNT(*) > 1",
    ),
    (
        "coupon_serials_without_gap",
        "a coupon's serials are 1, 2, 3, … each once",
        "SELECT format('coupon %d: %d issues have %d serials from %d to %d',
                       coupon_id, COUNT(*), COUNT(DISTINCT serial), MIN(serial), MAX(serial))
         FROM issue GROUP BY coupon_id HAVING COUNT(DISTINCT serial) <> COUNT(*) OR MIN(serial) <> 1 OR MAX(serial) <> COUNT(*)",
    ),
    (
        "coupon_exists",
        "an issue belongs to a coupon that exists",
        "SELECT format('coupon %d: does not exist, but user %d has it', coupon_id, user_id)
         FROM issue WHERE coupon_id NOT IN (SELECT id FROM coupon)",
    ),
    (
        "points_conserved",
        "a balance is what was seeded, plus charges, minus payments",
        "SELECT format('buyer %d: holds %d, but %d seeded + %d charged - %d paid = %d',
                       id, balance, seeded, charged, paid, seeded + charged - paid)
         FROM (SELECT b.*, IFNULL(c.charged, 0) AS charged, IFNULL(p.paid, 0) AS paid FROM buyer b
               LEFT JOIN (SELECT buyer_id, SUM(amount) AS charged FROM charge GROUP BY buyer_id) c ON c.buyer_id = b.id
               LEFT JOIN (SELECT buyer_id, SUM(amount) AS paid FROM payment GROUP BY buyer_id) p ON p.buyer_id = b.id)
         WHERE balance <> seeded + charged - paid",
    ),
    (
        "points_not_negative",
        "no balance is below zero",
        "SELECT format('buyer %d: holds %d', id, balance) FROM buyer WHERE balance < 0",
    ),
    (
        "points_owner_exists",
        "a charge is above zero and belongs to a buyer who exists",
        "SELECT format('charge %d: %d for buyer %d', id, amount, buyer_id)
         FROM charge WHERE amount <= 0 OR buyer_id NOT IN (SELECT id FROM buyer)",
    ),
    (
        "payment_once_per_order",
        "an order is paid at most once",
        "SELECT format('order %d: paid %d times', order_id, COUNT(*)) FROM payment GROUP BY order_id HAVING COUNT(*) > 1",
    ),
    (
        "payment_matches_order",
        "a payment is of an order that exists, by a buyer who exists, at the order's price",
        "SELECT format('payment %d: %d points for order %d (price %s) by buyer %d', p.id, p.amount, p.order_id,
                       IFNULL(o.price, 'none'), p.buyer_id)
         FROM payment p LEFT JOIN purchase_order o ON o.id = p.order_id LEFT JOIN buyer b ON b.id = p.buyer_id
         WHERE o.price IS NULL OR b.id IS NULL OR p.amount <> o.price",
    ),
    (
        "outbox_matches_payments",
        "each payment has one outbox row, whose payload tells that payment, and each outbox row a payment",
        "SELECT format('payment %d: %d outbox rows', p.id, COUNT(x.id))
         FROM payment p LEFT JOIN outbox x ON x.payment_id = p.id GROUP BY p.id HAVING COUNT(x.id) <> 1
         UNION ALL
         SELECT format('outbox row %d: payment %d does not exist', x.id, x.payment_id)
         FROM outbox x WHERE x.payment_id NOT IN (SELECT id FROM payment)
         UNION ALL
         SELECT format('outbox row %d: payload %s is not payment %d', x.id, x.payload, p.id)
         FROM outbox x JOIN payment p ON p.id = x.payment_id
         WHERE x.payload <> json_object('paymentId', p.id, 'orderId', p.order_id, 'buyerId', p.buyer_id, 'amount', p.amount)",
    ),
    (
        "idempotency_keys_resolve",
        "an idempotency key leads to the payment of its order",
        "SELECT format('key %s: payment %d is not of order %d', k.key, k.payment_id, k.order_id)
         FROM idempotency k LEFT JOIN payment p ON p.id = k.payment_id WHERE p.order_id IS NOT k.order_id",
    ),
    (
        "store_intact",
        "the store's file is sound by SQLite's own check",
        "SELECT quick_check FROM pragma_quick_check WHERE quick_check <> 'ok'",
    ),
];

pub(super) async fn audit(path: PathBuf) -> Result<AuditReport, StoreError> {
    blocking(move || audit_now(&path)).await
}

fn audit_now(path: &Path) -> rusqlite::Result<AuditReport> {
    let connection = reader(path)?;
    // One transaction, so that every question is about the same moment.
    let view = connection.unchecked_transaction()?;
    let checks: Vec<Check> = CHECKS.iter().map(|&(name, invariant, sql)| check(&view, name, invariant, sql)).collect();
    let mut statement = view.prepare(
        "SELECT c.id, c.stock, c.remaining, COUNT(i.coupon_id)
         FROM coupon c LEFT JOIN issue i ON i.coupon_id = c.id GROUP BY c.id",
    )?;
    let coupons = statement
        .query_map([], |row| {
            Ok(CouponState { id: row.get(0)?, stock: row.get(1)?, remaining: row.get(2)?, issued: row.get(3)? })
        })?
        .collect::<Result<_, _>>()?;
    let totals = view.query_row(
        "SELECT (SELECT IFNULL(SUM(seeded), 0) FROM buyer), (SELECT COUNT(*) FROM charge),
                (SELECT IFNULL(SUM(amount), 0) FROM charge), (SELECT COUNT(*) FROM payment),
                (SELECT IFNULL(SUM(amount), 0) FROM payment), (SELECT IFNULL(SUM(balance), 0) FROM buyer),
                (SELECT COUNT(*) FROM outbox), (SELECT COUNT(published_at_ms) FROM outbox)",
        [],
        |row| {
            Ok(Totals {
                points_seeded: row.get(0)?,
                charges: row.get(1)?,
                points_charged: row.get(2)?,
                payments: row.get(3)?,
                points_paid: row.get(4)?,
                points_held: row.get(5)?,
                outbox: row.get(6)?,
                outbox_published: row.get(7)?,
            })
        },
    )?;
    let clean = checks.iter().all(|check| check.ok);
    Ok(AuditReport { clean, strategy: "embedded", checks, coupons, totals })
}

/// Asks one question. One that cannot be answered (a damaged file) has not passed.
fn check(view: &Connection, name: &'static str, invariant: &'static str, sql: &str) -> Check {
    let mut violations = 0;
    let mut examples = Vec::new();
    let answered: rusqlite::Result<()> = (|| {
        let mut statement = view.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            violations += 1;
            if examples.len() < EXAMPLES {
                examples.push(row.get(0)?);
            }
        }
        Ok(())
    })();
    if let Err(error) = answered {
        violations += 1;
        examples.push(format!("cannot be checked: {error}"));
    }
    Check { name, ok: violations == 0, invariant, violations, examples }
}

pub(super) async fn issued_users(path: PathBuf, coupon: i64) -> Result<Option<IssueLines>, StoreError> {
    let connection = blocking(move || {
        let connection = reader(&path)?;
        let known = connection.query_row("SELECT 1 FROM coupon WHERE id = ?1", [coupon], |_| Ok(())).optional()?;
        Ok(known.map(|()| connection))
    })
    .await?;
    let Some(connection) = connection else {
        return Ok(None);
    };
    let (lines, stream) = mpsc::channel(4);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = send_lines(&connection, coupon, &lines) {
            // A reader who went away does not mind.
            let _ = lines.blocking_send(Err(StoreError::Failed(error.to_string())));
        }
    });
    Ok(Some(stream))
}

fn send_lines(
    connection: &Connection,
    coupon: i64,
    lines: &mpsc::Sender<Result<Bytes, StoreError>>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT user_id, serial FROM issue WHERE coupon_id = ?1")?;
    let mut rows = statement.query([coupon])?;
    let mut chunk = String::with_capacity(CHUNK_BYTES + 64);
    while let Some(row) = rows.next()? {
        let (user, serial): (i64, i64) = (row.get(0)?, row.get(1)?);
        // Writing to a string does not fail.
        let _ = match user {
            1.. => writeln!(chunk, r#"{{"userId":{user},"serial":{serial}}}"#),
            _ => writeln!(chunk, r#"{{"userId":null,"serial":{serial}}}"#),
        };
        if chunk.len() >= CHUNK_BYTES && lines.blocking_send(Ok(Bytes::from(std::mem::take(&mut chunk)))).is_err() {
            return Ok(());
        }
    }
    if !chunk.is_empty() {
        let _ = lines.blocking_send(Ok(Bytes::from(chunk)));
    }
    Ok(())
}

fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "busy_timeout", 5_000)?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> rusqlite::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| StoreError::Failed(error.to_string())),
        Err(_) => Err(StoreError::Closed),
    }
}
