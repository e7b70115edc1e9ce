//! Reading an answer.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::cookies::Cookie;
use crate::host::http as host;

/// An answer, or what came instead of one. Its body stays outside the module until it is asked for.
pub struct Response {
    status: u16,
    error_code: u16,
    held: host::Response,
    body: OnceCell<Vec<u8>>,
}

impl Response {
    pub(crate) fn new(reply: host::Reply) -> Self {
        Self { status: reply.status, error_code: reply.error_code, held: reply.response, body: OnceCell::new() }
    }

    /// The HTTP status; 0 when there was no answer.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The status with what the server calls it, such as `404 Not Found`; empty when there was no answer.
    #[must_use]
    pub fn status_text(&self) -> String {
        self.held.status_text()
    }

    /// Whether the status is an expected one: what `http_req_failed` counts as no failure. Expected is 200 to 399, unless the
    /// [request](super::Request::expect_status), the [virtual user](super::set_expected_statuses) or the scenario says otherwise.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.held.expected()
    }

    /// k6's error code: 0 for none, 1000 to 1699 for what failed, 1400 to 1599 for the statuses 400 to 599.
    #[must_use]
    pub fn error_code(&self) -> u16 {
        self.error_code
    }

    /// What went wrong, if something did.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        if self.error_code == 0 { None } else { self.held.error() }
    }

    /// The first value of a header, whose name is compared without case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        self.held.header(name).map(into_text)
    }

    /// All headers as received; names in lower case.
    #[must_use]
    pub fn headers(&self) -> Vec<(String, String)> {
        self.held.headers().into_iter().map(|(name, value)| (name, into_text(value))).collect()
    }

    /// The body's bytes, decompressed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.body.get_or_init(|| self.held.body())
    }

    /// The body as a text; what is not UTF-8 becomes `�`.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.bytes())
    }

    /// The body read as JSON.
    ///
    /// ```no_run
    /// use flashcrowd::prelude::*;
    ///
    /// # fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let user: serde_json::Value = http::get("https://shop.test/users/7").send().json()?;
    /// log::info!("{}", user["name"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the body is not JSON, or JSON of another shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, JsonError> {
        serde_json::from_slice(self.bytes()).map_err(|error| JsonError {
            status: self.status,
            start: self.text().chars().take(SHOWN).collect(),
            error,
        })
    }

    /// Where the time went.
    ///
    /// ```no_run
    /// use flashcrowd::prelude::*;
    ///
    /// let response = http::get("https://shop.test/").send();
    /// check!(response, "answers within a second" => |r| r.timings().duration < secs(1));
    /// ```
    #[must_use]
    pub fn timings(&self) -> Timings {
        self.held.timings().into()
    }

    /// The cookies that this answer sets. What the virtual user holds by now is [`cookies`](super::cookies).
    ///
    /// ```no_run
    /// use flashcrowd::prelude::*;
    ///
    /// let response = http::get("https://shop.test/").send();
    /// check!(response, "sets a session" => |r| r.cookies().iter().any(|cookie| cookie.name == "session" && cookie.secure));
    /// ```
    #[must_use]
    pub fn cookies(&self) -> Vec<Cookie> {
        let headers = self.headers();
        headers.iter().filter(|(name, _)| name == "set-cookie").filter_map(|(_, value)| Cookie::parse(value)).collect()
    }

    /// The value of the cookie of this name that this answer sets.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies().into_iter().find(|cookie| cookie.name == name).map(|cookie| cookie.value)
    }

    /// The version of TLS, such as `tls1.3`; empty without TLS.
    #[must_use]
    pub fn tls_version(&self) -> String {
        self.held.tls_version()
    }

    /// Who was connected to, as address and port; `None` if nobody was.
    #[must_use]
    pub fn remote_address(&self) -> Option<String> {
        self.held.remote_address()
    }

    /// How many redirects were followed.
    #[must_use]
    pub fn redirects(&self) -> u32 {
        self.held.redirects()
    }

    /// The URL that answered: the last one, if redirects were followed.
    #[must_use]
    pub fn url(&self) -> String {
        self.held.url()
    }

    /// The protocol, such as `HTTP/1.1`; empty when there was no answer.
    #[must_use]
    pub fn protocol(&self) -> String {
        self.held.protocol()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("error_code", &self.error_code)
            .finish_non_exhaustive()
    }
}

/// Header values are bytes; what is not UTF-8 becomes `�`.
pub(super) fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

impl From<host::Timings> for Timings {
    fn from(timings: host::Timings) -> Self {
        Self {
            blocked: Duration::from_nanos(timings.blocked),
            connecting: Duration::from_nanos(timings.connecting),
            tls_handshaking: Duration::from_nanos(timings.tls_handshaking),
            sending: Duration::from_nanos(timings.sending),
            waiting: Duration::from_nanos(timings.waiting),
            receiving: Duration::from_nanos(timings.receiving),
            duration: Duration::from_nanos(timings.sending + timings.waiting + timings.receiving),
        }
    }
}

/// Where a request's time went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timings {
    /// From the call to a usable connection: waiting for a free one, name look-up, connecting.
    pub blocked: Duration,
    /// The TCP handshake; zero on a reused connection.
    pub connecting: Duration,
    /// The TLS handshake; zero on a reused or a plain connection.
    pub tls_handshaking: Duration,
    /// From the first to the last byte written.
    pub sending: Duration,
    /// From the last byte written to the first byte read.
    pub waiting: Duration,
    /// From the first to the last byte read.
    pub receiving: Duration,
    /// Sending, waiting and receiving together, as `http_req_duration` counts it.
    pub duration: Duration,
}

/// How much of a body an error shows, in characters.
const SHOWN: usize = 100;

/// A body was not the JSON that was expected.
#[derive(Debug)]
pub struct JsonError {
    status: u16,
    start: String,
    error: serde_json::Error,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the body of this answer (status {}) is not the JSON expected: {}; it begins {:?}",
            self.status, self.error, self.start
        )
    }
}

impl std::error::Error for JsonError {}
