//! `flashcrowd:scenario/websocket`.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wasmtime::component::Resource;

use super::bindings::flashcrowd::scenario::websocket;
use super::limits::short;
use super::series_cache::{RequestLabel, Symbol, extend};
use super::sessions::{MAX_SESSIONS, Session};
use super::state::{Position, VuState};
use crate::http::dial::{DialTimings, Wanted, dial};
use crate::http::tls::HttpVersion;
use crate::http::{ErrorCode, Failure, Target, check_headers};
use crate::log::Level;
use crate::metrics::{SystemTag, TagSetId, builtin};
use crate::websocket::{Answer, Ended, Event, Outgoing, Request, open};

/// As for HTTP requests.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// Subprotocols that are offered at once.
const MAX_SUBPROTOCOLS: usize = 32;
/// A close frame has room for 125 bytes, two of which are the code (RFC 6455, 5.5).
const MAX_REASON_BYTES: usize = 123;
/// The `url` and `name` of what is no URL.
const INVALID_URL: &str = "(invalid URL)";

/// How a connection is opened and counted.
#[derive(Debug)]
pub struct Params {
    timeout: Duration,
    name: Option<(Arc<str>, Symbol)>,
    tags: TagSetId,
    subprotocols: Vec<String>,
}

/// A connection as the module has it: what is open stands in `sessions::Sessions`.
#[derive(Debug)]
pub struct Socket {
    /// 0 for none.
    session: u64,
    url: Arc<str>,
    answer: Answer,
    ended: Option<Ended>,
}

impl Socket {
    fn held_bytes(&self) -> usize {
        self.url.len()
            + self.answer.head.len()
            + self.ended.as_ref().map_or(0, |ended| ended.reason.len())
            + size_of::<Self>()
    }
}

impl websocket::Host for VuState {
    async fn connect(
        &mut self,
        url: String,
        headers: Vec<(String, Vec<u8>)>,
        params: Option<Resource<Params>>,
    ) -> wasmtime::Result<websocket::Opened> {
        if matches!(self.position, Position::Describe) {
            wasmtime::bail!("`describe` has no network: move the connection into `setup` or the scenario function");
        }
        // Connections that are refused at once would never leave the turn to anybody else.
        tokio::task::coop::consume_budget().await;
        let (timeout, name, own_tags, subprotocols) = match &params {
            Some(params) => {
                let params = self.table.get(params)?;
                (params.timeout, params.name.clone(), params.tags, params.subprotocols.clone())
            }
            None => (DEFAULT_TIMEOUT, None, TagSetId::EMPTY, Vec::new()),
        };
        let target = Target::with_schemes(&url, ["ws", "wss"]).map_err(|error| Failure {
            code: ErrorCode::INVALID_URL,
            tag: error.tag(),
            text: error.to_string(),
        });
        // Nonsense has no end: all of it is one series.
        let shown = target.as_ref().map_or_else(|_| INVALID_URL.into(), |target| Arc::clone(&target.url));
        let symbol = self.shard.cached(|cache, _| cache.symbol(&shown));
        let label = match &name {
            Some((name, symbol)) => RequestLabel::Name(name, *symbol),
            None => RequestLabel::Url(&shown, symbol),
        };
        let tags = self.shard.cached(|cache, registry| cache.request(registry, self.tags, &label, own_tags));
        let began = Instant::now();
        let mut answer = Answer::default();
        let http = Arc::clone(&self.shard.http);
        let request = match (&target, check_headers(&headers)) {
            (Err(failure), _) => Err(failure.clone()),
            (_, Err(failure)) => Err(failure),
            (Ok(target), Ok(())) => Ok(Request { target, headers, subprotocols, user_agent: &http.user_agent }),
        };
        let opened = self.open_session(request, timeout, began, tags, &mut answer).await;
        let socket = match opened {
            Ok(session) => Socket { session, url: shown, answer, ended: None },
            Err(failure) => {
                self.tell_failed(&failure, target.as_ref().ok());
                Socket { session: 0, url: shown, answer, ended: Some(Ended::broken(failure)) }
            }
        };
        let status = socket.answer.status;
        let error_code = socket.ended.as_ref().map_or(0, |ended| ended.error_code.0);
        self.held_bytes += socket.held_bytes();
        if self.held_bytes > self.memory.max_bytes() {
            wasmtime::bail!(
                "this instance holds {} bytes of answers; let go of sockets, or raise --memory-limit",
                self.held_bytes
            );
        }
        Ok(websocket::Opened { status, error_code, socket: self.table.push(socket)? })
    }
}

