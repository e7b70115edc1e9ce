//! Who may steer a run: where its API listens, and what a request must bring.
//!
//! Without a token only this machine is trusted, and of what runs on it no web page: a page of a foreign host that resolves to this
//! machine has that host's name in `Host`; and a page may send no other content type than a form's, nor a header of ours, without
//! asking first, which nobody answers.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, Method, StatusCode};
use sha2::{Digest as _, Sha256};

use crate::field_error::FieldError;

/// k6's.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:6565";
/// A changing request brings JSON, or this header with any value.
pub const OWN_HEADER: &str = "x-flashcrowd";
/// Fewer characters are guessed too soon.
const LEAST_TOKEN: usize = 16;
const MOST_TOKEN: usize = 1024;

/// Where the API listens, and whom it listens to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// As it was written.
    pub text: String,
    /// Where to listen.
    pub address: SocketAddr,
    /// What a request must bring; `None` trusts this machine.
    pub token: Option<Token>,
}

/// A secret, of which only the hash is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// An address such as `127.0.0.1:6565` or `localhost:0`.
///
/// # Errors
/// Another text; the path is `flag`.
pub fn parse_address(flag: &str, text: &str) -> Result<SocketAddr, FieldError> {
    let remedy = format!("give host and port, such as {DEFAULT_ADDRESS}");
    let wrong = |problem: String| FieldError::new(flag, format!("\"{text}\""), format!("{problem}; {remedy}"));
    let host = text.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map(|(host, _)| host);
    match host {
        None => return Err(wrong("has no port".to_owned())),
        Some("") => return Err(wrong("has no host".to_owned())),
        Some(_) => {}
    }
    let found = text.to_socket_addrs().map_err(|error| wrong(format!("is no address ({error})")))?;
    // `localhost` is both of them; whoever asks tries this one first or second.
    let mut found: Vec<SocketAddr> = found.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found.first().copied().ok_or_else(|| wrong("is no address".to_owned()))
}

impl Token {
    /// At least 16 characters that a header can hold.
    ///
    /// # Errors
    /// Another text.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        let wrong = |problem: String| Err(FieldError::bare("--api-token", problem));
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return wrong(
                "has characters that no header holds; use letters, digits and signs, without spaces".to_owned(),
            );
        }
        if !(LEAST_TOKEN..=MOST_TOKEN).contains(&text.len()) {
            return wrong(format!(
                "has {} characters; give {LEAST_TOKEN} to {MOST_TOKEN}, such as the output of `openssl rand -hex 16`",
                text.len()
            ));
        }
        Ok(Self::of(text))
    }

    fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// Takes as long for a wrong text as for the right one: what is compared are hashes, and all of their bytes.
    fn is(&self, text: &str) -> bool {
        let other = Self::of(text);
        self.0.iter().zip(other.0).fold(0, |different, (a, b)| different | (a ^ b)) == 0
    }
}

impl Access {
    /// What the flags or the environment say.
    ///
    /// # Errors
    /// An address that other machines reach, without a token.
    pub fn new(text: &str, token: Option<&str>) -> Result<Self, FieldError> {
        let address = parse_address("--address", text)?;
        let token = token.map(Token::parse).transpose()?;
        if token.is_none() && !address.ip().to_canonical().is_loopback() {
            let problem = "can be reached from other machines, and anybody there could steer the run; give --api-token (or \
                           FLASHCROWD_API_TOKEN), or listen on 127.0.0.1";
            return Err(FieldError::new("--address", format!("\"{text}\""), problem));
        }
        Ok(Self { text: text.to_owned(), address, token })
    }

    /// Lets a request through, or says why not.
    ///
    /// # Errors
    /// 401 without the token, 403 for a foreign `Host`, 415 for a change that a web page could ask for.
    pub fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), (StatusCode, String)> {
        match &self.token {
            Some(token) if !bearer(headers).is_some_and(|given| token.is(given)) => {
                let problem = "this run wants a token: send `Authorization: Bearer TOKEN`, with what --api-token was when it began";
                return Err((StatusCode::UNAUTHORIZED, problem.to_owned()));
            }
            Some(_) => {}
            None => check_host(headers)?,
        }
        if !matches!(*method, Method::GET | Method::HEAD) && !is_json(headers) && !headers.contains_key(OWN_HEADER) {
            let problem = format!("a change needs `Content-Type: application/json`, or the header `{OWN_HEADER}`");
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, problem));
        }
        Ok(())
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(text)) = headers.get(CONTENT_TYPE).map(|value| value.to_str()) else { return false };
    let kind = text.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json") || kind.eq_ignore_ascii_case("application/vnd.api+json")
}

