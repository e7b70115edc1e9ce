//! Names to addresses, remembered for a while as k6 does: a test of a service must not become a test of the resolver.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::RngExt as _;
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::failure::{ErrorCode, Failure};
use crate::duration;
use crate::field_error::{FieldError, did_you_mean};

/// k6's default: `ttl=5m`.
const TTL: Duration = Duration::from_secs(5 * 60);
/// Names that are remembered; a module may make them up.
const MAX_NAMES: usize = 1024;

/// How names are looked up: k6's `dns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DnsOptions {
    /// How long an answer is good for: zero asks each time, `None` never asks again.
    pub ttl: Option<Duration>,
    /// Which of several addresses is called.
    pub select: Select,
    /// Which of them may be.
    pub policy: Policy,
}

/// Which of several addresses a connection goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Select {
    /// The first.
    First,
    /// Any.
    Random,
    /// One after the other.
    RoundRobin,
}

/// Which kinds of addresses a connection may go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// IPv6 only where there is no IPv4.
    PreferIpv4,
    /// IPv4 only where there is no IPv6.
    PreferIpv6,
    /// IPv4 alone.
    OnlyIpv4,
    /// IPv6 alone.
    OnlyIpv6,
    /// All.
    Any,
}

impl Default for DnsOptions {
    fn default() -> Self {
        Self { ttl: Some(TTL), select: Select::Random, policy: Policy::PreferIpv4 }
    }
}

const SELECTS: [(&str, Select); 3] =
    [("first", Select::First), ("random", Select::Random), ("roundRobin", Select::RoundRobin)];
const POLICIES: [(&str, Policy); 5] = [
    ("preferIPv4", Policy::PreferIpv4),
    ("preferIPv6", Policy::PreferIpv6),
    ("onlyIPv4", Policy::OnlyIpv4),
    ("onlyIPv6", Policy::OnlyIpv6),
    ("any", Policy::Any),
];
const KEYS: [&str; 3] = ["ttl", "select", "policy"];

impl DnsOptions {
    /// Reads k6's `dns`: an object, or a text such as `ttl=5m,select=random,policy=preferIPv4`.
    ///
    /// # Errors
    /// Another shape, an unknown key, or a value that a key cannot have.
    pub fn from_json(value: &Value) -> Result<Self, FieldError> {
        let mut options = Self::default();
        match value {
            Value::Object(fields) => {
                for (key, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
                    let text = match value {
                        Value::String(text) => text.clone(),
                        other => other.to_string(),
                    };
                    options.set(key, &text)?;
                }
            }
            Value::String(text) => {
                for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
                    let (key, value) = part.split_once('=').ok_or_else(|| {
                        FieldError::new(
                            "",
                            format!("\"{part}\""),
                            "lacks a `=`; write ttl=5m,select=random,policy=preferIPv4",
                        )
                    })?;
                    options.set(key.trim(), value.trim())?;
                }
            }
            _ => {
                return Err(FieldError::json(
                    "",
                    value,
                    "is not text; write \"ttl=5m,select=random,policy=preferIPv4\"",
                ));
            }
        }
        Ok(options)
    }

    fn set(&mut self, key: &str, text: &str) -> Result<(), FieldError> {
        match key {
            "ttl" => {
                self.ttl = match text {
                    "inf" => None,
                    _ => Some(duration::parse(text).map_err(|error| error.at("ttl"))?),
                };
            }
            "select" => self.select = choice(key, text, &SELECTS)?,
            "policy" => self.policy = choice(key, text, &POLICIES)?,
            _ => return Err(FieldError::unknown_key(key, key, KEYS)),
        }
        Ok(())
    }
}

fn choice<T: Copy>(key: &str, text: &str, known: &[(&str, T)]) -> Result<T, FieldError> {
    known.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, value)| *value).ok_or_else(|| {
        let remedy = did_you_mean(text, known.iter().map(|(name, _)| *name));
        FieldError::new(key, format!("\"{text}\""), format!("is no such value; {remedy}"))
    })
}

