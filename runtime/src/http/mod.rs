//! The HTTP client of one virtual user: HTTP/1.1, one keep-alive connection per origin, phases timed at the socket.
//!
//! A connection is driven by the task that uses it: no task of its own, no hop between tasks, and a virtual user that is
//! dropped takes its sockets with it.

mod client;
mod connection;
mod deadline;
mod failure;
mod h1;
mod meter;
mod payload;
mod rate_limit;
mod resolver;
mod target;
#[cfg(test)]
mod tests;
mod unsent;

pub use client::{Client, ClientSettings, Exchange, Outgoing, Timings};
pub use failure::{ErrorCode, Failure};
pub(crate) use h1::check_headers;
#[cfg(feature = "fuzzing")]
pub(crate) use h1::{Decoder, Wants};
pub use h1::{Head, Notes};
pub(crate) use meter::Meter;
pub use payload::Payload;
pub use rate_limit::RateLimit;
pub use resolver::Resolver;
pub use target::{Target, TargetError};
