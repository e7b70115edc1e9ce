//! Names to addresses, remembered for a while as k6 does: a test of a service must not become a test of the resolver.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::failure::{ErrorCode, Failure};

/// k6's default: `ttl=5m`.
const TTL: Duration = Duration::from_secs(5 * 60);
/// Names that are remembered; a module may make them up.
const MAX_NAMES: usize = 1024;

/// The system's resolver, with a memory that all virtual users of a test share.
#[derive(Debug, Default)]
pub struct Resolver {
    known: Mutex<HashMap<String, (Instant, Vec<IpAddr>)>>,
}

impl Resolver {
    /// The addresses of a name, IPv4 first (k6's `preferIPv4`), otherwise in the resolver's order. Never empty.
    ///
    /// # Errors
    /// 1101 when there is no such name, 1100 when the look-up failed otherwise.
    pub(crate) async fn resolve(&self, host: &str, port: u16) -> Result<Vec<IpAddr>, Failure> {
        if let Some(addresses) = self.recall(host) {
            return Ok(addresses);
        }
        let found = tokio::net::lookup_host((host, port)).await.map_err(|error| look_up_failure(host, &error))?;
        let mut addresses: Vec<IpAddr> = found.map(|peer| peer.ip()).collect();
        if addresses.is_empty() {
            return Err(Failure::new(ErrorCode::NO_SUCH_HOST, "no such host", host));
        }
        addresses.sort_by_key(IpAddr::is_ipv6);
        addresses.dedup();
        self.remember(host, &addresses);
        Ok(addresses)
    }

    fn recall(&self, host: &str) -> Option<Vec<IpAddr>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(host).filter(|(at, _)| at.elapsed() < TTL).map(|(_, addresses)| addresses.clone())
    }

    fn remember(&self, host: &str, addresses: &[IpAddr]) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_NAMES {
            known.clear();
        }
        known.insert(host.to_owned(), (Instant::now(), addresses.to_vec()));
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
    use super::*;

    #[tokio::test]
    async fn a_name_is_looked_up_once() {
        let resolver = Resolver::default();
        let first = resolver.resolve("localhost", 80).await.unwrap();
        assert!(first.iter().all(IpAddr::is_loopback) && !first.is_empty());
        assert_eq!(resolver.recall("localhost"), Some(first));
        assert_eq!(resolver.recall("other"), None);
    }

    #[test]
    fn a_name_that_does_not_exist_is_told_from_a_resolver_that_fails() {
        let code = |text: &str| look_up_failure("a.test", &std::io::Error::other(text.to_owned())).code;
        assert_eq!(code("failed to lookup address information: Name or service not known"), ErrorCode::NO_SUCH_HOST);
        assert_eq!(code("failed to lookup address information: Temporary failure in name resolution"), ErrorCode::DNS);
    }
}
