//! Sends requests for one virtual user.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use tokio::time::Instant;

use super::connection::{Broken, Connection};
use super::deadline::Deadline;
use super::dial::{DIAL_TIMEOUT, DialTimings, Dialed, Wanted, dial};
use super::exchange::{Exchange, Outgoing, Timings};
use super::failure::Failure;
use super::h1::{Asks, Decoder, Form, Wants, encode};
use super::http2::{self, Http2, STREAM_WINDOW};
use super::incoming::Incoming;
use super::kept::Kept;
use super::meter::Meter;
use super::payload::Payload;
use super::proxy::Proxy;
use super::settings::ClientSettings;
use super::target::Origin;
use super::tls::HttpVersion;
use super::unsent::Unsent;

/// k6's default.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a request that asks whether its body is wanted waits for a word: servers of old know nothing of the question.
pub(super) const CONTINUE_TIMEOUT: Duration = Duration::from_secs(1);

/// One virtual user's client: its connections. Requests may be under way at once, each in a lane of its own.
#[derive(Debug)]
pub struct Client {
    settings: Arc<ClientSettings>,
    local: Option<IpAddr>,
    kept: Kept,
}

/// What one request after the other needs.
#[derive(Debug)]
pub struct Lane {
    meter: Arc<Meter>,
    deadline: Deadline,
    room: usize,
}

impl Lane {
    /// A lane without any request.
    #[must_use]
    pub fn new() -> Self {
        Self::with_room(usize::MAX)
    }

    /// A lane whose bodies are no longer than this, whatever the settings allow.
    #[must_use]
    pub fn with_room(room: usize) -> Self {
        Self { meter: Meter::new(), deadline: Deadline::default(), room }
    }

    /// What moves on its connection: since the last call of `send`.
    pub(crate) fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }
}

impl Default for Lane {
    fn default() -> Self {
        Self::new()
    }
}

/// A connection to send on.
enum Found {
    Http1 { connection: Connection, reused: bool },
    Http2 { connection: Http2, reused: bool },
}

impl Client {
    /// A client without any connection.
    #[must_use]
    pub fn new(settings: Arc<ClientSettings>) -> Self {
        Self::calling_from(settings.local_addresses.next(), settings)
    }

    /// One that calls from this address; without one the system chooses.
    #[must_use]
    pub fn calling_from(local: Option<IpAddr>, settings: Arc<ClientSettings>) -> Self {
        Self { settings, local, kept: Kept::default() }
    }

    /// Sends a request and waits for the whole answer. Whatever goes wrong is in the exchange. Dropping the future closes the
    /// connection it used.
    pub async fn send(&self, lane: &mut Lane, outgoing: &Outgoing) -> Exchange {
        // Before anything is waited for: whoever breaks off reads what left of this request, not of the last one.
        lane.meter.restart();
        if let Some(limit) = &self.settings.rate_limit {
            limit.wait().await;
        }
        let started = Instant::now();
        let mut exchange = Exchange::new();
        let timeout = outgoing.timeout.unwrap_or(DEFAULT_TIMEOUT);
        let Lane { meter, deadline, room } = lane;
        let in_time = {
            let attempt = pin!(self.attempt(outgoing, started, meter, *room, &mut exchange));
            deadline.limit(started + timeout, attempt).await
        };
        if in_time.is_none() {
            if exchange.bytes_sent == 0 {
                exchange.timings = Timings { blocked: started.elapsed(), ..exchange.timings };
            }
            exchange.failure = Some(Failure::timeout(timeout));
        }
        exchange
    }

