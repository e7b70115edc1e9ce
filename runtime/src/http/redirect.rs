//! Where an answer sends a request, and what goes there with it.

use std::sync::Arc;

use http::Method;
use url::Url;

use super::exchange::Outgoing;
use super::h1::Head;
use super::target::Target;

/// Headers that are for one origin alone.
const FOR_THE_ORIGIN: [&str; 4] = ["authorization", "cookie", "host", "proxy-authorization"];
/// Headers that describe a body.
const OF_THE_BODY: [&str; 5] =
    ["content-encoding", "content-language", "content-length", "content-location", "content-type"];

/// The URL that an answer sends its request to; `None` if it is no redirect, or one that leads nowhere.
pub(crate) fn destination(status: u16, head: &Head, from: &Target) -> Option<Url> {
    if !head.notes().location || !matches!(status, 301..=303 | 307 | 308) {
        return None;
    }
    let location = std::str::from_utf8(head.get("location")?).ok()?.trim();
    if location.is_empty() {
        return None;
    }
    Url::parse(&from.url).ok()?.join(location).ok()
}

/// Makes of a request what an answer of this status asks for: the same somewhere else, or a GET. What was meant for one origin never
/// goes to another: not to another host or port, nor over another scheme.
pub(crate) fn readdress(outgoing: &mut Outgoing, target: Arc<Target>, status: u16) {
    let headers = &mut outgoing.headers;
    if !matches!(status, 307 | 308) {
        outgoing.body = None;
        without(headers, &OF_THE_BODY);
        if outgoing.method != Method::HEAD {
            outgoing.method = Method::GET;
        }
    }
    if target.origin != outgoing.target.origin {
        without(headers, &FOR_THE_ORIGIN);
    } else if let (Some(credentials), None) = (&outgoing.target.authorization, &target.authorization)
        && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"))
    {
        // The URL named a user, and a path does not repeat it.
        headers.push(("authorization".to_owned(), credentials.as_bytes().to_vec()));
    }
    outgoing.target = target;
}

fn without(headers: &mut Vec<(String, Vec<u8>)>, names: &[&str]) {
    headers.retain(|(name, _)| !names.iter().any(|unwanted| name.eq_ignore_ascii_case(unwanted)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::h1::{Decoder, Wants};

    fn head(status: u16, location: &str) -> Head {
        let mut decoder = Decoder::new(Wants { to_head: true, discard: false, max_body_bytes: 0 });
        decoder.feed(format!("HTTP/1.1 {status} X\r\n{location}\r\n").as_bytes()).unwrap();
        decoder.answer().unwrap().head.clone()
    }

    fn destination(status: u16, location: &str) -> Option<String> {
        let from = Target::parse("http://ann:secret@a.test:81/p/q?r=1").unwrap();
        super::destination(status, &head(status, location), &from).map(String::from)
    }

    #[test]
    fn a_location_is_resolved_against_the_url_that_answered() {
        let to = |location: &str| destination(302, &format!("Location: {location}\r\n"));
        assert_eq!(to("/x").as_deref(), Some("http://a.test:81/x"));
        assert_eq!(to("x?y").as_deref(), Some("http://a.test:81/p/x?y"));
        assert_eq!(to("?y").as_deref(), Some("http://a.test:81/p/q?y"));
        assert_eq!(to("../x").as_deref(), Some("http://a.test:81/x"));
        assert_eq!(to("//b.test/x").as_deref(), Some("http://b.test/x"));
        assert_eq!(to("https://b.test").as_deref(), Some("https://b.test/"));
        assert_eq!(to(""), None);
        assert_eq!(to("http://"), None);
        assert_eq!(destination(302, "x: y\r\n"), None, "no location");
    }

    #[test]
    fn only_these_statuses_send_a_request_elsewhere() {
        let followed: Vec<u16> =
            (200..=399).filter(|status| destination(*status, "location: /x\r\n").is_some()).collect();
        assert_eq!(followed, [301, 302, 303, 307, 308]);
    }

    fn outgoing(method: Method, url: &str) -> Outgoing {
        let header = |name: &str| (name.to_owned(), b"v".to_vec());
        Outgoing {
            target: Arc::new(Target::parse(url).unwrap()),
            method,
            headers: ["Authorization", "COOKIE", "Proxy-Authorization", "Host", "Content-Type", "X-Own"]
                .map(header)
                .to_vec(),
            body: Some(vec![1].into()),
            timeout: None,
            discard: None,
            connect_timeout: None,
            http_version: None,
            chunked: false,
            streamed: false,
        }
    }

    fn after(method: Method, status: u16, to: &str) -> (Method, bool, Vec<String>) {
        let mut outgoing = outgoing(method, "http://a.test/1");
        readdress(&mut outgoing, Arc::new(Target::parse(to).unwrap()), status);
        assert_eq!(&*outgoing.target.url, to);
        let names = outgoing.headers.into_iter().map(|(name, _)| name).collect();
        (outgoing.method, outgoing.body.is_some(), names)
    }

    #[test]
    fn a_redirected_request_becomes_a_get_unless_the_status_keeps_it() {
        for status in [301, 302, 303] {
            let (method, body, headers) = after(Method::POST, status, "http://a.test/2");
            assert_eq!((method, body), (Method::GET, false), "{status}");
            assert_eq!(headers, ["Authorization", "COOKIE", "Proxy-Authorization", "Host", "X-Own"]);
            assert_eq!(after(Method::HEAD, status, "http://a.test/2").0, Method::HEAD);
        }
        for status in [307, 308] {
            let (method, body, headers) = after(Method::PUT, status, "http://a.test/2");
            assert_eq!((method, body, headers.len()), (Method::PUT, true, 6), "{status}");
        }
    }

    #[test]
    fn nothing_that_was_meant_for_one_origin_goes_to_another() {
        for to in ["http://b.test/", "http://a.test:81/", "http://sub.a.test/", "https://a.test/", "https://a.test:80/"]
        {
            assert_eq!(after(Method::PUT, 307, to).2, ["Content-Type", "X-Own"], "{to}");
        }
    }

    #[test]
    fn a_user_in_the_url_is_kept_for_its_origin_alone() {
        let sends = |to: &str| {
            let mut outgoing = Outgoing { headers: Vec::new(), ..outgoing(Method::GET, "http://ann:secret@a.test/1") };
            readdress(&mut outgoing, Arc::new(Target::parse(to).unwrap()), 302);
            (
                outgoing.headers.into_iter().map(|(_, value)| value).collect::<Vec<_>>(),
                outgoing.target.authorization.is_some(),
            )
        };
        assert_eq!(sends("http://a.test/2"), (vec![b"Basic YW5uOnNlY3JldA==".to_vec()], false));
        assert_eq!(sends("http://b.test/2"), (vec![], false));
        assert_eq!(sends("http://bob:x@a.test/2"), (vec![], true), "the new URL names its own");
    }
}
