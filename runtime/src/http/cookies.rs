//! A jar of cookies, by the rules of RFC 6265.

use cookie_store::{Cookie, CookieDomain, CookieStore};
use url::Url;

/// What RFC 6265 (6.1) asks every client to take is the most that one jar takes: a server must not use a virtual user as its memory.
const MAX_COOKIE_BYTES: usize = 4096;
const MAX_COOKIES_A_DOMAIN: usize = 50;
const MAX_COOKIES: usize = 3000;
/// Of all cookies of a jar together.
const MAX_JAR_BYTES: usize = 1 << 20;

/// One virtual user's cookies.
#[derive(Debug, Clone, Default)]
pub(crate) struct Jar {
    store: CookieStore,
}

/// Why a cookie was not stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// It is not for this URL, or no cookie at all. Servers may do that; browsers say nothing either.
    #[error("{0}")]
    Invalid(String),
    /// The jar is full, or the cookie longer than a jar takes.
    #[error(
        "a jar takes {MAX_COOKIES} cookies, {MAX_COOKIES_A_DOMAIN} of one domain, {MAX_COOKIE_BYTES} bytes each and {MAX_JAR_BYTES} in all"
    )]
    Full,
}

impl Jar {
    /// The `Cookie` header of a request to this URL: the request's own cookies, and those of the jar whose names it does not use itself.
    pub(crate) fn header(&self, url: &Url, own: &[u8]) -> Vec<u8> {
        let mut header = own.to_vec();
        let own: Vec<&[u8]> = own.split(|byte| *byte == b';').map(name_of).collect();
        for cookie in self.matching(url) {
            let (name, value) = cookie.name_value();
            if own.contains(&name.as_bytes()) {
                continue;
            }
            if !header.is_empty() {
                header.extend_from_slice(b"; ");
            }
            header.extend_from_slice(name.as_bytes());
            header.push(b'=');
            header.extend_from_slice(value.as_bytes());
        }
        header
    }

    /// Names and values of what a request to this URL would send.
    pub(crate) fn pairs(&self, url: &Url) -> Vec<(String, String)> {
        let pair = |cookie: &Cookie<'_>| (cookie.name().to_owned(), cookie.value().to_owned());
        self.matching(url).into_iter().map(pair).collect()
    }

    /// Stores what a `Set-Cookie` header from this URL says.
    ///
    /// # Errors
    /// A cookie that is not for this URL, or for which there is no room.
    pub(crate) fn set(&mut self, text: &str, url: &Url) -> Result<(), Refused> {
        if text.len() > MAX_COOKIE_BYTES {
            return Err(Refused::Full);
        }
        // They would end the header that the cookie is sent in.
        if text.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
            return Err(Refused::Invalid("a cookie has no control characters".to_owned()));
        }
        let cookie =
            Cookie::parse(text, url).map_err(|error| Refused::Invalid(format!("`{text}`: {error}")))?.into_owned();
        if let CookieDomain::Suffix(domain) = &cookie.domain
            && !domain.contains('.')
            && !cookie.domain.host_is_identical(url)
        {
            let problem = format!("`{text}`: `{domain}` is a whole top-level domain, for which no cookie can be set");
            return Err(Refused::Invalid(problem));
        }
        let domain = cookie.domain.as_cow().unwrap_or_default().into_owned();
        if !self.store.contains_any(&domain, &cookie.path, cookie.name()) && !cookie.is_expired() {
            self.make_room(&domain, text.len())?;
        }
        match self.store.insert(cookie, url) {
            // A cookie that is over already is how a server removes one.
            Ok(_) | Err(cookie_store::CookieError::Expired) => Ok(()),
            Err(error) => Err(Refused::Invalid(format!("`{text}`: {error}"))),
        }
    }

    /// Forgets the cookie of this name that a request to this URL would send.
    pub(crate) fn remove(&mut self, url: &Url, name: &str) {
        self.forget(url, |cookie| cookie.name() == name);
    }

    /// Forgets what a request to this URL would send.
    pub(crate) fn clear(&mut self, url: &Url) {
        self.forget(url, |_| true);
    }

    fn forget(&mut self, url: &Url, unwanted: impl Fn(&Cookie<'_>) -> bool) {
        let keys: Vec<_> = self.matching(url).into_iter().filter(|cookie| unwanted(cookie)).map(key).collect();
        self.remove_all(keys);
    }

    /// Longer paths first, as RFC 6265 (5.4) has it, then by name, so that a request looks the same each time.
    fn matching(&self, url: &Url) -> Vec<&Cookie<'static>> {
        let mut cookies = self.store.matches(url);
        cookies.sort_by(|a, b| b.path.len().cmp(&a.path.len()).then_with(|| a.name().cmp(b.name())));
        cookies
    }

    fn make_room(&mut self, domain: &str, bytes: usize) -> Result<(), Refused> {
        if self.has_room(domain, bytes) {
            return Ok(());
        }
        let over: Vec<_> = self.store.iter_any().filter(|cookie| cookie.is_expired()).map(key).collect();
        self.remove_all(over);
        if self.has_room(domain, bytes) { Ok(()) } else { Err(Refused::Full) }
    }

    fn has_room(&self, domain: &str, bytes: usize) -> bool {
        let (mut all, mut of_domain, mut held) = (0, 0, bytes);
        for cookie in self.store.iter_any() {
            all += 1;
            of_domain += usize::from(cookie.domain.as_cow().is_some_and(|other| other == domain));
            held += cookie.name().len() + cookie.value().len() + cookie.path.len() + domain.len();
        }
        all < MAX_COOKIES && of_domain < MAX_COOKIES_A_DOMAIN && held <= MAX_JAR_BYTES
    }

    fn remove_all(&mut self, keys: Vec<(String, String, String)>) {
        for (domain, path, name) in keys {
            self.store.remove(&domain, &path, &name);
        }
    }
}

