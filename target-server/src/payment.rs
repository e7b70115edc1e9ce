//! Payment of an order: debit, payment row and outbox row together or not at all, once per order.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::app::{App, BoxFuture};
use crate::error::{ApiError, StoreError};
use crate::extract::JsonBody;
use crate::ids::{BuyerId, OrderId};
use crate::points;

/// The longest `Idempotency-Key` that is accepted, in bytes.
pub const MAX_KEY_BYTES: usize = 255;

/// A way of paying. Debit, payment and outbox row are one transaction; an order is paid at most once; what was returned
/// survives a crash.
pub trait PaymentStrategy: Send + Sync + 'static {
    /// Pays `request.order` from the balance of `request.buyer`, or finds the payment that was made before.
    fn pay(&self, request: PaymentRequest) -> BoxFuture<'_, Result<PaymentOutcome, StoreError>>;
}

/// One request to pay.
#[derive(Clone, Debug)]
pub struct PaymentRequest {
    /// Who pays.
    pub buyer: BuyerId,
    /// What is paid.
    pub order: OrderId,
    /// The caller's `Idempotency-Key`, at most [`MAX_KEY_BYTES`] bytes.
    pub key: Option<String>,
}

/// The one payment of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// Number of the payment, in the order of paying.
    pub payment_id: i64,
    /// The order that was paid.
    pub order_id: OrderId,
    /// Who paid it.
    pub buyer_id: BuyerId,
    /// The order's price, in points.
    pub amount: i64,
    /// The payer's balance right after the payment.
    pub balance: i64,
}

/// What became of one request to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentOutcome {
    /// Paid by this request, durably.
    Paid(Payment),
    /// The order had been paid before: this is that payment.
    AlreadyPaid(Payment),
    /// The `Idempotency-Key` was used before with the same request: this is what was answered then.
    Replayed {
        /// The payment that was answered.
        payment: Payment,
        /// Whether the first answer was already [`PaymentOutcome::AlreadyPaid`].
        was_already_paid: bool,
    },
    /// The `Idempotency-Key` was used before with another request.
    KeyReused,
    /// The balance does not cover the price; nothing was changed.
    InsufficientBalance {
        /// The buyer's balance.
        balance: i64,
        /// The order's price.
        price: i64,
    },
    /// No such buyer.
    UnknownBuyer,
    /// No such order.
    UnknownOrder,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PaymentBody {
    buyer_id: BuyerId,
    order_id: OrderId,
}

#[derive(Debug, Serialize)]
struct PaymentAnswer {
    result: &'static str,
    #[serde(flatten)]
    payment: Payment,
}

/// `POST /orders/payment/kafka {buyerId, orderId}`: 200 with the order's payment, whoever made it first.
pub(crate) async fn pay(
    State(app): State<App>,
    headers: HeaderMap,
    JsonBody(PaymentBody { buyer_id, order_id }): JsonBody<PaymentBody>,
) -> Result<Response, ApiError> {
    let request = PaymentRequest { buyer: buyer_id, order: order_id, key: key(&headers)? };
    let (result, payment, replayed) = match app.payments.pay(request).await? {
        PaymentOutcome::Paid(payment) => ("PAID", payment, false),
        PaymentOutcome::AlreadyPaid(payment) => ("ALREADY_PAID", payment, false),
        PaymentOutcome::Replayed { payment, was_already_paid: false } => ("PAID", payment, true),
        PaymentOutcome::Replayed { payment, was_already_paid: true } => ("ALREADY_PAID", payment, true),
        PaymentOutcome::KeyReused => {
            return Err(ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "IDEMPOTENCY_KEY_REUSED",
                "Idempotency-Key: it was used before with another buyerId or orderId; take a new key",
            ));
        }
        PaymentOutcome::InsufficientBalance { balance, price } => {
            return Err(ApiError::new(
                StatusCode::CONFLICT,
                "INSUFFICIENT_BALANCE",
                format!(
                    "buyer {buyer_id}: the balance of {balance} does not cover order {order_id}, which costs {price}; \
                     charge with POST /points/{buyer_id}?point=N"
                ),
            )
            .with("balance", balance)
            .with("price", price));
        }
        PaymentOutcome::UnknownBuyer => return Err(points::unknown(buyer_id)),
        PaymentOutcome::UnknownOrder => {
            return Err(ApiError::not_found("order", "ORDER_NOT_FOUND", order_id));
        }
    };
    app.metrics.payment_result(if replayed { "REPLAYED" } else { result });
    let mut response = Json(PaymentAnswer { result, payment }).into_response();
    if replayed {
        let name = HeaderName::from_static("idempotency-replayed");
        response.headers_mut().insert(name, HeaderValue::from_static("true"));
    }
    Ok(response)
}

fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(text) if (1..=MAX_KEY_BYTES).contains(&text.len()) => Ok(Some(text.to_owned())),
        _ => Err(ApiError::invalid_field(
            "Idempotency-Key",
            format!("it must be 1 to {MAX_KEY_BYTES} visible ASCII characters"),
        )),
    }
}
