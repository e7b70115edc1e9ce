//! gRPC calls: unary, and streams that the server sends. Each one is a sample of the `grpc_*` metrics. For this, `flashcrowd` needs its feature
//! `grpc`.
//!
//! Messages are types that [`prost`] makes, by hand as here or from a `.proto` in a build script:
//!
//! ```no_run
//! use flashcrowd::grpc::{self, prost};
//! use flashcrowd::prelude::*;
//!
//! #[derive(Clone, PartialEq, prost::Message)]
//! struct BalanceRequest {
//!     #[prost(int64, tag = "1")]
//!     buyer_id: i64,
//! }
//!
//! #[derive(Clone, PartialEq, prost::Message)]
//! struct Balance {
//!     #[prost(int64, tag = "2")]
//!     points: i64,
//! }
//!
//! #[flashcrowd::scenario]
//! fn look() -> Result<(), grpc::Status> {
//!     let points = grpc::Client::new("http://127.0.0.1:9090");
//!     let reply = points.call("/points.v1.Points/Balance").timeout(2).send::<Balance>(&BalanceRequest { buyer_id: 7 });
//!     check!(reply, "status is OK" => |r| r.ok());
//!     let balance = reply.into_result()?;
//!     log::info!("{} points", balance.points);
//!     Ok(())
//! }
//! # fn main() {}
//! ```
//!
//! A call that fails on the network is a [`Reply`] with a status and k6's error code, never a panic.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

pub use prost;
use prost::Message;

use crate::host::grpc as host;
use crate::tags::{self, Tag};
use crate::text::{Bytes, Seconds, Text};

/// A service's address. Making one connects to nobody; connections are the virtual user's, and kept from call to call.
#[derive(Clone, Debug)]
pub struct Client {
    url: String,
    metadata: Vec<(String, Vec<u8>)>,
}

impl Client {
    /// The server with this URL, such as `http://127.0.0.1:9090` (HTTP/2 from the first byte) or `https://grpc.test`.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), metadata: Vec::new() }
    }

    /// Adds metadata to all calls.
    #[must_use]
    pub fn metadata<'b>(mut self, name: impl Into<String>, value: impl Text<'b>) -> Self {
        self.metadata.push((name.into(), value.into_text().into_owned().into_bytes()));
        self
    }

    /// Begins a call of a method: `/package.Service/Method`.
    pub fn call<'a>(&'a self, method: &'a str) -> Call<'a> {
        let metadata = self.metadata.iter().map(|(name, value)| (Cow::Borrowed(&**name), Cow::Borrowed(&**value)));
        Call {
            url: &self.url,
            method,
            metadata: metadata.collect(),
            name: None,
            tags: Vec::new(),
            timeout_ns: 0,
            gzip: false,
            max_bytes: None,
        }
    }
}

/// A call being described: [`Client::call`] begins one, [`send`](Self::send) or [`stream`](Self::stream) makes it.
#[derive(Clone, Debug)]
#[must_use = "nothing is called until it is sent"]
pub struct Call<'a> {
    url: &'a str,
    method: &'a str,
    metadata: Vec<(Cow<'a, str>, Cow<'a, [u8]>)>,
    name: Option<Cow<'a, str>>,
    tags: Vec<Tag<'a>>,
    timeout_ns: u64,
    gzip: bool,
    max_bytes: Option<u32>,
}

