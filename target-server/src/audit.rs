//! `GET /audit`: whether the store keeps its promises, found out by reading the store.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::sync::mpsc::Receiver;
use tokio_stream::wrappers::ReceiverStream;

use crate::app::{App, BoxFuture};
use crate::error::{ApiError, StoreError};
use crate::ids::CouponId;

/// Reads a store and says what is broken. Nothing may come from the server's memory: a bug there is what is looked for.
pub trait Auditor: Send + Sync + 'static {
    /// Checks every invariant on one consistent view of the store.
    fn audit(&self) -> BoxFuture<'_, Result<AuditReport, StoreError>>;

    /// The issues of a coupon as lines of JSON, `{"userId":5,"serial":1}`, `userId` being null where the caller did not
    /// say who they are; `None` when there is no such coupon.
    fn issued_users(&self, coupon: CouponId) -> BoxFuture<'_, Result<Option<IssueLines>, StoreError>>;
}

/// Chunks of whole lines; an error ends the stream and breaks the connection, so that a part is not taken for the whole.
pub type IssueLines = Receiver<Result<Bytes, StoreError>>;

/// The result of an audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditReport {
    /// Whether every check passed.
    pub clean: bool,
    /// The strategy whose store was read.
    pub strategy: &'static str,
    /// One entry per invariant.
    pub checks: Vec<Check>,
    /// One entry per coupon.
    pub coupons: Vec<CouponState>,
    /// Sums over the store.
    pub totals: Totals,
}

/// One invariant and what breaks it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// The invariant's name, for programs.
    pub name: &'static str,
    /// Whether it holds.
    pub ok: bool,
    /// What it says, for people.
    pub invariant: &'static str,
    /// How many rows break it.
    pub violations: u64,
    /// The first few of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
}

/// A coupon as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CouponState {
    /// The coupon.
    pub id: i64,
    /// How many there were.
    pub stock: i64,
    /// How many are left by the coupon's own count.
    pub remaining: i64,
    /// How many issue rows there are.
    pub issued: i64,
}

/// Sums over the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Points that buyers were seeded with.
    pub points_seeded: i64,
    /// Number of charges.
    pub charges: i64,
    /// Points charged.
    pub points_charged: i64,
    /// Number of payments.
    pub payments: i64,
    /// Points paid.
    pub points_paid: i64,
    /// Points that buyers hold.
    pub points_held: i64,
    /// Number of outbox rows.
    pub outbox: i64,
    /// Outbox rows marked as published.
    pub outbox_published: i64,
}

/// `GET /audit`: 200 when everything holds, 409 when something is broken; the body says what.
pub(crate) async fn audit(State(app): State<App>) -> Result<Response, ApiError> {
    let report = app.auditor.audit().await?;
    let status = if report.clean { StatusCode::OK } else { StatusCode::CONFLICT };
    Ok((status, Json(report)).into_response())
}

/// `GET /audit/coupons/{couponId}/users`: who has the coupon, one line of JSON each.
pub(crate) async fn issued_users(State(app): State<App>, Path(coupon_id): Path<String>) -> Result<Response, ApiError> {
    let coupon_id = CouponId::parse("couponId", &coupon_id)?;
    let lines = app
        .auditor
        .issued_users(coupon_id)
        .await?
        .ok_or_else(|| ApiError::not_found("coupon", "COUPON_NOT_FOUND", coupon_id))?;
    let body = Body::from_stream(ReceiverStream::new(lines));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}