impl VuState {
    /// Connects and asks; gives the number of the session.
    async fn open_session(
        &mut self,
        request: Result<Request<'_>, Failure>,
        timeout: Duration,
        began: Instant,
        base: TagSetId,
        answer: &mut Answer,
    ) -> Result<u64, Failure> {
        let sessions = &self.flight.sessions;
        let (mut moved, mut tls, mut remote) = (None, None, None);
        let attempt = async {
            let mut request = request?;
            if !sessions.has_room() {
                let detail = format_args!("this virtual user has {MAX_SESSIONS} open already; close some");
                return Err(Failure::new(ErrorCode::OTHER, "too many WebSockets", detail));
            }
            let settings = &self.shard.http;
            let wanted = Wanted { http: HttpVersion::Http1, local: sessions.local(), timeout, tunnel: true };
            let dialed = dial(settings, &request.target.origin, wanted, &mut DialTimings::default()).await?;
            tls = dialed.tls;
            remote = Some(dialed.remote);
            let (stream, counter) = dialed.stream.counted();
            moved = Some(counter);
            let target = request.target;
            self.flight.session().add_cookies(target, &mut request.headers);
            let opened = open(stream, request, sessions.budget.clone(), answer).await;
            if answer.head.get("set-cookie").is_some() {
                self.flight.session().store_cookies(&self.shard, target, &answer.head);
            }
            opened
        };
        let opened = match tokio::time::timeout(timeout, attempt).await {
            Ok(opened) => opened,
            Err(_) => Err(Failure::new(
                ErrorCode::TIMEOUT,
                "connecting timed out",
                format_args!("no WebSocket within {timeout:?}"),
            )),
        };
        let connecting = began.elapsed();
        let (code, tag) = opened.as_ref().err().map_or((ErrorCode::NONE, ""), |failure| (failure.code, failure.tag));
        let (status, code_text) = (answer.status.to_string(), code.0.to_string());
        let mut tags = vec![(SystemTag::Status, status.as_str())];
        if let Some(subprotocol) = &answer.subprotocol {
            tags.push((SystemTag::Subproto, subprotocol));
        }
        if code != ErrorCode::NONE {
            tags.extend([(SystemTag::ErrorCode, code_text.as_str()), (SystemTag::Error, tag)]);
        }
        if let Some(tls) = tls {
            tags.push((SystemTag::TlsVersion, tls.as_str()));
        }
        let remote = remote.map(|remote| remote.ip().to_string());
        if let Some(remote) = &remote {
            tags.push((SystemTag::Ip, remote));
        }
        let tags = extend(&self.shard.test.registry, base, &tags);
        self.shard.record(|recorder| {
            recorder.add(builtin::WS_SESSIONS, tags, 1.0);
            if opened.is_ok() {
                recorder.duration(builtin::WS_CONNECTING, tags, connecting);
            } else if let Some(moved) = &moved {
                #[expect(clippy::cast_precision_loss, reason = "bytes of one handshake stay far below 2^53")]
                for (metric, bytes) in
                    [(builtin::DATA_SENT, moved.take_sent()), (builtin::DATA_RECEIVED, moved.take_received())]
                {
                    recorder.add(metric, tags, bytes as f64);
                }
            }
        });
        let mut session = Session::new(opened?, Arc::clone(&self.shard), tags, began, moved.unwrap_or_default());
        session.record();
        Ok(sessions.add(session))
    }