impl<'a> Call<'a> {
    /// Adds metadata: lower-case names, printable ASCII as values.
    pub fn metadata(mut self, name: impl Into<Cow<'a, str>>, value: impl Text<'a>) -> Self {
        let value = match value.into_text() {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        self.metadata.push((name.into(), value));
        self
    }

    /// Adds metadata whose value is bytes; its name must end in `-bin`.
    pub fn metadata_bytes(mut self, name: impl Into<Cow<'a, str>>, value: impl Bytes<'a>) -> Self {
        self.metadata.push((name.into(), value.into_bytes()));
        self
    }

    /// Limits the whole call, and tells the server so: a [`Duration`](std::time::Duration), or a number of seconds. The default is two minutes
    /// for [`send`](Self::send), and no limit for [`stream`](Self::stream).
    pub fn timeout(mut self, timeout: impl Seconds) -> Self {
        // 0 would mean the default to the runtime.
        self.timeout_ns = timeout.nanoseconds().max(1);
        self
    }

    /// Sets the `name` tag, which otherwise is the URL with the method.
    pub fn name(mut self, name: impl Into<Cow<'a, str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Adds a tag to this call's samples.
    pub fn tag(mut self, name: impl Into<Cow<'a, str>>, value: impl Text<'a>) -> Self {
        self.tags.push((name.into(), value.into_text()));
        self
    }

    /// Compresses the request's message. Answers are decompressed without asking.
    pub fn gzip(mut self) -> Self {
        self.gzip = true;
        self
    }

    /// The longest message that is taken, in bytes; the default is 4 MiB.
    pub fn max_message(mut self, bytes: u32) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Sends a message, and waits for the answer.
    pub fn send<T: Message + Default>(&self, message: &impl Message) -> Reply<T> {
        let reply = self.begin(|url, method, metadata, params| {
            host::unary(url, method, metadata, &message.encode_to_vec(), params)
        });
        let mut status = Status::from(reply.status);
        let decoded = reply.message.map(|bytes| T::decode(&*bytes));
        let message = match decoded.transpose() {
            Ok(message) => message,
            Err(error) => {
                status = Status::undecodable(&error);
                None
            }
        };
        Reply { status, message, call: reply.call }
    }

    /// Sends a message; the answers are what the stream gives.
    ///
    /// ```no_run
    /// use flashcrowd::grpc::{self, prost};
    /// use flashcrowd::prelude::*;
    ///
    /// # #[derive(Clone, PartialEq, prost::Message)]
    /// # struct Watch {}
    /// # #[derive(Clone, PartialEq, prost::Message)]
    /// # struct Price {}
    /// # fn run() -> Result<(), grpc::Status> {
    /// let prices = grpc::Client::new("https://prices.test");
    /// for price in prices.call("/prices.Prices/Watch").timeout(30).stream::<Price>(&Watch {}) {
    ///     log::info!("{:?}", price?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn stream<T: Message + Default>(&self, message: &impl Message) -> Stream<T> {
        let call = self.begin(|url, method, metadata, params| {
            host::server_stream(url, method, metadata, &message.encode_to_vec(), params)
        });
        Stream { call, undecodable: None, told: false, of: PhantomData }
    }

    fn begin<R>(&self, begin: impl FnOnce(&str, &str, &[(&str, &[u8])], Option<&host::Params>) -> R) -> R {
        let metadata: Vec<(&str, &[u8])> = self.metadata.iter().map(|(name, value)| (&**name, &**value)).collect();
        begin(self.url, self.method, &metadata, self.params().as_ref())
    }

    fn params(&self) -> Option<host::Params> {
        let tags = tags::intern(&self.tags);
        if self.name.is_none() && tags == 0 && self.timeout_ns == 0 && !self.gzip && self.max_bytes.is_none() {
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
        if self.gzip {
            params.set_gzip(true);
        }
        if let Some(bytes) = self.max_bytes {
            params.set_max_message(bytes);
        }
        Some(params)
    }
}

/// What came of a unary call.
pub struct Reply<T> {
    status: Status,
    message: Option<T>,
    call: host::Call,
}

impl<T> Reply<T> {
    /// Whether the call succeeded.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.status.code == Code::OK
    }

    /// How the call ended.
    #[must_use]
    pub const fn status(&self) -> &Status {
        &self.status
    }

    /// The answer, if the call succeeded.
    #[must_use]
    pub const fn message(&self) -> Option<&T> {
        self.message.as_ref()
    }

    /// The answer, or the status of a call that failed.
    ///
    /// # Errors
    /// Any status but OK.
    pub fn into_result(self) -> Result<T, Status> {
        match self.message {
            Some(message) => Ok(message),
            None => Err(self.status),
        }
    }

    /// The metadata that came before the answer.
    #[must_use]
    pub fn headers(&self) -> Metadata {
        Metadata(self.call.headers())
    }

    /// The metadata that came after it.
    #[must_use]
    pub fn trailers(&self) -> Metadata {
        Metadata(self.call.trailers())
    }
}

impl<T: fmt::Debug> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("status", &self.status).field("message", &self.message).finish_non_exhaustive()
    }
}

/// The answers of a server, one by one. After the last there is an `Err` if the call failed. Dropping it cancels the call.
pub struct Stream<T> {
    call: host::Call,
    undecodable: Option<Status>,
    /// The end was given to whoever iterates.
    told: bool,
    of: PhantomData<fn() -> T>,
}

impl<T> Stream<T> {
    /// How the call ended; `None` while it is under way.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.undecodable.clone().or_else(|| self.call.status().map(Status::from))
    }

    /// The metadata that came before the first answer; empty before it came.
    #[must_use]
    pub fn headers(&self) -> Metadata {
        Metadata(self.call.headers())
    }

    /// The metadata that came after the last answer; empty before it came.
    #[must_use]
    pub fn trailers(&self) -> Metadata {
        Metadata(self.call.trailers())
    }

    /// Ends the call, with status [`Code::CANCELLED`] if it was under way.
    pub fn cancel(&mut self) {
        self.call.cancel();
        self.told = true;
    }
}

