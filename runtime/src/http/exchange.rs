//! A request on its way out, and what came of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;

use super::failure::Failure;
use super::h1::Head;
use super::incoming::Incoming;
use super::payload::{Length, Payload};
use super::target::Target;
use super::tls::{HttpVersion, TlsVersion};

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
    /// The body goes out in chunks, its length unsaid.
    pub chunked: bool,
    /// The body of a success (2xx) is not taken in: what is still to come of it is read piece by piece. Any other answer is taken in whole.
    pub streamed: bool,
}

impl Outgoing {
    /// What the head says about the body.
    pub(crate) fn length(&self) -> Length {
        match &self.body {
            Some(_) if self.chunked => Length::Chunked,
            body => body.as_ref().map(Payload::len).into(),
        }
    }
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
    /// What is still to come of a body that is read piece by piece.
    pub(crate) incoming: Option<Box<Incoming>>,
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
            incoming: None,
        }
    }

    /// Nothing was sent, for this reason.
    #[must_use]
    pub fn failed(failure: Failure) -> Self {
        Self { failure: Some(failure), ..Self::new() }
    }
}

impl Exchange {
    pub(super) const fn is_answered(&self) -> bool {
        self.status != 0
    }
}

impl Default for Exchange {
    fn default() -> Self {
        Self::new()
    }
}
