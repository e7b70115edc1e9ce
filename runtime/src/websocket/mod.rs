//! The WebSocket client of one virtual user (RFC 6455).
//!
//! A connection is driven by the task that waits for it, as those of [`http`](crate::http) are: no task of its own, and whoever drops it
//! takes its socket along. What a server can make this machine hold is bounded by a [`Budget`] that all connections of a virtual user share.

mod budget;
mod connection;
mod event;
mod handshake;
#[cfg(test)]
mod tests;

pub(crate) use budget::{Budget, Held};
pub(crate) use connection::Connection;
pub(crate) use event::{Ended, Event, Outgoing};
pub(crate) use handshake::{Answer, Request, open};
