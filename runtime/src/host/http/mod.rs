//! `flashcrowd:scenario/http`.

mod batch;
mod body;
mod cookies;
mod params;
mod response;

use ::http::Method;
use wasmtime::component::Resource;

pub use body::Body;
pub use params::Params;
pub(crate) use params::Rare;
pub use response::Response;
pub(super) use response::timings;

use super::bindings::flashcrowd::scenario::http;
use super::journey::{Arrival, Counting, Journey, Label};
use super::state::{Departure, Position, VuState};
use crate::http::{ErrorCode, Failure, Outgoing, Payload, check_headers};
use crate::log::Level;
use crate::metrics::{MethodId, Registry};

/// The `url` and `name` of what is no URL.
const INVALID_URL: &str = "(invalid URL)";

impl http::Host for VuState {
    async fn send(
        &mut self,
        mut request: http::Request,
        params: Option<Resource<Params>>,
    ) -> wasmtime::Result<http::Reply> {
        let arrival = match self.prepared(&mut request, None, params.as_ref())? {
            Prepared::Ready(journey) => self.flight.send(journey).await,
            Prepared::Refused(arrival) => *arrival,
        };
        self.reply(arrival, &request.url)
    }

    async fn send_body(
        &mut self,
        mut request: http::Request,
        body: Resource<Body>,
        params: Option<Resource<Params>>,
    ) -> wasmtime::Result<http::Reply> {
        let arrival = match self.prepared(&mut request, Some(&body), params.as_ref())? {
            Prepared::Ready(journey) => self.flight.send(journey).await,
            Prepared::Refused(arrival) => *arrival,
        };
        self.reply(arrival, &request.url)
    }

    async fn send_all(
        &mut self,
        requests: Vec<(http::Request, Option<Resource<Body>>, Option<Resource<Params>>)>,
    ) -> wasmtime::Result<Vec<http::Reply>> {
        self.send_batch(requests).await
    }

    fn set_expected_statuses(&mut self, ranges: Vec<(u16, u16)>) -> wasmtime::Result<()> {
        self.expected = Some(params::statuses(&ranges)?);
        Ok(())
    }

    fn cookies(&mut self, url: String) -> wasmtime::Result<Result<Vec<(String, String)>, String>> {
        Ok(self.with_jar(&url, |jar, url| jar.pairs(url)))
    }

    fn set_cookie(&mut self, url: String, cookie: String) -> wasmtime::Result<Result<(), String>> {
        self.store_cookie(&url, &cookie)
    }

    fn remove_cookie(&mut self, url: String, name: String) -> wasmtime::Result<Result<(), String>> {
        Ok(self.with_jar(&url, |jar, url| jar.remove(url, &name)))
    }

    fn clear_cookies(&mut self, url: String) -> wasmtime::Result<Result<(), String>> {
        Ok(self.with_jar(&url, |jar, url| jar.clear(url)))
    }
}

/// A request of the module, looked at.
pub(super) enum Prepared {
    /// It can be sent.
    Ready(Box<Journey>),
    /// It cannot, and that is counted.
    Refused(Box<Arrival>),
}

impl VuState {
    /// Looks at a request; what it sends is taken out of it, except for a body that is given beside it.
    #[inline]
    pub(super) fn prepared(
        &self,
        request: &mut http::Request,
        body: Option<&Resource<Body>>,
        params: Option<&Resource<Params>>,
    ) -> wasmtime::Result<Prepared> {
        if matches!(self.position, Position::Describe) {
            wasmtime::bail!("`describe` has no network: move the request into `setup` or the scenario function");
        }
        let params = match params {
            Some(params) => self.table.get(params)?,
            None => &Params::NONE,
        };
        let rare = params.rare.clone();
        let timeout = params.timeout;
        let method = method(&request.method);
        let mut counting = Counting {
            around: self.tags,
            own: params.tags,
            label: params.name.clone().map(|(name, symbol)| Label { name, symbol }),
            method: method_id(method.as_ref(), &self.test().registry),
            expected: self.expected_statuses(rare.as_deref()),
        };
        let found = self.shard.cached(|cache, _| cache.target(&request.url));
        let (target, url_symbol) = match found {
            Ok(found) => found,
            Err(error) => {
                // Nonsense has no end: all of it is one series.
                let symbol = self.shard.cached(|cache, _| cache.symbol(INVALID_URL));
                let tags = counting.tags(&self.shard, INVALID_URL, symbol);
                let failure = Failure { code: ErrorCode::INVALID_URL, tag: error.tag(), text: error.to_string() };
                return Ok(Prepared::Refused(Box::new(counting.unsent(&self.shard, tags, failure, None))));
            }
        };
        let tags = counting.tags(&self.shard, &target.url, url_symbol);
        let refused = match (method, check_headers(&request.headers)) {
            (Some(method), Ok(())) => {
                let headers = std::mem::take(&mut request.headers);
                let body = match body {
                    None => request.body.take().map(Payload::from),
                    Some(body) => Some(self.table.get(body)?.payload()),
                };
                let (discard, chunked) = rare.as_ref().map_or((None, false), |rare| (rare.discard, rare.chunked));
                let outgoing = Outgoing {
                    target,
                    method,
                    headers,
                    body,
                    timeout,
                    discard,
                    connect_timeout: rare.as_ref().and_then(|rare| rare.connect_timeout),
                    http_version: rare.as_ref().and_then(|rare| rare.http_version),
                    chunked,
                    streamed: false,
                };
                let (room, shower) = (self.room(), self.shower());
                let journey = Journey { outgoing, tags, counting, rare, room, shower };
                return Ok(Prepared::Ready(Box::new(journey)));
            }
            (None, _) => Failure::new(
                ErrorCode::OTHER,
                "invalid method",
                "a method is letters and digits without spaces, such as PROPFIND, and not CONNECT",
            ),
            (_, Err(failure)) => failure,
        };
        Ok(Prepared::Refused(Box::new(counting.unsent(&self.shard, tags, refused, Some(target)))))
    }

