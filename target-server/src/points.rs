//! Points: each buyer has a balance that is charged up and spent by payments.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::app::{App, BoxFuture};
use crate::error::{ApiError, StoreError};
use crate::ids::BuyerId;

/// The largest charge in one call, in points.
pub const MAX_CHARGE: i64 = 1_000_000_000;

/// A way of keeping balances. A charge that was returned as done survives a crash, and no charge is lost or doubled
/// when many arrive for one buyer at once.
pub trait PointStrategy: Send + Sync + 'static {
    /// Adds `point` (1 to [`MAX_CHARGE`]) to the buyer's balance.
    fn charge(&self, buyer: BuyerId, point: i64) -> BoxFuture<'_, Result<ChargeOutcome, StoreError>>;

    /// The buyer's balance as last committed; `None` when there is no such buyer.
    fn balance(&self, buyer: BuyerId) -> BoxFuture<'_, Result<Option<i64>, StoreError>>;
}

/// What became of one charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChargeOutcome {
    /// Done, durably.
    Charged {
        /// The balance right after this charge.
        balance: i64,
    },
    /// No such buyer.
    UnknownBuyer,
    /// The balance would no longer fit; nothing was changed.
    TooMuch,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ChargeQuery {
    point: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Balance {
    buyer_id: BuyerId,
    #[serde(skip_serializing_if = "Option::is_none")]
    charged: Option<i64>,
    balance: i64,
}

/// `POST /points/{buyerId}?point=N`
pub(crate) async fn charge(
    State(app): State<App>,
    Path(buyer_id): Path<String>,
    query: Result<Query<ChargeQuery>, QueryRejection>,
) -> Result<Json<Balance>, ApiError> {
    let buyer_id = BuyerId::parse("buyerId", &buyer_id)?;
    let Query(query) = query.map_err(|rejection| ApiError::invalid_field("query", rejection.body_text()))?;
    let text = query.point.ok_or_else(|| ApiError::invalid_field("point", "missing; add ?point=N to the URL"))?;
    let point = text.parse::<i64>().ok().filter(|point| (1..=MAX_CHARGE).contains(point)).ok_or_else(|| {
        ApiError::invalid_field("point", format!("{text:?} is not a whole number from 1 to {MAX_CHARGE}"))
    })?;
    match app.points.charge(buyer_id, point).await? {
        ChargeOutcome::Charged { balance } => {
            app.metrics.charges.inc();
            Ok(Json(Balance { buyer_id, charged: Some(point), balance }))
        }
        ChargeOutcome::UnknownBuyer => Err(unknown(buyer_id)),
        ChargeOutcome::TooMuch => Err(ApiError::new(
            StatusCode::CONFLICT,
            "BALANCE_LIMIT",
            format!("buyer {buyer_id}: the balance cannot grow by {point} any more"),
        )),
    }
}

/// `GET /points/{buyerId}`
pub(crate) async fn balance(State(app): State<App>, Path(buyer_id): Path<String>) -> Result<Json<Balance>, ApiError> {
    let buyer_id = BuyerId::parse("buyerId", &buyer_id)?;
    let balance = app.points.balance(buyer_id).await?.ok_or_else(|| unknown(buyer_id))?;
    Ok(Json(Balance { buyer_id, charged: None, balance }))
}

pub(crate) fn unknown(buyer_id: BuyerId) -> ApiError {
    ApiError::not_found("buyer", "BUYER_NOT_FOUND", buyer_id)
}
