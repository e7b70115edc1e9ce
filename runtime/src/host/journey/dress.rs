//! What a request wears for one hop alone: the jar's cookies, and the answer to a challenge.

use std::sync::Mutex;

use url::Url;

use super::{Session, lock};
use crate::host::context::ShardContext;
use crate::http::{Credentials, Head, Jar, Outgoing, Refused, Target};
use crate::log::Level;

/// Headers that were put on, and what they replace.
#[derive(Debug, Default)]
pub(super) struct Dress {
    /// How many of the last headers are ours.
    added: usize,
    /// The cookies that the request brings itself, as long as those of the jar are sent with them.
    own_cookies: Vec<u8>,
}

impl Dress {
    /// Adds what goes with a hop.
    pub(super) fn put_on(
        &mut self,
        outgoing: &mut Outgoing,
        session: &Mutex<Session>,
        credentials: Option<&Credentials>,
    ) {
        let mut session = lock(session);
        let Session { jar, nonces, .. } = &mut *session;
        if let Some(jar) = jar
            && let Some((own, header)) = cookies_of(jar, &outgoing.target, &mut outgoing.headers)
        {
            self.own_cookies = own;
            self.add(outgoing, "cookie", header);
        }
        if let (Some(credentials), Some(nonces)) = (credentials, nonces)
            && let Some(header) = nonces.authorize(credentials, outgoing)
        {
            self.add(outgoing, "authorization", header);
        }
    }

    fn add(&mut self, outgoing: &mut Outgoing, name: &str, value: Vec<u8>) {
        outgoing.headers.push((name.to_owned(), value));
        self.added += 1;
    }

    /// Leaves the request with its own alone.
    pub(super) fn take_off(&mut self, outgoing: &mut Outgoing) {
        outgoing.headers.truncate(outgoing.headers.len() - std::mem::take(&mut self.added));
        if !self.own_cookies.is_empty() {
            outgoing.headers.push(("cookie".to_owned(), std::mem::take(&mut self.own_cookies)));
        }
    }
}

fn is_cookie(name: &str) -> bool {
    name.eq_ignore_ascii_case("cookie")
}

/// Takes a request's own cookies out of its headers, and gives them and the header with which those of the jar go out too. `None` if the jar
/// has nothing for this URL.
fn cookies_of(jar: &Jar, target: &Target, headers: &mut Vec<(String, Vec<u8>)>) -> Option<(Vec<u8>, Vec<u8>)> {
    let url = jar_url(target)?;
    let mut own = Vec::new();
    for (_, value) in headers.iter().filter(|(name, _)| is_cookie(name)) {
        own.extend_from_slice(if own.is_empty() { b"" } else { b"; " });
        own.extend_from_slice(value);
    }
    let header = jar.header(&url, &own);
    (header.len() > own.len()).then(|| {
        headers.retain(|(name, _)| !is_cookie(name));
        (own, header)
    })
}

/// The URL by which the jar knows a target: a WebSocket's handshake is a request like others.
fn jar_url(target: &Target) -> Option<Url> {
    match target.url.strip_prefix("ws") {
        Some(rest) => Url::parse(&format!("http{rest}")),
        None => Url::parse(&target.url),
    }
    .ok()
}

impl Session {
    /// Adds the jar's cookies to the headers of a request that goes out once.
    pub(in crate::host) fn add_cookies(&self, target: &Target, headers: &mut Vec<(String, Vec<u8>)>) {
        let cookies = self.jar.as_ref().and_then(|jar| cookies_of(jar, target, headers));
        headers.extend(cookies.map(|(_, header)| ("cookie".to_owned(), header)));
    }

    /// Keeps what an answer sets. What a browser would not take is not taken, without a word; what does not fit is told once.
    pub(in crate::host) fn store_cookies(&mut self, shard: &ShardContext, target: &Target, head: &Head) {
        let Some(url) = jar_url(target) else { return };
        let jar = self.jar.get_or_insert_default();
        for value in head.get_all("set-cookie") {
            if let Err(Refused::Full) = jar.set(&String::from_utf8_lossy(value), &url) {
                let text = format!("a cookie from {} was not kept: {}", target.origin, Refused::Full);
                if shard.test.problems.warn(&text) {
                    shard.test.log.runtime(Level::Warn, &text);
                }
            }
        }
    }
}
