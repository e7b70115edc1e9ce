//! What a metric is: its name, kind and unit, and the built-in ones.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// How samples become one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A sum.
    Counter,
    /// The last value, with the least and the greatest.
    Gauge,
    /// The share of samples that are not 0.
    Rate,
    /// A distribution.
    Trend,
}

impl Kind {
    /// The name as k6 writes it, such as `counter`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Rate => "rate",
            Self::Trend => "trend",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a metric's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Contains {
    /// Plain numbers.
    Default,
    /// Milliseconds.
    Time,
    /// Bytes.
    Data,
}

impl Contains {
    /// The name as k6 writes it, such as `time`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Time => "time",
            Self::Data => "data",
        }
    }
}

impl fmt::Display for Contains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The number that stands for a metric within one [`Registry`](super::Registry).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MetricId(pub(super) u32);

impl MetricId {
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A registered metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The name, valid by [`is_valid_name`].
    pub name: Arc<str>,
    /// How samples become one value.
    pub kind: Kind,
    /// What the values are.
    pub contains: Contains,
}

/// Whether a metric may have this name: `^[a-zA-Z_][a-zA-Z0-9_]{1,128}$`.
pub fn is_valid_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    (2..=129).contains(&bytes.len())
        && !bytes[0].is_ascii_digit()
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The metrics that every run has, under fixed numbers.
pub mod builtin {
    use super::{Contains, Kind, MetricId};

    macro_rules! builtins {
        ($($(#[$doc:meta])* $name:ident = $text:literal, $kind:ident, $contains:ident;)+) => {
            builtins!(@ids 0u32; $($(#[$doc])* $name,)+);
            /// Every built-in metric in the order of its number: name, kind, contains.
            pub const ALL: &[(&str, Kind, Contains)] = &[$(($text, Kind::$kind, Contains::$contains),)+];
        };
        (@ids $n:expr; $(#[$doc:meta])* $name:ident, $($rest:tt)*) => {
            $(#[$doc])*
            pub const $name: MetricId = MetricId($n);
            builtins!(@ids $n + 1; $($rest)*);
        };
        (@ids $n:expr;) => {};
    }

    builtins! {
        /// Requests made.
        HTTP_REQS = "http_reqs", Counter, Default;
        /// The share of requests whose answer was not an expected one.
        HTTP_REQ_FAILED = "http_req_failed", Rate, Default;
        /// Sending, waiting and receiving together.
        HTTP_REQ_DURATION = "http_req_duration", Trend, Time;
        /// From the call to a usable connection.
        HTTP_REQ_BLOCKED = "http_req_blocked", Trend, Time;
        /// The TCP handshake.
        HTTP_REQ_CONNECTING = "http_req_connecting", Trend, Time;
        /// The TLS handshake.
        HTTP_REQ_TLS_HANDSHAKING = "http_req_tls_handshaking", Trend, Time;
        /// Writing the request.
        HTTP_REQ_SENDING = "http_req_sending", Trend, Time;
        /// From the last byte written to the first byte read.
        HTTP_REQ_WAITING = "http_req_waiting", Trend, Time;
        /// Reading the answer.
        HTTP_REQ_RECEIVING = "http_req_receiving", Trend, Time;
        /// Bytes written to the network.
        DATA_SENT = "data_sent", Counter, Data;
        /// Bytes read from the network.
        DATA_RECEIVED = "data_received", Counter, Data;
        /// The share of checks that passed; the tag `check` names each.
        CHECKS = "checks", Rate, Default;
        /// Time spent in a group; the tag `group` names it.
        GROUP_DURATION = "group_duration", Trend, Time;
        /// Iterations that ran to their end, failed ones included.
        ITERATIONS = "iterations", Counter, Default;
        /// From an iteration's start to its end.
        ITERATION_DURATION = "iteration_duration", Trend, Time;
        /// Iterations that were due and found no free virtual user.
        DROPPED_ITERATIONS = "dropped_iterations", Counter, Default;
        /// Virtual users at work.
        VUS = "vus", Gauge, Default;
        /// Virtual users initialised.
        VUS_MAX = "vus_max", Gauge, Default;
        /// Iterations that ended by a panic, a trap or an error.
        ITERATION_ERRORS = "iteration_errors", Counter, Default;
        /// Open model: from the moment an iteration was due to its start.
        ITERATION_START_LAG = "iteration_start_lag", Trend, Time;
        /// Open model: from the moment an iteration was due to its end.
        ITERATION_DURATION_FROM_DUE = "iteration_duration_from_due", Trend, Time;
        /// Requests that had left when their iteration was cut off: not in `http_reqs`, as their time says nothing.
        HTTP_REQS_INTERRUPTED = "http_reqs_interrupted", Counter, Default;
        /// One run of `setup`.
        SETUP_DURATION = "setup_duration", Trend, Time;
        /// One run of `vu_init`, once per instance that runs iterations.
        VU_INIT_DURATION = "vu_init_duration", Trend, Time;
        /// One run of `teardown`.
        TEARDOWN_DURATION = "teardown_duration", Trend, Time;
        /// Asking the resolver for an address: one sample for each time that it was asked.
        HTTP_REQ_LOOKING_UP = "http_req_looking_up", Trend, Time;
        /// WebSockets asked for; the tag `status` is 101 where there is one.
        WS_SESSIONS = "ws_sessions", Counter, Default;
        /// From the call to an open WebSocket.
        WS_CONNECTING = "ws_connecting", Trend, Time;
        /// From the call to the end of a WebSocket.
        WS_SESSION_DURATION = "ws_session_duration", Trend, Time;
        /// From a ping to its pong.
        WS_PING = "ws_ping", Trend, Time;
        /// Messages sent on WebSockets.
        WS_MSGS_SENT = "ws_msgs_sent", Counter, Default;
        /// Messages received on WebSockets.
        WS_MSGS_RECEIVED = "ws_msgs_received", Counter, Default;
        /// Unary gRPC calls, from the call to the status.
        GRPC_REQ_DURATION = "grpc_req_duration", Trend, Time;
        /// gRPC streams begun.
        GRPC_STREAMS = "grpc_streams", Counter, Default;
        /// Messages sent on gRPC streams.
        GRPC_STREAMS_MSGS_SENT = "grpc_streams_msgs_sent", Counter, Default;
        /// Messages received on gRPC streams.
        GRPC_STREAMS_MSGS_RECEIVED = "grpc_streams_msgs_received", Counter, Default;
        /// Server-Sent Events that came.
        SSE_EVENTS = "sse_events", Counter, Default;
        /// From a request to the first event of its answer.
        SSE_FIRST_EVENT = "sse_first_event", Trend, Time;
        /// From one event of a stream to the next.
        SSE_EVENT_GAP = "sse_event_gap", Trend, Time;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule() {
        for good in ["ab", "_a", "a1", "A_b_9", &"x".repeat(129)] {
            assert!(is_valid_name(good), "{good}");
        }
        for bad in ["", "a", "1a", "a-b", "a b", "é_", "a.b", &"x".repeat(130)] {
            assert!(!is_valid_name(bad), "{bad}");
        }
    }

    #[test]
    fn built_in_numbers_match_their_place() {
        assert_eq!(builtin::ALL[builtin::HTTP_REQS.index()].0, "http_reqs");
        let last = builtin::ALL.last().unwrap();
        assert_eq!(builtin::ALL[builtin::SSE_EVENT_GAP.index()], *last);
        assert!(builtin::ALL.iter().all(|(name, ..)| is_valid_name(name)));
    }
}