    /// The first refused call to a host prints the flag that would allow it, and the first failure of a kind its whole story.
    fn tell_failed(&self, failure: &Failure, target: Option<&Target>) {
        let problems = &self.test().problems;
        let refused = matches!(failure.code, ErrorCode::BLOCKED_ADDRESS | ErrorCode::BLOCKED_HOST);
        let first = match target {
            Some(target) if refused => problems.host_refused(&target.origin.to_string()),
            _ => problems.request_failed(failure.tag),
        };
        if first {
            self.say(Level::Warn, &format!("WebSocket failed: {}", failure.text));
        }
    }

    /// Works with the session of a socket, if it is open. What is measured is recorded, and how it ended kept.
    async fn with_session<R>(
        &mut self,
        socket: &Resource<Socket>,
        work: impl AsyncFnOnce(&mut Session) -> R,
    ) -> wasmtime::Result<Result<R, Ended>> {
        let number = match self.table.get(socket)? {
            Socket { ended: Some(ended), .. } => return Ok(Err(ended.clone())),
            Socket { session, .. } => *session,
        };
        let Some(mut session) = self.flight.sessions.take(number) else {
            let ended = Ended::closed(1001, "the iteration that opened this connection is over");
            self.table.get_mut(socket)?.ended = Some(ended.clone());
            return Ok(Err(ended));
        };
        let result = work(&mut session).await;
        session.record();
        match session.connection.ended().cloned() {
            None => self.flight.sessions.put_back(number, session),
            Some(ended) => {
                if ended.error_code != ErrorCode::NONE && self.test().problems.request_failed(ended.tag) {
                    self.say(Level::Warn, &format!("WebSocket failed: {}", ended.reason));
                }
                self.held_bytes += ended.reason.len();
                self.table.get_mut(socket)?.ended = Some(ended);
            }
        }
        Ok(Ok(result))
    }

    async fn send_message(&mut self, socket: &Resource<Socket>, outgoing: Outgoing) -> wasmtime::Result<u16> {
        let sent = self.with_session(socket, async |session| session.connection.send(outgoing).await).await?;
        Ok(match sent {
            Ok(Ok(())) => 0,
            Ok(Err(failure)) => failure.code.0,
            Err(Ended { error_code: ErrorCode::NONE, .. }) => ErrorCode::OTHER.0,
            Err(ended) => ended.error_code.0,
        })
    }
}

impl websocket::HostParams for VuState {
    fn new(&mut self) -> wasmtime::Result<Resource<Params>> {
        let params = Params { timeout: DEFAULT_TIMEOUT, name: None, tags: TagSetId::EMPTY, subprotocols: Vec::new() };
        Ok(self.table.push(params)?)
    }

    fn set_timeout(&mut self, params: Resource<Params>, nanoseconds: u64) -> wasmtime::Result<()> {
        let timeout = if nanoseconds == 0 { DEFAULT_TIMEOUT } else { Duration::from_nanos(nanoseconds) };
        self.table.get_mut(&params)?.timeout = timeout;
        Ok(())
    }

    fn set_name(&mut self, params: Resource<Params>, name: String) -> wasmtime::Result<()> {
        short("a connection's name", &name)?;
        let symbol = self.shard.cached(|cache, _| cache.symbol(&name));
        self.table.get_mut(&params)?.name = Some((name.into(), symbol));
        Ok(())
    }

    fn set_tags(&mut self, params: Resource<Params>, tags: u32) -> wasmtime::Result<()> {
        let tags = self.tag_set(tags)?;
        self.table.get_mut(&params)?.tags = tags;
        Ok(())
    }

    fn set_subprotocols(&mut self, params: Resource<Params>, names: Vec<String>) -> wasmtime::Result<()> {
        if names.len() > MAX_SUBPROTOCOLS {
            wasmtime::bail!("{} subprotocols; {MAX_SUBPROTOCOLS} is the most that is offered", names.len());
        }
        for name in &names {
            short("a subprotocol's name", name)?;
            let is_token = |byte: u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte);
            if name.is_empty() || !name.bytes().all(is_token) {
                wasmtime::bail!("subprotocol `{name}`: a name is letters, digits, dots and dashes");
            }
        }
        self.table.get_mut(&params)?.subprotocols = names;
        Ok(())
    }

    fn drop(&mut self, params: Resource<Params>) -> wasmtime::Result<()> {
        self.table.delete(params)?;
        Ok(())
    }
}

