//! HTTP/2 (RFC 9113) by the crate `h2`: one connection to an origin, any number of requests on it at once.
//!
//! Its frames move in a task of their own: a server's pings and settings are answered while the virtual user sleeps. The task ends
//! with the connection's last user.

mod exchange;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use tokio::task::JoinHandle;

pub(super) use exchange::Piecewise;

use super::dial::Dialed;
use super::failure::{ErrorCode, Failure};
use super::h1::{Head, Notes, closed_early};
use super::payload::Length;
use super::stream::{Ending, Moved};
use super::target::Target;
use super::tls::TlsVersion;

/// What the server may send of one body before it is read.
pub(super) const STREAM_WINDOW: u32 = 1 << 20;
/// Answers that one virtual user may leave unread on a connection, and the next one is still read.
pub(crate) const UNREAD_STREAMS: usize = 16;
/// What it may send of all: as much as all unread answers together, and another one.
const CONNECTION_WINDOW: u32 = (UNREAD_STREAMS as u32 + 1) * STREAM_WINDOW;
/// What unread frames may cost beside their bytes. Events are small, and `h2` would take half of the window for an attack.
const FRAME_BUDGET: usize = CONNECTION_WINDOW as usize;
/// A longer head is no honest answer.
const MAX_HEAD_BYTES: u32 = 64 * 1024;

/// A connection. Cloned for each request that is under way.
#[derive(Debug, Clone)]
pub(crate) struct Http2 {
    sender: SendRequest<Bytes>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    moved: Arc<Moved>,
    /// The server sends nothing more.
    ended: Arc<AtomicBool>,
    driver: JoinHandle<()>,
    tls: Option<TlsVersion>,
    remote: SocketAddr,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Why an exchange ended without an answer.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) failure: Failure,
    /// The server says, or has to mean, that it has not looked at the request: it may be sent again (RFC 9113, 8.7).
    pub(super) untouched: bool,
    /// The connection itself is as good as before.
    pub(super) of_stream: bool,
}

impl Broken {
    fn new(error: &h2::Error) -> Self {
        let closing = error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR);
        let untouched = closing || error.reason() == Some(h2::Reason::REFUSED_STREAM);
        Self { failure: Failure::http2(error), untouched, of_stream: error.is_reset() }
    }
}

impl Http2 {
    /// Begins to speak HTTP/2 on a connection, whose streams have this window.
    pub(crate) async fn open(dialed: Dialed, stream_window: u32) -> Result<Self, Failure> {
        let (stream, moved) = dialed.stream.counted();
        let (stream, ended) = Ending::new(stream);
        let handshake = Builder::new()
            .enable_push(false)
            .initial_window_size(stream_window)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .data_frame_budget(FRAME_BUDGET)
            .max_header_list_size(MAX_HEAD_BYTES)
            .handshake(stream)
            .await;
        let (sender, connection) = handshake.map_err(|error| Failure::http2(&error))?;
        let driver = tokio::spawn(async move {
            // Whoever waits for an answer learns of the error by it.
            let _ = connection.await;
        });
        let shared = Shared { moved, ended, driver, tls: dialed.tls, remote: dialed.remote };
        Ok(Self { sender, shared: Arc::new(shared) })
    }

    /// Whether another request can be begun, as far as is known.
    pub(crate) fn is_open(&self) -> bool {
        !self.shared.driver.is_finished()
    }

    /// Whether both are one connection.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// The version of TLS, if it is spoken.
    pub(crate) fn tls(&self) -> Option<TlsVersion> {
        self.shared.tls
    }

    /// Who is at the other end.
    pub(crate) fn remote(&self) -> SocketAddr {
        self.shared.remote
    }

    /// The bytes that moved on its socket and belong to nobody yet.
    pub(crate) fn moved(&self) -> &Moved {
        &self.shared.moved
    }

    /// To begin a stream with, when the server lets one begin.
    pub(crate) async fn ready(&self) -> Result<SendRequest<Bytes>, h2::Error> {
        self.sender.clone().ready().await
    }