/// The system's resolver, with a memory that all virtual users of a test share.
#[derive(Debug, Default)]
pub struct Resolver {
    options: DnsOptions,
    known: Mutex<HashMap<String, Arc<Known>>>,
    turn: AtomicUsize,
}

/// What is known of a name. Whoever asks while it is being looked up waits for that answer.
#[derive(Debug)]
struct Known {
    since: Instant,
    addresses: OnceCell<Vec<IpAddr>>,
}

/// What came of a look-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// Those that the policy allows. Never empty.
    pub(crate) addresses: Vec<IpAddr>,
    /// How long the resolver took; `None` where the answer was remembered.
    pub(crate) took: Option<Duration>,
}

impl Resolver {
    /// A resolver that follows these options.
    #[must_use]
    pub fn new(options: DnsOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// The addresses of a name that the policy allows.
    ///
    /// # Errors
    /// 1101 when there is no such name, or none of a kind that is allowed; 1100 when the look-up failed otherwise.
    pub(crate) async fn resolve(&self, host: &str, port: u16) -> Result<Resolved, Failure> {
        let known = self.known(host);
        if let Some(addresses) = known.addresses.get() {
            return Ok(Resolved { addresses: addresses.clone(), took: None });
        }
        let begun = Instant::now();
        let addresses = known.addresses.get_or_try_init(|| look_up(host, port, self.options.policy)).await?;
        Ok(Resolved { addresses: addresses.clone(), took: Some(begun.elapsed()) })
    }

    /// One of several addresses, as the options say.
    pub(crate) fn select(&self, addresses: &[IpAddr]) -> Option<IpAddr> {
        let index = match (self.options.select, addresses.len()) {
            (_, 0) => return None,
            (_, 1) | (Select::First, _) => 0,
            (Select::Random, count) => rand::rng().random_range(0..count),
            (Select::RoundRobin, count) => self.turn.fetch_add(1, Relaxed) % count,
        };
        addresses.get(index).copied()
    }

    fn known(&self, host: &str) -> Arc<Known> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(host).filter(|found| self.is_fresh(found)) {
            return Arc::clone(found);
        }
        if known.len() >= MAX_NAMES {
            known.clear();
        }
        let fresh = Arc::new(Known { since: Instant::now(), addresses: OnceCell::new() });
        known.insert(host.to_owned(), Arc::clone(&fresh));
        fresh
    }

    /// A look-up that is under way is as fresh as can be, unless every request is to have its own.
    fn is_fresh(&self, known: &Known) -> bool {
        match self.options.ttl {
            None => true,
            Some(Duration::ZERO) => false,
            Some(ttl) => !known.addresses.initialized() || known.since.elapsed() < ttl,
        }
    }
}