impl<T: Message + Default> Iterator for Stream<T> {
    type Item = Result<T, Status>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.told {
            return None;
        }
        if let Some(bytes) = self.call.receive() {
            return match T::decode(&*bytes) {
                Ok(message) => Some(Ok(message)),
                Err(error) => {
                    let status = Status::undecodable(&error);
                    self.undecodable = Some(status.clone());
                    self.cancel();
                    Some(Err(status))
                }
            };
        }
        self.told = true;
        self.status().filter(|status| status.code != Code::OK).map(Err)
    }
}

impl<T> fmt::Debug for Stream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("status", &self.status()).finish_non_exhaustive()
    }
}

/// What a server sent beside its answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata(Vec<(String, Vec<u8>)>);

impl Metadata {
    /// The first value of a name, as text.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.bytes(name).map(String::from_utf8_lossy)
    }

    /// The first value of a name, as bytes: those of names that end in `-bin` are decoded.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }

    /// All names and values, in the order of arrival; names in lower case.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// gRPC's code.
    pub code: Code,
    /// The server's words, or what went wrong.
    pub message: String,
    /// k6's error code where it is not the server who said so; 0 otherwise.
    pub error_code: u16,
}

impl Status {
    fn undecodable(error: &prost::DecodeError) -> Self {
        Self { code: Code::INTERNAL, message: format!("the answer cannot be decoded: {error}"), error_code: 1000 }
    }
}

impl From<host::Status> for Status {
    fn from(status: host::Status) -> Self {
        Self { code: Code(status.code), message: status.message, error_code: status.error_code }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gRPC status {}", self.code)?;
        if self.message.is_empty() { Ok(()) } else { write!(f, ": {}", self.message) }
    }
}

impl std::error::Error for Status {}

/// A status code of gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u32);

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)+) => {
        impl Code {
            $($(#[$doc])* pub const $name: Self = Self($number);)+

            /// The code's name; empty for a number that gRPC does not have.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self.0 {
                    $($number => stringify!($name),)+
                    _ => "",
                }
            }
        }
    };
}

codes! {
    /// Success.
    OK = 0;
    /// Ended by the caller.
    CANCELLED = 1;
    /// None of the others.
    UNKNOWN = 2;
    /// The request makes no sense.
    INVALID_ARGUMENT = 3;
    /// Not over in time.
    DEADLINE_EXCEEDED = 4;
    /// No such thing.
    NOT_FOUND = 5;
    /// There is one already.
    ALREADY_EXISTS = 6;
    /// The caller may not.
    PERMISSION_DENIED = 7;
    /// A quota or a memory is used up.
    RESOURCE_EXHAUSTED = 8;
    /// Not in this state.
    FAILED_PRECONDITION = 9;
    /// A conflict; trying the whole again may help.
    ABORTED = 10;
    /// Beyond the valid range.
    OUT_OF_RANGE = 11;
    /// The server does not have this method.
    UNIMPLEMENTED = 12;
    /// Something is broken.
    INTERNAL = 13;
    /// Nobody there now; trying again may help.
    UNAVAILABLE = 14;
    /// Lost for good.
    DATA_LOSS = 15;
    /// The caller is not known.
    UNAUTHENTICATED = 16;
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            "" => write!(f, "{}", self.0),
            name => write!(f, "{} ({name})", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, PartialEq, prost::Message)]
    struct Text {
        #[prost(string, tag = "1")]
        text: String,
    }

    #[test]
    fn without_a_runtime_every_call_says_so() {
        let client = Client::new("http://a.test").metadata("x-shop", 7);
        let call = client.call("/a.B/C").metadata_bytes("x-bin", b"\0").timeout(1).gzip().tag("a", 1);
        let reply = call.send::<Text>(&Text::default());
        assert!(!reply.ok() && reply.message().is_none());
        assert_eq!((reply.status().code, reply.status().error_code), (Code::UNAVAILABLE, 1000));
        assert!(reply.into_result().unwrap_err().to_string().contains("there is no runtime"));
        let ends: Vec<_> = call.stream::<Text>(&Text::default()).collect();
        assert_eq!(ends.len(), 1);
        assert_eq!(ends[0].as_ref().unwrap_err().code, Code::UNAVAILABLE);
    }

    #[test]
    fn codes_have_names() {
        assert_eq!(Code(5).to_string(), "5 (NOT_FOUND)");
        assert_eq!(Code(99).to_string(), "99");
    }
}
