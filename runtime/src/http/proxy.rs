//! An HTTP proxy on the way to the targets.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::failure::{ErrorCode, Failure};
use super::target::{Origin, Target};
use crate::field_error::FieldError;
use crate::grants::Grants;

/// A longer answer to CONNECT is none.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// The proxy that requests go through. The person who runs the test names it: a module cannot.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// Where it is.
    pub(super) origin: Arc<Origin>,
    /// `Proxy-Authorization`, if its URL names a user.
    pub(super) authorization: Option<Box<str>>,
    /// Hosts that are called directly.
    direct: Grants,
}

impl Proxy {
    /// Reads the values of `--proxy` and `--no-proxy`.
    ///
    /// # Errors
    /// A value that is no `http` URL; a host in the list that is none.
    pub fn new(url: &str, direct: &[String]) -> Result<Self, FieldError> {
        let wrong = |problem: String| FieldError::new("--proxy", format!("\"{url}\""), problem);
        let target =
            Target::parse(url).map_err(|_| wrong("is no URL of a proxy; write http://host:port".to_owned()))?;
        if target.origin.tls {
            return Err(wrong(
                "speaks TLS, which is not supported between here and a proxy; write http://host:port".to_owned(),
            ));
        }
        if &*target.path != "/" {
            return Err(wrong("has a path, which a proxy does not; write http://host:port".to_owned()));
        }
        let mut hosts = Grants::none();
        for list in direct {
            hosts.allow(list).map_err(|error| error.renamed("--allow-host", "--no-proxy"))?;
        }
        Ok(Self { origin: Arc::clone(&target.origin), authorization: target.authorization, direct: hosts })
    }

    /// Whether requests to this origin go through it.
    pub(super) fn serves(&self, origin: &Origin) -> bool {
        !self.direct.allows_name(&origin.host, origin.port)
            && !origin.address.is_some_and(|address| self.direct.allows_address(address, origin.port))
    }

    /// Has the proxy connect to an origin: what follows on the socket is between here and there (RFC 9110, 9.3.6).
    pub(super) async fn tunnel(&self, tcp: &mut TcpStream, origin: &Origin) -> Result<(), Failure> {
        let mut request = format!("CONNECT {origin} HTTP/1.1\r\nhost: {origin}\r\n");
        if let Some(credentials) = &self.authorization {
            request.push_str("proxy-authorization: ");
            request.push_str(credentials);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        let broken = |error: &std::io::Error| Failure::new(ErrorCode::PROXY, "proxy failed", error);
        tcp.write_all(request.as_bytes()).await.map_err(|error| broken(&error))?;
        let mut answer = Vec::new();
        // Byte by byte: what follows the head belongs to the other end.
        while !answer.ends_with(b"\r\n\r\n") {
            if answer.len() >= MAX_ANSWER_BYTES {
                return Err(Failure::new(ErrorCode::PROXY, "proxy failed", "its answer has no end"));
            }
            answer.push(tcp.read_u8().await.map_err(|error| broken(&error))?);
        }
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        match response.parse(&answer).map(|_| response.code) {
            Ok(Some(200..=299)) => Ok(()),
            Ok(Some(status)) => {
                Err(Failure::new(ErrorCode::PROXY, "proxy refused", format_args!("status {status} for {origin}")))
            }
            _ => Err(Failure::new(ErrorCode::PROXY, "proxy failed", "its answer is not HTTP")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_named_by_its_url() {
        let proxy = Proxy::new("http://ann:pw@127.0.0.1:3128", &["localhost,10.0.0.0/8".to_owned()]).unwrap();
        assert_eq!(proxy.origin.to_string(), "127.0.0.1:3128");
        assert_eq!(proxy.authorization.as_deref(), Some("Basic YW5uOnB3"));
        let serves = |url: &str| proxy.serves(&Target::parse(url).unwrap().origin);
        assert!(serves("http://shop.test/") && serves("https://127.0.0.1/"));
        assert!(!serves("http://localhost:81/") && !serves("http://10.2.3.4/"));
        for wrong in ["shop", "https://a/", "http://a/b", "socks5://a"] {
            let error = Proxy::new(wrong, &[]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("--proxy: \"{wrong}\"")), "{error}");
        }
        assert!(Proxy::new("http://a", &["*".to_owned()]).unwrap_err().to_string().starts_with("--no-proxy: "));
    }
}
