//! `flashcrowd:scenario/grpc`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use wasmtime::component::Resource;

use super::bindings::flashcrowd::scenario::grpc;
use super::limits::short;
use super::series_cache::{RequestLabel, Symbol, extend};
use super::sessions::MAX_SESSIONS;
use super::state::{Position, VuState};
use super::streams::Stream;
use crate::grpc::{Code, Metadata, Request, Status, begin, check, is_method_path, metadata_text};
use crate::http::{ErrorCode, Failure, Target};
use crate::log::Level;
use crate::metrics::{SystemTag, TagSetId, builtin};

/// k6's default, of a unary call.
const UNARY_TIMEOUT: Duration = Duration::from_secs(120);
/// gRPC's usual one.
const MAX_MESSAGE_BYTES: usize = 4 << 20;
/// The `url` and `name` of what is no URL.
const INVALID_URL: &str = "(invalid URL)";

/// How a call is made and counted.
#[derive(Debug, Clone)]
pub struct Params {
    timeout: Option<Duration>,
    name: Option<(Arc<str>, Symbol)>,
    tags: TagSetId,
    gzip: bool,
    max_bytes: usize,
}

impl Default for Params {
    fn default() -> Self {
        Self { timeout: None, name: None, tags: TagSetId::EMPTY, gzip: false, max_bytes: MAX_MESSAGE_BYTES }
    }
}

/// A call as the module has it: what is under way stands in `sessions::Sessions`.
#[derive(Debug)]
pub struct Call {
    /// 0 for none.
    session: u64,
    over: Over,
}

/// What is known of a call. Until it is over, its status is `None`.
#[derive(Debug, Default)]
pub(super) struct Over {
    pub(super) status: Option<Status>,
    pub(super) headers: Metadata,
    pub(super) trailers: Metadata,
}

impl Over {
    fn held_bytes(&self) -> usize {
        let metadata = self.headers.iter().chain(&self.trailers);
        let metadata: usize = metadata.map(|(name, value)| name.len() + value.len() + 64).sum();
        metadata + self.status.as_ref().map_or(0, |status| status.message.len()) + size_of::<Call>()
    }

    fn failed(status: Status) -> Self {
        Self { status: Some(status), ..Self::default() }
    }
}

/// What the module calls.
#[derive(Clone)]
struct Asked {
    url: String,
    method: String,
    metadata: Metadata,
    message: Bytes,
    params: Params,
}

impl grpc::Host for VuState {
    async fn unary(
        &mut self,
        url: String,
        method: String,
        metadata: Metadata,
        message: Vec<u8>,
        params: Option<Resource<Params>>,
    ) -> wasmtime::Result<grpc::Reply> {
        let params = self.grpc_params(params.as_ref(), Some(UNARY_TIMEOUT))?;
        let limit = params.timeout;
        let began = Instant::now();
        let mut asked = Asked { url, method, metadata, message: message.into(), params };
        let (mut answer, mut again) = (None, true);
        let (tags, over) = loop {
            match self.begin_call(asked.clone()).await? {
                (tags, Err(status)) => break (tags, Over::failed(status)),
                (tags, Ok(mut stream)) => {
                    answer = stream.call.single().await;
                    stream.record_bytes();
                    self.after(&stream);
                    // Once: a server that refuses everything is no reason to call it for ever.
                    if std::mem::take(&mut again) && stream.call.is_untouched() {
                        asked.params.timeout = limit.map(|limit| limit.saturating_sub(began.elapsed()));
                        continue;
                    }
                    break (tags, stream.over());
                }
            }
        };
        let lasted = began.elapsed();
        let status = over.status.clone().unwrap_or_else(nothing_known);
        let tags = self.status_tags(tags, &status);
        self.shard.record(|recorder| recorder.duration(builtin::GRPC_REQ_DURATION, tags, lasted));
        self.tell_grpc_failure(&status);
        let call = self.keep_call(Call { session: 0, over })?;
        Ok(grpc::Reply { status: status.into(), message: answer.map(|message| message.to_vec()), call })
    }

