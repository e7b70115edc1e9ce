//! WebSocket connections. Each one is a session of the `ws_*` metrics.
//!
//! ```no_run
//! use flashcrowd::prelude::*;
//!
//! #[flashcrowd::scenario]
//! fn chat() -> Result<(), websocket::Error> {
//!     let socket = websocket::connect("wss://chat.test/rooms/7").subprotocol("chat.v1").timeout(5).open()?;
//!     for number in 1..=10 {
//!         socket.send(&format!("message {number}"))?;
//!         let answer = socket.receive_text(2)?;
//!         check!(answer, "is echoed" => |a| a.ends_with(&number.to_string()));
//!     }
//!     socket.close();
//!     Ok(())
//! }
//! # fn main() {}
//! ```
//!
//! A [`Socket`] that is dropped is closed, and whatever an iteration leaves open is closed at its end. The server's pings are answered
//! while one of the socket's functions waits. Nothing here panics because of the network: what went wrong is a value.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::host::websocket as host;
use crate::http::Url;
use crate::tags::{self, Tag};
use crate::text::{Seconds, Text};

/// How long [`Socket::close`] waits for the server's close frame.
const CLOSE_TIMEOUT_NS: u64 = 10_000_000_000;

/// Begins a connection to a `ws` or `wss` URL. A URL that begins with `/` continues the environment variable `BASE_URL`, whose `http` becomes
/// `ws` and whose `https` becomes `wss`.
pub fn connect<'a>(url: impl Into<Url<'a>>) -> Connect<'a> {
    let url = url.into();
    let name = url.template.map(|template| Cow::Borrowed(template.name()));
    Connect { url, name, headers: Vec::new(), subprotocols: Vec::new(), tags: Vec::new(), timeout_ns: 0 }
}

/// A connection being described: [`connect`] begins one, [`open`](Self::open) opens it.
#[derive(Clone, Debug)]
#[must_use = "nothing is connected until it is opened"]
pub struct Connect<'a> {
    url: Url<'a>,
    name: Option<Cow<'a, str>>,
    headers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    subprotocols: Vec<Cow<'a, str>>,
    tags: Vec<Tag<'a>>,
    timeout_ns: u64,
}

impl<'a> Connect<'a> {
    /// Adds a header to the request that asks for the connection.
    pub fn header(mut self, name: impl Into<Cow<'a, str>>, value: impl Text<'a>) -> Self {
        self.headers.push((name.into(), value.into_text()));
        self
    }

    /// Offers a subprotocol; the server chooses one of those that were offered, or none.
    pub fn subprotocol(mut self, name: impl Into<Cow<'a, str>>) -> Self {
        self.subprotocols.push(name.into());
        self
    }

    /// Limits opening, handshakes included: a [`Duration`], or a number of seconds. The default is 60 seconds.
    pub fn timeout(mut self, timeout: impl Seconds) -> Self {
        // 0 would mean the default to the runtime.
        self.timeout_ns = timeout.nanoseconds().max(1);
        self
    }

