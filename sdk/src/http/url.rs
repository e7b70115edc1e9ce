//! URLs, templates, and percent-encoding.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::sync::OnceLock;

use crate::host;

/// A URL, with the template that it was made from if [`url!`](crate::url!) made it. Any text becomes one.
///
/// A URL that begins with `/` continues the environment variable `BASE_URL`.
#[derive(Clone, Debug)]
pub struct Url<'a> {
    pub(crate) text: Cow<'a, str>,
    pub(crate) template: Option<&'static Template>,
}

impl Url<'_> {
    /// The URL as a text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Url<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'a> From<&'a str> for Url<'a> {
    fn from(text: &'a str) -> Self {
        Self { text: Cow::Borrowed(text), template: None }
    }
}

impl<'a> From<&'a String> for Url<'a> {
    fn from(text: &'a String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<String> for Url<'_> {
    fn from(text: String) -> Self {
        Self { text: Cow::Owned(text), template: None }
    }
}

impl<'a> From<Cow<'a, str>> for Url<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Self { text, template: None }
    }
}

/// A constant `name` tag, which [`url!`](crate::url!) makes; interned once per instance.
#[derive(Debug)]
pub struct Template {
    name: &'static str,
    params: OnceLock<host::http::Params>,
}

impl Template {
    /// A template of this name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, params: OnceLock::new() }
    }

    /// The `name` tag.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Parameters that only set the name.
    pub(crate) fn params(&self) -> &host::http::Params {
        self.params.get_or_init(|| {
            let params = host::http::Params::new();
            params.set_name(self.name);
            params
        })
    }
}

/// Puts a URL together for [`url!`](crate::url!).
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct UrlWriter(String);

impl UrlWriter {
    #[must_use]
    pub fn new() -> Self {
        Self(String::with_capacity(64))
    }

    pub fn text(&mut self, text: &str) {
        self.0.push_str(text);
    }

    pub fn raw(&mut self, value: impl fmt::Display) {
        write(&mut self.0, value);
    }

    pub fn value(&mut self, value: impl fmt::Display) {
        write(&mut Encoded(&mut self.0), value);
    }

    #[must_use]
    pub fn finish(self, template: &'static Template) -> Url<'static> {
        Url { text: Cow::Owned(self.0), template: Some(template) }
    }
}

fn write(to: &mut impl Write, value: impl fmt::Display) {
    write!(to, "{value}").expect("a text takes all that is written, and the values of URLs can be shown");
}

/// Percent-encodes what is written to it: all but the unreserved characters of RFC 3986, section 2.3.
pub(crate) struct Encoded<'a>(pub(crate) &'a mut String);

impl Write for Encoded<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        const HEX: &[u8; 16] = b"0123456789ABCDEF";
        for byte in text.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                self.0.push(char::from(byte));
            } else {
                self.0.push('%');
                self.0.push(char::from(HEX[usize::from(byte >> 4)]));
                self.0.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
        Ok(())
    }
}

/// Appends `name=value` to a query, percent-encoded.
pub(crate) fn push_pair(query: &mut String, name: &str, value: &str) {
    // Writing to a String cannot fail.
    let _ = Encoded(query).write_str(name);
    query.push('=');
    let _ = Encoded(query).write_str(value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_value_is_encoded_and_a_base_is_not() {
        let base = "http://127.0.0.1:8080";
        let url = crate::url!("{base}/users/{id}/x", base, "a b/ü");
        assert_eq!(url.as_str(), "http://127.0.0.1:8080/users/a%20b%2F%C3%BC/x");
        assert_eq!(url.template.map(Template::name), Some("/users/{id}/x"));
    }

    #[test]
    fn variables_of_the_same_name_are_taken() {
        let (id, url) = (7, "x");
        assert_eq!(crate::url!("/users/{id}/{url}").as_str(), "/users/7/x");
    }

    proptest! {
        #[test]
        fn encoding_can_be_undone(text in ".*") {
            let mut encoded = String::new();
            push_pair(&mut encoded, &text, "");
            let mut decoded = Vec::new();
            let mut bytes = encoded.strip_suffix('=').unwrap().bytes();
            while let Some(byte) = bytes.next() {
                if byte == b'%' {
                    let hex = [bytes.next().unwrap(), bytes.next().unwrap()];
                    decoded.push(u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap());
                } else {
                    prop_assert!(byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
                    decoded.push(byte);
                }
            }
            prop_assert_eq!(decoded, text.as_bytes());
        }
    }
}