async fn look_up(host: &str, port: u16, policy: Policy) -> Result<Vec<IpAddr>, Failure> {
    let found = tokio::net::lookup_host((host, port)).await.map_err(|error| look_up_failure(host, &error))?;
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in found.map(|peer| peer.ip()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    let allowed = policy.filter(&addresses);
    if allowed.is_empty() {
        let detail = if addresses.is_empty() { "" } else { " has no address that the policy of dns allows" };
        return Err(Failure::new(ErrorCode::NO_SUCH_HOST, "no such host", format_args!("{host}{detail}")));
    }
    Ok(allowed)
}

impl Policy {
    fn filter(self, addresses: &[IpAddr]) -> Vec<IpAddr> {
        let of = |keep: fn(&IpAddr) -> bool| addresses.iter().copied().filter(keep).collect::<Vec<_>>();
        let or = |first: Vec<IpAddr>, second: Vec<IpAddr>| if first.is_empty() { second } else { first };
        match self {
            Self::PreferIpv4 => or(of(IpAddr::is_ipv4), of(IpAddr::is_ipv6)),
            Self::PreferIpv6 => or(of(IpAddr::is_ipv6), of(IpAddr::is_ipv4)),
            Self::OnlyIpv4 => of(IpAddr::is_ipv4),
            Self::OnlyIpv6 => of(IpAddr::is_ipv6),
            Self::Any => addresses.to_vec(),
        }
    }
}

/// The standard library has no kinds for the resolver's errors: what tells them apart is their text.
fn look_up_failure(host: &str, error: &std::io::Error) -> Failure {
    let text = error.to_string();
    let unknown = ["Name or service not known", "No address associated", "nodename nor servname"];
    if unknown.iter().any(|known| text.contains(known)) {
        Failure::new(ErrorCode::NO_SUCH_HOST, "no such host", host)
    } else {
        Failure::new(ErrorCode::DNS, "name look-up failed", format_args!("{host}: {text}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_name_is_looked_up_once() {
        let resolver = Resolver::default();
        let first = resolver.resolve("localhost", 80).await.unwrap();
        assert!(first.addresses.iter().all(IpAddr::is_loopback) && first.took.is_some());
        let again = resolver.resolve("localhost", 80).await.unwrap();
        assert_eq!(again, Resolved { took: None, ..first });
        let never = Resolver::new(DnsOptions { ttl: Some(Duration::ZERO), ..DnsOptions::default() });
        for _ in 0..2 {
            assert!(never.resolve("localhost", 80).await.unwrap().took.is_some());
        }
    }

    #[test]
    fn a_name_that_does_not_exist_is_told_from_a_resolver_that_fails() {
        let code = |text: &str| look_up_failure("a.test", &std::io::Error::other(text.to_owned())).code;
        assert_eq!(code("failed to lookup address information: Name or service not known"), ErrorCode::NO_SUCH_HOST);
        assert_eq!(code("failed to lookup address information: Temporary failure in name resolution"), ErrorCode::DNS);
    }

    #[test]
    fn policies_filter_and_selections_choose() {
        let all: Vec<IpAddr> = ["10.0.0.1", "::1", "10.0.0.2"].iter().map(|text| text.parse().unwrap()).collect();
        let count = |policy: Policy| policy.filter(&all).len();
        assert_eq!(POLICIES.map(|(_, policy)| count(policy)), [2, 1, 2, 1, 3]);
        assert_eq!(Policy::PreferIpv6.filter(&all[..1]).len(), 1);
        assert_eq!(Policy::OnlyIpv6.filter(&all[..1]).len(), 0);
        let select = |select| Resolver::new(DnsOptions { select, ..DnsOptions::default() });
        assert_eq!(select(Select::First).select(&all), Some(all[0]));
        let turns = select(Select::RoundRobin);
        assert_eq!([0; 4].map(|_| turns.select(&all).unwrap()), [all[0], all[1], all[2], all[0]]);
        let random = select(Select::Random);
        let seen: std::collections::HashSet<_> = (0..200).filter_map(|_| random.select(&all)).collect();
        assert_eq!(seen.len(), 3);
        assert_eq!(random.select(&[]), None);
    }

    #[test]
    fn options_are_read_from_text_and_object() {
        let read = |value: Value| DnsOptions::from_json(&value);
        assert_eq!(read(json!("ttl=5m,select=random,policy=preferIPv4")), Ok(DnsOptions::default()));
        assert_eq!(read(json!("")), Ok(DnsOptions::default()));
        assert_eq!(read(json!({"ttl": "inf", "select": "roundRobin"})).unwrap().ttl, None);
        assert_eq!(read(json!({"ttl": 0})).unwrap().ttl, Some(Duration::ZERO));
        assert_eq!(read(json!({"policy": "onlyIPv6"})).unwrap().policy, Policy::OnlyIpv6);
        assert!(read(json!("ttl=soon")).unwrap_err().to_string().starts_with("ttl: "));
        let error = read(json!("select=zzz")).unwrap_err().to_string();
        assert!(["first", "random", "roundRobin"].iter().all(|name| error.contains(name)), "{error}");
        assert!(read(json!({"tll": "1s"})).unwrap_err().to_string().contains("did you mean `ttl`?"));
    }
}
