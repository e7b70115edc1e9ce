//! What can go wrong with a request, under k6's error codes.

use std::io;

use rustls::{AlertDescription, CertificateError};

/// k6's numeric error codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub u16);

impl ErrorCode {
    /// No error.
    pub const NONE: Self = Self(0);
    /// An error that has no code of its own.
    pub const OTHER: Self = Self(1000);
    /// The URL cannot be parsed, or its scheme is not supported.
    pub const INVALID_URL: Self = Self(1020);
    /// The request took longer than its timeout.
    pub const TIMEOUT: Self = Self(1050);
    /// The name look-up failed.
    pub const DNS: Self = Self(1100);
    /// The name does not exist.
    pub const NO_SUCH_HOST: Self = Self(1101);
    /// The address is not granted.
    pub const BLOCKED_ADDRESS: Self = Self(1110);
    /// The host is not granted.
    pub const BLOCKED_HOST: Self = Self(1111);
    /// A TCP error that has no code of its own.
    pub const TCP: Self = Self(1200);
    /// Writing to a connection that the peer closed.
    pub const BROKEN_PIPE: Self = Self(1201);
    /// Connecting failed.
    pub const DIAL: Self = Self(1210);
    /// Connecting took longer than 30 seconds.
    pub const DIAL_TIMEOUT: Self = Self(1211);
    /// Nobody listens.
    pub const CONNECTION_REFUSED: Self = Self(1212);
    /// The peer reset the connection, or closed it before the answer was complete.
    pub const RESET_BY_PEER: Self = Self(1220);
    /// A proxy refused to connect, or broke HTTP.
    pub const PROXY: Self = Self(1210);
    /// TLS failed.
    pub const TLS: Self = Self(1300);
    /// A certificate of an authority that nobody here trusts.
    pub const UNKNOWN_AUTHORITY: Self = Self(1310);
    /// A certificate of another host.
    pub const HOST_NAME_MISMATCH: Self = Self(1311);
    /// HTTP/2 failed in a way that has no code of its own.
    pub const HTTP2: Self = Self(1600);
    /// The peer ends the connection (GOAWAY). Plus one and the HTTP/2 error code.
    pub const HTTP2_GOAWAY: Self = Self(1610);
    /// The peer reset the stream. Plus one and the HTTP/2 error code.
    pub const HTTP2_STREAM: Self = Self(1630);
    /// What the peer sent breaks HTTP/2. Plus one and the HTTP/2 error code.
    pub const HTTP2_CONNECTION: Self = Self(1650);
    /// The body cannot be decompressed.
    pub const DECOMPRESSION: Self = Self(1701);

    /// The code of an answer: 1400 to 1599 for the statuses 400 to 599, none otherwise.
    #[must_use]
    pub const fn of_status(status: u16) -> Self {
        match status {
            400..=599 => Self(1000 + status),
            _ => Self::NONE,
        }
    }
}

/// Why a request has no complete answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// k6's code.
    pub code: ErrorCode,
    /// The same few texts for all failures of a kind: it becomes the `error` tag, where every text is a series.
    pub tag: &'static str,
    /// The whole story, for the scenario and for the person who watches.
    pub text: String,
}

impl Failure {
    /// A failure whose text says more than its tag.
    pub(crate) fn new(code: ErrorCode, tag: &'static str, detail: impl std::fmt::Display) -> Self {
        Self { code, tag, text: format!("{tag}: {detail}") }
    }

    /// There was no complete answer in time.
    pub(crate) fn timeout(limit: std::time::Duration) -> Self {
        Self::new(ErrorCode::TIMEOUT, "request timeout", format_args!("no complete answer within {limit:?}"))
    }

    /// Connecting failed with this I/O error.
    pub(crate) fn dial(error: &io::Error, peer: impl std::fmt::Display) -> Self {
        if let Some(failure) = out_of_descriptors(error) {
            return failure;
        }
        let (code, tag) = match error.kind() {
            io::ErrorKind::ConnectionRefused => (ErrorCode::CONNECTION_REFUSED, "connection refused"),
            io::ErrorKind::ConnectionReset => (ErrorCode::RESET_BY_PEER, "connection reset by peer"),
            io::ErrorKind::TimedOut => (ErrorCode::DIAL_TIMEOUT, "connecting timed out"),
            _ => (ErrorCode::DIAL, "connecting failed"),
        };
        match code {
            ErrorCode::DIAL => Self::new(code, tag, format_args!("{peer}: {error}")),
            _ => Self::new(code, tag, peer),
        }
    }

