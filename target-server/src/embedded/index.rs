//! What has been committed, in memory, for reading. It never decides what may be written.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use rusqlite::Connection;

use super::batch::Changes;
use crate::coupon::IssueOutcome;

#[derive(Debug, Default)]
pub(super) struct Index {
    coupons: RwLock<HashMap<i64, Arc<CouponIndex>>>,
    balances: RwLock<HashMap<i64, i64>>,
}

#[derive(Debug)]
struct CouponIndex {
    /// Serial by user; users of whom nothing is known are left out, nobody can ask for them.
    serials: RwLock<HashMap<i64, i64>>,
    remaining: AtomicI64,
}

/// What the index can say about a request for a coupon.
pub(super) enum Known {
    /// The answer, which a later commit cannot change.
    Outcome(IssueOutcome),
    AskTheStore,
}

impl Index {
    pub(super) fn look_up(&self, coupon: i64, user: Option<i64>) -> Known {
        let Some(coupon) = self.coupon(coupon) else {
            return Known::Outcome(IssueOutcome::UnknownCoupon);
        };
        // Read before the serials: a commit adds its users first, so when nothing is left every user is already there.
        let sold_out = coupon.remaining.load(Ordering::Acquire) == 0;
        if let Some(user) = user {
            let serials = coupon.serials.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(&serial) = serials.get(&user) {
                return Known::Outcome(IssueOutcome::AlreadyIssued { serial });
            }
        }
        if sold_out { Known::Outcome(IssueOutcome::SoldOut) } else { Known::AskTheStore }
    }

    pub(super) fn balance(&self, buyer: i64) -> Option<i64> {
        self.balances.read().unwrap_or_else(PoisonError::into_inner).get(&buyer).copied()
    }

    /// Takes over what a transaction changed. To be called after its commit and before anyone is answered.
    pub(super) fn apply(&self, changes: &Changes) {
        for (&id, row) in &changes.coupons {
            let Some(coupon) = self.coupon(id) else {
                continue;
            };
            let mut serials = coupon.serials.write().unwrap_or_else(PoisonError::into_inner);
            serials.extend(row.issued.iter().copied().filter(|(user, _)| *user > 0));
            drop(serials);
            coupon.remaining.store(row.remaining, Ordering::Release);
        }
        if !changes.balances.is_empty() {
            let mut balances = self.balances.write().unwrap_or_else(PoisonError::into_inner);
            balances.extend(changes.balances.iter().map(|(&buyer, balance)| (buyer, balance.now)));
        }
    }

    /// Reads everything from the store anew.
    pub(super) fn load(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut coupons = HashMap::new();
        let mut statement = connection.prepare("SELECT id, remaining FROM coupon")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let coupon = CouponIndex { serials: RwLock::default(), remaining: AtomicI64::new(row.get(1)?) };
            coupons.insert(row.get::<_, i64>(0)?, coupon);
        }
        let mut statement = connection.prepare("SELECT coupon_id, user_id, serial FROM issue WHERE user_id > 0")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if let Some(coupon) = coupons.get_mut(&row.get::<_, i64>(0)?) {
                let serials = coupon.serials.get_mut().unwrap_or_else(PoisonError::into_inner);
                serials.insert(row.get(1)?, row.get(2)?);
            }
        }
        let mut statement = connection.prepare("SELECT id, balance FROM buyer")?;
        let balances = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        let coupons = coupons.into_iter().map(|(id, coupon)| (id, Arc::new(coupon))).collect();
        *self.coupons.write().unwrap_or_else(PoisonError::into_inner) = coupons;
        *self.balances.write().unwrap_or_else(PoisonError::into_inner) = balances;
        Ok(())
    }

    fn coupon(&self, id: i64) -> Option<Arc<CouponIndex>> {
        self.coupons.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }
}
