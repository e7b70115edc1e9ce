//! The head of a request.

use std::io::Write as _;

use http::Method;

use crate::http::failure::{ErrorCode, Failure};
use crate::http::payload::Length;
use crate::http::proxy::Proxy;
use crate::http::target::{Target, abridge};

/// Refuses headers that would not arrive as what they are, or as more than one.
///
/// # Errors
/// Names the header.
pub(crate) fn check_headers(headers: &[(String, Vec<u8>)]) -> Result<(), Failure> {
    let mut hosts = 0;
    let mut valid = |(name, value): &(String, Vec<u8>)| {
        if name.len() == 4 {
            hosts += usize::from(name.eq_ignore_ascii_case("host"));
        }
        !name.is_empty() && name.bytes().all(is_token) && value.iter().all(|byte| is_field(*byte))
    };
    match headers.iter().find(|header| !valid(header)) {
        // Whoever passes the request on may believe the one, and whoever answers it the other (RFC 9112, 3.2).
        None if hosts > 1 => {
            Err(Failure::new(ErrorCode::OTHER, "invalid header", "there are two `Host` headers; a request has one"))
        }
        None => Ok(()),
        Some((name, _)) => Err(Failure::new(
            ErrorCode::OTHER,
            "invalid header",
            format_args!(
                "`{}` or its value cannot be sent; header names are letters, digits and dashes, values one line",
                abridge(name)
            ),
        )),
    }
}

/// RFC 9110, 5.6.2.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

/// RFC 9110, 5.5, with what the world sends beyond ASCII.
const fn is_field(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// What a request's own headers say about the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asks {
    /// `Connection: close`.
    pub(crate) close: bool,
    /// `Expect: 100-continue`.
    pub(crate) expects: bool,
}

/// What all requests of a client have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form<'a> {
    /// Of requests that bring none; empty for none.
    pub(crate) user_agent: &'a str,
    /// Passes the request on: it sees the whole URL, and what it is to know of this side.
    pub(crate) proxy: Option<&'a Proxy>,
}