    /// Bytes of answers that the instance may still hold.
    pub(super) fn room(&self) -> usize {
        self.memory.max_bytes().saturating_sub(self.held_bytes)
    }

    /// Hands what came of a request to the module. Its samples are recorded already.
    fn reply(&mut self, arrival: Arrival, url: &str) -> wasmtime::Result<http::Reply> {
        self.tell_problems(&arrival);
        self.throw(&arrival)?;
        let (status, error_code) = (arrival.exchange.status, arrival.error_code.0);
        let response = Response::new(arrival, url);
        self.held_bytes += response.held_bytes();
        let response = self.table.push(response)?;
        Ok(http::Reply { status, error_code, response })
    }

    /// With `throw`, a request that failed ends the iteration.
    pub(super) fn throw(&mut self, arrival: &Arrival) -> wasmtime::Result<()> {
        if self.test().throw
            && let Some(failure) = &arrival.exchange.failure
        {
            self.departure = Some(Departure::FailIteration(format!("request failed: {}", failure.text)));
            wasmtime::bail!("request failed");
        }
        Ok(())
    }

    /// The first refused call to a host prints the flag that would allow it, and the first failure of a kind its whole story;
    /// all are counted.
    pub(super) fn tell_problems(&self, arrival: &Arrival) {
        if let Some(most) = arrival.limit_reached {
            self.warn_once(&format!(
                "a request was redirected {most} times (maxRedirects), and its last redirect is taken as the answer"
            ));
        }
        let Some(failure) = &arrival.exchange.failure else { return };
        let problems = &self.test().problems;
        let refused = matches!(failure.code, ErrorCode::BLOCKED_ADDRESS | ErrorCode::BLOCKED_HOST);
        let first = match &arrival.target {
            Some(target) if refused => problems.host_refused(&target.origin.to_string()),
            _ => problems.request_failed(failure.tag),
        };
        if first {
            self.say(Level::Warn, &format!("request failed: {}", failure.text));
        }
    }

    fn warn_once(&self, text: &str) {
        if self.test().problems.warn(text) {
            self.say(Level::Warn, text);
        }
    }

    /// What the request, the virtual user or the scenario expects; `None` for what everybody does.
    fn expected_statuses(&self, rare: Option<&Rare>) -> Option<crate::http::Statuses> {
        let own = rare.and_then(|rare| rare.expected.as_ref());
        own.or(self.expected.as_ref()).or_else(|| self.scenario()?.expected_statuses.as_ref()).cloned()
    }
}

fn method(method: &http::Method) -> Option<Method> {
    Some(match method {
        http::Method::Get => Method::GET,
        http::Method::Head => Method::HEAD,
        http::Method::Post => Method::POST,
        http::Method::Put => Method::PUT,
        http::Method::Delete => Method::DELETE,
        http::Method::Options => Method::OPTIONS,
        http::Method::Patch => Method::PATCH,
        // A CONNECT opens a tunnel: what follows it is no HTTP.
        http::Method::Other(name) if name == "CONNECT" => return None,
        http::Method::Other(name) => Method::from_bytes(name.as_bytes()).ok()?,
    })
}

/// The method's number; the usual ones are known without a look-up.
pub(super) fn method_id(method: Option<&Method>, registry: &Registry) -> MethodId {
    match method {
        Some(&Method::GET) => MethodId::GET,
        Some(&Method::POST) => MethodId::POST,
        Some(&Method::PUT) => MethodId::PUT,
        Some(&Method::DELETE) => MethodId::DELETE,
        Some(&Method::PATCH) => MethodId::PATCH,
        Some(other) => registry.method(other.as_str()),
        None => registry.method("(invalid)"),
    }
}
