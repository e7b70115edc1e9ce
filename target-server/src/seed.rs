//! What a store holds before a run, and `POST /reset` which brings it back to that.

use std::collections::HashSet;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use crate::app::{App, BoxFuture};
use crate::error::{ApiError, StoreError};
use crate::extract::OptionalJsonBody;
use crate::ids::CouponId;

const MAX_COUPONS: usize = 10_000;
const MAX_STOCK: i64 = 1_000_000_000;
const MAX_ROWS: i64 = 1_000_000;
const MAX_BALANCE: i64 = 1_000_000_000_000_000;
const MAX_PRICE: i64 = 1_000_000_000;

/// Empties a store and fills it again.
pub trait Seeder: Send + Sync + 'static {
    /// Forgets everything and stores `seed`, in one transaction.
    fn reset(&self, seed: Seed) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// One coupon and how many there are of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CouponSeed {
    /// The coupon.
    pub id: CouponId,
    /// How many may be issued, 0 or more.
    pub stock: i64,
}

/// What a store holds before a run. Only valid ones can be built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Seed {
    coupons: Vec<CouponSeed>,
    buyers: i64,
    balance: i64,
    orders: i64,
    order_price: i64,
}

/// A seed as it is typed or sent: what is missing comes from elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedFields {
    /// The coupons with their stocks.
    pub coupons: Option<Vec<CouponSeed>>,
    /// Buyers are numbered from 1 to this.
    pub buyers: Option<i64>,
    /// Each buyer's first balance, in points.
    pub balance: Option<i64>,
    /// Orders are numbered from 1 to this.
    pub orders: Option<i64>,
    /// Order `n` costs `n` times this, in points.
    pub order_price: Option<i64>,
}

/// Why a seed cannot be used: the field and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct SeedError {
    /// The field as it is called in JSON.
    pub field: &'static str,
    /// The value and the remedy.
    pub problem: String,
}

impl Default for Seed {
    /// What the shipped scenarios need: coupon 3 with 100,000, coupon 1 with 10,000, buyers 1 to 7, orders 1 to 107.
    fn default() -> Self {
        let coupon = |id: i64, stock| CouponId::try_from(id).map(|id| CouponSeed { id, stock });
        Self {
            coupons: [coupon(1, 10_000), coupon(3, 100_000)].into_iter().flatten().collect(),
            buyers: 7,
            balance: 1_000_000,
            orders: 107,
            order_price: 100,
        }
    }
}

impl Seed {
    /// This seed with the given fields in place of its own.
    ///
    /// # Errors
    /// [`SeedError`] when a number is out of its range or a coupon is named twice.
    pub fn with(&self, fields: SeedFields) -> Result<Self, SeedError> {
        let seed = Self {
            coupons: fields.coupons.unwrap_or_else(|| self.coupons.clone()),
            buyers: fields.buyers.unwrap_or(self.buyers),
            balance: fields.balance.unwrap_or(self.balance),
            orders: fields.orders.unwrap_or(self.orders),
            order_price: fields.order_price.unwrap_or(self.order_price),
        };
        within("buyers", seed.buyers, 0, MAX_ROWS)?;
        within("balance", seed.balance, 0, MAX_BALANCE)?;
        within("orders", seed.orders, 0, MAX_ROWS)?;
        within("orderPrice", seed.order_price, 1, MAX_PRICE)?;
        if seed.coupons.len() > MAX_COUPONS {
            let problem = format!("{} are too many; give at most {MAX_COUPONS}", seed.coupons.len());
            return Err(SeedError { field: "coupons", problem });
        }
        let mut known = HashSet::new();
        for coupon in &seed.coupons {
            within("coupons.stock", coupon.stock, 0, MAX_STOCK)?;
            if !known.insert(coupon.id) {
                let problem = format!("coupon {} is named twice; name each once", coupon.id);
                return Err(SeedError { field: "coupons", problem });
            }
        }
        Ok(seed)
    }

    /// The coupons with their stocks.
    #[must_use]
    pub fn coupons(&self) -> &[CouponSeed] {
        &self.coupons
    }

    /// Buyers are numbered from 1 to this.
    #[must_use]
    pub const fn buyers(&self) -> i64 {
        self.buyers
    }

    /// Each buyer's first balance, in points.
    #[must_use]
    pub const fn balance(&self) -> i64 {
        self.balance
    }

    /// Orders are numbered from 1 to this.
    #[must_use]
    pub const fn orders(&self) -> i64 {
        self.orders
    }

    /// The price of order `number`, in points: dearer with its number, so that a payment booked on the wrong order shows.
    #[must_use]
    pub const fn price(&self, number: i64) -> i64 {
        number * self.order_price
    }
}

fn within(field: &'static str, value: i64, low: i64, high: i64) -> Result<(), SeedError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(SeedError { field, problem: format!("{value} is out of range; give a number from {low} to {high}") })
}

/// `POST /reset` with an optional JSON body; what it leaves out is seeded as the server's flags say.
pub(crate) async fn reset(
    State(app): State<App>,
    OptionalJsonBody(fields): OptionalJsonBody<SeedFields>,
) -> Result<Json<Seed>, ApiError> {
    let seed = app
        .seed
        .with(fields.unwrap_or_default())
        .map_err(|SeedError { field, problem }| ApiError::invalid_field(field, problem))?;
    app.seeder.reset(seed.clone()).await?;
    app.metrics.resets.inc();
    app.metrics.forget_quantiles();
    Ok(Json(seed))
}
