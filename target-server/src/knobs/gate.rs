//! The way into a handler: counted, queued for a place, delayed, sometimes refused.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::Latency;
use crate::error::ApiError;
use crate::metrics::{Counted, Metrics};

/// How requests of the API are treated before their handler runs. Health, metrics, audit and reset are exempt.
#[derive(Debug)]
pub struct Shape {
    latency: Latency,
    error_rate: f64,
    places: Option<Semaphore>,
}

/// Why a [`Shape`] cannot be built.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ShapeError {
    /// The error rate is not a share.
    #[error("{0} is not a share; give a number from 0 (none) to 1 (every request)")]
    ErrorRate(f64),
    /// A limit of nothing would let nobody in.
    #[error("0 would let no request in; give 1 or more, or leave the limit away")]
    NoPlaces,
    /// More than the semaphore can count.
    #[error("{0} is more than can be counted; give at most {max}", max = Semaphore::MAX_PERMITS)]
    TooManyPlaces(usize),
}

impl Shape {
    /// `latency` is added to each request while it holds its place; `error_rate` is the share, 0 to 1, answered 500
    /// without doing the work; `max_concurrency` is how many requests are let in at once, the others wait in order.
    ///
    /// # Errors
    /// [`ShapeError`] for a rate outside 0 to 1, or a limit of 0.
    pub fn try_new(latency: Latency, error_rate: f64, max_concurrency: Option<usize>) -> Result<Self, ShapeError> {
        if !(0.0..=1.0).contains(&error_rate) {
            return Err(ShapeError::ErrorRate(error_rate));
        }
        let places = match max_concurrency {
            None => None,
            Some(0) => return Err(ShapeError::NoPlaces),
            Some(n) if n > Semaphore::MAX_PERMITS => return Err(ShapeError::TooManyPlaces(n)),
            Some(n) => Some(Semaphore::new(n)),
        };
        Ok(Self { latency, error_rate, places })
    }

    async fn place(&self, metrics: &Metrics) -> Option<SemaphorePermit<'_>> {
        let places = self.places.as_ref()?;
        if let Ok(permit) = places.try_acquire() {
            return Some(permit);
        }
        let waiting_since = Instant::now();
        let _queued = Counted::new(&metrics.queued);
        // The semaphore is never closed, so the only outcome is a permit.
        let permit = places.acquire().await.ok();
        metrics.queue_wait.observe(waiting_since.elapsed().as_secs_f64());
        permit
    }

    fn refuses(&self) -> bool {
        self.error_rate > 0.0 && rand::random::<f64>() < self.error_rate
    }
}

impl Default for Shape {
    fn default() -> Self {
        Self { latency: Latency::NONE, error_rate: 0.0, places: None }
    }
}

/// One route, as seen by [`observe`].
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub(crate) method: &'static str,
    pub(crate) route: &'static str,
    pub(crate) metrics: Arc<Metrics>,
    /// `None` for the routes that the knobs leave alone.
    pub(crate) shape: Option<Arc<Shape>>,
}

/// Counts a request, and treats it as the route's shape says.
pub(crate) async fn observe(State(watched): State<Arc<Watched>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let metrics = &*watched.metrics;
    let response = match &watched.shape {
        None => next.run(request).await,
        Some(shape) => {
            let _in_flight = Counted::new(&metrics.in_flight);
            let _place = shape.place(metrics).await;
            if !shape.latency.is_none() {
                let latency = shape.latency.sample(&mut rand::rng());
                tokio::time::sleep(latency).await;
            }
            if shape.refuses() {
                metrics.injected_errors.inc();
                injected()
            } else {
                next.run(request).await
            }
        }
    };
    metrics.request(watched.method, watched.route, response.status().as_u16(), began.elapsed());
    response
}

fn injected() -> Response {
    ApiError::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "INJECTED",
        "answered on purpose because of --error-rate; nothing was done",
    )
    .into_response()
}