impl websocket::HostSocket for VuState {
    async fn send_text(&mut self, socket: Resource<Socket>, text: String) -> wasmtime::Result<u16> {
        self.send_message(&socket, Outgoing::Text(text)).await
    }

    async fn send_binary(&mut self, socket: Resource<Socket>, bytes: Vec<u8>) -> wasmtime::Result<u16> {
        self.send_message(&socket, Outgoing::Binary(bytes)).await
    }

    async fn receive(&mut self, socket: Resource<Socket>, nanoseconds: u64) -> wasmtime::Result<websocket::Event> {
        let timeout = Duration::from_nanos(nanoseconds);
        let received = self
            .with_session(&socket, async |session| {
                let event = session.connection.receive(timeout).await;
                (event, session.connection.ended().cloned())
            })
            .await?;
        Ok(match received {
            Ok((Some(Event::Text(text)), _)) => websocket::Event::Text(text),
            Ok((Some(Event::Binary(bytes)), _)) => websocket::Event::Binary(bytes),
            Ok((Some(Event::Pong(round_trip)), _)) => websocket::Event::Pong(nanoseconds_of(round_trip)),
            Ok((None, None)) => websocket::Event::Timeout,
            Ok((None, Some(ended))) | Err(ended) => websocket::Event::Closed(ended.into()),
        })
    }

    async fn ping(&mut self, socket: Resource<Socket>, nanoseconds: u64) -> wasmtime::Result<Option<u64>> {
        let timeout = Duration::from_nanos(nanoseconds);
        let round_trip = self.with_session(&socket, async |session| session.connection.ping(timeout).await).await?;
        Ok(round_trip.ok().flatten().map(nanoseconds_of))
    }

    async fn close(
        &mut self,
        socket: Resource<Socket>,
        code: u16,
        reason: String,
        nanoseconds: u64,
    ) -> wasmtime::Result<websocket::Closing> {
        if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
            wasmtime::bail!("close code {code} cannot be sent; use 1000 to 1003, 1007 to 1014 or 3000 to 4999");
        }
        if reason.len() > MAX_REASON_BYTES {
            wasmtime::bail!("a close reason of {} bytes; {MAX_REASON_BYTES} is the most", reason.len());
        }
        let timeout = Duration::from_nanos(nanoseconds);
        let closed =
            self.with_session(&socket, async |session| session.connection.close(code, &reason, timeout).await).await?;
        Ok(closed.unwrap_or_else(|ended| ended).into())
    }

    fn ended(&mut self, socket: Resource<Socket>) -> wasmtime::Result<Option<websocket::Closing>> {
        Ok(self.table.get(&socket)?.ended.clone().map(websocket::Closing::from))
    }

    fn subprotocol(&mut self, socket: Resource<Socket>) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&socket)?.answer.subprotocol.clone())
    }

    fn headers(&mut self, socket: Resource<Socket>) -> wasmtime::Result<Vec<(String, Vec<u8>)>> {
        Ok(self.table.get(&socket)?.answer.head.all())
    }

    fn url(&mut self, socket: Resource<Socket>) -> wasmtime::Result<String> {
        Ok(self.table.get(&socket)?.url.to_string())
    }

    fn drop(&mut self, socket: Resource<Socket>) -> wasmtime::Result<()> {
        let socket = self.table.delete(socket)?;
        self.held_bytes = self.held_bytes.saturating_sub(socket.held_bytes());
        drop(self.flight.sessions.take(socket.session));
        Ok(())
    }
}

impl From<Ended> for websocket::Closing {
    fn from(ended: Ended) -> Self {
        Self { code: ended.code, reason: ended.reason, error_code: ended.error_code.0 }
    }
}

fn nanoseconds_of(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