    async fn server_stream(
        &mut self,
        url: String,
        method: String,
        metadata: Metadata,
        message: Vec<u8>,
        params: Option<Resource<Params>>,
    ) -> wasmtime::Result<Resource<Call>> {
        let params = self.grpc_params(params.as_ref(), None)?;
        let begun = self.begin_call(Asked { url, method, metadata, message: message.into(), params }).await?;
        let call = match begun {
            (tags, Ok(mut stream)) => {
                // The module may sleep before it asks for the first answer.
                stream.call.attend();
                self.shard.record(|recorder| {
                    recorder.add(builtin::GRPC_STREAMS, tags, 1.0);
                    recorder.add(builtin::GRPC_STREAMS_MSGS_SENT, tags, 1.0);
                });
                stream.record_bytes();
                Call { session: self.flight.sessions.add_stream(stream), over: Over::default() }
            }
            (tags, Err(status)) => {
                let tags = self.status_tags(tags, &status);
                self.shard.record(|recorder| recorder.add(builtin::GRPC_STREAMS, tags, 1.0));
                self.tell_grpc_failure(&status);
                Call { session: 0, over: Over::failed(status) }
            }
        };
        self.keep_call(call)
    }
}

/// A call that ended without anybody saying how.
fn nothing_known() -> Status {
    Status::own(Code::UNKNOWN, "no gRPC status", "the call ended without one")
}

impl VuState {
    fn grpc_params(&self, params: Option<&Resource<Params>>, timeout: Option<Duration>) -> wasmtime::Result<Params> {
        let mut params = match params {
            Some(params) => self.table.get(params)?.clone(),
            None => Params::default(),
        };
        params.timeout = params.timeout.or(timeout);
        params.max_bytes = params.max_bytes.min(self.memory.max_bytes());
        Ok(params)
    }

    /// Sends a call's request; gives its tags too.
    async fn begin_call(&mut self, asked: Asked) -> wasmtime::Result<(TagSetId, Result<Stream, Status>)> {
        if matches!(self.position, Position::Describe) {
            wasmtime::bail!("`describe` has no network: move the call into `setup` or the scenario function");
        }
        // Calls that are refused at once would never leave the turn to anybody else.
        tokio::task::coop::consume_budget().await;
        let Asked { url, method, metadata, message, params } = asked;
        short("a gRPC method", &method)?;
        let target = self.shard.cached(|cache, _| cache.target(&url));
        let path = is_method_path(&method);
        let shown = match (&target, path) {
            (Ok((target, _)), Some(_)) => format!("{}{method}", target.url.trim_end_matches('/')),
            // Nonsense has no end: all of it is one series.
            _ => INVALID_URL.to_owned(),
        };
        let symbol = self.shard.cached(|cache, _| cache.symbol(&shown));
        let label = match &params.name {
            Some((name, symbol)) => RequestLabel::Name(name, *symbol),
            None => RequestLabel::Url(&shown, symbol),
        };
        let base = self.shard.cached(|cache, registry| cache.request(registry, self.tags, &label, params.tags));
        let mut tags = vec![];
        if let Some((service, method)) = path {
            tags.extend([(SystemTag::Service, service), (SystemTag::Method, method)]);
        }
        let base = extend(&self.shard.test.registry, base, &tags);
        let request = match (&target, path) {
            (Err(error), _) => {
                let failure = Failure { code: ErrorCode::INVALID_URL, tag: error.tag(), text: error.to_string() };
                Err(Status::failed(Code::INVALID_ARGUMENT, failure))
            }
            (_, None) => {
                let shown: String = method.chars().take(100).collect();
                let detail = format_args!("`{shown}`; write it as /package.Service/Method");
                Err(Status::own(Code::INVALID_ARGUMENT, "invalid gRPC method", detail))
            }
            _ if !self.flight.sessions.has_room() => {
                let detail = format_args!("this virtual user has {MAX_SESSIONS} open already; let go of some");
                Err(Status::own(Code::RESOURCE_EXHAUSTED, "too many streams", detail))
            }
            (Ok((target, _)), Some(_)) => check(&metadata).map(|()| Request {
                target,
                path: &method,
                metadata,
                message,
                gzip: params.gzip,
                timeout: params.timeout,
                max_bytes: params.max_bytes,
            }),
        };
        let sessions = &self.flight.sessions;
        let settings = &self.shard.http;
        let begun = match request {
            Err(status) => Err(status),
            Ok(request) => {
                let (local, budget) = (sessions.local(), sessions.budget.clone());
                begin(&sessions.channels, settings, local, request, budget, Arc::clone(&self.shard.coding)).await
            }
        };
        if let (Err(status), Ok((target, _))) = (&begun, &target) {
            self.tell_refused(status, target);
        }
        let mut tags = Vec::new();
        let remote = begun.as_ref().ok().map(|call| call.connection().remote().ip().to_string());
        if let Some(remote) = &remote {
            tags.push((SystemTag::Ip, remote.as_str()));
        }
        if let Some(tls) = begun.as_ref().ok().and_then(|call| call.connection().tls()) {
            tags.push((SystemTag::TlsVersion, tls.as_str()));
        }
        let tags = extend(&self.shard.test.registry, base, &tags);
        Ok((tags, begun.map(|call| Stream::new(call, Arc::clone(&self.shard), tags))))
    }

