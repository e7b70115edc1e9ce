//! Sends requests for one virtual user.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use tokio::time::Instant;

use super::connection::Connection;
use super::deadline::Deadline;
use super::failure::{ErrorCode, Failure};
use super::h1::{Decoder, Head, Wants, encode};
use super::meter::Meter;
use super::payload::Payload;
use super::rate_limit::RateLimit;
use super::resolver::Resolver;
use super::target::{Origin, Target};
use super::unsent::Unsent;
use crate::grants::Grants;

/// k6's default.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// Origins that one virtual user keeps a connection to. More than a scenario needs, and few enough that a hostile one cannot eat
/// the machine's open files.
const MAX_KEPT_CONNECTIONS: usize = 8;

/// What all virtual users of a test share.
#[derive(Debug)]
pub struct ClientSettings {
    /// Who may be called.
    pub grants: Grants,
    /// Names to addresses.
    pub resolver: Resolver,
    /// The `User-Agent` of requests that bring none; empty for none.
    pub user_agent: String,
    /// The `rps` option.
    pub rate_limit: Option<RateLimit>,
    /// Bodies are read, counted and thrown away, unless a request wants its own.
    pub discard_response_bodies: bool,
    /// Every request opens a connection of its own.
    pub no_connection_reuse: bool,
    /// Connections are closed at the end of each iteration.
    pub no_vu_connection_reuse: bool,
    /// The longest body that is kept, in bytes: a longer answer fails, as it would exhaust this machine.
    pub max_body_bytes: usize,
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
}

/// Where the time of an exchange went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// From the call to a usable connection.
    pub blocked: Duration,
    /// The TCP handshake, part of `blocked`.
    pub connecting: Duration,
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
    /// `HTTP/1.1`, or empty without an answer.
    pub protocol: &'static str,
    /// Why there is no complete answer.
    pub failure: Option<Failure>,
    /// Where the time went.
    pub timings: Timings,
    /// Written to the socket, heads included.
    pub bytes_sent: u64,
    /// Read from the socket, heads included.
    pub bytes_received: u64,
}

/// One virtual user's client.
#[derive(Debug)]
pub struct Client {
    settings: Arc<ClientSettings>,
    kept: Vec<(Arc<Origin>, Connection)>,
    /// Of all its connections: they are used one at a time.
    meter: Arc<Meter>,
    deadline: Deadline,
}

impl Client {
    /// A client without any connection.
    #[must_use]
    pub fn new(settings: Arc<ClientSettings>) -> Self {
        Self { settings, kept: Vec::new(), meter: Meter::new(), deadline: Deadline::default() }
    }

    /// What moves on its connections: since the last call of `send`.
    pub(crate) fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    /// Sends a request and waits for the whole answer. Whatever goes wrong is in the exchange. Dropping the future closes the
    /// connection it used.
    pub async fn send(&mut self, outgoing: &Outgoing) -> Exchange {
        // Before anything is waited for: whoever breaks off reads what left of this request, not of the last one.
        self.meter.restart();
        if let Some(limit) = &self.settings.rate_limit {
            limit.wait().await;
        }
        let started = Instant::now();
        let mut exchange = Exchange {
            status: 0,
            head: Head::default(),
            body: Bytes::new(),
            protocol: "",
            failure: None,
            timings: Timings::default(),
            bytes_sent: 0,
            bytes_received: 0,
        };
        let timeout = outgoing.timeout.unwrap_or(DEFAULT_TIMEOUT);
        let mut deadline = std::mem::take(&mut self.deadline);
        let in_time = {
            let attempt = pin!(self.attempt(outgoing, started, &mut exchange));
            deadline.limit(started + timeout, attempt).await
        };
        self.deadline = deadline;
        if in_time.is_none() {
            if exchange.bytes_sent == 0 {
                exchange.timings = Timings { blocked: started.elapsed(), ..exchange.timings };
            }
            exchange.failure = Some(Failure::new(
                ErrorCode::TIMEOUT,
                "request timeout",
                format_args!("no complete answer within {timeout:?}"),
            ));
        }
        exchange
    }

