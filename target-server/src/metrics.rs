//! What the server counts about itself, and `GET /metrics`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hdrhistogram::Histogram as Quantiles;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use serde::Serialize;

use crate::app::App;
use crate::error::ApiError;
use crate::ids::CouponId;

/// Upper bounds of the buckets for durations, in seconds.
const DURATION_BUCKETS_S: [f64; 18] =
    [0.0005, 0.001, 0.0025, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Upper bounds of the buckets for requests per commit.
const BATCH_BUCKETS: [f64; 13] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CouponLabels {
    coupon: i64,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

/// Everything that `GET /metrics` shows.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RouteLabels, Histogram, fn() -> Histogram>,
    /// Durations in microseconds by method and route, since the start or the last reset.
    quantiles: Mutex<BTreeMap<(&'static str, &'static str), Quantiles<u64>>>,
    coupon_results: Family<CouponLabels, Counter>,
    payment_results: Family<ResultLabels, Counter>,
    /// Calls of the API being worked on, those waiting in the queue included.
    pub in_flight: Gauge,
    /// Requests waiting for one of the `--max-concurrency` places.
    pub queued: Gauge,
    /// How long requests waited for such a place, in seconds.
    pub queue_wait: Histogram,
    /// Errors answered because of `--error-rate`.
    pub injected_errors: Counter,
    /// Charges of points done.
    pub charges: Counter,
    /// Calls of `POST /reset` done.
    pub resets: Counter,
    /// WebSockets that are open.
    pub websockets: Gauge,
    /// Messages that WebSockets sent back.
    pub websocket_messages: Counter,
    /// What the store counts about itself.
    pub store: StoreMetrics,
}

/// What a store counts about itself. Clones share their counts.
#[derive(Clone, Debug)]
pub struct StoreMetrics {
    /// Requests waiting for a commit.
    pub waiting: Gauge,
    /// Requests per transaction.
    pub batch_size: Histogram,
    /// Time of a transaction from its first statement to its durable end, in seconds.
    pub commit: Histogram,
    /// Transactions that failed; their requests were answered 503.
    pub failures: Counter,
    /// Outbox rows not yet marked as published.
    pub outbox_pending: Gauge,
}

impl Default for StoreMetrics {
    fn default() -> Self {
        Self {
            waiting: Gauge::default(),
            batch_size: Histogram::new(BATCH_BUCKETS),
            commit: durations(),
            failures: Counter::default(),
            outbox_pending: Gauge::default(),
        }
    }
}

fn durations() -> Histogram {
    Histogram::new(DURATION_BUCKETS_S)
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Registry::default(),
            requests: Family::new_with_constructor(durations as fn() -> Histogram),
            quantiles: Mutex::default(),
            coupon_results: Family::default(),
            payment_results: Family::default(),
            in_flight: Gauge::default(),
            queued: Gauge::default(),
            queue_wait: durations(),
            injected_errors: Counter::default(),
            charges: Counter::default(),
            resets: Counter::default(),
            websockets: Gauge::default(),
            websocket_messages: Counter::default(),
            store: StoreMetrics::default(),
        };
        metrics.registered()
    }
}

impl Metrics {
    fn registered(mut self) -> Self {
        let r = &mut self.registry;
        r.register(
            "http_request_duration_seconds",
            "Time from a request's head to its answer, queueing and added latency included; its _count is the number of requests",
            self.requests.clone(),
        );
        r.register(
            "http_requests_in_flight",
            "Calls of the API being worked on, queued ones included",
            self.in_flight.clone(),
        );
        r.register("http_requests_queued", "Requests waiting for a place of --max-concurrency", self.queued.clone());
        r.register("http_queue_wait_seconds", "Time waited for a place of --max-concurrency", self.queue_wait.clone());
        r.register("http_injected_errors", "Errors answered because of --error-rate", self.injected_errors.clone());
        r.register("coupon_requests", "Handled coupon requests by result", self.coupon_results.clone());
        r.register("point_charges", "Charges of points done", self.charges.clone());
        r.register("payment_requests", "Handled payment requests by result", self.payment_results.clone());
        r.register("resets", "Calls of POST /reset done", self.resets.clone());
        r.register("websockets_open", "WebSockets that are open", self.websockets.clone());
        r.register("websocket_messages", "Messages that WebSockets sent back", self.websocket_messages.clone());
        r.register("store_waiting", "Requests waiting for a commit", self.store.waiting.clone());
        r.register("store_batch_size", "Requests per committed transaction", self.store.batch_size.clone());
        r.register("store_commit_seconds", "Time of a transaction, durable end included", self.store.commit.clone());
        r.register("store_failures", "Transactions that failed", self.store.failures.clone());
        r.register("outbox_pending", "Outbox rows not yet marked as published", self.store.outbox_pending.clone());
        self
    }

