//! Digest authentication (RFC 7616).

use std::sync::Arc;

use digest_auth::{AuthContext, HttpMethod, Qop, WwwAuthenticateHeader};

use super::exchange::Outgoing;
use super::h1::{Head, check_headers};
use super::target::Origin;

/// Origins whose challenges one virtual user remembers.
const MAX_NONCES: usize = 8;
/// A longer body is not hashed: it would keep others waiting. Few servers ask for it at all.
const MAX_HASHED_BODY_BYTES: usize = 1 << 20;

/// Who a request is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// The challenges that are answered without being asked again.
#[derive(Debug, Default)]
pub(crate) struct Nonces(Vec<Nonce>);

#[derive(Debug)]
struct Nonce {
    origin: Arc<Origin>,
    credentials: Credentials,
    challenge: WwwAuthenticateHeader,
    /// The same for as long as the nonce is: a session's key (`MD5-sess`) is made of it.
    cnonce: String,
}

impl Nonces {
    /// The `Authorization` header of a request, if its origin has asked for one before.
    pub(crate) fn authorize(&mut self, credentials: &Credentials, outgoing: &Outgoing) -> Option<Vec<u8>> {
        let origin = &outgoing.target.origin;
        let nonce = self.0.iter_mut().find(|nonce| nonce.origin == *origin && nonce.credentials == *credentials)?;
        nonce.answer(outgoing)
    }

    /// Remembers what an answer asks for. Whether it is something that can be answered.
    pub(crate) fn learn(&mut self, credentials: &Credentials, origin: &Arc<Origin>, head: &Head) -> bool {
        let headers = head.get_all("www-authenticate");
        let Some(challenge) = headers.into_iter().flat_map(challenges).find_map(parse) else { return false };
        self.0.retain(|nonce| nonce.origin != *origin || nonce.credentials != *credentials);
        if self.0.len() >= MAX_NONCES {
            self.0.remove(0);
        }
        let cnonce = format!("{:032x}", rand::random::<u128>());
        let (origin, credentials) = (Arc::clone(origin), credentials.clone());
        self.0.push(Nonce { origin, credentials, challenge, cnonce });
        true
    }
}

impl Nonce {
    fn answer(&mut self, outgoing: &Outgoing) -> Option<Vec<u8>> {
        let only_with_body =
            self.challenge.qop.as_ref().is_some_and(|offered| offered.iter().all(|qop| *qop == Qop::AUTH_INT));
        let body = match &outgoing.body {
            _ if !only_with_body => None,
            Some(body) if body.len() > MAX_HASHED_BODY_BYTES => return None,
            Some(body) => Some(body.pieces().concat()),
            None => Some(Vec::new()),
        };
        let Credentials { user, password } = &self.credentials;
        let method = HttpMethod::from(outgoing.method.as_str());
        let mut context = AuthContext::new_with_method(user, password, &*outgoing.target.path, body, method);
        context.set_custom_cnonce(&self.cnonce);
        let header = self.challenge.respond(&context).ok()?.to_header_string().into_bytes();
        // A name with a line feed in it would end the header.
        let header = [("authorization".to_owned(), header)];
        check_headers(&header).ok()?;
        let [(_, header)] = header;
        Some(header)
    }
}

/// The digest challenges in a header, which may hold several of any kind, without their scheme.
fn challenges(header: &[u8]) -> Vec<&str> {
    const SCHEME: &str = "digest ";
    // The library counts characters where bytes are meant.
    let Some(text) = std::str::from_utf8(header).ok().filter(|text| text.is_ascii()) else { return Vec::new() };
    let lower = text.to_ascii_lowercase();
    let begins = lower.match_indices(SCHEME).map(|(at, _)| at).filter(|at| {
        let before = lower[..*at].trim_end();
        before.is_empty() || before.ends_with(',')
    });
    let begins: Vec<usize> = begins.collect();
    let ends = begins.iter().skip(1).copied().chain([text.len()]);
    begins.iter().zip(ends).map(|(begin, end)| text[begin + SCHEME.len()..end].trim_end_matches([' ', ','])).collect()
}

/// A challenge that can be answered: a server may offer an algorithm that nobody knows beside one that everybody does.
fn parse(challenge: &str) -> Option<WwwAuthenticateHeader> {
    digest_auth::parse(challenge).ok()
}

#[cfg(test)]
mod tests {
    use http::Method;
    use proptest::prelude::*;

    use super::*;
    use crate::http::Target;

