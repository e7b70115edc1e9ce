//! How a call ended.

use h2::Reason;
use http::HeaderMap;

use super::metadata::percent_decoded;
use crate::http::http2::Http2;
use crate::http::{ErrorCode, Failure};

/// gRPC's status codes, as far as this side gives them itself. A server may send any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Code(pub(crate) u32);

impl Code {
    /// The last that gRPC knows.
    const LAST: u32 = 16;

    /// As the tag `status` has it: a number that gRPC does not have counts as unknown, as a server can make up any.
    pub(crate) const fn known(self) -> u32 {
        if self.0 > Self::LAST { Self::UNKNOWN.0 } else { self.0 }
    }

    pub(crate) const OK: Self = Self(0);
    pub(crate) const CANCELLED: Self = Self(1);
    pub(crate) const UNKNOWN: Self = Self(2);
    pub(crate) const INVALID_ARGUMENT: Self = Self(3);
    pub(crate) const DEADLINE_EXCEEDED: Self = Self(4);
    pub(crate) const PERMISSION_DENIED: Self = Self(7);
    pub(crate) const RESOURCE_EXHAUSTED: Self = Self(8);
    pub(crate) const UNIMPLEMENTED: Self = Self(12);
    pub(crate) const INTERNAL: Self = Self(13);
    pub(crate) const UNAVAILABLE: Self = Self(14);
    pub(crate) const UNAUTHENTICATED: Self = Self(16);
}

/// How a call ended: by the server's word, or by a failure that stands for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) code: Code,
    pub(crate) message: String,
    /// k6's code, where the server said nothing.
    pub(crate) error_code: ErrorCode,
    /// The same few texts for all failures of a kind; empty for none.
    pub(crate) tag: &'static str,
}

impl Status {
    /// What this side found wrong.
    pub(crate) fn own(code: Code, tag: &'static str, detail: impl std::fmt::Display) -> Self {
        Self::failed(code, Failure::new(ErrorCode::OTHER, tag, detail))
    }

    /// A failure below gRPC.
    pub(crate) fn failed(code: Code, failure: Failure) -> Self {
        Self { code, message: failure.text, error_code: failure.code, tag: failure.tag }
    }

    /// A stream or its connection broke.
    pub(super) fn broken(connection: &Http2, error: &h2::Error) -> Self {
        let code = match error.reason() {
            _ if error.is_io() || error.is_go_away() => Code::UNAVAILABLE,
            Some(Reason::REFUSED_STREAM) => Code::UNAVAILABLE,
            Some(Reason::CANCEL) => Code::CANCELLED,
            Some(Reason::ENHANCE_YOUR_CALM) => Code::RESOURCE_EXHAUSTED,
            Some(Reason::INADEQUATE_SECURITY) => Code::PERMISSION_DENIED,
            Some(_) => Code::INTERNAL,
            None => Code::UNAVAILABLE,
        };
        Self::failed(code, connection.failure(error))
    }

    /// The server's word: `grpc-status` and `grpc-message`.
    pub(super) fn of(trailers: &HeaderMap) -> Option<Self> {
        let code = trailers.get("grpc-status")?;
        let Some(code) = code.to_str().ok().and_then(|code| code.parse().ok()) else {
            let detail = format_args!("grpc-status is {code:?}, which is no number");
            return Some(Self::own(Code::UNKNOWN, "invalid gRPC status", detail));
        };
        let message = trailers.get("grpc-message").map(|text| percent_decoded(text.as_bytes())).unwrap_or_default();
        Some(Self { code: Code(code), message, error_code: ErrorCode::NONE, tag: "" })
    }

    /// What an answer means that is not gRPC's, by its HTTP status.
    pub(super) fn of_http(status: u16, content_type: Option<&str>) -> Self {
        let code = match status {
            400 => Code::INTERNAL,
            401 => Code::UNAUTHENTICATED,
            403 => Code::PERMISSION_DENIED,
            404 => Code::UNIMPLEMENTED,
            429 | 502..=504 => Code::UNAVAILABLE,
            _ => Code::UNKNOWN,
        };
        let error_code = match ErrorCode::of_status(status) {
            ErrorCode::NONE => ErrorCode::OTHER,
            code => code,
        };
        let kind = content_type.unwrap_or("none");
        let detail = format_args!("HTTP status {status}, content type {kind}");
        Self::failed(code, Failure::new(error_code, "answer is not gRPC", detail))
    }
}
