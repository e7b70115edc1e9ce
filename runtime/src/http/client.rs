//! Sends requests for one virtual user.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use tokio::time::Instant;

use super::addresses::{AddressBlocks, LocalAddresses};
use super::connection::Connection;
use super::deadline::Deadline;
use super::dial::{DIAL_TIMEOUT, DialTimings, Dialed, Wanted, dial};
use super::failure::Failure;
use super::h1::{Decoder, Form, Head, Wants, encode};
use super::hosts::{HostPatterns, Hosts};
use super::http2::{self, Http2, STREAM_WINDOW};
use super::meter::Meter;
use super::payload::Payload;
use super::proxy::Proxy;
use super::rate_limit::RateLimit;
use super::resolver::Resolver;
use super::target::{Origin, Target};
use super::tls::{HttpVersion, Tls, TlsVersion};
use super::unsent::Unsent;
use crate::grants::Grants;

/// k6's default.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// Origins that one virtual user keeps a connection to. More than a scenario needs, and few enough that a hostile one cannot eat
/// the machine's open files.
const MAX_KEPT_CONNECTIONS: usize = 8;

/// What all virtual users of a test share. By default nobody may be called.
#[derive(Debug)]
pub struct ClientSettings {
    /// Who may be called.
    pub grants: Grants,
    /// Names to addresses.
    pub resolver: Resolver,
    /// Names whose addresses are given.
    pub hosts: Hosts,
    /// Whether the person who runs the test gave `hosts`, and not the module.
    pub hosts_are_granted: bool,
    /// Names that may not be called.
    pub host_blocks: HostPatterns,
    /// Addresses that may not be called.
    pub address_blocks: AddressBlocks,
    /// Addresses to call from.
    pub local_addresses: LocalAddresses,
    /// What requests go through.
    pub proxy: Option<Proxy>,
    /// Whom to trust, and more.
    pub tls: Tls,
    /// Which version of HTTP is spoken, where a request does not say.
    pub http_version: HttpVersion,
    /// The `User-Agent` of requests that bring none; empty for none.
    pub user_agent: String,
    /// The `rps` option.
    pub rate_limit: Option<Arc<RateLimit>>,
    /// Bodies are read, counted and thrown away, unless a request wants its own.
    pub discard_response_bodies: bool,
    /// Every request opens a connection of its own.
    pub no_connection_reuse: bool,
    /// Connections are closed at the end of each iteration.
    pub no_vu_connection_reuse: bool,
    /// The longest body that is kept, in bytes: a longer answer fails, as it would exhaust this machine.
    pub max_body_bytes: usize,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            grants: Grants::none(),
            resolver: Resolver::default(),
            hosts: Hosts::default(),
            hosts_are_granted: false,
            host_blocks: HostPatterns::default(),
            address_blocks: AddressBlocks::default(),
            local_addresses: LocalAddresses::default(),
            proxy: None,
            tls: Tls::default(),
            http_version: HttpVersion::Auto,
            user_agent: String::new(),
            rate_limit: None,
            discard_response_bodies: false,
            no_connection_reuse: false,
            no_vu_connection_reuse: false,
            max_body_bytes: 0,
        }
    }
}

/// A request on its way out.
#[derive(Debug)]
pub struct Outgoing {
    /// Where to.
    pub target: Arc<Target>,
    /// The method.
    pub method: Method,
    /// Sent in this order, after `Host`. They must have passed `check_headers`.
    pub headers: Vec<(String, Vec<u8>)>,
    /// `None` sends no body.
    pub body: Option<Payload>,
    /// For the whole exchange; `None` means 60 seconds.
    pub timeout: Option<Duration>,
    /// Whether the answer's body is thrown away; `None` for what the test says.
    pub discard: Option<bool>,
    /// For making a connection; `None` means 30 seconds.
    pub connect_timeout: Option<Duration>,
    /// Which version of HTTP is spoken; `None` leaves it to the settings.
    pub http_version: Option<HttpVersion>,
}

/// Where the time of an exchange went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// From the call to a usable connection.
    pub blocked: Duration,
    /// Asking the resolver, part of `blocked`; `None` where nothing was asked.
    pub looking_up: Option<Duration>,
    /// The TCP handshake, part of `blocked`.
    pub connecting: Duration,
    /// The TLS handshake, part of `blocked`.
    pub tls_handshaking: Duration,
    /// From the first to the last byte written.
    pub sending: Duration,
    /// From the last byte written to the first byte read.
    pub waiting: Duration,
    /// From the first to the last byte read.
    pub receiving: Duration,
}

/// What came of a request.
#[derive(Debug)]
pub struct Exchange {
    /// The status, or 0 without an answer.
    pub status: u16,
    /// As received.
    pub head: Head,
    /// As received, or empty.
    pub body: Bytes,
    /// `HTTP/1.1` or `HTTP/2.0`; empty without an answer.
    pub protocol: &'static str,
    /// The version of TLS, if it is spoken.
    pub tls: Option<TlsVersion>,
    /// Who was connected to.
    pub remote: Option<SocketAddr>,
    /// Why there is no complete answer.
    pub failure: Option<Failure>,
    /// Where the time went.
    pub timings: Timings,
    /// Written to the socket, heads included.
    pub bytes_sent: u64,
    /// Read from the socket, heads included.
    pub bytes_received: u64,
}