    /// Fills in `exchange` as it goes, so that a timeout keeps what is known by then.
    async fn attempt(
        &self,
        outgoing: &Outgoing,
        started: Instant,
        meter: &Arc<Meter>,
        room: usize,
        exchange: &mut Exchange,
    ) {
        let connecting = Connecting {
            http: outgoing.http_version.unwrap_or(self.settings.http_version),
            timeout: outgoing.connect_timeout.unwrap_or(DIAL_TIMEOUT),
            started,
        };
        let wants = Wants {
            to_head: outgoing.method == Method::HEAD,
            discard: outgoing.discard.unwrap_or(self.settings.discard_response_bodies),
            max_body_bytes: self.settings.max_body_bytes.min(room),
        };
        let mut writing = None;
        loop {
            let found = match self.connection(&outgoing.target.origin, connecting, exchange).await {
                Ok(found) => found,
                Err(failure) => {
                    exchange.timings.blocked = started.elapsed();
                    exchange.failure = Some(failure);
                    return;
                }
            };
            let (mut connection, reused) = match found {
                Found::Http1 { connection, reused } => (connection, reused),
                Found::Http2 { connection, reused } => {
                    // Boxed: few requests need it, and every virtual user would have room for it.
                    match Box::pin(self.over_http2(&connection, outgoing, wants, started, meter, exchange)).await {
                        Ok(()) => return,
                        Err(broken) => {
                            if reused && broken.untouched && !exchange.is_answered() {
                                // Also one that only refused this stream: it would refuse it again and again.
                                self.forget(&connection);
                                continue;
                            }
                            exchange.failure = Some(broken.failure);
                            return;
                        }
                    }
                }
            };
            let Writing { unsent, asks, held_back } =
                writing.get_or_insert_with(|| self.written(outgoing, &connection));
            let asks = *asks;
            meter.restart();
            exchange.tls = connection.tls();
            exchange.remote = Some(connection.remote());
            let begun = Instant::now();
            exchange.timings.blocked = begun - started;
            let mut decoder = Decoder::new(wants).streamed(outgoing.streamed);
            let mut reading = Reading { begun, exchange: &mut *exchange, meter, decoder: &mut decoder };
            let ended = if outgoing.streamed || asks.expects {
                Box::pin(by_steps(&mut connection, unsent, held_back, reading.decoder, meter)).await
            } else {
                connection.exchange(unsent, reading.decoder, meter).await
            };
            match ended {
                Ok(_) if !reading.decoder.is_over() => {
                    drop(reading);
                    if let Some(Writing { unsent, .. }) = writing {
                        let (origin, meter) = (Arc::clone(&outgoing.target.origin), Arc::clone(meter));
                        let rest =
                            Incoming::over_http1(connection, decoder, unsent, origin, asks.close, meter, exchange);
                        exchange.incoming = Some(Box::new(rest));
                    }
                    return;
                }
                Ok(all_sent) => {
                    let keep = reading.keeps() && all_sent && !asks.close;
                    drop(reading);
                    if keep {
                        self.keep(Arc::clone(&outgoing.target.origin), connection);
                    }
                    return;
                }
                // The peer closed a kept connection in the very moment when it was taken up again, and nothing of the request
                // left: it goes out once more on a new connection, as every HTTP client does (RFC 9112, 9.3.1).
                Err(broken) if reused && broken.unsent => {}
                Err(broken) => {
                    reading.exchange.failure = Some(broken.failure);
                    return;
                }
            }
        }
    }

    async fn over_http2(
        &self,
        connection: &Http2,
        outgoing: &Outgoing,
        wants: Wants,
        started: Instant,
        meter: &Arc<Meter>,
        exchange: &mut Exchange,
    ) -> Result<(), http2::Broken> {
        let Outgoing { target, method, headers, .. } = outgoing;
        let request = http2::request(method, target, headers, &self.settings.user_agent, outgoing.length())?;
        let mut doubt = Doubt { client: self, connection, cleared: false };
        let result = connection.exchange(request, outgoing, wants, started, meter, exchange).await;
        doubt.cleared = result.as_ref().map_or_else(|broken| broken.of_stream, |()| true);
        result
    }

