//! Names that mean other addresses (`hosts`), and names that may not be called (`blockHostnames`).

use std::net::{IpAddr, SocketAddr};

use serde_json::Value;

use super::addresses::items;
use crate::field_error::FieldError;

/// A name, or all names below one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    /// In lower case, without `*`.
    name: String,
    /// `*.name`, or `*` for every name.
    wildcard: bool,
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim().to_ascii_lowercase();
        let (wildcard, name) = match text.strip_prefix('*') {
            Some(rest) if rest.is_empty() || rest.starts_with('.') => (true, rest.to_owned()),
            Some(_) => return Err("has no dot behind its `*`; write it as *.example.com"),
            None => (false, text),
        };
        if name.contains('*') {
            return Err("has a `*` where none may stand; it stands for whole names in front: *.example.com");
        }
        if name.is_empty() && !wildcard || name.contains(['/', ' ']) {
            return Err("is not a host name; write one such as example.com or *.example.com");
        }
        Ok(Self { name, wildcard })
    }

    /// `host` is in lower case.
    fn matches(&self, host: &str) -> bool {
        if self.wildcard { host.ends_with(&self.name) } else { host == self.name }
    }

    /// The longer, the more is said; a whole name says most.
    fn weight(&self) -> (bool, usize) {
        (!self.wildcard, self.name.len())
    }
}

/// Names that no request may be sent to, whatever is granted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostPatterns(Vec<Pattern>);

impl HostPatterns {
    /// Reads k6's `blockHostnames`: a list of names, where `*` may stand for what is in front.
    ///
    /// # Errors
    /// No list, or an item that is no name.
    pub fn from_json(value: &Value) -> Result<Self, FieldError> {
        let read = |(index, item): (usize, &Value)| {
            let pattern = item.as_str().ok_or("is not text; put it in quotes").and_then(Pattern::parse);
            pattern.map_err(|problem| FieldError::json(format!("[{index}]"), item, problem))
        };
        items(value)?.iter().enumerate().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Whether this name is one of them.
    #[must_use]
    pub fn contain(&self, host: &str) -> bool {
        !self.0.is_empty() && {
            let host = host.to_ascii_lowercase();
            self.0.iter().any(|pattern| pattern.matches(&host))
        }
    }
}

/// Addresses for names, in place of those that the resolver gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hosts(Vec<Host>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Host {
    pattern: Pattern,
    /// Of the URL; `None` for any.
    port: Option<u16>,
    address: IpAddr,
    /// `None` leaves the URL's.
    to_port: Option<u16>,
}

impl Hosts {
    /// Reads k6's `hosts`: `{"name": "address", "*.name:port": "address:port"}`.
    ///
    /// # Errors
    /// No object, a key that is no name, or a value that is no address.
    pub fn from_json(value: &Value) -> Result<Self, FieldError> {
        let Value::Object(fields) = value else {
            return match value {
                Value::String(text) if text.trim().is_empty() => Ok(Self::default()),
                _ => Err(FieldError::json("", value, "is not an object; write {\"shop.test\": \"127.0.0.1:8080\"}")),
            };
        };
        let mut hosts = fields.iter().map(|(name, value)| Host::parse(name, value)).collect::<Result<Vec<_>, _>>()?;
        // What says most comes first.
        hosts.sort_by_key(|host| std::cmp::Reverse((host.pattern.weight(), host.port)));
        Ok(Self(hosts))
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where a name leads, and to which port.
    #[must_use]
    pub fn find(&self, host: &str, port: u16) -> Option<SocketAddr> {
        if self.0.is_empty() {
            return None;
        }
        let name = host.to_ascii_lowercase();
        let found =
            self.0.iter().find(|host| host.port.is_none_or(|own| own == port) && host.pattern.matches(&name))?;
        Some(SocketAddr::new(found.address, found.to_port.unwrap_or(port)))
    }
}

impl Host {
    fn parse(name: &str, value: &Value) -> Result<Self, FieldError> {
        let (pattern, port) = match name.rsplit_once(':') {
            Some((host, port)) => match port.parse() {
                Ok(port) => (host, Some(port)),
                Err(_) => {
                    return Err(FieldError::bare(
                        format!("\"{name}\""),
                        "has no port behind its colon; write name or name:port",
                    ));
                }
            },
            None => (name, None),
        };
        let pattern = Pattern::parse(pattern).map_err(|problem| FieldError::bare(format!("\"{name}\""), problem))?;
        let text = value.as_str().unwrap_or_default().trim();
        let socket = text.parse::<SocketAddr>().map(|socket| (socket.ip(), Some(socket.port())));
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        let (address, to_port) =
            socket.or_else(|_| bare.parse::<IpAddr>().map(|address| (address, None))).map_err(|_| {
                FieldError::json(format!("\"{name}\""), value, "is no address; write one such as \"127.0.0.1:8080\"")
            })?;
        Ok(Self { pattern, port, address, to_port })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_lead_where_the_map_says_the_nearest_first() {
        let hosts = Hosts::from_json(&json!({
            "*.shop.test": "127.0.0.2", "*": "127.0.0.9", "pay.shop.test": "127.0.0.3:8443", "pay.shop.test:81": "[::1]:9", "v6.test": "::1"
        }))
        .unwrap();
        let find = |host: &str, port| hosts.find(host, port).unwrap().to_string();
        assert_eq!(find("PAY.shop.test", 80), "127.0.0.3:8443");
        assert_eq!(find("pay.shop.test", 81), "[::1]:9");
        assert_eq!(find("www.shop.test", 80), "127.0.0.2:80");
        assert_eq!(find("v6.test", 443), "[::1]:443");
        assert_eq!(find("other.test", 1), "127.0.0.9:1");
        assert_eq!(Hosts::default().find("a", 1), None);
        let error = |value: Value| Hosts::from_json(&value).unwrap_err().to_string();
        assert_eq!(
            error(json!({"a.test": "home"})),
            "\"a.test\": \"home\" is no address; write one such as \"127.0.0.1:8080\""
        );
        assert!(error(json!({"a:b": "127.0.0.1"})).contains("has no port behind its colon"));
        assert!(error(json!({"a*.test": "127.0.0.1"})).contains("`*`"));
    }

    #[test]
    fn blocked_names_are_compared_without_case() {
        let blocks = HostPatterns::from_json(&json!(["*.ads.test", "Tracker.test"])).unwrap();
        assert!(blocks.contain("x.ADS.test") && blocks.contain("tracker.test"));
        assert!(!blocks.contain("ads.test") && !blocks.contain("www.tracker.test"));
        assert!(HostPatterns::from_json(&json!(["*ads"])).is_err());
    }
}