    /// A connection that broke serves no further call.
    fn after(&self, stream: &Stream) {
        if stream.call.is_broken() {
            self.flight.sessions.channels.forget(stream.call.connection());
        }
    }

    fn status_tags(&self, base: TagSetId, status: &Status) -> TagSetId {
        super::streams::status_tags(&self.shard, base, status)
    }

    /// The first refused call to a host prints the flag that would allow it.
    fn tell_refused(&self, status: &Status, target: &Target) {
        let refused = matches!(status.error_code, ErrorCode::BLOCKED_ADDRESS | ErrorCode::BLOCKED_HOST);
        if refused && self.test().problems.host_refused(&target.origin.to_string()) {
            self.say(Level::Warn, &format!("gRPC call failed: {}", status.message));
        }
    }

    /// The first failure of a kind tells its whole story; what the server said is the scenario's affair.
    fn tell_grpc_failure(&self, status: &Status) {
        let refused = matches!(status.error_code, ErrorCode::BLOCKED_ADDRESS | ErrorCode::BLOCKED_HOST);
        let is_failure = status.error_code != ErrorCode::NONE && !refused;
        if is_failure && self.test().problems.request_failed(status.tag) {
            self.say(Level::Warn, &format!("gRPC call failed: {}", status.message));
        }
    }

    fn keep_call(&mut self, call: Call) -> wasmtime::Result<Resource<Call>> {
        self.hold(call.over.held_bytes())?;
        Ok(self.table.push(call)?)
    }

    /// Counts what an instance holds.
    pub(super) fn hold(&mut self, bytes: usize) -> wasmtime::Result<()> {
        self.held_bytes += bytes;
        if self.held_bytes > self.memory.max_bytes() {
            wasmtime::bail!(
                "this instance holds {} bytes of answers; let go of what is no longer needed, or raise --memory-limit",
                self.held_bytes
            );
        }
        Ok(())
    }

    /// Keeps what is known of a call whose stream is over.
    fn conclude(&mut self, call: &Resource<Call>, over: Over) -> wasmtime::Result<()> {
        let known = self.table.get_mut(call)?;
        let before = known.over.held_bytes();
        known.over = over;
        let after = known.over.held_bytes();
        self.hold(after.saturating_sub(before))
    }
}

impl grpc::HostParams for VuState {
    fn new(&mut self) -> wasmtime::Result<Resource<Params>> {
        Ok(self.table.push(Params::default())?)
    }