    /// Sets the `name` tag, which otherwise is the URL: connections with one name are one series. [`url!`](crate::url!) sets it from a
    /// template.
    pub fn name(mut self, name: impl Into<Cow<'a, str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Adds a tag to this connection's samples.
    pub fn tag(mut self, name: impl Into<Cow<'a, str>>, value: impl Text<'a>) -> Self {
        self.tags.push((name.into(), value.into_text()));
        self
    }

    /// Connects.
    ///
    /// # Errors
    /// When there is no connection; the error has the HTTP status if the server answered with another than 101, and k6's error code.
    ///
    /// # Panics
    /// If the URL begins with `/` and there is no environment variable `BASE_URL`.
    #[track_caller]
    pub fn open(&self) -> Result<Socket, Error> {
        let url = to_ws(crate::http::resolve(&self.url.text));
        let headers: Vec<(&str, &[u8])> =
            self.headers.iter().map(|(name, value)| (&**name, value.as_bytes())).collect();
        let params = self.params();
        let host::Opened { status, error_code, socket } = host::connect(&url, &headers, params.as_ref());
        if error_code == 0 {
            return Ok(Socket { held: socket });
        }
        let reason = socket.ended().map_or_else(String::new, |ended| ended.reason);
        Err(Error { what: What::Refused { status, url: url.into_owned() }, error_code, reason })
    }

    fn params(&self) -> Option<host::Params> {
        let tags = tags::intern(&self.tags);
        if self.name.is_none() && self.subprotocols.is_empty() && self.timeout_ns == 0 && tags == 0 {
            return None;
        }
        let params = host::Params::new();
        if self.timeout_ns != 0 {
            params.set_timeout(self.timeout_ns);
        }
        if let Some(name) = &self.name {
            params.set_name(name);
        }
        if tags != 0 {
            params.set_tags(tags);
        }
        if !self.subprotocols.is_empty() {
            params.set_subprotocols(&self.subprotocols.iter().map(|name| &**name).collect::<Vec<_>>());
        }
        Some(params)
    }
}

/// The WebSocket URL of the service with this HTTP URL.
fn to_ws(url: Cow<'_, str>) -> Cow<'_, str> {
    for (http, ws) in [("http://", "ws://"), ("https://", "wss://")] {
        if let Some(rest) = url.strip_prefix(http) {
            return Cow::Owned(format!("{ws}{rest}"));
        }
    }
    url
}

/// An open connection, or one that is over.
pub struct Socket {
    held: host::Socket,
}

/// What came in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// The answer to a ping that was not waited for, and its round trip.
    Pong(Duration),
    /// The connection is over.
    Closed(Closing),
    /// Nothing came in time.
    Timeout,
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closing {
    /// The code of the close frame, such as 1000; 1005 for one without a code, 1006 for an end without a close frame.
    pub code: u16,
    /// What the server said, or what went wrong.
    pub reason: String,
    /// k6's error code if something broke the connection; 0 otherwise.
    pub error_code: u16,
}

impl Socket {
    /// Sends a text.
    ///
    /// # Errors
    /// When the connection is over, or breaks.
    pub fn send(&self, text: &str) -> Result<(), Error> {
        self.sent(self.held.send_text(text))
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// When the connection is over, or breaks.
    pub fn send_bytes(&self, bytes: &[u8]) -> Result<(), Error> {
        self.sent(self.held.send_binary(bytes))
    }

    /// Sends a value as JSON, in a text message.
    ///
    /// # Errors
    /// When the connection is over, or breaks.
    ///
    /// # Panics
    /// If the value cannot be written as JSON.
    #[track_caller]
    pub fn send_json(&self, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        match serde_json::to_string(value) {
            Ok(text) => self.send(&text),
            Err(error) => panic!("the message to {} cannot be written as JSON: {error}", self.url()),
        }
    }

    /// Waits for whatever comes next: a [`Duration`], or a number of seconds; 0 takes only what is there already.
    ///
    /// ```no_run
    /// use flashcrowd::prelude::*;
    /// use flashcrowd::websocket::Event;
    ///
    /// # fn run() -> Result<(), websocket::Error> {
    /// let socket = websocket::connect("wss://prices.test/feed").open()?;
    /// loop {
    ///     match socket.receive(30) {
    ///         Event::Text(price) => log::info!("{price}"),
    ///         Event::Closed(closing) => {
    ///             log::info!("closed: {} {}", closing.code, closing.reason);
    ///             break;
    ///         }
    ///         Event::Timeout => fail("no price for half a minute"),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn receive(&self, timeout: impl Seconds) -> Event {
        match self.held.receive(timeout.nanoseconds()) {
            host::Event::Text(text) => Event::Text(text),
            host::Event::Binary(bytes) => Event::Binary(bytes),
            host::Event::Pong(round_trip) => Event::Pong(Duration::from_nanos(round_trip)),
            host::Event::Closed(closing) => Event::Closed(closing.into()),
            host::Event::Timeout => Event::Timeout,
        }
    }

    /// Waits for a text; pongs are passed over.
    ///
    /// # Errors
    /// When the connection ends, nothing comes in time, or a binary message comes.
    pub fn receive_text(&self, timeout: impl Seconds) -> Result<String, Error> {
        match self.message(timeout.nanoseconds())? {
            Event::Text(text) => Ok(text),
            _ => Err(Error { what: What::Kind("a text"), error_code: 0, reason: String::new() }),
        }
    }

    /// Waits for a binary message; pongs are passed over.
    ///
    /// # Errors
    /// When the connection ends, nothing comes in time, or a text comes.
    pub fn receive_bytes(&self, timeout: impl Seconds) -> Result<Vec<u8>, Error> {
        match self.message(timeout.nanoseconds())? {
            Event::Binary(bytes) => Ok(bytes),
            _ => Err(Error { what: What::Kind("a binary message"), error_code: 0, reason: String::new() }),
        }
    }

    /// Waits for a message, text or binary, and reads it as JSON.
    ///
    /// # Errors
    /// When the connection ends, nothing comes in time, or what comes is not the JSON that is expected.
    pub fn receive_json<T: DeserializeOwned>(&self, timeout: impl Seconds) -> Result<T, Error> {
        let read = match self.message(timeout.nanoseconds())? {
            Event::Text(text) => serde_json::from_str(&text),
            Event::Binary(bytes) => serde_json::from_slice(&bytes),
            _ => return Err(Error { what: What::Kind("a message"), error_code: 0, reason: String::new() }),
        };
        read.map_err(|error| Error { what: What::Json, error_code: 0, reason: error.to_string() })
    }

    /// The next message.
    fn message(&self, timeout_ns: u64) -> Result<Event, Error> {
        loop {
            match self.receive(Duration::from_nanos(timeout_ns)) {
                Event::Pong(_) => {}
                Event::Timeout => {
                    let waited = Duration::from_nanos(timeout_ns);
                    return Err(Error { what: What::Timeout(waited), error_code: 1050, reason: String::new() });
                }
                Event::Closed(closing) => return Err(closing.into()),
                message => return Ok(message),
            }
        }
    }

    /// Sends a ping, and waits for its answer: the round trip, which is a sample of `ws_ping` too. `None` if it did not come in time or the
    /// connection is over. With a timeout of 0 nothing is waited for, and [`receive`](Self::receive) gives the answer when it comes.
    pub fn ping(&self, timeout: impl Seconds) -> Option<Duration> {
        self.held.ping(timeout.nanoseconds()).map(Duration::from_nanos)
    }

    /// Closes with code 1000, and waits up to ten seconds for the server to close too.
    pub fn close(&self) -> Closing {
        self.held.close(1000, "", CLOSE_TIMEOUT_NS).into()
    }

    /// Closes with this code and reason, and waits for the server to close too: a [`Duration`], or a number of seconds. Messages that come
    /// meanwhile are dropped.
    ///
    /// # Panics
    /// If the code is none of 1000 to 1003, 1007 to 1014 and 3000 to 4999, or the reason has more than 123 bytes.
    pub fn close_with(&self, code: u16, reason: &str, timeout: impl Seconds) -> Closing {
        self.held.close(code, reason, timeout.nanoseconds()).into()
    }

    /// How the connection ended; `None` while it is open.
    #[must_use]
    pub fn closing(&self) -> Option<Closing> {
        self.held.ended().map(Closing::from)
    }

    /// Whether the connection is open, as far as is known without asking the server.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.held.ended().is_none()
    }

    /// The subprotocol that the server chose.
    #[must_use]
    pub fn subprotocol(&self) -> Option<String> {
        self.held.subprotocol()
    }

    /// The headers of the server's answer; names in lower case.
    #[must_use]
    pub fn headers(&self) -> Vec<(String, String)> {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        self.held.headers().into_iter().map(|(name, value)| (name, text(value))).collect()
    }

    /// The URL that was connected to.
    #[must_use]
    pub fn url(&self) -> String {
        self.held.url()
    }

    fn sent(&self, error_code: u16) -> Result<(), Error> {
        if error_code == 0 {
            return Ok(());
        }
        match self.closing() {
            Some(closing) => Err(Error { error_code, ..Error::from(closing) }),
            None => Err(Error { what: What::Unsent, error_code, reason: String::new() }),
        }
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("url", &self.url()).field("closing", &self.closing()).finish()
    }
}

impl From<host::Closing> for Closing {
    fn from(closing: host::Closing) -> Self {
        Self { code: closing.code, reason: closing.reason, error_code: closing.error_code }
    }
}

/// Why there is no connection, or no message.
#[derive(Clone, Debug)]
pub struct Error {
    what: What,
    error_code: u16,
    reason: String,
}

#[derive(Clone, Debug)]
enum What {
    Refused { status: u16, url: String },
    Closed { code: u16 },
    Timeout(Duration),
    Kind(&'static str),
    Json,
    Unsent,
}

impl Error {
    /// The HTTP status of a server that did not open the connection; 0 if it did not answer, or something else went wrong.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self.what {
            What::Refused { status, .. } => status,
            _ => 0,
        }
    }