    /// Why a stream on this connection failed.
    pub(crate) fn failure(&self, error: &h2::Error) -> Failure {
        self.broken(error).failure
    }

    /// Whether the server says, or has to mean, that it has not looked at the request that failed with this: it may be sent again.
    pub(crate) fn is_untouched(error: &h2::Error) -> bool {
        Broken::new(error).untouched
    }

    /// Why a stream on this connection failed. Where the connection ended beneath it, the server's last words (GOAWAY) are the reason, if there
    /// were any: `h2` tells them only to who asks for another stream.
    fn broken(&self, error: &h2::Error) -> Broken {
        let Some(cause) = error.get_io() else { return Broken::new(error) };
        match self.sender.clone().poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Err(last)) if last.is_go_away() => Failure::http2(&last).into(),
            _ if self.shared.ended.load(Relaxed) => closed_early().into(),
            // A reset may be found out by a frame of housekeeping that can no longer be written: the request has left, and its answer is cut.
            _ if cause.kind() == io::ErrorKind::BrokenPipe => {
                Failure::new(ErrorCode::RESET_BY_PEER, "connection reset by peer", error).into()
            }
            _ => Broken::new(error),
        }
    }
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self { failure, untouched: false, of_stream: false }
    }
}

/// The head as HTTP/1.1 would have it: what reads heads reads one form.
pub(crate) fn head_of(status: u16, headers: &HeaderMap) -> Result<Head, Failure> {
    let mut text = format!("HTTP/1.1 {status} \r\n").into_bytes();
    let mut notes = Notes::default();
    for (name, value) in headers {
        notes.note(name.as_str());
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    Head::parsed(&text, notes)
        .ok_or_else(|| Failure::new(ErrorCode::HTTP2, "answer is not HTTP", "its headers are too many, or no headers"))
}

/// What belongs to a connection has no place in HTTP/2 (RFC 9113, 8.2.2); a length is the frames' business, and the host is the authority.
const NOT_IN_HTTP2: [HeaderName; 6] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::CONTENT_LENGTH,
];

/// The head of a request whose body has this length. The headers have passed `check_headers`.
pub(super) fn request(
    method: &Method,
    target: &Target,
    headers: &[(String, Vec<u8>)],
    user_agent: &str,
    length: impl Into<Length>,
) -> Result<Request<()>, Failure> {
    let mut request = Request::new(());
    *request.method_mut() = method.clone();
    let mut authority: &[u8] = target.host_header.as_bytes();
    let map = request.headers_mut();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| invalid(&error))?;
        if name == header::HOST {
            authority = value;
            continue;
        }
        // `te` may say that trailers are understood, and nothing else.
        let allowed = !NOT_IN_HTTP2.contains(&name) && (name != header::TE || value == b"trailers");
        if allowed {
            map.append(name, HeaderValue::from_bytes(value).map_err(|error| invalid(&error))?);
        }
    }
    if !map.contains_key(header::USER_AGENT) && !user_agent.is_empty() {
        map.insert(header::USER_AGENT, HeaderValue::from_str(user_agent).map_err(|error| invalid(&error))?);
    }
    if let Some(credentials) = &target.authorization
        && !map.contains_key(header::AUTHORIZATION)
    {
        map.insert(header::AUTHORIZATION, HeaderValue::from_str(credentials).map_err(|error| invalid(&error))?);
    }
    // What is sent in chunks over HTTP/1.1 has no length here either.
    if let Length::Known(length) = length.into().announced(method) {
        map.insert(header::CONTENT_LENGTH, length.into());
    }
    let scheme = if target.origin.tls { "https" } else { "http" };
    let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(&*target.path).build();
    *request.uri_mut() = uri.map_err(|error| invalid(&error))?;
    Ok(request)
}

fn invalid(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(ErrorCode::OTHER, "invalid header", format_args!("the request cannot be written as HTTP/2: {error}"))
}
