//! Cookies: those that the virtual user holds, and those that an answer sets.

use super::request::resolve;
use crate::host::http as host;

/// The virtual user's cookies for a URL: those that a request to it would send. The runtime keeps what answers set, sends it where
/// it belongs by the rules of RFC 6265, and forgets it at the end of the iteration unless
/// [`no_cookies_reset`](crate::Options::no_cookies_reset) says otherwise.
///
/// ```no_run
/// use flashcrowd::prelude::*;
///
/// let shop = http::cookies("https://shop.test/");
/// shop.set("plan", "gold");
/// http::post("https://shop.test/login").form([("user", "ann")]).send();
/// log::info!("session {:?}", shop.get("session"));
/// shop.remove("session");
/// ```
///
/// # Panics
/// If the URL begins with `/` and there is no environment variable `BASE_URL`.
#[track_caller]
#[must_use]
pub fn cookies(url: &str) -> Cookies {
    Cookies { url: resolve(url).into_owned() }
}

/// The virtual user's cookies for a URL, from [`cookies`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookies {
    url: String,
}

impl Cookies {
    /// The value of the cookie of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        self.all().into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Names and values, in the order in which they are sent.
    #[must_use]
    pub fn all(&self) -> Vec<(String, String)> {
        told(host::cookies(&self.url))
    }

    /// Sets a cookie for all paths of this URL's host.
    ///
    /// # Panics
    /// If it is no cookie, such as one with a `;` in its name, or if there is no more room for it.
    #[track_caller]
    pub fn set(&self, name: &str, value: &str) {
        assert!(
            !name.is_empty() && !format!("{name}{value}").contains(';') && !name.contains('='),
            "`{name}={value}` is no cookie: a name has no `=`, and neither it nor the value has a `;`"
        );
        self.set_cookie(&format!("{name}={value}; Path=/"));
    }

    /// Sets a cookie as a `Set-Cookie` header would: `token=1; Domain=shop.test; Path=/cart; Max-Age=60; Secure`.
    ///
    /// # Panics
    /// If it is no cookie, is not for this URL, or if there is no more room for it.
    #[track_caller]
    pub fn set_cookie(&self, text: &str) {
        told(host::set_cookie(&self.url, text));
    }

    /// Forgets the cookie of this name.
    pub fn remove(&self, name: &str) {
        told(host::remove_cookie(&self.url, name));
    }

    /// Forgets all of them.
    pub fn clear(&self) {
        told(host::clear_cookies(&self.url));
    }
}

#[track_caller]
fn told<T>(result: Result<T, String>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

/// A cookie as an answer set it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// `Domain`, without a leading dot.
    pub domain: Option<String>,
    /// `Path`.
    pub path: Option<String>,
    /// `Expires`, as the server wrote it.
    pub expires: Option<String>,
    /// `Max-Age`, in seconds.
    pub max_age: Option<i64>,
    /// `Secure`: never sent in the clear.
    pub secure: bool,
    /// `HttpOnly`.
    pub http_only: bool,
}

impl Cookie {
    /// Reads a `Set-Cookie` header.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split(';').map(str::trim);
        let (name, value) = parts.next()?.split_once('=')?;
        let mut cookie =
            Self { name: name.trim().to_owned(), value: value.trim().trim_matches('"').to_owned(), ..Self::default() };
        for part in parts {
            let (attribute, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim();
            match attribute.trim().to_ascii_lowercase().as_str() {
                "domain" => cookie.domain = Some(value.trim_start_matches('.').to_ascii_lowercase()),
                "path" => cookie.path = Some(value.to_owned()),
                "expires" => cookie.expires = Some(value.to_owned()),
                "max-age" => cookie.max_age = value.parse().ok(),
                "secure" => cookie.secure = true,
                "httponly" => cookie.http_only = true,
                _ => {}
            }
        }
        (!cookie.name.is_empty()).then_some(cookie)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_cookie_header_is_taken_apart() {
        let cookie =
            Cookie::parse("id=\"a=b\"; Path=/x; domain=.Shop.test; Max-Age=-1; Secure; HttpOnly; Odd=1").unwrap();
        let expected = Cookie {
            name: "id".to_owned(),
            value: "a=b".to_owned(),
            domain: Some("shop.test".to_owned()),
            path: Some("/x".to_owned()),
            expires: None,
            max_age: Some(-1),
            secure: true,
            http_only: true,
        };
        assert_eq!(cookie, expected);
        assert_eq!(Cookie::parse("no cookie"), None);
        assert_eq!(Cookie::parse("=x"), None);
    }

    #[test]
    #[should_panic(expected = "is no cookie")]
    fn a_cookie_without_a_name_is_refused() {
        cookies("http://a.test/").set("", "x");
    }
}