fn key(cookie: &Cookie<'_>) -> (String, String, String) {
    let domain = cookie.domain.as_cow().unwrap_or_default().into_owned();
    (domain, cookie.path.to_string(), cookie.name().to_owned())
}

/// The name in `name=value`.
fn name_of(pair: &[u8]) -> &[u8] {
    pair.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn jar(from: &str, cookies: &[&str]) -> Jar {
        let mut jar = Jar::default();
        for cookie in cookies {
            let _ = jar.set(cookie, &url(from));
        }
        jar
    }

    fn sent(jar: &Jar, to: &str) -> String {
        String::from_utf8(jar.header(&url(to), b"")).unwrap()
    }

    #[test]
    fn a_cookie_goes_back_to_where_it_belongs() {
        let jar = jar(
            "http://shop.test/cart/items",
            &[
                "host=1",
                "all=2; Domain=shop.test; Path=/",
                "deep=3; Path=/cart/items",
                "other=4; Domain=else.test",
                "old=5; Max-Age=0",
            ],
        );
        assert_eq!(sent(&jar, "http://shop.test/cart/items/7"), "deep=3; host=1; all=2", "longer paths first");
        assert_eq!(sent(&jar, "http://shop.test/cart"), "host=1; all=2");
        assert_eq!(sent(&jar, "http://shop.test/cartoon"), "all=2", "a path ends at a slash");
        assert_eq!(
            sent(&jar, "http://www.shop.test/cart/"),
            "all=2",
            "a cookie without a domain is for its host alone"
        );
        assert_eq!(sent(&jar, "http://notshop.test/cart/"), "");
        assert_eq!(sent(&jar, "http://shop.test:8080/cart"), "host=1; all=2", "ports make no difference to cookies");
    }

    #[test]
    fn a_secure_cookie_is_not_sent_in_the_clear() {
        let jar = jar("https://shop.test/", &["s=1; Secure; HttpOnly"]);
        assert_eq!(sent(&jar, "https://shop.test/"), "s=1");
        assert_eq!(sent(&jar, "http://shop.test/"), "");
    }

    #[test]
    fn nobody_sets_a_cookie_for_a_whole_top_level_domain_or_somebody_else() {
        let refused = |from: &str, text: &str| Jar::default().set(text, &url(from)).is_err();
        assert!(refused("http://shop.test/", "a=1; Domain=test"));
        assert!(refused("http://shop.test/", "a=1; Domain=www.shop.test"));
        assert!(refused("http://127.0.0.1/", "a=1; Domain=0.0.1"));
        assert!(!refused("http://localhost/", "a=1; Domain=localhost"));
        assert!(refused("http://shop.test/", "no cookie"));
        assert!(refused("http://shop.test/", "a=1\r\nx: y"));
    }

    #[test]
    fn the_requests_own_cookies_win() {
        let jar = jar("http://a.test/", &["a=jar", "b=jar"]);
        assert_eq!(jar.header(&url("http://a.test/"), b"c=own; a=own"), b"c=own; a=own; b=jar");
    }

    #[test]
    fn a_cookie_is_replaced_removed_and_cleared() {
        let mut jar = jar("http://a.test/x/", &["a=1", "a=2", "b=1", "c=1; Path=/"]);
        let page = url("http://a.test/x/");
        assert_eq!(sent(&jar, page.as_str()), "a=2; b=1; c=1");
        jar.set("b=; Max-Age=0", &page).unwrap();
        assert_eq!(sent(&jar, page.as_str()), "a=2; c=1");
        jar.remove(&page, "c");
        assert_eq!(jar.pairs(&page), [("a".to_owned(), "2".to_owned())]);
        jar.clear(&page);
        assert_eq!(sent(&jar, page.as_str()), "");
    }

    #[test]
    fn a_jar_is_bounded_and_still_takes_what_replaces_something() {
        let mut jar = Jar::default();
        let here = url("http://a.test/");
        for number in 0..MAX_COOKIES_A_DOMAIN {
            jar.set(&format!("c{number}=1"), &here).unwrap();
        }
        assert_eq!(jar.set("more=1", &here), Err(Refused::Full));
        jar.set("c7=2", &here).unwrap();
        assert!(sent(&jar, "http://a.test/").contains("c7=2"));
        jar.set("c7=; Max-Age=0", &here).unwrap();
        jar.set("more=1", &here).expect("what is over makes room");

        for number in 0..MAX_COOKIES {
            let _ = jar.set("c=1", &url(&format!("http://d{number}.test/")));
        }
        assert_eq!(jar.store.iter_any().count(), MAX_COOKIES);
        assert_eq!(jar.set("c=1", &url("http://last.test/")), Err(Refused::Full));
        assert_eq!(jar.set(&"x".repeat(MAX_COOKIE_BYTES + 1), &here), Err(Refused::Full));

        let mut large = Jar::default();
        let text = format!("c={}", "x".repeat(4_000));
        let stored =
            (0..MAX_COOKIES).filter(|number| large.set(&text, &url(&format!("http://d{number}.test/"))).is_ok());
        assert!(stored.count() < MAX_JAR_BYTES / 4_000 + 1);
    }
}
