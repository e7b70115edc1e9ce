//! One transaction: what the requests in it do to the tables.
//!
//! Counters that many requests of a batch change (a coupon's stock, a buyer's balance) are read from the store at their
//! first use and written back once, at the end. Inside the transaction nobody else can change them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension, Statement, params};

use crate::coupon::IssueOutcome;
use crate::ids::{BuyerId, OrderId};
use crate::payment::{Payment, PaymentOutcome, PaymentRequest};
use crate::points::ChargeOutcome;

/// The topic that a payment's event is meant for.
const TOPIC: &str = "order-payment-complete";

/// Outbox rows marked in one go.
const PUBLISH_LIMIT: i64 = 4_096;

/// The statements, prepared once.
pub(super) struct Statements<'c> {
    begin: Statement<'c>,
    commit: Statement<'c>,
    coupon: Statement<'c>,
    coupon_update: Statement<'c>,
    issue: Statement<'c>,
    issue_serial: Statement<'c>,
    buyer: Statement<'c>,
    buyer_update: Statement<'c>,
    charge: Statement<'c>,
    order: Statement<'c>,
    payment: Statement<'c>,
    payment_of_order: Statement<'c>,
    payment_by_id: Statement<'c>,
    outbox: Statement<'c>,
    publish: Statement<'c>,
    key: Statement<'c>,
    key_insert: Statement<'c>,
}

impl<'c> Statements<'c> {
    pub(super) fn prepare(connection: &'c Connection) -> rusqlite::Result<Self> {
        let sql = |text| connection.prepare(text);
        Ok(Self {
            begin: sql("BEGIN IMMEDIATE")?,
            commit: sql("COMMIT")?,
            coupon: sql("SELECT stock, remaining FROM coupon WHERE id = ?1")?,
            coupon_update: sql("UPDATE coupon SET remaining = ?2 WHERE id = ?1")?,
            issue: sql("INSERT INTO issue (coupon_id, user_id, serial) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?,
            issue_serial: sql("SELECT serial FROM issue WHERE coupon_id = ?1 AND user_id = ?2")?,
            buyer: sql("SELECT balance FROM buyer WHERE id = ?1")?,
            buyer_update: sql("UPDATE buyer SET balance = ?2 WHERE id = ?1")?,
            charge: sql("INSERT INTO charge (buyer_id, amount) VALUES (?1, ?2)")?,
            order: sql("SELECT price FROM purchase_order WHERE id = ?1")?,
            payment: sql("INSERT INTO payment (order_id, buyer_id, amount, balance) VALUES (?1, ?2, ?3, ?4)")?,
            payment_of_order: sql("SELECT id, order_id, buyer_id, amount, balance FROM payment WHERE order_id = ?1")?,
            payment_by_id: sql("SELECT id, order_id, buyer_id, amount, balance FROM payment WHERE id = ?1")?,
            outbox: sql("INSERT INTO outbox (payment_id, topic, payload) VALUES (?1, ?2, ?3)")?,
            publish: sql("UPDATE outbox SET published_at_ms = ?1 WHERE id IN \
                          (SELECT id FROM outbox WHERE published_at_ms IS NULL ORDER BY id LIMIT ?2)")?,
            key: sql("SELECT buyer_id, order_id, payment_id, was_already_paid FROM idempotency WHERE key = ?1")?,
            key_insert: sql("INSERT INTO idempotency (key, buyer_id, order_id, payment_id, was_already_paid) \
                             VALUES (?1, ?2, ?3, ?4, ?5)")?,
        })
    }

    pub(super) fn begin(&mut self) -> rusqlite::Result<()> {
        self.begin.execute([]).map(drop)
    }

    pub(super) fn commit(&mut self) -> rusqlite::Result<()> {
        self.commit.execute([]).map(drop)
    }
}

/// What a transaction changed, for the read index.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) coupons: HashMap<i64, CouponRow>,
    pub(super) balances: HashMap<i64, Balance>,
    pub(super) outbox_added: i64,
    pub(super) outbox_published: i64,
    /// The tables were emptied and seeded.
    pub(super) everything: bool,
}

#[derive(Debug)]
pub(super) struct CouponRow {
    stock: i64,
    pub(super) remaining: i64,
    /// User and serial, in the order of issuing.
    pub(super) issued: Vec<(i64, i64)>,
}

#[derive(Debug)]
pub(super) struct Balance {
    pub(super) now: i64,
    changed: bool,
}

pub(super) struct Batch<'s, 'c> {
    statements: &'s mut Statements<'c>,
    changes: Changes,
}

impl<'s, 'c> Batch<'s, 'c> {
    pub(super) fn new(statements: &'s mut Statements<'c>) -> Self {
        Self { statements, changes: Changes::default() }
    }