    /// The request as HTTP/1.1 has it.
    #[inline]
    fn written(&self, outgoing: &Outgoing, connection: &Connection) -> Writing {
        let form = Form { user_agent: &self.settings.user_agent, proxy: self.absolute(connection) };
        let Outgoing { target, method, headers, body, .. } = outgoing;
        let length = outgoing.length();
        let (mut unsent, asks) = Unsent::new(|out| encode(out, method, target, headers, form, length));
        let mut held_back = None;
        match body {
            None => {}
            Some(body) if outgoing.chunked || asks.expects => {
                let body = if outgoing.chunked { body.in_chunks() } else { body.clone() };
                if asks.expects && !body.is_empty() {
                    held_back = Some(body);
                } else {
                    unsent.append(&body);
                }
            }
            Some(body) => unsent.append(body),
        }
        Writing { unsent, asks, held_back }
    }

    /// What a proxy that passes requests on wants to see in them.
    fn absolute(&self, connection: &Connection) -> Option<&Proxy> {
        self.settings.proxy.as_ref().filter(|_| connection.absolute())
    }

    /// A kept connection that still works, or a new one.
    async fn connection(
        &self,
        origin: &Arc<Origin>,
        wanted: Connecting,
        exchange: &mut Exchange,
    ) -> Result<Found, Failure> {
        if let Some(found) = self.kept(origin, wanted.http) {
            return Ok(found);
        }
        let dialed = Box::pin(self.dial(origin, wanted, exchange)).await?;
        if !dialed.http2 {
            return Ok(Found::Http1 { connection: Connection::new(dialed), reused: false });
        }
        // Another request may have connected meanwhile: one connection is enough for both.
        if let Some(found) = self.kept_http2(origin) {
            return Ok(found);
        }
        let connection = Http2::open(dialed, STREAM_WINDOW).await?;
        if !self.settings.no_connection_reuse {
            self.kept.keep_http2(Arc::clone(origin), connection.clone());
        }
        Ok(Found::Http2 { connection, reused: false })
    }

    async fn dial(&self, origin: &Origin, wanted: Connecting, exchange: &mut Exchange) -> Result<Dialed, Failure> {
        let mut timings = Dialing { started: wanted.started, so_far: DialTimings::default(), exchange };
        let wanted = Wanted { http: wanted.http, local: self.local, timeout: wanted.timeout, tunnel: false };
        let dialed = dial(&self.settings, origin, wanted, &mut timings.so_far).await?;
        if let Some(moved) = dialed.stream.moved() {
            // The handshake's.
            timings.exchange.bytes_sent += moved.take_sent();
            timings.exchange.bytes_received += moved.take_received();
        }
        Ok(dialed)
    }

    fn kept(&self, origin: &Arc<Origin>, http: HttpVersion) -> Option<Found> {
        if http != HttpVersion::Http2
            && let Some(connection) = self.kept.http1(origin)
        {
            return Some(Found::Http1 { connection, reused: true });
        }
        let may_be_http2 = http == HttpVersion::Http2 || http == HttpVersion::Auto && origin.tls;
        if may_be_http2 { self.kept_http2(origin) } else { None }
    }

    fn kept_http2(&self, origin: &Arc<Origin>) -> Option<Found> {
        Some(Found::Http2 { connection: self.kept.http2(origin)?, reused: true })
    }

    /// So many requests are about to be under way at once: their connections are kept for the next ones.
    pub(crate) fn expect_at_once(&self, requests: usize) {
        self.kept.make_room(requests);
    }

    pub(super) fn keep(&self, origin: Arc<Origin>, connection: Connection) {
        if !self.settings.no_connection_reuse {
            self.kept.keep_http1(origin, connection);
        }
    }

    pub(super) fn forget(&self, connection: &Http2) {
        self.kept.forget(connection);
    }
}

/// A connection on which an exchange goes on. If that fails with the connection, or is given up because no answer comes, the next request
/// gets another one, as it does in HTTP/1.1: nobody could tell whether this one still leads anywhere.
struct Doubt<'a> {
    client: &'a Client,
    connection: &'a Http2,
    cleared: bool,
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if !self.cleared {
            self.client.forget(self.connection);
        }
    }
}

