//! A parsed URL, ready to be sent to.

use std::net::IpAddr;
use std::sync::Arc;

use url::{Host, Url};

/// What RFC 9110 (4.1) asks every server to take, rounded up. Also a limit on what is cached for a module.
const MAX_URL_BYTES: usize = 8 * 1024;

/// Where requests to one URL go. Parsing costs more than a request's other bookkeeping, so targets are cached by the URL's text.
#[derive(Debug)]
pub struct Target {
    /// The URL as it was given, without a fragment and a password.
    pub url: Arc<str>,
    /// Who is connected to.
    pub origin: Arc<Origin>,
    /// The path and query to request.
    pub path: Box<str>,
    /// The `Host` header.
    pub host_header: Box<str>,
    /// `Authorization: Basic …`, if the URL names a user.
    pub authorization: Option<Box<str>>,
}

/// A host and port. Connections are kept by it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Normalised: lower case, punycode, IPv6 without brackets.
    pub host: String,
    /// Never 0.
    pub port: u16,
    /// The address, when the host is one and not a name.
    pub address: Option<IpAddr>,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.address {
            Some(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            _ => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// Why a URL cannot be requested.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not a URL at all.
    #[error("`{url}` is not an absolute URL ({reason}); write it as http://host:port/path")]
    Invalid {
        /// As given.
        url: String,
        /// The parser's word.
        reason: String,
    },
    /// Longer than servers take.
    #[error("a URL of {bytes} bytes; {MAX_URL_BYTES} is the most")]
    Long {
        /// Its length.
        bytes: usize,
    },
    /// A scheme that this kind of request does not have.
    #[error("`{url}`: the scheme `{scheme}` cannot be requested; use {} or {}", expected[0], expected[1])]
    Scheme {
        /// As given.
        url: String,
        /// As given.
        scheme: String,
        /// Those that can.
        expected: [&'static str; 2],
    },
}

impl TargetError {
    /// The same few texts for all errors of a kind.
    #[must_use]
    pub const fn tag(&self) -> &'static str {
        match self {
            Self::Invalid { .. } | Self::Long { .. } => "invalid URL",
            Self::Scheme { .. } => "scheme not supported",
        }
    }
}

impl Target {
    /// Parses an absolute `http` or `https` URL.
    ///
    /// # Errors
    /// When it is not one; the text names the URL and the remedy.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        Self::with_schemes(text, ["http", "https"])
    }

    /// Parses an absolute URL with one of two schemes, the second of which means TLS.
    ///
    /// # Errors
    /// When it is not one; the text names the URL and the remedy.
    pub fn with_schemes(text: &str, expected: [&'static str; 2]) -> Result<Self, TargetError> {
        if text.len() > MAX_URL_BYTES {
            return Err(TargetError::Long { bytes: text.len() });
        }
        let invalid = |reason: String| TargetError::Invalid { url: abridge(text), reason };
        let mut url = Url::parse(text).map_err(|error| invalid(error.to_string()))?;
        if !expected.contains(&url.scheme()) {
            return Err(TargetError::Scheme { url: abridge(text), scheme: url.scheme().to_owned(), expected });
        }
        let tls = url.scheme() == expected[1];
        url.set_fragment(None);
        let authorization = basic_authorization(&url);
        // A password in a URL would end up in tags, logs and reports.
        let _ = url.set_password(None);
        let _ = url.set_username("");
        let (host, address) = match url.host() {
            Some(Host::Domain(name)) => (name.to_owned(), None),
            Some(Host::Ipv4(address)) => (address.to_string(), Some(IpAddr::V4(address))),
            Some(Host::Ipv6(address)) => (address.to_string(), Some(IpAddr::V6(address))),
            None => return Err(invalid("it has no host".to_owned())),
        };
        let port = url.port_or_known_default().filter(|port| *port != 0).ok_or_else(|| invalid("port 0".to_owned()))?;
        // Both are percent-encoded ASCII by now, without blanks: they cannot end a line.
        let path = url[url::Position::BeforePath..].into();
        let host_header = url[url::Position::BeforeHost..url::Position::AfterPort].into();
        Ok(Self {
            url: url.as_str().into(),
            origin: Arc::new(Origin { tls, host, port, address }),
            path,
            host_header,
            authorization,
        })
    }
}

/// RFC 7617: user and password, percent-decoded, joined by a colon, in base 64.
fn basic_authorization(url: &Url) -> Option<Box<str>> {
    use base64::Engine as _;
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
    let mut credentials = decoded(url.username());
    credentials.push(b':');
    credentials.extend(decoded(url.password().unwrap_or_default()));
    Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(credentials)).into())
}

/// A text of the module in an error message: it may pass megabytes.
pub(super) fn abridge(text: &str) -> String {
    const LONGEST: usize = 200;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_once() {
        let target = Target::parse("http://User:secret@EXAMPLE.com:8080/a%20b?x=1&y=é#part").unwrap();
        assert_eq!(target.origin.to_string(), "example.com:8080");
        assert_eq!(target.path.to_string(), "/a%20b?x=1&y=%C3%A9");
        assert_eq!(&*target.host_header, "example.com:8080");
        assert_eq!(&*target.url, "http://example.com:8080/a%20b?x=1&y=%C3%A9");
        assert_eq!(&*target.authorization.unwrap(), "Basic VXNlcjpzZWNyZXQ=");
        assert!(!target.origin.tls);
        let target = Target::parse("https://EXAMPLE.com/").unwrap();
        assert_eq!((target.origin.tls, target.origin.port), (true, 443));
        assert_eq!(&*target.host_header, "example.com");
        let target = Target::parse("http://[::1]/").unwrap();
        assert_eq!((target.origin.port, target.origin.to_string().as_str()), (80, "[::1]:80"));
        assert_eq!(&*target.host_header, "[::1]");
    }

    #[test]
    fn nothing_in_a_url_can_end_the_request_line() {
        for text in ["http://a/x\r\ny: z", "http://a/x y", "http://a/?q=\r\n", "http://a/\u{85}\0", "http://a/?a b"] {
            let target = Target::parse(text).unwrap();
            let line = format!("{}{}", target.path, target.host_header);
            assert!(line.bytes().all(|byte| byte.is_ascii_graphic()), "{text:?}: {line:?}");
        }
    }

    #[test]
    fn what_cannot_be_requested_says_why() {
        let error = |text: &str| Target::parse(text).unwrap_err().to_string();
        assert_eq!(
            error("/points"),
            "`/points` is not an absolute URL (relative URL without a base); write it as http://host:port/path"
        );
        assert_eq!(error("ftp://a/"), "`ftp://a/`: the scheme `ftp` cannot be requested; use http or https");
        assert!(error("http://").contains("not an absolute URL"));
        assert!(error("http://a:0/").contains("port 0"));
    }
}
