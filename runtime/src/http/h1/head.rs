//! The head of an answer.

use std::mem::MaybeUninit;

use httparse::{Header, ParserConfig, Status};

use super::body::Body;
use crate::http::failure::{ErrorCode, Failure};

/// As most servers and proxies.
const MAX_HEADERS: usize = 128;

/// The head of an answer as it came: taken apart again only when somebody asks for a header.
#[derive(Debug, Clone, Default)]
pub struct Head {
    bytes: Box<[u8]>,
    notes: Notes,
}

/// Which of the headers that somebody above an exchange acts on a head has: a head without them is not looked into again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Notes {
    /// `Set-Cookie`.
    pub set_cookie: bool,
    /// `Location`.
    pub location: bool,
    /// `Content-Encoding`.
    pub content_encoding: bool,
    /// `WWW-Authenticate`.
    pub challenge: bool,
}

impl Notes {
    /// Takes note of a header's name.
    pub(crate) fn note(&mut self, name: &str) {
        match name.len() {
            8 => self.location |= name.eq_ignore_ascii_case("location"),
            10 => self.set_cookie |= name.eq_ignore_ascii_case("set-cookie"),
            16 => {
                self.content_encoding |= name.eq_ignore_ascii_case("content-encoding");
                self.challenge |= name.eq_ignore_ascii_case("www-authenticate");
            }
            _ => {}
        }
    }
}

/// What a head says about what follows it.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) status: u16,
    pub(super) protocol: &'static str,
    pub(super) body: Body,
    pub(super) notes: Notes,
    /// Whether the connection may be used again, once the body is over.
    pub(super) keep: bool,
    /// Length of the head, in bytes.
    pub(super) bytes: usize,
}

impl Head {
    pub(super) fn new(bytes: &[u8], notes: Notes) -> Self {
        Self { bytes: bytes.into(), notes }
    }

    /// Which of the headers that mean something are there.
    #[must_use]
    pub const fn notes(&self) -> Notes {
        self.notes
    }

    /// The head of these bytes, if they are one.
    pub(crate) fn parsed(bytes: &[u8], notes: Notes) -> Option<Self> {
        let head = Self::new(bytes, notes);
        head.visit(|_| Some(())).map(|()| head)
    }

    /// The first value of a header, compared without case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.visit(|headers| {
            headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
        })
    }

    /// Every value of a header, compared without case.
    #[must_use]
    pub fn get_all(&self, name: &str) -> Vec<&[u8]> {
        self.visit(|headers| {
            let named = headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
            Some(named.map(|header| header.value).collect())
        })
        .unwrap_or_default()
    }

    /// Every header in the order of arrival; names in lower case.
    #[must_use]
    pub fn all(&self) -> Vec<(String, Vec<u8>)> {
        let owned = |header: &Header<'_>| (header.name.to_ascii_lowercase(), header.value.to_vec());
        self.visit(|headers| Some(headers.iter().map(owned).collect())).unwrap_or_default()
    }

    /// What the server calls its status.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        let line = self.bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
        let reason = line.splitn(3, |byte| *byte == b' ').nth(2)?.trim_ascii();
        (!reason.is_empty()).then(|| String::from_utf8_lossy(reason).into_owned())
    }

    /// Bytes held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is none: nothing was answered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn visit<'a, T>(&'a self, visit: impl FnOnce(&[Header<'a>]) -> Option<T>) -> Option<T> {
        let mut headers = [MaybeUninit::uninit(); MAX_HEADERS];
        let mut response = httparse::Response::new(&mut []);
        let parsed =
            ParserConfig::default().parse_response_with_uninit_headers(&mut response, &self.bytes, &mut headers);
        parsed.is_ok().then_some(())?;
        visit(response.headers)
    }
}