    /// k6's error code: 1050 for a timeout, 1400 to 1599 for a status, 12xx for a broken connection; 0 for none.
    #[must_use]
    pub const fn error_code(&self) -> u16 {
        self.error_code
    }

    /// The close code, if the connection is over: 1006 if it broke.
    #[must_use]
    pub const fn close_code(&self) -> Option<u16> {
        match self.what {
            What::Closed { code } => Some(code),
            _ => None,
        }
    }

    /// Whether nothing came in time.
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self.what, What::Timeout(_))
    }
}

impl From<Closing> for Error {
    fn from(closing: Closing) -> Self {
        Self { what: What::Closed { code: closing.code }, error_code: closing.error_code, reason: closing.reason }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Refused { url, .. } => write!(f, "{url}: no connection")?,
            What::Closed { code } => write!(f, "the connection is closed ({code})")?,
            What::Timeout(waited) => write!(f, "no message within {waited:?}")?,
            What::Kind(wanted) => write!(f, "the message is not {wanted}")?,
            What::Json => f.write_str("the message is not the JSON expected")?,
            What::Unsent => f.write_str("the message was not sent")?,
        }
        if self.reason.is_empty() { Ok(()) } else { write!(f, ": {}", self.reason) }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_one_address_for_http_and_websockets() {
        let ws = |url| to_ws(Cow::Borrowed(url)).into_owned();
        assert_eq!(ws("http://a.test/x"), "ws://a.test/x");
        assert_eq!(ws("https://a.test/x"), "wss://a.test/x");
        assert_eq!(ws("ws://a.test/x"), "ws://a.test/x");
    }

    #[test]
    fn without_a_runtime_nothing_is_connected_and_the_error_says_so() {
        let error = connect("ws://a.test/").subprotocol("x").timeout(1).tag("a", 1).open().unwrap_err();
        assert_eq!((error.status(), error.error_code(), error.close_code()), (0, 1000, None));
        assert!(error.to_string().starts_with("ws://a.test/: no connection: there is no runtime"), "{error}");
    }

    #[test]
    fn an_error_says_what_ended_the_connection() {
        let closing = Closing { code: 1011, reason: "restarting".to_owned(), error_code: 0 };
        let error = Error::from(closing);
        assert_eq!(error.to_string(), "the connection is closed (1011): restarting");
        assert_eq!((error.close_code(), error.is_timeout()), (Some(1011), false));
    }
}