/// A request on its way out.
struct Writing {
    unsent: Unsent,
    asks: Asks,
    /// A body that the server is asked about before it leaves.
    held_back: Option<Payload>,
}

/// Whether these headers ask whether the body is wanted.
pub(super) fn expects_continue(headers: &[(String, Vec<u8>)]) -> bool {
    headers.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("expect") && value.trim_ascii().eq_ignore_ascii_case(b"100-continue")
    })
}

/// Sends a request whose body may not be wanted, or takes in an answer as far as it is not read piece by piece. `Ok` says whether the whole
/// request had left by then.
async fn by_steps(
    connection: &mut Connection,
    unsent: &mut Unsent,
    held_back: &mut Option<Payload>,
    decoder: &mut Decoder,
    meter: &Meter,
) -> Result<bool, Broken> {
    let enough = |decoder: &Decoder| decoder.is_over() || decoder.is_streaming();
    if let Some(body) = held_back {
        let heard = |decoder: &Decoder| decoder.is_continued() || decoder.is_answered();
        let hearing = connection.exchange_until(unsent, decoder, meter, heard);
        if let Ok(heard) = tokio::time::timeout(CONTINUE_TIMEOUT, hearing).await {
            heard?;
        }
        if decoder.is_answered() {
            // The body is not wanted. Whether the server waits for it nevertheless nobody can know: the connection is of no use any more.
            if !enough(decoder) {
                connection.exchange_until(unsent, decoder, meter, enough).await?;
            }
            return Ok(false);
        }
        meter.answer_is_to_come();
        unsent.append(body);
        *held_back = None;
    }
    connection.exchange_until(unsent, decoder, meter, enough).await
}

/// How a connection is wanted.
#[derive(Debug, Clone, Copy)]
struct Connecting {
    http: HttpVersion,
    timeout: Duration,
    /// When the request was begun.
    started: Instant,
}

/// A connection that is being made. However that ends, where the time went is in the exchange.
struct Dialing<'a> {
    started: Instant,
    so_far: DialTimings,
    exchange: &'a mut Exchange,
}

impl Drop for Dialing<'_> {
    fn drop(&mut self) {
        let timings = &mut self.exchange.timings;
        timings.blocked = self.started.elapsed();
        timings.looking_up = self.so_far.looking_up;
        timings.connecting = self.so_far.connecting;
        timings.tls_handshaking = self.so_far.tls_handshaking;
    }
}

/// An answer on its way. However the exchange ends (by an answer, by an error, or by being dropped at its timeout), what came and where the
/// time went is in it.
struct Reading<'a> {
    begun: Instant,
    exchange: &'a mut Exchange,
    meter: &'a Meter,
    decoder: &'a mut Decoder,
}

impl Reading<'_> {
    /// Whether the connection may serve another request.
    fn keeps(&mut self) -> bool {
        self.decoder.answer().is_some_and(|answer| answer.keep)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let ended = Instant::now();
        let complete = self.decoder.is_over();
        if let Some(answer) = self.decoder.answer() {
            self.exchange.status = answer.status;
            self.exchange.protocol = answer.protocol;
            self.exchange.head = std::mem::take(&mut answer.head);
            if complete {
                self.exchange.body = answer.take_body();
            }
        }
        let timings = &mut self.exchange.timings;
        let first_write = self.meter.first_write().unwrap_or(self.begun);
        let written = self.meter.last_write().unwrap_or(first_write);
        timings.sending = written - first_write;
        // An answer may begin before the request has left completely: then nobody waited.
        let answered = self.meter.first_read().map_or(ended, |at| at.max(written));
        // A request that never left has waited for nobody.
        let left = self.meter.first_write().is_some();
        timings.waiting = if left { answered.saturating_duration_since(written) } else { Duration::ZERO };
        timings.receiving = ended.saturating_duration_since(answered);
        self.exchange.bytes_sent += self.meter.bytes_written();
        self.exchange.bytes_received += self.meter.bytes_read();
    }
}
