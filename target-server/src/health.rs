//! `GET /health`: whether the server answers, and by which strategy.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::app::App;

#[derive(Debug, Serialize)]
pub(crate) struct Health {
    status: &'static str,
    coupon: &'static str,
    version: &'static str,
}

/// `GET /health`: 200 as soon as calls are answered.
pub(crate) async fn health(State(app): State<App>) -> Json<Health> {
    Json(Health { status: "UP", coupon: app.coupons.name(), version: env!("CARGO_PKG_VERSION") })
}