/// Appends the head of a request whose body has this length. The headers were [checked](check_headers).
///
/// The body is framed here: a length that the module gives would be a second opinion, and two make a request that nobody can read.
pub(crate) fn encode(
    out: &mut Vec<u8>,
    method: &Method,
    target: &Target,
    headers: &[(String, Vec<u8>)],
    form: Form<'_>,
    length: impl Into<Length>,
) -> Asks {
    let mut asks = Asks { close: false, expects: false };
    let (mut host, mut agent, mut authorization) = (false, false, false);
    for (name, _) in headers {
        // Few names have these lengths: most are compared with nothing.
        match name.len() {
            4 => host |= name.eq_ignore_ascii_case("host"),
            10 => agent |= name.eq_ignore_ascii_case("user-agent"),
            13 => authorization |= name.eq_ignore_ascii_case("authorization"),
            _ => {}
        }
    }
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    if form.proxy.is_some() {
        out.extend_from_slice(b"http://");
        out.extend_from_slice(target.host_header.as_bytes());
    }
    out.extend_from_slice(target.path.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    if !host {
        field(out, "host", target.host_header.as_bytes());
    }
    for (name, value) in headers {
        match name.len() {
            6 if name.eq_ignore_ascii_case("expect") => asks.expects |= super::head::lists(value, b"100-continue"),
            10 if name.eq_ignore_ascii_case("connection") => {
                asks.close |= super::head::lists(value, b"close");
            }
            14 if name.eq_ignore_ascii_case("content-length") => continue,
            17 if name.eq_ignore_ascii_case("transfer-encoding") => continue,
            _ => {}
        }
        field(out, name, value);
    }
    if !agent && !form.user_agent.is_empty() {
        field(out, "user-agent", form.user_agent.as_bytes());
    }
    if let Some(credentials) = form.proxy.and_then(|proxy| proxy.authorization.as_deref()) {
        field(out, "proxy-authorization", credentials.as_bytes());
    }
    if let Some(credentials) = target.authorization.as_ref().filter(|_| !authorization) {
        field(out, "authorization", credentials.as_bytes());
    }
    match length.into().announced(method) {
        Length::None => {}
        Length::Known(length) => {
            out.extend_from_slice(b"content-length: ");
            // Writing to a Vec cannot fail.
            let _ = write!(out, "{length}\r\n");
        }
        Length::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
    }
    out.extend_from_slice(b"\r\n");
    asks
}

fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(method: &Method, url: &str, headers: &[(&str, &str)], length: impl Into<Length>) -> (String, Asks) {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        check_headers(&headers).unwrap();
        let mut out = Vec::new();
        let asks = encode(
            &mut out,
            method,
            &Target::parse(url).unwrap(),
            &headers,
            Form { user_agent: "agent/1", proxy: None },
            length,
        );
        (String::from_utf8(out).unwrap(), asks)
    }

    #[test]
    fn a_request_is_written_as_it_was_asked_for() {
        let (head, asks) = text(&Method::GET, "http://a.test:81/p?q=1", &[("X-B", "2"), ("x-a", "1")], None);
        assert_eq!(head, "GET /p?q=1 HTTP/1.1\r\nhost: a.test:81\r\nX-B: 2\r\nx-a: 1\r\nuser-agent: agent/1\r\n\r\n");
        assert!(!asks.close);
    }

    #[test]
    fn a_proxy_sees_the_whole_url_and_its_credentials() {
        let proxy = Proxy::new("http://ann:pw@127.0.0.1:3128", &[]).unwrap();
        let mut out = Vec::new();
        let form = Form { user_agent: "", proxy: Some(&proxy) };
        encode(&mut out, &Method::GET, &Target::parse("http://a.test:81/p?q").unwrap(), &[], form, None);
        let head = String::from_utf8(out).unwrap();
        let expected =
            "GET http://a.test:81/p?q HTTP/1.1\r\nhost: a.test:81\r\nproxy-authorization: Basic YW5uOnB3\r\n\r\n";
        assert_eq!(head, expected);
    }

    #[test]
    fn the_modules_own_host_agent_and_credentials_win() {
        let own = [("Host", "b.test"), ("USER-AGENT", "me"), ("Authorization", "Bearer x")];
        let (head, _) = text(&Method::GET, "http://ann:pass@a.test/", &own, None);
        assert_eq!(head, "GET / HTTP/1.1\r\nHost: b.test\r\nUSER-AGENT: me\r\nAuthorization: Bearer x\r\n\r\n");
        let (head, _) = text(&Method::GET, "http://ann:pass@a.test/", &[], None);
        assert!(head.contains("authorization: Basic YW5uOnBhc3M=\r\n"), "{head}");
    }

    #[test]
    fn the_body_is_framed_by_the_runtime_alone() {
        let lies = [("Content-Length", "9"), ("transfer-encoding", "chunked"), ("x", "y")];
        let (head, _) = text(&Method::POST, "http://a.test/", &lies, Some(4));
        assert!(head.ends_with("x: y\r\nuser-agent: agent/1\r\ncontent-length: 4\r\n\r\n"), "{head}");
        assert!(text(&Method::PUT, "http://a.test/", &[], None).0.contains("content-length: 0\r\n"));
        assert!(!text(&Method::DELETE, "http://a.test/", &[], None).0.contains("content-length"));
        assert!(text(&Method::DELETE, "http://a.test/", &[], Some(1)).0.contains("content-length: 1\r\n"));
    }

    #[test]
    fn a_body_in_chunks_says_so_and_has_no_length() {
        let (head, _) = text(&Method::PUT, "http://a.test/", &[("Content-Length", "9")], Length::Chunked);
        assert!(head.ends_with("user-agent: agent/1\r\ntransfer-encoding: chunked\r\n\r\n"), "{head}");
        assert!(!head.to_ascii_lowercase().contains("content-length"), "{head}");
    }

    #[test]
    fn what_is_expected_is_understood_and_sent() {
        let (head, asks) = text(&Method::PUT, "http://a.test/", &[("EXPECT", "100-Continue")], Some(1));
        assert!(asks.expects && head.contains("EXPECT: 100-Continue\r\n"), "{head}");
        assert!(!text(&Method::PUT, "http://a.test/", &[("Expect", "miracles")], Some(1)).1.expects);
    }

    #[test]
    fn close_is_understood_in_any_list_and_case() {
        assert!(text(&Method::GET, "http://a.test/", &[("Connection", "foo , CLOSE")], None).1.close);
        assert!(!text(&Method::GET, "http://a.test/", &[("Connection", "closet")], None).1.close);
    }

    #[test]
    fn nothing_can_be_smuggled_in_a_header() {
        let refused = |name: &str, value: &str| {
            let headers = [(name.to_owned(), value.as_bytes().to_vec())];
            assert_eq!(check_headers(&headers).unwrap_err().code, ErrorCode::OTHER, "{name:?}: {value:?}");
        };
        refused("", "x");
        refused("a b", "x");
        refused("a:b", "x");
        refused("a\r\nb", "x");
        refused("ä", "x");
        refused("a", "x\r\nb: c");
        refused("a", "x\nb");
        refused("a", "\0");
        check_headers(&[("a".to_owned(), "tab\tand é".as_bytes().to_vec())]).unwrap();
        let host = |name: &str| (name.to_owned(), b"a.test".to_vec());
        check_headers(&[host("Host"), host("X-Host"), host("Cost")]).unwrap();
        let failure = check_headers(&[host("Host"), host("x"), host("HOST")]).unwrap_err();
        assert!(failure.text.contains("two `Host` headers"), "{failure:?}");
    }
}