    /// The example of RFC 7616, 3.9.1.
    fn nonce(challenge: &str, cnonce: &str) -> Nonce {
        let origin = Arc::clone(&target().origin);
        let credentials = Credentials { user: "Mufasa".to_owned(), password: "Circle of Life".to_owned() };
        let challenge = parse(challenges(challenge.as_bytes())[0]).unwrap();
        Nonce { origin, credentials, challenge, cnonce: cnonce.to_owned() }
    }

    fn target() -> Arc<Target> {
        Arc::new(Target::parse("http://www.example.org/dir/index.html").unwrap())
    }

    fn get() -> Outgoing {
        Outgoing {
            target: target(),
            method: Method::GET,
            headers: Vec::new(),
            body: None,
            timeout: None,
            discard: None,
            connect_timeout: None,
            http_version: None,
            chunked: false,
            streamed: false,
        }
    }

    fn field(header: &[u8], name: &str) -> String {
        let text = String::from_utf8(header.to_vec()).unwrap();
        let value =
            text.split(", ").find_map(|field| field.trim_start_matches("Digest ").strip_prefix(&format!("{name}=")));
        value.unwrap_or_else(|| panic!("no {name} in {text}")).trim_matches('"').to_owned()
    }

    const NONCE: &str = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
    const CNONCE: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

    #[test]
    fn the_vectors_of_rfc_7616() {
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let challenge = format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, nonce=\"{NONCE}\", \
                 opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            );
            let header = nonce(&challenge, CNONCE).answer(&get()).unwrap();
            assert_eq!(field(&header, "response"), response, "{algorithm}");
            assert_eq!((field(&header, "nc"), field(&header, "qop")), ("00000001".to_owned(), "auth".to_owned()));
            assert_eq!(field(&header, "uri"), "/dir/index.html");
        }
    }

    #[test]
    fn a_nonce_is_used_again_with_a_higher_count() {
        let mut nonce =
            nonce(&format!("digest realm=\"r\", qop=\"auth\", nonce=\"{NONCE}\", algorithm=MD5-sess"), CNONCE);
        let counts: Vec<_> = (0..3).map(|_| field(&nonce.answer(&get()).unwrap(), "nc")).collect();
        assert_eq!(counts, ["00000001", "00000002", "00000003"]);
        assert_eq!(field(&nonce.answer(&get()).unwrap(), "cnonce"), CNONCE, "the session's key stays the same");
    }

    #[test]
    fn a_body_is_hashed_only_if_the_server_insists() {
        let with = |qop: &str, body: Option<Vec<u8>>| {
            let challenge = format!("Digest realm=\"r\", qop=\"{qop}\", nonce=\"{NONCE}\"");
            nonce(&challenge, CNONCE).answer(&Outgoing { body: body.map(Into::into), ..get() })
        };
        assert_eq!(field(&with("auth,auth-int", Some(vec![1])).unwrap(), "qop"), "auth");
        let int = |body| field(&with("auth-int", body).unwrap(), "response");
        assert_eq!(field(&with("auth-int", None).unwrap(), "qop"), "auth-int");
        assert_ne!(int(Some(vec![1])), int(Some(vec![2])));
        assert!(with("auth-int", Some(vec![0; MAX_HASHED_BODY_BYTES + 1])).is_none());
    }

    #[test]
    fn challenges_are_found_among_others() {
        let found = |header: &str| {
            challenges(header.as_bytes()).into_iter().filter_map(parse).map(|it| it.realm).collect::<Vec<_>>()
        };
        assert_eq!(found("Basic realm=\"a\", Digest realm=\"b\", nonce=\"1\""), ["b"]);
        let several =
            "Digest realm=\"a\", nonce=\"1\", algorithm=NEW-1, DIGEST realm=\"b\", nonce=\"2\", algorithm=MD5";
        assert_eq!(found(several), ["b"], "an unknown algorithm is passed over");
        assert_eq!(found("Basic realm=\"digest x\""), [""; 0]);
        assert_eq!(found("Digest realm=\"a\""), [""; 0], "no nonce");
        assert_eq!(found("Digest realm=\"é\", nonce=\"1\""), [""; 0]);
    }

    #[test]
    fn a_name_cannot_end_the_header() {
        let mut nonce = nonce(&format!("Digest realm=\"r\", qop=\"auth\", nonce=\"{NONCE}\""), CNONCE);
        nonce.credentials.user = "a\"\r\nx: y".to_owned();
        assert_eq!(nonce.answer(&get()), None);
    }

    proptest! {
        #[test]
        fn no_challenge_panics(text in "(Digest |[a-z]+=|\"|,| |\\\\|[ -~é]){0,40}") {
            for challenge in challenges(text.as_bytes()) {
                let _ = parse(challenge);
            }
        }
    }
}
