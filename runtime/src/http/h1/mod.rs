//! HTTP/1.1 (RFC 9112) as bytes: requests out, answers in. Nothing here reads or writes a socket.

mod body;
mod decoder;
mod encode;
mod head;

pub(crate) use decoder::{Decoder, MAX_INFORMATIONAL, Wants, closed_early, too_long};
pub(super) use encode::Asks;
pub(crate) use encode::check_headers;
pub(crate) use encode::{Form, encode};
pub use head::{Head, Notes};
