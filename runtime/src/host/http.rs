//! `flashcrowd:scenario/http`.

use std::sync::Arc;
use std::time::Duration;

use ::http::Method;
use bytes::Bytes;
use wasmtime::component::Resource;

use super::bindings::flashcrowd::scenario::http;
use super::limits::short;
use super::series_cache::{RequestLabel, Symbol};
use super::state::{Departure, Position, VuState};
use crate::http::tls::TlsVersion;
use crate::http::{ErrorCode, Exchange, Failure, Head, Outgoing, Target, Timings, check_headers};
use crate::log::Level;
use crate::metrics::{HttpKey, HttpSample, MethodId, Registry, TagSetId, builtin};

/// Statuses that count as a success: k6's default.
const EXPECTED: std::ops::RangeInclusive<u16> = 200..=399;

/// The `url` and `name` of what is no URL.
const INVALID_URL: &str = "(invalid URL)";

/// How a request is sent and counted.
#[derive(Debug)]
pub struct Params {
    timeout: Option<Duration>,
    name: Option<(Arc<str>, Symbol)>,
    tags: TagSetId,
}

/// An answer that the module may look into.
#[derive(Debug)]
pub struct Response {
    url: Arc<str>,
    head: Head,
    body: Bytes,
    timings: Timings,
    error: Option<String>,
    protocol: &'static str,
}

impl Response {
    /// What it costs to hold it, roughly.
    fn held_bytes(&self) -> usize {
        let texts = self.url.len() + self.error.as_ref().map_or(0, String::len);
        self.body.len() + self.head.len() + texts + size_of::<Self>()
    }
}

impl http::Host for VuState {
    async fn send(
        &mut self,
        request: http::Request,
        params: Option<Resource<Params>>,
    ) -> wasmtime::Result<http::Reply> {
        if matches!(self.position, Position::Describe) {
            wasmtime::bail!("`describe` has no network: move the request into `setup` or the scenario function");
        }
        let (timeout, name, own_tags) = match &params {
            Some(params) => {
                let params = self.table.get(params)?;
                (params.timeout, params.name.clone(), params.tags)
            }
            None => (None, None, TagSetId::EMPTY),
        };
        let method = method(&request.method);
        let found = self.shard.cached(|cache, _| cache.target(&request.url));
        let (target, url_symbol) = match found {
            Ok((target, symbol)) => (Some(target), symbol),
            Err(error) => {
                // Nonsense has no end: all of it is one series.
                let symbol = self.shard.cached(|cache, _| cache.symbol(INVALID_URL));
                let failure = Failure { code: ErrorCode::INVALID_URL, tag: error.tag(), text: error.to_string() };
                let base = self.request_tags(INVALID_URL, symbol, name.as_ref(), own_tags);
                return self.reply(Exchange::failed(failure), INVALID_URL, None, base, method);
            }
        };
        let shown_url = target.as_ref().map_or(&*request.url, |target| &target.url);
        let base = self.request_tags(shown_url, url_symbol, name.as_ref(), own_tags);
        let exchange = match (&method, check_headers(&request.headers), target.clone()) {
            (Some(method), Ok(()), Some(target)) => {
                let body = request.body.map(Into::into);
                let headers = request.headers;
                let outgoing = Outgoing {
                    target,
                    method: method.clone(),
                    headers,
                    body,
                    timeout,
                    discard: None,
                    connect_timeout: None,
                    http_version: None,
                };
                self.flight.send(outgoing, base).await
            }
            (None, ..) => Exchange::failed(Failure::new(
                ErrorCode::OTHER,
                "invalid method",
                "a method is letters and digits without spaces, such as PROPFIND, and not CONNECT",
            )),
            (_, Err(failure), _) => Exchange::failed(failure),
            (_, _, None) => Exchange::failed(Failure::new(ErrorCode::INVALID_URL, "invalid URL", "it has no target")),
        };
        self.reply(exchange, &request.url, target, base, method)
    }
}

impl VuState {
    /// Records the exchange and hands it to the module.
    fn reply(
        &mut self,
        mut exchange: Exchange,
        url: &str,
        target: Option<Arc<Target>>,
        base: TagSetId,
        method: Option<Method>,
    ) -> wasmtime::Result<http::Reply> {
        self.keep_within_limit(&mut exchange);
        self.tell_failure(&exchange, target.as_deref());
        let error_code = match &exchange.failure {
            Some(failure) => failure.code,
            None => ErrorCode::of_status(exchange.status),
        };
        let key = HttpKey {
            base,
            method: method_id(method.as_ref(), &self.test().registry),
            status: exchange.status,
            error_code: error_code.0,
            error: exchange.failure.as_ref().map_or("", |failure| failure.tag),
            protocol: exchange.protocol,
            tls_version: exchange.tls.map_or("", TlsVersion::as_str),
            expected: exchange.failure.is_none() && EXPECTED.contains(&exchange.status),
        };
        let Timings { blocked, connecting, tls_handshaking, sending, waiting, receiving, looking_up } =
            exchange.timings;
        let sample = HttpSample {
            blocked,
            connecting,
            tls_handshaking,
            sending,
            waiting,
            receiving,
            bytes_sent: exchange.bytes_sent,
            bytes_received: exchange.bytes_received,
        };
        self.shard.record(|recorder| recorder.http(&key, &sample));
        if let Some(looking_up) = looking_up {
            let tags = key.tags(&self.test().registry);
            self.shard.record(|recorder| recorder.duration(builtin::HTTP_REQ_LOOKING_UP, tags, looking_up));
        }
        if self.test().throw
            && let Some(failure) = &exchange.failure
        {
            self.departure = Some(Departure::FailIteration(format!("request failed: {}", failure.text)));
            wasmtime::bail!("request failed");
        }

        let response = Response {
            url: target.map_or_else(|| url.into(), |target| Arc::clone(&target.url)),
            head: exchange.head,
            body: exchange.body,
            timings: exchange.timings,
            error: exchange.failure.map(|failure| failure.text),
            protocol: exchange.protocol,
        };
        self.held_bytes += response.held_bytes();
        let response = self.table.push(response)?;
        Ok(http::Reply { status: exchange.status, error_code: error_code.0, response })
    }

