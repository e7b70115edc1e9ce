//! What goes out, what comes in, and how it ends.

use std::time::Duration;

use crate::http::{ErrorCode, Failure};

/// A message to send.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Text(String),
    Binary(Vec<u8>),
}

/// What came in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Text(String),
    Binary(Vec<u8>),
    /// The answer to a ping that was not waited for.
    Pong(Duration),
}

impl Event {
    /// What it takes while it is kept.
    pub(super) const fn bytes(&self) -> usize {
        let body = match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
            Self::Pong(_) => 0,
        };
        body + size_of::<Self>()
    }
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Of a close frame, or 1005, or 1006.
    pub(crate) code: u16,
    pub(crate) reason: String,
    pub(crate) error_code: ErrorCode,
    /// The same few texts for all failures of a kind; empty for none.
    pub(crate) tag: &'static str,
}

impl Ended {
    /// By a close frame.
    pub(crate) fn closed(code: u16, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into(), error_code: ErrorCode::NONE, tag: "" }
    }

    /// By a failure.
    pub(crate) fn broken(failure: Failure) -> Self {
        Self { code: 1006, reason: failure.text, error_code: failure.code, tag: failure.tag }
    }
}

/// What happened on a connection since the last look at it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) round_trips: Vec<Duration>,
}
