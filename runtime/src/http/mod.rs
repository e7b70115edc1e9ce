//! The HTTP client of one virtual user: HTTP/1.1 and HTTP/2, in plain text or under TLS, phases timed at the socket.
//!
//! An HTTP/1.1 connection is driven by the task that uses it: no task of its own, no hop between tasks. An HTTP/2 connection, which
//! has several users, has a task. A virtual user that is dropped takes its sockets with it in both cases.

mod addresses;
mod client;
mod coding;
mod connection;
mod cookies;
mod deadline;
pub(crate) mod debug;
pub(crate) mod dial;
mod digest;
pub(crate) mod event_stream;
mod exchange;
mod failure;
mod h1;
mod hosts;
pub(crate) mod http2;
mod incoming;
mod kept;
mod meter;
mod payload;
mod proxy;
mod rate_limit;
mod redirect;
mod resolver;
#[cfg(test)]
mod secure_tests;
mod settings;
mod statuses;
pub(crate) mod stream;
#[cfg(test)]
mod streaming_tests;
mod target;
#[cfg(test)]
mod tests;
pub mod tls;
mod tls_options;
mod unsent;

pub use addresses::{AddressBlocks, LocalAddresses};
pub(crate) use client::DEFAULT_TIMEOUT;
pub use client::{Client, Lane};
pub(crate) use coding::{Coding, decode, encode, listed};
pub(crate) use cookies::{Jar, Refused};
pub use debug::HttpDebug;
pub(crate) use digest::{Credentials, Nonces};
pub use exchange::{Exchange, Outgoing, Timings};
pub use failure::{ErrorCode, Failure};
#[cfg(feature = "fuzzing")]
pub(crate) use h1::{Decoder, Wants};
pub(crate) use h1::{Form, MAX_INFORMATIONAL, check_headers, encode as encode_head};
pub use h1::{Head, Notes};
pub use hosts::{HostPatterns, Hosts};
pub(crate) use http2::UNREAD_STREAMS;
pub(crate) use incoming::{Piece, within};
pub(crate) use meter::Meter;
pub use payload::Payload;
pub use proxy::Proxy;
pub use rate_limit::RateLimit;
pub(crate) use redirect::{destination, readdress};
pub use resolver::{DnsOptions, Policy, Resolver, Select};
pub use settings::ClientSettings;
pub use statuses::Statuses;
pub use target::{Origin, Target, TargetError};