    /// The tags of a request, as far as they are known before it is sent.
    fn request_tags(
        &self,
        url: &str,
        url_symbol: Symbol,
        name: Option<&(Arc<str>, Symbol)>,
        own_tags: TagSetId,
    ) -> TagSetId {
        let label = match name {
            Some((name, symbol)) => RequestLabel::Name(name, *symbol),
            None => RequestLabel::Url(url, url_symbol),
        };
        self.shard.cached(|cache, registry| cache.request(registry, self.tags, &label, own_tags))
    }

    /// An answer that the instance may hold: of its own memory's size in all, at most.
    fn keep_within_limit(&self, exchange: &mut Exchange) {
        let wanted = self.held_bytes + exchange.body.len();
        if exchange.failure.is_none() && wanted > self.memory.max_bytes() {
            exchange.body = Bytes::new();
            exchange.failure = Some(Failure::new(
                ErrorCode::OTHER,
                "body dropped",
                format_args!(
                    "this instance holds {} bytes of answers already; let go of responses, or raise --memory-limit",
                    self.held_bytes
                ),
            ));
        }
    }

    /// The first refused call to a host prints the flag that would allow it, and the first failure of a kind its whole story;
    /// all are counted.
    fn tell_failure(&self, exchange: &Exchange, target: Option<&Target>) {
        let Some(failure) = &exchange.failure else { return };
        let problems = &self.test().problems;
        let refused = matches!(failure.code, ErrorCode::BLOCKED_ADDRESS | ErrorCode::BLOCKED_HOST);
        let first = match target {
            Some(target) if refused => problems.host_refused(&target.origin.to_string()),
            _ => problems.request_failed(failure.tag),
        };
        if first {
            self.say(Level::Warn, &format!("request failed: {}", failure.text));
        }
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
fn method_id(method: Option<&Method>, registry: &Registry) -> MethodId {
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

impl http::HostParams for VuState {
    fn new(&mut self) -> wasmtime::Result<Resource<Params>> {
        Ok(self.table.push(Params { timeout: None, name: None, tags: TagSetId::EMPTY })?)
    }

    fn set_timeout(&mut self, params: Resource<Params>, nanoseconds: u64) -> wasmtime::Result<()> {
        self.table.get_mut(&params)?.timeout = (nanoseconds > 0).then(|| Duration::from_nanos(nanoseconds));
        Ok(())
    }

    fn set_name(&mut self, params: Resource<Params>, name: String) -> wasmtime::Result<()> {
        short("a request's name", &name)?;
        let symbol = self.shard.cached(|cache, _| cache.symbol(&name));
        self.table.get_mut(&params)?.name = Some((name.into(), symbol));
        Ok(())
    }

    fn set_tags(&mut self, params: Resource<Params>, tags: u32) -> wasmtime::Result<()> {
        let tags = self.tag_set(tags)?;
        self.table.get_mut(&params)?.tags = tags;
        Ok(())
    }

    fn drop(&mut self, params: Resource<Params>) -> wasmtime::Result<()> {
        self.table.delete(params)?;
        Ok(())
    }
}

impl http::HostResponse for VuState {
    fn header(&mut self, response: Resource<Response>, name: String) -> wasmtime::Result<Option<Vec<u8>>> {
        Ok(self.table.get(&response)?.head.get(&name).map(<[u8]>::to_vec))
    }

    fn headers(&mut self, response: Resource<Response>) -> wasmtime::Result<Vec<(String, Vec<u8>)>> {
        Ok(self.table.get(&response)?.head.all())
    }

    fn body(&mut self, response: Resource<Response>) -> wasmtime::Result<Vec<u8>> {
        Ok(self.table.get(&response)?.body.to_vec())
    }

    fn timings(&mut self, response: Resource<Response>) -> wasmtime::Result<http::Timings> {
        let Timings { blocked, connecting, tls_handshaking, sending, waiting, receiving, .. } =
            self.table.get(&response)?.timings;
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Ok(http::Timings {
            blocked: ns(blocked),
            connecting: ns(connecting),
            tls_handshaking: ns(tls_handshaking),
            sending: ns(sending),
            waiting: ns(waiting),
            receiving: ns(receiving),
        })
    }

    fn error(&mut self, response: Resource<Response>) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&response)?.error.clone())
    }

    fn url(&mut self, response: Resource<Response>) -> wasmtime::Result<String> {
        Ok(self.table.get(&response)?.url.to_string())
    }

    fn protocol(&mut self, response: Resource<Response>) -> wasmtime::Result<String> {
        Ok(self.table.get(&response)?.protocol.to_owned())
    }

    fn drop(&mut self, response: Resource<Response>) -> wasmtime::Result<()> {
        let response = self.table.delete(response)?;
        self.held_bytes = self.held_bytes.saturating_sub(response.held_bytes());
        Ok(())
    }
}