    pub(super) fn issue(&mut self, coupon: i64, user: Option<i64>) -> rusqlite::Result<IssueOutcome> {
        let Self { statements, changes } = self;
        let row = match changes.coupons.entry(coupon) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let read = |row: &rusqlite::Row<'_>| {
                    Ok(CouponRow { stock: row.get(0)?, remaining: row.get(1)?, issued: Vec::new() })
                };
                match statements.coupon.query_row([coupon], read).optional()? {
                    Some(row) => entry.insert(row),
                    None => return Ok(IssueOutcome::UnknownCoupon),
                }
            }
        };
        if row.remaining <= 0 {
            // The index knows the users of earlier commits only: this one may be in the same batch.
            let earlier = match user {
                Some(user) => statements.issue_serial.query_row([coupon, user], |row| row.get(0)).optional()?,
                None => None,
            };
            return Ok(earlier.map_or(IssueOutcome::SoldOut, |serial| IssueOutcome::AlreadyIssued { serial }));
        }
        let serial = row.stock - row.remaining + 1;
        let user = user.unwrap_or(-serial);
        if statements.issue.execute([coupon, user, serial])? == 0 {
            let serial = statements.issue_serial.query_row([coupon, user], |row| row.get(0))?;
            return Ok(IssueOutcome::AlreadyIssued { serial });
        }
        row.remaining -= 1;
        row.issued.push((user, serial));
        Ok(IssueOutcome::Issued { serial })
    }

    pub(super) fn charge(&mut self, buyer: i64, point: i64) -> rusqlite::Result<ChargeOutcome> {
        let Some(before) = self.balance(buyer)? else {
            return Ok(ChargeOutcome::UnknownBuyer);
        };
        let Some(balance) = before.checked_add(point) else {
            return Ok(ChargeOutcome::TooMuch);
        };
        self.statements.charge.execute([buyer, point])?;
        self.set_balance(buyer, balance);
        Ok(ChargeOutcome::Charged { balance })
    }

    pub(super) fn pay(&mut self, request: &PaymentRequest) -> rusqlite::Result<PaymentOutcome> {
        let (buyer, order) = (request.buyer.get(), request.order.get());
        if let Some(key) = &request.key
            && let Some(outcome) = self.replay(key, buyer, order)?
        {
            return Ok(outcome);
        }
        let Some(before) = self.balance(buyer)? else {
            return Ok(PaymentOutcome::UnknownBuyer);
        };
        let statements = &mut *self.statements;
        if let Some(payment) = statements.payment_of_order.query_row([order], read_payment).optional()? {
            self.remember(request, payment.payment_id, true)?;
            return Ok(PaymentOutcome::AlreadyPaid(payment));
        }
        let Some(price) = statements.order.query_row([order], |row| row.get::<_, i64>(0)).optional()? else {
            return Ok(PaymentOutcome::UnknownOrder);
        };
        let balance = before - price;
        if balance < 0 {
            return Ok(PaymentOutcome::InsufficientBalance { balance: before, price });
        }
        let payment_id = statements.payment.insert([order, buyer, price, balance])?;
        let payload = format!(r#"{{"paymentId":{payment_id},"orderId":{order},"buyerId":{buyer},"amount":{price}}}"#);
        statements.outbox.execute(params![payment_id, TOPIC, payload])?;
        self.changes.outbox_added += 1;
        self.set_balance(buyer, balance);
        self.remember(request, payment_id, false)?;
        let payment = Payment { payment_id, order_id: request.order, buyer_id: request.buyer, amount: price, balance };
        Ok(PaymentOutcome::Paid(payment))
    }

    /// Marks outbox rows as published.
    pub(super) fn publish(&mut self) -> rusqlite::Result<()> {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        let marked = self.statements.publish.execute([now_ms, PUBLISH_LIMIT])?;
        self.changes.outbox_published += marked as i64;
        Ok(())
    }

    /// The tables have other contents from here on.
    pub(super) fn everything_changed(&mut self) {
        self.changes = Changes { everything: true, ..Changes::default() };
    }

    /// Writes the counters back. The commit is the caller's.
    pub(super) fn finish(self) -> rusqlite::Result<Changes> {
        let Self { statements, changes } = self;
        for (coupon, row) in &changes.coupons {
            if !row.issued.is_empty() {
                statements.coupon_update.execute([*coupon, row.remaining])?;
            }
        }
        for (buyer, balance) in &changes.balances {
            if balance.changed {
                statements.buyer_update.execute([*buyer, balance.now])?;
            }
        }
        Ok(changes)
    }

    fn replay(&mut self, key: &str, buyer: i64, order: i64) -> rusqlite::Result<Option<PaymentOutcome>> {
        let read = |row: &rusqlite::Row<'_>| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?, row.get::<_, bool>(3)?))
        };
        let Some((first_buyer, first_order, payment_id, was_already_paid)) =
            self.statements.key.query_row([key], read).optional()?
        else {
            return Ok(None);
        };
        if (first_buyer, first_order) != (buyer, order) {
            return Ok(Some(PaymentOutcome::KeyReused));
        }
        let payment = self.statements.payment_by_id.query_row([payment_id], read_payment)?;
        Ok(Some(PaymentOutcome::Replayed { payment, was_already_paid }))
    }

    fn remember(&mut self, request: &PaymentRequest, payment_id: i64, was_already_paid: bool) -> rusqlite::Result<()> {
        if let Some(key) = &request.key {
            let row = params![key, request.buyer.get(), request.order.get(), payment_id, was_already_paid];
            self.statements.key_insert.execute(row)?;
        }
        Ok(())
    }

    fn balance(&mut self, buyer: i64) -> rusqlite::Result<Option<i64>> {
        if let Some(balance) = self.changes.balances.get(&buyer) {
            return Ok(Some(balance.now));
        }
        let stored = self.statements.buyer.query_row([buyer], |row| row.get(0)).optional()?;
        if let Some(now) = stored {
            self.changes.balances.insert(buyer, Balance { now, changed: false });
        }
        Ok(stored)
    }

    fn set_balance(&mut self, buyer: i64, now: i64) {
        self.changes.balances.insert(buyer, Balance { now, changed: true });
    }
}

fn read_payment(row: &rusqlite::Row<'_>) -> rusqlite::Result<Payment> {
    let id = |column: usize, number: i64| rusqlite::Error::IntegralValueOutOfRange(column, number);
    let (order, buyer): (i64, i64) = (row.get(1)?, row.get(2)?);
    Ok(Payment {
        payment_id: row.get(0)?,
        order_id: OrderId::try_from(order).map_err(|_| id(1, order))?,
        buyer_id: BuyerId::try_from(buyer).map_err(|_| id(2, buyer))?,
        amount: row.get(3)?,
        balance: row.get(4)?,
    })
}