/// Parses the head at the beginning of `bytes`; `None` while it is not complete.
///
/// # Errors
/// When this is no HTTP, or its framing is ambiguous: a length that two readers may understand in two ways is refused, not guessed.
pub(super) fn parse(bytes: &[u8], to_head: bool) -> Result<Option<Parsed>, Failure> {
    let mut headers = [MaybeUninit::uninit(); MAX_HEADERS];
    let mut response = httparse::Response::new(&mut []);
    let length = match ParserConfig::default().parse_response_with_uninit_headers(&mut response, bytes, &mut headers) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Ok(None),
        Err(error) => return Err(not_http(error)),
    };
    let (Some(status), Some(version)) = (response.code, response.version) else {
        return Err(not_http("no status line"));
    };
    if status < 100 {
        return Err(not_http(format_args!("status {status:03}")));
    }
    let framing = Framing::of(response.headers)?;
    let modern = version == 1;
    let body = match (status, &framing) {
        _ if to_head => Body::Nothing,
        (100..=199 | 204 | 304, _) => Body::Nothing,
        // RFC 9112, 6.3: a transfer coding overrides a length.
        (_, Framing { transfer: Some(Transfer::Chunked), .. }) if modern => Body::chunked(),
        (_, Framing { transfer: Some(_), .. }) => Body::UntilClose,
        (_, Framing { length: Some(length), .. }) => Body::of_length(*length),
        _ => Body::UntilClose,
    };
    // Both a length and a coding: somebody in between may have understood the other one.
    let ambiguous = framing.transfer.is_some() && framing.length.is_some();
    // HTTP/1.0 closes unless both sides want otherwise, and knows no chunks: an answer that has them is no answer to build on.
    let persistent = modern || framing.keep_alive && framing.transfer.is_none();
    let keep = persistent && !framing.close && !ambiguous && status != 101 && !matches!(body, Body::UntilClose);
    let protocol = if modern { "HTTP/1.1" } else { "HTTP/1.0" };
    Ok(Some(Parsed { status, protocol, body, notes: framing.notes, keep, bytes: length }))
}

#[derive(Debug, Default)]
struct Framing {
    length: Option<u64>,
    transfer: Option<Transfer>,
    close: bool,
    keep_alive: bool,
    notes: Notes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transfer {
    Chunked,
    Other,
}

impl Framing {
    fn of(headers: &[Header<'_>]) -> Result<Self, Failure> {
        let mut framing = Self::default();
        for header in headers {
            match header.name.len() {
                10 if header.name.eq_ignore_ascii_case("connection") => {
                    framing.close |= lists(header.value, b"close");
                    framing.keep_alive |= lists(header.value, b"keep-alive");
                }
                14 if header.name.eq_ignore_ascii_case("content-length") => {
                    for text in header.value.split(|byte| *byte == b',') {
                        let length =
                            decimal(text.trim_ascii()).ok_or_else(|| not_http("a length that is no number"))?;
                        if framing.length.is_some_and(|known| known != length) {
                            return Err(not_http("two lengths"));
                        }
                        framing.length = Some(length);
                    }
                }
                17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                    for coding in header.value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                        framing.transfer = match framing.transfer {
                            Some(Transfer::Chunked) => return Err(not_http("a coding behind the chunks")),
                            _ if coding.eq_ignore_ascii_case(b"chunked") => Some(Transfer::Chunked),
                            // What older servers say for "as it is".
                            known if coding.is_empty() || coding.eq_ignore_ascii_case(b"identity") => known,
                            _ => Some(Transfer::Other),
                        };
                    }
                }
                _ => framing.notes.note(header.name),
            }
        }
        if framing.transfer == Some(Transfer::Other) && framing.length.is_some() {
            return Err(not_http("a length beside a coding that has none"));
        }
        Ok(framing)
    }
}

/// Whether a comma-separated list has this element, compared without case.
pub(super) fn lists(value: &[u8], element: &[u8]) -> bool {
    value.split(|byte| *byte == b',').any(|each| each.trim_ascii().eq_ignore_ascii_case(element))
}

/// Digits and nothing else: not even a sign.
fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

pub(super) fn not_http(detail: impl std::fmt::Display) -> Failure {
    Failure::new(ErrorCode::OTHER, "answer is not HTTP", detail)
}