    /// Counts one answered request. `route` is the pattern and not the URL, so that the number of series stays small.
    pub(crate) fn request(&self, method: &'static str, route: &'static str, status: u16, took: Duration) {
        self.requests.get_or_create(&RouteLabels { method, route, status }).observe(took.as_secs_f64());
        let mut quantiles = self.quantiles.lock().unwrap_or_else(PoisonError::into_inner);
        let histogram = quantiles.entry((method, route)).or_insert_with(three_digits);
        histogram.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// Starts the exact quantiles anew; the counts for Prometheus go on.
    pub(crate) fn forget_quantiles(&self) {
        self.quantiles.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Quantiles of the durations, by method and route, to three digits.
    #[must_use]
    pub fn durations(&self) -> Vec<Durations> {
        let quantiles = self.quantiles.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |(&(method, route), histogram): (&(&'static str, &'static str), &Quantiles<u64>)| {
            let ms = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
            Durations {
                method,
                route,
                count: histogram.len(),
                mean_ms: histogram.mean() / 1e3,
                p50_ms: ms(0.5),
                p90_ms: ms(0.9),
                p95_ms: ms(0.95),
                p99_ms: ms(0.99),
                max_ms: histogram.max() as f64 / 1e3,
            }
        };
        quantiles.iter().map(of).collect()
    }

    /// Counts one handled coupon request. Only coupons that exist may be given: each is a series.
    pub(crate) fn coupon_result(&self, coupon: CouponId, result: &'static str) {
        self.coupon_results.get_or_create(&CouponLabels { coupon: coupon.get(), result }).inc();
    }

    /// Counts one handled payment request.
    pub(crate) fn payment_result(&self, result: &'static str) {
        self.payment_results.get_or_create(&ResultLabels { result }).inc();
    }

    /// The counts in the OpenMetrics text format, which Prometheus reads.
    ///
    /// # Errors
    /// Never in practice: writing to a string does not fail.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// How long the calls of one route took, by the server's own clock.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Durations {
    /// The method.
    pub method: &'static str,
    /// The route's pattern.
    pub route: &'static str,
    /// Number of calls.
    pub count: u64,
    /// The mean.
    pub mean_ms: f64,
    /// The median.
    pub p50_ms: f64,
    /// Nine of ten were faster.
    pub p90_ms: f64,
    /// 95 of 100 were faster.
    pub p95_ms: f64,
    /// 99 of 100 were faster.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

/// One microsecond to an hour, within a thousandth.
fn three_digits() -> Quantiles<u64> {
    Quantiles::new_with_bounds(1, 3_600_000_000, 3)
        .expect("constant bounds of which the second is over twice the first")
}

/// `GET /metrics/durations`
pub(crate) async fn durations_json(State(app): State<App>) -> Json<Vec<Durations>> {
    Json(app.metrics.durations())
}

/// Adds one to a gauge for as long as it lives, so that a request whose caller went away is taken off again.
#[derive(Debug)]
pub(crate) struct Counted<'a>(&'a Gauge);

impl<'a> Counted<'a> {
    pub(crate) fn new(gauge: &'a Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// `GET /metrics`
pub(crate) async fn metrics(State(app): State<App>) -> Result<Response, ApiError> {
    let text = app.metrics.text().map_err(|error| {
        ApiError::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, "METRICS_UNWRITABLE", error.to_string())
    })?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
