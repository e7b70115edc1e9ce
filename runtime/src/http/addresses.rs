//! Addresses that may not be called (`blacklistIPs`), and addresses to call from (`localIPs`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use ipnet::IpNet;
use serde_json::Value;

use crate::field_error::FieldError;

/// Addresses that no request may be sent to, whatever is granted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressBlocks(Vec<IpNet>);

impl AddressBlocks {
    /// Reads k6's `blacklistIPs`: a list of networks or addresses.
    ///
    /// # Errors
    /// No list, or an item that is neither.
    pub fn from_json(value: &Value) -> Result<Self, FieldError> {
        let read = |(index, item): (usize, &Value)| {
            let text = item.as_str().unwrap_or_default().trim();
            let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
            network.ok_or_else(|| {
                let problem = "is neither a network nor an address; write one such as \"10.0.0.0/8\"";
                FieldError::json(format!("[{index}]"), item, problem)
            })
        };
        items(value)?.iter().enumerate().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Whether this address is one of them.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address.to_canonical()) || network.contains(&address))
    }
}

impl Clone for LocalAddresses {
    /// The copy hands them out from the first one on.
    fn clone(&self) -> Self {
        Self { ranges: self.ranges.clone(), next: AtomicU64::new(0) }
    }
}

/// Addresses of this machine that virtual users call from, each from one.
#[derive(Debug, Default)]
pub struct LocalAddresses {
    ranges: Vec<(IpAddr, u128)>,
    next: AtomicU64,
}

impl LocalAddresses {
    /// Reads k6's `localIPs`: addresses, ranges (`192.168.0.10-192.168.0.25`) and networks, with commas between.
    ///
    /// # Errors
    /// No text, or a part that is none of them.
    pub fn from_json(value: &Value) -> Result<Self, FieldError> {
        let Some(text) = value.as_str() else {
            return Err(FieldError::json("", value, "is not text; write \"192.168.220.1,192.168.0.10-192.168.0.25\""));
        };
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let ranges = parts.map(|part| {
            range(part).ok_or_else(|| {
                let problem =
                    "is neither an address, a range nor a network; write 10.0.0.1, 10.0.0.1-10.0.0.9 or 10.0.0.0/24";
                FieldError::new("", format!("\"{part}\""), problem)
            })
        });
        Ok(Self { ranges: ranges.collect::<Result<_, _>>()?, next: AtomicU64::new(0) })
    }

    /// The address of the next virtual user, in turn; `None` leaves it to the system.
    pub fn next(&self) -> Option<IpAddr> {
        let total = self.ranges.iter().fold(0_u128, |sum, (_, count)| sum.saturating_add(*count));
        if total == 0 {
            return None;
        }
        let mut number = u128::from(self.next.fetch_add(1, Relaxed)) % total;
        for (first, count) in &self.ranges {
            if number < *count {
                return Some(offset(*first, number));
            }
            number -= count;
        }
        None
    }
}

/// The first address, and how many there are.
fn range(text: &str) -> Option<(IpAddr, u128)> {
    if let Ok(network) = text.parse::<IpNet>() {
        // The network's own address and the broadcast address are nobody's.
        let mut hosts = match network {
            IpNet::V4(network) => (IpAddr::V4(network.network()), IpAddr::V4(network.broadcast())),
            IpNet::V6(network) => (IpAddr::V6(network.network()), IpAddr::V6(network.broadcast())),
        };
        if let IpNet::V4(network) = network
            && network.prefix_len() < 31
        {
            hosts = (offset(hosts.0, 1), IpAddr::V4(Ipv4Addr::from_bits(network.broadcast().to_bits() - 1)));
        }
        return Some((hosts.0, distance(hosts.0, hosts.1)?.saturating_add(1)));
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    Some((first, distance(first, last)?.saturating_add(1)))
}

fn distance(first: IpAddr, last: IpAddr) -> Option<u128> {
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => last.to_bits().checked_sub(first.to_bits()).map(u128::from),
        (IpAddr::V6(first), IpAddr::V6(last)) => last.to_bits().checked_sub(first.to_bits()),
        _ => None,
    }
}

fn offset(first: IpAddr, number: u128) -> IpAddr {
    match first {
        IpAddr::V4(first) => {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            IpAddr::V4(Ipv4Addr::from_bits(first.to_bits().saturating_add(number)))
        }
        IpAddr::V6(first) => IpAddr::V6(Ipv6Addr::from_bits(first.to_bits().saturating_add(number))),
    }
}

/// A list; an empty text is an empty one.
pub(super) fn items(value: &Value) -> Result<&[Value], FieldError> {
    match value {
        Value::Array(items) => Ok(items),
        Value::String(text) if text.trim().is_empty() => Ok(&[]),
        _ => Err(FieldError::json("", value, "is not a list; write [\"one\", \"two\"]")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn blocked_networks_hold_mapped_addresses_too() {
        let blocks = AddressBlocks::from_json(&json!(["10.0.0.0/8", "::1"])).unwrap();
        let contains = |text: &str| blocks.contain(text.parse().unwrap());
        assert!(contains("10.1.2.3") && contains("::ffff:10.1.2.3") && contains("::1"));
        assert!(!contains("11.0.0.1") && !contains("::2"));
        let error = AddressBlocks::from_json(&json!(["10.0.0.0/8", "ten"])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "[1]: \"ten\" is neither a network nor an address; write one such as \"10.0.0.0/8\""
        );
        assert!(AddressBlocks::from_json(&json!(7)).is_err());
    }

    #[test]
    fn local_addresses_are_handed_out_in_turn() {
        let pool = LocalAddresses::from_json(&json!("127.0.0.1, 127.0.1.8-127.0.1.9,127.0.2.0/30,fd::/127")).unwrap();
        let handed: Vec<String> = (0..8).map(|_| pool.next().unwrap().to_string()).collect();
        assert_eq!(
            handed,
            ["127.0.0.1", "127.0.1.8", "127.0.1.9", "127.0.2.1", "127.0.2.2", "fd::", "fd::1", "127.0.0.1"]
        );
        assert_eq!(LocalAddresses::from_json(&json!("")).unwrap().next(), None);
        for wrong in ["127.0.0.9-127.0.0.1", "127.0.0.1-fd::", "a", "127.0.0.1/40"] {
            assert!(LocalAddresses::from_json(&json!(wrong)).is_err(), "{wrong}");
        }
    }
}
