//! What can go wrong with a request, under k6's error codes.

use std::io;

/// k6's numeric error codes, as far as plain HTTP/1.1 can produce them.
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
    /// TLS failed.
    pub const TLS: Self = Self(1300);

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
#[derive(Debug, Clone)]
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
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::UnexpectedEof => {
                Self::new(ErrorCode::RESET_BY_PEER, "connection reset by peer", error)
            }
            io::ErrorKind::BrokenPipe => Self::new(ErrorCode::BROKEN_PIPE, "broken pipe", error),
            _ => Self::new(ErrorCode::TCP, "connection failed", error),
        }
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