    /// Reading or writing failed in the middle of an exchange.
    pub(crate) fn exchange(error: &io::Error) -> Self {
        if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Self::tls(tls);
        }
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::UnexpectedEof => {
                Self::new(ErrorCode::RESET_BY_PEER, "connection reset by peer", error)
            }
            io::ErrorKind::BrokenPipe => Self::new(ErrorCode::BROKEN_PIPE, "broken pipe", error),
            _ => Self::new(ErrorCode::TCP, "connection failed", error),
        }
    }

    /// The TLS handshake failed with this I/O error.
    pub(crate) fn handshake(error: &io::Error, peer: impl std::fmt::Display) -> Self {
        let failure = Self::exchange(error);
        Self { text: format!("{} ({peer}, in the TLS handshake)", failure.text), ..failure }
    }

    /// TLS was broken off, by this side or by the other.
    pub(crate) fn tls(error: &rustls::Error) -> Self {
        use rustls::Error;
        let (code, tag) = match error {
            Error::InvalidCertificate(problem) => certificate(problem),
            Error::NoApplicationProtocol | Error::AlertReceived(AlertDescription::NoApplicationProtocol) => {
                (ErrorCode::HTTP2, "no application protocol in common")
            }
            Error::AlertReceived(_) => (ErrorCode::TLS, "TLS alert received"),
            Error::InvalidMessage(_) => (ErrorCode::TLS, "answer is not TLS"),
            Error::PeerIncompatible(_) => (ErrorCode::TLS, "no TLS version or cipher in common"),
            _ => (ErrorCode::TLS, "TLS failed"),
        };
        Self::new(code, tag, error)
    }

    /// An HTTP/2 stream or its connection failed.
    pub(crate) fn http2(error: &h2::Error) -> Self {
        if let Some(error) = error.get_io() {
            return Self::exchange(error);
        }
        let (base, tag) = match (error.is_go_away(), error.is_reset(), error.is_remote()) {
            (true, _, true) => (ErrorCode::HTTP2_GOAWAY, "HTTP/2 GOAWAY received"),
            (true, _, false) => (ErrorCode::HTTP2_CONNECTION, "HTTP/2 connection error"),
            (_, true, true) => (ErrorCode::HTTP2_STREAM, "HTTP/2 stream reset"),
            (_, true, false) => (ErrorCode::HTTP2_STREAM, "HTTP/2 stream error"),
            _ => (ErrorCode::HTTP2, "HTTP/2 failed"),
        };
        // Codes end with HTTP_1_1_REQUIRED (RFC 9113, 7): what is beyond has none of k6's.
        let reason = error.reason().map(u32::from).filter(|reason| *reason <= 0xd && base != ErrorCode::HTTP2);
        let code = reason.and_then(|reason| u16::try_from(reason).ok()).map_or(base.0, |reason| base.0 + 1 + reason);
        Self::new(ErrorCode(code), tag, error)
    }
}

/// Why a certificate is not accepted.
fn certificate(problem: &CertificateError) -> (ErrorCode, &'static str) {
    use CertificateError as E;
    match problem {
        E::UnknownIssuer | E::BadSignature => (ErrorCode::UNKNOWN_AUTHORITY, "certificate of an unknown authority"),
        E::NotValidForName | E::NotValidForNameContext { .. } => {
            (ErrorCode::HOST_NAME_MISMATCH, "certificate of another host")
        }
        E::Expired | E::ExpiredContext { .. } => (ErrorCode::TLS, "certificate has expired"),
        E::NotValidYet | E::NotValidYetContext { .. } => (ErrorCode::TLS, "certificate is not valid yet"),
        E::Revoked => (ErrorCode::TLS, "certificate is revoked"),
        // A certificate that signed itself is nobody's but its own authority.
        E::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            (ErrorCode::UNKNOWN_AUTHORITY, "certificate of an unknown authority")
        }
        _ => (ErrorCode::TLS, "certificate is not valid"),
    }
}

/// The process may open no more files: said in words that name the remedy, as this is the machine's limit and not the
/// server's fault.
fn out_of_descriptors(error: &io::Error) -> Option<Failure> {
    (matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))).then(|| {
        Failure::new(
            ErrorCode::DIAL,
            "too many open files",
            "this machine's limit of open files is reached; raise it with `ulimit -n`, or use fewer VUs",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_client_and_server_errors_have_a_status_code() {
        assert_eq!(ErrorCode::of_status(200), ErrorCode::NONE);
        assert_eq!(ErrorCode::of_status(399), ErrorCode::NONE);
        assert_eq!(ErrorCode::of_status(404), ErrorCode(1404));
        assert_eq!(ErrorCode::of_status(599), ErrorCode(1599));
        assert_eq!(ErrorCode::of_status(600), ErrorCode::NONE);
    }

    #[test]
    fn connecting_maps_to_k6_codes() {
        let cases = [
            (io::ErrorKind::ConnectionRefused, 1212),
            (io::ErrorKind::ConnectionReset, 1220),
            (io::ErrorKind::TimedOut, 1211),
            (io::ErrorKind::AddrNotAvailable, 1210),
        ];
        for (kind, code) in cases {
            assert_eq!(Failure::dial(&io::Error::from(kind), "127.0.0.1:1").code, ErrorCode(code), "{kind:?}");
        }
        let full = Failure::dial(&io::Error::from_raw_os_error(libc::EMFILE), "127.0.0.1:1");
        assert!(full.text.contains("ulimit -n"), "{}", full.text);
    }
}