impl Exchange {
    /// Nothing has happened.
    #[must_use]
    pub fn new() -> Self {
        Self {
            status: 0,
            head: Head::default(),
            body: Bytes::new(),
            protocol: "",
            tls: None,
            remote: None,
            failure: None,
            timings: Timings::default(),
            bytes_sent: 0,
            bytes_received: 0,
        }
    }

    /// Nothing was sent, for this reason.
    #[must_use]
    pub fn failed(failure: Failure) -> Self {
        Self { failure: Some(failure), ..Self::new() }
    }
}

impl Exchange {
    const fn is_answered(&self) -> bool {
        self.status != 0
    }
}

impl Default for Exchange {
    fn default() -> Self {
        Self::new()
    }
}

/// One virtual user's client: its connections. Requests may be under way at once, each in a lane of its own.
#[derive(Debug)]
pub struct Client {
    settings: Arc<ClientSettings>,
    local: Option<IpAddr>,
    kept: Mutex<Kept>,
}

/// Connections at rest, or that take further requests.
#[derive(Debug, Default)]
struct Kept {
    http1: Vec<(Arc<Origin>, Connection)>,
    http2: Vec<(Arc<Origin>, Http2)>,
}

/// What one request after the other needs.
#[derive(Debug)]
pub struct Lane {
    meter: Arc<Meter>,
    deadline: Deadline,
}

impl Lane {
    /// A lane without any request.
    #[must_use]
    pub fn new() -> Self {
        Self { meter: Meter::new(), deadline: Deadline::default() }
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
        let local = settings.local_addresses.next();
        Self { settings, local, kept: Mutex::default() }
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
        let Lane { meter, deadline } = lane;
        let in_time = {
            let attempt = pin!(self.attempt(outgoing, started, meter, &mut exchange));
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
    async fn attempt(&self, outgoing: &Outgoing, started: Instant, meter: &Meter, exchange: &mut Exchange) {
        let connecting = Connecting {
            http: outgoing.http_version.unwrap_or(self.settings.http_version),
            timeout: outgoing.connect_timeout.unwrap_or(DIAL_TIMEOUT),
            started,
        };
        let wants = Wants {
            to_head: outgoing.method == Method::HEAD,
            discard: outgoing.discard.unwrap_or(self.settings.discard_response_bodies),
            max_body_bytes: self.settings.max_body_bytes,
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
                    match Box::pin(self.over_http2(&connection, outgoing, wants, (started, meter), exchange)).await {
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
            let (unsent, asks) = writing.get_or_insert_with(|| {
                let form = Form { user_agent: &self.settings.user_agent, proxy: self.absolute(&connection) };
                let Outgoing { target, method, headers, body, .. } = outgoing;
                let length = body.as_ref().map(Payload::len);
                Unsent::new(body.as_ref(), |out| encode(out, method, target, headers, form, length))
            });
            meter.restart();
            exchange.tls = connection.tls();
            exchange.remote = Some(connection.remote());
            let begun = Instant::now();
            exchange.timings.blocked = begun - started;
            let mut reading = Reading { begun, exchange: &mut *exchange, meter, decoder: Decoder::new(wants) };
            match connection.exchange(unsent, &mut reading.decoder, meter).await {
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
        clock: (Instant, &Meter),
        exchange: &mut Exchange,
    ) -> Result<(), http2::Broken> {
        let Outgoing { target, method, headers, body, .. } = outgoing;
        let length = body.as_ref().map(Payload::len);
        let request = http2::request(method, target, headers, &self.settings.user_agent, length)?;
        let mut doubt = Doubt { client: self, connection, cleared: false };
        let pieces = body.as_ref().map_or(&[][..], Payload::pieces);
        let result = connection.exchange(request, pieces, wants, clock, exchange).await;
        doubt.cleared = result.as_ref().map_or_else(|broken| broken.of_stream, |()| true);
        result
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
            let mut kept = self.lock();
            if kept.http2.len() >= MAX_KEPT_CONNECTIONS {
                kept.http2.remove(0);
            }
            kept.http2.push((Arc::clone(origin), connection.clone()));
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
        if http != HttpVersion::Http2 {
            let mut kept = self.lock();
            if let Some(position) = kept.http1.iter().position(|(kept, _)| kept == origin) {
                let (_, mut connection) = kept.http1.swap_remove(position);
                if connection.is_ready() {
                    return Some(Found::Http1 { connection, reused: true });
                }
            }
        }
        let may_be_http2 = http == HttpVersion::Http2 || http == HttpVersion::Auto && origin.tls;
        if may_be_http2 { self.kept_http2(origin) } else { None }
    }

    fn kept_http2(&self, origin: &Arc<Origin>) -> Option<Found> {
        let mut kept = self.lock();
        kept.http2.retain(|(_, connection)| connection.is_open());
        let (_, connection) = kept.http2.iter().find(|(kept, _)| kept == origin)?;
        Some(Found::Http2 { connection: connection.clone(), reused: true })
    }

    fn keep(&self, origin: Arc<Origin>, connection: Connection) {
        if self.settings.no_connection_reuse {
            return;
        }
        let mut kept = self.lock();
        if kept.http1.len() >= MAX_KEPT_CONNECTIONS {
            kept.http1.remove(0);
        }
        kept.http1.push((origin, connection));
    }

    /// A connection on which something went wrong serves nobody else; the requests that are under way on it may finish.
    fn forget(&self, connection: &Http2) {
        self.lock().http2.retain(|(_, kept)| !kept.is_same(connection));
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
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
    decoder: Decoder,
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
