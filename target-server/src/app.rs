//! The router: which call goes where, and what all handlers share.

use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};

use crate::audit::Auditor;
use crate::coupon::CouponStrategy;
use crate::echo::Sockets;
use crate::error::ApiError;
use crate::extract::BODY_LIMIT_BYTES;
use crate::knobs::{Shape, Watched, observe};
use crate::metrics::Metrics;
use crate::payment::PaymentStrategy;
use crate::points::PointStrategy;
use crate::seed::{Seed, Seeder};
use crate::{audit, coupon, echo, events, health, metrics, payment, points, seed};

/// A future behind a pointer: what the strategies' traits return, so that a strategy can be chosen while running.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What all handlers share.
pub type App = Arc<State>;

/// The parts of a server. Each strategy may be another store; `audit` reads the stores that the others write.
pub struct State {
    /// Who issues coupons.
    pub coupons: Arc<dyn CouponStrategy>,
    /// Who keeps balances.
    pub points: Arc<dyn PointStrategy>,
    /// Who takes payments.
    pub payments: Arc<dyn PaymentStrategy>,
    /// Who checks the stores.
    pub auditor: Arc<dyn Auditor>,
    /// Who fills the stores.
    pub seeder: Arc<dyn Seeder>,
    /// What a reset without a body seeds.
    pub seed: Seed,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What is done to requests on their way in.
    pub shape: Arc<Shape>,
    /// The open WebSockets.
    pub sockets: Sockets,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("coupons", &self.coupons.name())
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

/// The server as a service, usable without a socket.
pub fn app(state: impl Into<App>) -> Router {
    let state = state.into();
    let routes = Routes { state: &state };
    Router::new()
        .route("/api/v1/coupons/issue", routes.work("POST", "/api/v1/coupons/issue", post(coupon::issue)))
        .route(
            "/api/v1/user-coupons/{couponId}/issue",
            routes.work("POST", "/api/v1/user-coupons/{couponId}/issue", post(coupon::issue_anonymous)),
        )
        .route(
            "/points/{buyerId}",
            routes.work("POST", "/points/{buyerId}", post(points::charge)).merge(routes.work(
                "GET",
                "/points/{buyerId}",
                get(points::balance),
            )),
        )
        .route("/orders/payment/kafka", routes.work("POST", "/orders/payment/kafka", post(payment::pay)))
        .route("/ws/echo", routes.work("GET", "/ws/echo", get(echo::echo)))
        .route("/events", routes.work("GET", "/events", get(events::events)))
        .route("/audit", routes.operation("GET", "/audit", get(audit::audit)))
        .route(
            "/audit/coupons/{couponId}/users",
            routes.operation("GET", "/audit/coupons/{couponId}/users", get(audit::issued_users)),
        )
        .route("/reset", routes.operation("POST", "/reset", post(seed::reset)))
        .route("/metrics", routes.operation("GET", "/metrics", get(metrics::metrics)))
        .route("/metrics/durations", routes.operation("GET", "/metrics/durations", get(metrics::durations_json)))
        .route("/health", routes.operation("GET", "/health", get(health::health)))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .with_state(state)
}

struct Routes<'a> {
    state: &'a App,
}

impl Routes<'_> {
    /// A call of the API: counted, and shaped by the knobs.
    fn work(&self, method: &'static str, route: &'static str, handler: MethodRouter<App>) -> MethodRouter<App> {
        self.watched(method, route, handler, Some(Arc::clone(&self.state.shape)))
    }

    /// A call for whoever runs the server: counted only, so that it answers while the API is queueing.
    fn operation(&self, method: &'static str, route: &'static str, handler: MethodRouter<App>) -> MethodRouter<App> {
        self.watched(method, route, handler, None)
    }

    fn watched(
        &self,
        method: &'static str,
        route: &'static str,
        handler: MethodRouter<App>,
        shape: Option<Arc<Shape>>,
    ) -> MethodRouter<App> {
        let watched = Watched { method, route, metrics: Arc::clone(&self.state.metrics), shape };
        handler.route_layer(from_fn_with_state(Arc::new(watched), observe))
    }
}

async fn no_such_path(uri: Uri) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "NO_SUCH_PATH", format!("{}: there is no such path", uri.path()))
}

async fn no_such_method(method: Method, uri: Uri) -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "METHOD_NOT_ALLOWED",
        format!("{}: {method} is not offered here; see the Allow header", uri.path()),
    )
}