    fn set_timeout(&mut self, params: Resource<Params>, nanoseconds: u64) -> wasmtime::Result<()> {
        self.table.get_mut(&params)?.timeout = (nanoseconds > 0).then(|| Duration::from_nanos(nanoseconds));
        Ok(())
    }

    fn set_name(&mut self, params: Resource<Params>, name: String) -> wasmtime::Result<()> {
        short("a call's name", &name)?;
        let symbol = self.shard.cached(|cache, _| cache.symbol(&name));
        self.table.get_mut(&params)?.name = Some((name.into(), symbol));
        Ok(())
    }

    fn set_tags(&mut self, params: Resource<Params>, tags: u32) -> wasmtime::Result<()> {
        let tags = self.tag_set(tags)?;
        self.table.get_mut(&params)?.tags = tags;
        Ok(())
    }

    fn set_gzip(&mut self, params: Resource<Params>, gzip: bool) -> wasmtime::Result<()> {
        self.table.get_mut(&params)?.gzip = gzip;
        Ok(())
    }

    fn set_max_message(&mut self, params: Resource<Params>, bytes: u32) -> wasmtime::Result<()> {
        self.table.get_mut(&params)?.max_bytes = bytes as usize;
        Ok(())
    }

    fn drop(&mut self, params: Resource<Params>) -> wasmtime::Result<()> {
        self.table.delete(params)?;
        Ok(())
    }
}

impl grpc::HostCall for VuState {
    async fn receive(&mut self, call: Resource<Call>) -> wasmtime::Result<Option<Vec<u8>>> {
        let Call { session, over } = self.table.get(&call)?;
        if over.status.is_some() {
            return Ok(None);
        }
        let number = *session;
        let Some(mut stream) = self.flight.sessions.take_stream(number) else {
            let detail = "the iteration that began this call is over";
            self.conclude(&call, Over::failed(Status::own(Code::CANCELLED, "cancelled", detail)))?;
            return Ok(None);
        };
        let message = stream.call.message().await;
        stream.record_message(message.is_some());
        if stream.call.status().is_none() {
            self.flight.sessions.put_stream_back(number, stream);
            return Ok(message.map(|message| message.to_vec()));
        }
        self.after(&stream);
        let over = stream.over();
        drop(stream);
        if let Some(status) = &over.status {
            self.tell_grpc_failure(status);
        }
        self.conclude(&call, over)?;
        Ok(message.map(|message| message.to_vec()))
    }

    fn status(&mut self, call: Resource<Call>) -> wasmtime::Result<Option<grpc::Status>> {
        Ok(self.table.get(&call)?.over.status.clone().map(grpc::Status::from))
    }

    fn headers(&mut self, call: Resource<Call>) -> wasmtime::Result<Metadata> {
        let Call { session, over } = self.table.get(&call)?;
        let of_open = self.flight.sessions.with_stream(*session, |stream| metadata_text(stream.call.headers()));
        Ok(of_open.unwrap_or_else(|| over.headers.clone()))
    }

    fn trailers(&mut self, call: Resource<Call>) -> wasmtime::Result<Metadata> {
        Ok(self.table.get(&call)?.over.trailers.clone())
    }

    fn cancel(&mut self, call: Resource<Call>) -> wasmtime::Result<()> {
        let number = self.table.get(&call)?.session;
        if let Some(mut stream) = self.flight.sessions.take_stream(number) {
            stream.call.cancel();
            let over = stream.over();
            drop(stream);
            self.conclude(&call, over)?;
        }
        Ok(())
    }

    fn drop(&mut self, call: Resource<Call>) -> wasmtime::Result<()> {
        let call = self.table.delete(call)?;
        self.held_bytes = self.held_bytes.saturating_sub(call.over.held_bytes());
        drop(self.flight.sessions.take_stream(call.session));
        Ok(())
    }
}

impl From<Status> for grpc::Status {
    fn from(status: Status) -> Self {
        Self { code: status.code.0, message: status.message, error_code: status.error_code.0 }
    }
}