    /// Fills in `exchange` as it goes, so that a timeout keeps what is known by then.
    async fn attempt(&mut self, outgoing: &Outgoing, started: Instant, exchange: &mut Exchange) {
        let Outgoing { target, method, headers, body, .. } = outgoing;
        let length = body.as_ref().map(Payload::len);
        let user_agent = &self.settings.user_agent;
        let (mut unsent, asks) =
            Unsent::new(body.as_ref(), |out| encode(out, method, target, headers, user_agent, length));
        let wants = Wants {
            to_head: *method == Method::HEAD,
            discard: outgoing.discard.unwrap_or(self.settings.discard_response_bodies),
            max_body_bytes: self.settings.max_body_bytes,
        };
        loop {
            let (mut connection, reused) = match self.connect(&target.origin, started, exchange).await {
                Ok(found) => found,
                Err(failure) => {
                    exchange.timings.blocked = started.elapsed();
                    exchange.failure = Some(failure);
                    return;
                }
            };
            self.meter.restart();
            let begun = Instant::now();
            exchange.timings.blocked = begun - started;
            let mut reading =
                Reading { begun, exchange: &mut *exchange, meter: &self.meter, decoder: Decoder::new(wants) };
            match connection.exchange(&mut unsent, &mut reading.decoder, &self.meter).await {
                Ok(all_sent) => {
                    let keep = reading.keeps() && all_sent && !asks.close;
                    drop(reading);
                    if keep {
                        self.keep(Arc::clone(&target.origin), connection);
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

    /// A kept connection that still works, or a new one; and which of the two it is.
    async fn connect(
        &mut self,
        origin: &Arc<Origin>,
        started: Instant,
        exchange: &mut Exchange,
    ) -> Result<(Connection, bool), Failure> {
        if let Some(position) = self.kept.iter().position(|(kept, _)| kept == origin) {
            let (_, connection) = self.kept.swap_remove(position);
            if connection.is_ready() {
                return Ok((connection, true));
            }
        }
        let addresses = self.resolve(origin).await?;
        exchange.timings.blocked = started.elapsed();
        let dialing = Instant::now();
        let connection = Connection::open(&addresses, origin.port).await;
        exchange.timings.connecting = dialing.elapsed();
        Ok((connection?, false))
    }

    /// The addresses of an origin that may be called. Grants are looked at here, where a name has become an address: a granted
    /// network holds whatever the name says.
    async fn resolve(&self, origin: &Origin) -> Result<Vec<IpAddr>, Failure> {
        let by_name = self.settings.grants.allows_name(&origin.host, origin.port);
        let refused = |code, tag| Failure { code, tag, text: self.settings.grants.refusal(&origin.host, origin.port) };
        if let Some(address) = origin.address {
            return if by_name || self.settings.grants.allows_address(address, origin.port) {
                Ok(vec![address])
            } else {
                Err(refused(ErrorCode::BLOCKED_ADDRESS, "address not granted"))
            };
        }
        if !by_name && !self.settings.grants.has_networks() {
            return Err(refused(ErrorCode::BLOCKED_HOST, "host not granted"));
        }
        let mut addresses = self.settings.resolver.resolve(&origin.host, origin.port).await?;
        if !by_name {
            addresses.retain(|address| self.settings.grants.allows_address(*address, origin.port));
            if addresses.is_empty() {
                return Err(refused(ErrorCode::BLOCKED_HOST, "host not granted"));
            }
        }
        Ok(addresses)
    }

    fn keep(&mut self, origin: Arc<Origin>, connection: Connection) {
        if self.settings.no_connection_reuse {
            return;
        }
        if self.kept.len() >= MAX_KEPT_CONNECTIONS {
            self.kept.remove(0);
        }
        self.kept.push((origin, connection));
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
