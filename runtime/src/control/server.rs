//! The HTTP API: a thread with an event loop of its own, so that nobody who asks disturbs a shard.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::access::Access;
use super::k6;
use super::live::{Live, Refusal, Topic};
use crate::executor::ScaleError;

/// Who steers, in what the person reads.
pub(super) const WHO: &str = "the API";
/// What a request may bring.
const MOST_BODY: usize = 16 << 10;
/// How long an answer from the totals may take: they are asked between two collections.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long answers under way may take when the run is over.
const FAREWELL: Duration = Duration::from_secs(1);

/// The API's description, which a test holds against what is served.
pub const OPENAPI: &str = include_str!("openapi.json");

/// A server that ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    end: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Listens, so that an address that is taken is known before the load.
///
/// # Errors
/// The system's word.
pub fn bind(access: &Access) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(access.address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

impl Server {
    /// Serves on a thread of its own.
    ///
    /// # Errors
    /// When the system refuses the thread or its event loop.
    pub fn start(listener: TcpListener, access: Access, live: Arc<Live>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let end = CancellationToken::new();
        let ended = end.clone();
        let serve = async move {
            let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
            let until = ended.clone();
            let serving = axum::serve(listener, router(access, live))
                .with_graceful_shutdown(async move { until.cancelled().await });
            let farewell = async {
                ended.cancelled().await;
                tokio::time::sleep(FAREWELL).await;
            };
            tokio::select! {
                _ = serving.into_future() => {}
                () = farewell => {}
            }
        };
        let thread = std::thread::Builder::new().name("control".to_owned()).spawn(move || runtime.block_on(serve))?;
        Ok(Self { address, end, thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end.cancel();
        if let Some(thread) = self.thread.take() {
            // It ends within `FAREWELL`, and has nothing to tell.
            let _ = thread.join();
        }
    }
}

/// All routes, behind the check of who asks.
pub(super) fn router(access: Access, live: Arc<Live>) -> Router {
    let access = Arc::new(access);
    let check = move |request: Request, next: Next| {
        let refused = access.check(request.method(), request.headers());
        async move {
            match refused {
                Ok(()) => next.run(request).await,
                Err((status, problem)) => {
                    let mut response = error(status, &problem);
                    if status == StatusCode::UNAUTHORIZED {
                        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                    }
                    response
                }
            }
        }
    };
    Router::new()
        .route("/api/status", get(status))
        .route("/api/metrics", get(|State(live): State<Arc<Live>>| ask(live, Topic::Metrics)))
        .route("/api/thresholds", get(|State(live): State<Arc<Live>>| ask(live, Topic::Thresholds)))
        .route("/api/pause", post(pause))
        .route("/api/resume", post(resume))
        .route("/api/stop", post(stop))
        .route("/api/scenarios/{name}", patch(scale))
        .route("/openapi.json", get(openapi))
        .route("/v1/status", get(k6::status).patch(k6::change))
        .route("/v1/metrics", get(k6::metrics))
        .fallback(async || error(StatusCode::NOT_FOUND, "there is nothing here; /openapi.json says what there is"))
        .method_not_allowed_fallback(async || {
            error(StatusCode::METHOD_NOT_ALLOWED, "this cannot be done here; /openapi.json says what can")
        })
        .layer(DefaultBodyLimit::max(MOST_BODY))
        .layer(middleware::from_fn(check))
        .with_state(live)
}

async fn status(State(live): State<Arc<Live>>) -> Response {
    json(StatusCode::OK, &live.status())
}

async fn ask(live: Arc<Live>, topic: Topic) -> Response {
    match answer(&live, topic).await {
        Ok(value) => json(StatusCode::OK, &value),
        Err(response) => response,
    }
}

/// What the totals say of it; whoever holds them may be busy with making the summary.
pub(super) async fn answer(live: &Live, topic: Topic) -> Result<Value, Response> {
    match tokio::time::timeout(PATIENCE, live.ask(topic)).await {
        Ok(Some(value)) => Ok(value),
        _ => Err(error(StatusCode::SERVICE_UNAVAILABLE, "the run is busy with its summary; ask again")),
    }
}

async fn pause(State(live): State<Arc<Live>>, body: Bytes) -> Response {
    act(&live, &body, |Nothing {}| live.pause(WHO).map(drop))
}

async fn resume(State(live): State<Arc<Live>>, body: Bytes) -> Response {
    act(&live, &body, |Nothing {}| live.resume(WHO).map(drop))
}

async fn stop(State(live): State<Arc<Live>>, body: Bytes) -> Response {
    act(&live, &body, |Stop { now }| {
        live.stop(now, WHO);
        Ok(())
    })
}

async fn scale(State(live): State<Arc<Live>>, Path(name): Path<String>, body: Bytes) -> Response {
    let change: Scale = match read(&body) {
        Ok(change) => change,
        Err(response) => return response,
    };
    let scaled = match (change.vus, change.rate) {
        (Some(vus), None) => live.set_vus(&name, vus, WHO),
        (None, Some(rate)) => live.set_rate(&name, rate, WHO),
        _ => return error(StatusCode::BAD_REQUEST, "give either vus or rate, such as {\"vus\": 20}"),
    };
    done(&live, scaled.map(drop))
}

async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

/// No fields.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Stop {
    #[serde(default)]
    now: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Scale {
    vus: Option<u64>,
    rate: Option<u64>,
}

fn act<T: serde::de::DeserializeOwned + Default>(
    live: &Live,
    body: &Bytes,
    act: impl FnOnce(T) -> Result<(), Refusal>,
) -> Response {
    match read(body) {
        Ok(given) => done(live, act(given)),
        Err(response) => response,
    }
}

/// Nothing is as good as an empty object.
#[expect(clippy::result_large_err, reason = "the answer is sent at once, and once")]
pub(super) fn read<T: serde::de::DeserializeOwned + Default>(body: &Bytes) -> Result<T, Response> {
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(body).map_err(|problem| {
        error(
            StatusCode::BAD_REQUEST,
            &format!("the body is not what is wanted here: {problem}; /openapi.json says what is"),
        )
    })
}

/// How things stand after a change, or why it was not made.
fn done(live: &Live, result: Result<(), Refusal>) -> Response {
    match result {
        Ok(()) => json(StatusCode::OK, &live.status()),
        Err(refusal) => refused(&refusal),
    }
}

pub(super) fn refused(refusal: &Refusal) -> Response {
    let status = match refusal {
        Refusal::Scale(ScaleError::Unknown { .. }) => StatusCode::NOT_FOUND,
        Refusal::Scale(ScaleError::TooMany { .. } | ScaleError::TooFast { .. }) => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::Scale(_) | Refusal::Over(_) => StatusCode::CONFLICT,
    };
    error(status, &refusal.to_string())
}

pub(super) fn error(status: StatusCode, problem: &str) -> Response {
    json(status, &json!({ "error": problem }))
}

pub(super) fn json(status: StatusCode, value: &impl serde::Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => (status, [(CONTENT_TYPE, "application/json")], body).into_response(),
        Err(problem) => (StatusCode::INTERNAL_SERVER_ERROR, problem.to_string()).into_response(),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
