//! Coupons: a limited stock, first come, first served, once per user.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, extract::rejection::QueryRejection};
use serde::{Deserialize, Serialize};

use crate::app::{App, BoxFuture};
use crate::error::{ApiError, StoreError};
use crate::extract::JsonBody;
use crate::ids::{CouponId, UserId};

/// A way of guarding a coupon's stock. Every implementation keeps three promises: never more issues than stock, at
/// most one issue per coupon and user, and an [`IssueOutcome::Issued`] that was returned survives a crash.
pub trait CouponStrategy: Send + Sync + 'static {
    /// The name by which it is chosen and reported, such as `embedded`.
    fn name(&self) -> &'static str;

    /// Issues one coupon to `user`; `None` is a user of whom nothing is known, new in every call.
    fn issue(&self, coupon: CouponId, user: Option<UserId>) -> BoxFuture<'_, Result<IssueOutcome, StoreError>>;
}

/// What became of one request for a coupon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueOutcome {
    /// The coupon is the user's, durably. `serial` counts from 1 in the order of issuing.
    Issued {
        /// Position in the order of issuing, 1 to the coupon's stock.
        serial: i64,
    },
    /// The user had one before.
    AlreadyIssued {
        /// The serial of the earlier issue.
        serial: i64,
    },
    /// Nothing is left.
    SoldOut,
    /// No such coupon.
    UnknownCoupon,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IssueBody {
    user_id: UserId,
    coupon_id: CouponId,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct IssueAnswer {
    result: &'static str,
    coupon_id: CouponId,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<i64>,
}

/// `POST /api/v1/coupons/issue {userId, couponId}`: every handled outcome is 200, and the body says which.
///
/// The script that makes this call checks for 200 alone, draws users at random with many repeats, and reports no errors
/// for 125,091 requests on 100,000 coupons: there, neither a repeat nor an empty stock is an error.
pub(crate) async fn issue(
    State(app): State<App>,
    JsonBody(IssueBody { user_id, coupon_id }): JsonBody<IssueBody>,
) -> Result<Response, ApiError> {
    let outcome = app.coupons.issue(coupon_id, Some(user_id)).await?;
    answer(&app, outcome, coupon_id, Some(user_id), StatusCode::OK)
}

#[derive(Debug, Deserialize)]
pub(crate) struct UserQuery {
    #[serde(rename = "userId")]
    user_id: Option<String>,
}

/// `POST /api/v1/user-coupons/{couponId}/issue`: 200 issued, 204 sold out. The user comes from the header `X-User-Id` or
/// the query `userId`; without either, each call is a new user.
pub(crate) async fn issue_anonymous(
    State(app): State<App>,
    Path(coupon_id): Path<String>,
    query: Result<Query<UserQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let coupon_id = CouponId::parse("couponId", &coupon_id)?;
    let Query(query) = query.map_err(|rejection| ApiError::invalid_field("query", rejection.body_text()))?;
    let user_id = match (headers.get("x-user-id"), query.user_id) {
        (Some(header), _) => Some(UserId::parse("X-User-Id", &String::from_utf8_lossy(header.as_bytes()))?),
        (None, Some(text)) => Some(UserId::parse("userId", &text)?),
        (None, None) => None,
    };
    let outcome = app.coupons.issue(coupon_id, user_id).await?;
    answer(&app, outcome, coupon_id, user_id, StatusCode::NO_CONTENT)
}

fn answer(
    app: &App,
    outcome: IssueOutcome,
    coupon_id: CouponId,
    user_id: Option<UserId>,
    sold_out: StatusCode,
) -> Result<Response, ApiError> {
    let (result, status, serial) = match outcome {
        IssueOutcome::Issued { serial } => ("ISSUED", StatusCode::OK, Some(serial)),
        IssueOutcome::AlreadyIssued { serial } => ("ALREADY_ISSUED", StatusCode::OK, Some(serial)),
        IssueOutcome::SoldOut => ("SOLD_OUT", sold_out, None),
        IssueOutcome::UnknownCoupon => {
            return Err(ApiError::not_found("coupon", "COUPON_NOT_FOUND", coupon_id));
        }
    };
    app.metrics.coupon_result(coupon_id, result);
    if status == StatusCode::NO_CONTENT {
        return Ok(status.into_response());
    }
    Ok((status, Json(IssueAnswer { result, coupon_id, user_id, serial })).into_response())
}