fn check_host(headers: &HeaderMap) -> Result<(), (StatusCode, String)> {
    let mut hosts = headers.get_all(HOST).iter();
    let (first, more) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next().is_some());
    match first.filter(|host| !more && is_this_machine(host)) {
        Some(_) => Ok(()),
        None => {
            let problem = "the Host header names another machine than this one; without a token only 127.0.0.1, [::1] and localhost are \
                           answered";
            Err((StatusCode::FORBIDDEN, problem.to_owned()))
        }
    }
}

/// `localhost`, `127.0.0.1:6565`, `[::1]:6565`.
fn is_this_machine(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<axum::http::uri::Authority>() else { return false };
    let host = authority.host();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse::<axum::http::HeaderName>().unwrap(), value.parse().unwrap()))
            .collect()
    }

    fn check(access: &Access, method: &Method, pairs: &[(&str, &str)]) -> u16 {
        access.check(method, &headers(pairs)).err().map_or(200, |(status, _)| status.as_u16())
    }

    #[test]
    fn only_this_machine_is_trusted_without_a_token() {
        let access = Access::new("127.0.0.1:0", None).unwrap();
        for host in ["127.0.0.1:6565", "127.0.0.1", "localhost:6565", "LOCALHOST", "[::1]:6565", "127.8.9.1"] {
            assert_eq!(check(&access, &Method::GET, &[("host", host)]), 200, "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:6565",
            "192.168.0.1",
            "",
            "user@127.0.0.1 x",
        ] {
            assert_eq!(check(&access, &Method::GET, &[("host", host)]), 403, "{host}");
        }
        assert_eq!(check(&access, &Method::GET, &[]), 403);
        assert_eq!(check(&access, &Method::GET, &[("host", "localhost"), ("host", "evil.example")]), 403);
    }

    #[test]
    fn a_change_brings_what_no_page_sends_unasked() {
        let access = Access::new("localhost:0", None).unwrap();
        let host = ("host", "localhost");
        for kind in
            ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain; application/json"]
        {
            assert_eq!(check(&access, &Method::POST, &[host, ("content-type", kind)]), 415, "{kind}");
        }
        assert_eq!(check(&access, &Method::POST, &[host]), 415);
        assert_eq!(check(&access, &Method::POST, &[host, (OWN_HEADER, "1")]), 200);
        assert_eq!(check(&access, &Method::PATCH, &[host, ("content-type", "application/json; charset=utf-8")]), 200);
        assert_eq!(check(&access, &Method::GET, &[host]), 200);
    }

    #[test]
    fn with_a_token_nothing_else_counts_and_nothing_goes_without() {
        let access = Access::new("0.0.0.0:0", Some(TOKEN)).unwrap();
        let bearer = |token: &str| format!("Bearer {token}");
        assert_eq!(check(&access, &Method::GET, &[("host", "load.example"), ("authorization", &bearer(TOKEN))]), 200);
        assert_eq!(check(&access, &Method::GET, &[("host", "localhost")]), 401);
        for wrong in ["", "0123456789abcdee", "0123456789abcdef0", "0123456789ABCDEF"] {
            assert_eq!(check(&access, &Method::GET, &[("authorization", &bearer(wrong))]), 401, "{wrong}");
        }
        assert_eq!(check(&access, &Method::GET, &[("authorization", &format!("Basic {TOKEN}"))]), 401);
        assert!(!format!("{access:?}").contains(TOKEN));
    }

    #[test]
    fn addresses_that_others_reach_need_a_token() {
        let error = |text: &str, token: Option<&str>| Access::new(text, token).unwrap_err().to_string();
        for text in ["0.0.0.0:6565", "[::]:6565", "192.168.1.7:0"] {
            assert!(error(text, None).contains("--api-token"), "{text}");
            assert!(Access::new(text, Some(TOKEN)).is_ok());
        }
        assert!(Access::new("[::1]:6565", None).is_ok());
        for text in ["6565", ":6565", "localhost", "127.0.0.1:65536", "nobody here:1"] {
            assert!(error(text, None).contains(DEFAULT_ADDRESS), "{text}");
        }
        assert!(error("127.0.0.1:0", Some("short")).contains("openssl rand"));
        assert!(error("127.0.0.1:0", Some("with a space in it")).contains("no header"));
    }
}
