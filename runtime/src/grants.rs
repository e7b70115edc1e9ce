//! Which hosts a scenario may call: those that the person running it named, and no other.
//!
//! A grant is what follows `--allow-host`:
//!
//! | grant | allows |
//! |---|---|
//! | `example.com` | that name, on any port; not the names below it |
//! | `example.com:8080` | that name, on that port |
//! | `*.example.com` | every name below it, at any depth; not `example.com` itself |
//! | `10.0.0.7`, `[::1]:8080` | URLs that have this address in them; not names that resolve to it |
//! | `10.0.0.0/8`, `[fd00::/8]:8080` | every address of the network, and every name as far as it resolves into it |
//!
//! So `127.0.0.1` does not grant `localhost`, and `127.0.0.1/32` does. A name that is granted may resolve to anything: whoever
//! grants a name trusts its owner. A URL in the value of an `-e` flag grants its host and port. A URL that only the module
//! itself brings, as the default of a variable, grants nothing.
//!
//! Names are compared as the URL standard normalises them: without case, in punycode, without the dot at the end.
//! An IPv4 address mapped into IPv6 is the IPv4 address.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};
use url::{Host, Url};

use crate::field_error::FieldError;

/// The flag, as errors name it.
const FLAG: &str = "--allow-host";
const SHAPE: &str = "write a host, host:port, *.suffix, an address or a network such as 10.0.0.0/8";

/// The hosts that a scenario may call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants(Vec<Grant>);

/// One host, or one set of hosts, and the port if only one is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    /// Normalised, without a dot at the end.
    Name(String),
    /// What stands after `*.`, normalised.
    Below(String),
    Address(IpAddr),
    Network(IpNet),
}

impl Grants {
    /// No host at all.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Reads the value of one `--allow-host`: a grant, or several with commas between.
    ///
    /// # Errors
    /// The first part that is no grant.
    pub fn allow(&mut self, list: &str) -> Result<(), FieldError> {
        for part in list.split(',') {
            let grant = Grant::parse(part)?;
            self.add(grant);
        }
        Ok(())
    }

    /// Grants the host and port of every http, https, ws or wss URL in the value of an `-e` flag, which may be a list with
    /// commas or spaces between.
    pub fn allow_urls_in(&mut self, value: &str) {
        for part in value.split(|c: char| c == ',' || c.is_whitespace()) {
            if let Some(grant) = Grant::of_url(part) {
                self.add(grant);
            }
        }
    }

    fn add(&mut self, grant: Grant) {
        if !self.0.contains(&grant) {
            self.0.push(grant);
        }
    }

    /// Whether a URL with this host and port may be called for what is written in it, before any name is resolved. `host` may
    /// be an address, with or without brackets.
    pub fn allows_name(&self, host: &str, port: u16) -> bool {
        let Some(host) = normalise(host) else { return false };
        self.0.iter().any(|grant| grant.reaches(port) && grant.hosts.include(&host))
    }

    /// Whether this address may be called because a network that holds it is granted, whatever name led there.
    pub fn allows_address(&self, address: IpAddr, port: u16) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|grant| match &grant.hosts {
            Hosts::Network(network) => grant.reaches(port) && network.contains(&address),
            _ => false,
        })
    }

    /// Whether any network is granted: without one, a name that is not granted need not be resolved.
    pub fn has_networks(&self) -> bool {
        self.0.iter().any(|grant| matches!(grant.hosts, Hosts::Network(_)))
    }

    /// Every grant, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.0.iter()
    }

    /// Says that a call is refused, and which flag would allow it.
    pub fn refusal(&self, host: &str, port: u16) -> String {
        let host = match normalise(host) {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => host.to_owned(),
        };
        let shown = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let quoted = if shown.starts_with('[') { format!("'{shown}'") } else { shown.clone() };
        let hint = self.near_miss(&host, port).map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("{shown} is not granted{hint}; to allow it, run with {FLAG} {quoted}")
    }

    /// A grant that looks as if it should have allowed the call, and why it does not.
    fn near_miss(&self, host: &str, port: u16) -> Option<String> {
        let wanted = normalise(host)?;
        self.0.iter().find_map(|grant| match &grant.hosts {
            hosts if hosts.include(&wanted) => Some(format!("{grant} is, and the port differs")),
            Hosts::Below(suffix) if suffix == host => {
                Some(format!("{grant} stands for the names below {suffix}, not for itself"))
            }
            Hosts::Name(name) if host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')) => {
                Some(format!("{grant} is, which does not grant the names below it"))
            }
            Hosts::Address(address) if host == "localhost" && address.is_loopback() && grant.reaches(port) => {
                Some(format!("{grant} is, but localhost is a name"))
            }
            Hosts::Name(name) if name == "localhost" && is_loopback(&wanted) && grant.reaches(port) => {
                Some(format!("{grant} is, but {host} is an address and not that name"))
            }
            _ => None,
        })
    }
}

/// Prints the grants as they would be written after one `--allow-host`; `none` when there is none.
impl fmt::Display for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        let all: Vec<String> = self.0.iter().map(Grant::to_string).collect();
        f.write_str(&all.join(","))
    }
}

impl Grant {
    fn parse(text: &str) -> Result<Self, FieldError> {
        let text = text.trim();
        let fail = |problem: &str| FieldError::new(FLAG, format!("\"{text}\""), problem);
        if text.is_empty() {
            return Err(fail(&format!("names no host; {SHAPE}")));
        }
        if text.contains("://") {
            let host =
                Self::of_url(text).map_or_else(|| SHAPE.to_owned(), |grant| format!("give its host alone: {grant}"));
            return Err(fail(&format!("is a URL; {host}")));
        }
        if text == "*" {
            return Err(fail(
                "would grant everything; name the hosts, or write 0.0.0.0/0,::/0 if any address is really meant",
            ));
        }
        let (host, port) = split_port(text).map_err(|problem| fail(&problem))?;
        let hosts = Hosts::parse(host).map_err(|problem| fail(&problem))?;
        Ok(Self { hosts, port })
    }

    /// The host and port of a URL whose scheme a scenario could call.
    fn of_url(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        if !matches!(url.scheme(), "http" | "https" | "ws" | "wss") {
            return None;
        }
        let hosts = match url.host()? {
            Host::Domain(name) => Hosts::Name(without_dot(name).to_owned()),
            Host::Ipv4(address) => Hosts::Address(IpAddr::V4(address)),
            Host::Ipv6(address) => Hosts::Address(IpAddr::V6(address).to_canonical()),
        };
        Some(Self { hosts, port: url.port_or_known_default() })
    }

    fn reaches(&self, port: u16) -> bool {
        self.port.is_none_or(|granted| granted == port)
    }
}

/// Prints the grant as it would be written after `--allow-host`.
impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hosts {
            Hosts::Name(name) => f.write_str(name)?,
            Hosts::Below(suffix) => write!(f, "*.{suffix}")?,
            Hosts::Address(IpAddr::V4(address)) => write!(f, "{address}")?,
            Hosts::Network(IpNet::V4(network)) => write!(f, "{network}")?,
            Hosts::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
            Hosts::Network(IpNet::V6(network)) => write!(f, "[{network}]")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl Hosts {
    fn parse(text: &str) -> Result<Self, String> {
        if let Some(suffix) = text.strip_prefix("*.") {
            return match normalise(suffix) {
                Some(Host::Domain(name)) if !suffix.contains('*') => Ok(Self::Below(name)),
                _ => Err("has no name after `*.`; write it as *.example.com".to_owned()),
            };
        }
        if text.contains('*') {
            return Err("has a `*` where none may stand; it stands for whole names in front: *.example.com".to_owned());
        }
        if text.contains('/') {
            return Self::parse_network(text);
        }
        match normalise(text) {
            Some(Host::Domain(name)) => Ok(Self::Name(name)),
            Some(Host::Ipv4(address)) => Self::written_plainly(text, IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Ok(Self::Address(IpAddr::V6(address).to_canonical())),
            None => Err(format!("is not a host; {SHAPE}")),
        }
    }

    /// URLs take `10` and `0x7f.1` as IPv4 addresses. In a grant that is more likely a mistake.
    fn written_plainly(text: &str, address: IpAddr) -> Result<Self, String> {
        if text.parse() == Ok(address) {
            return Ok(Self::Address(address));
        }
        Err(format!("means the address {address}; write it so if you mean it"))
    }

    fn parse_network(text: &str) -> Result<Self, String> {
        let network: IpNet =
            text.parse().map_err(|_| "is not a network; write one such as 10.0.0.0/8 or fd00::/8".to_owned())?;
        if network.trunc() != network {
            return Err(format!("has an address within the network, not the network's own; write {}", network.trunc()));
        }
        Ok(Self::Network(network))
    }

    fn include(&self, host: &Host<String>) -> bool {
        match (self, host) {
            (Self::Name(granted), Host::Domain(name)) => granted == name,
            (Self::Below(suffix), Host::Domain(name)) => {
                name.strip_suffix(suffix.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            (Self::Name(_) | Self::Below(_), _) => false,
            (Self::Address(granted), host) => address_of(host) == Some(*granted),
            (Self::Network(network), host) => address_of(host).is_some_and(|address| network.contains(&address)),
        }
    }
}

/// Takes the port off the end. What is in brackets, or has several colons, is IPv6.
fn split_port(text: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = if let Some(inner) = text.strip_prefix('[') {
        let (host, rest) = inner.split_once(']').ok_or("lacks a `]`; write it as [::1] or [::1]:8080")?;
        if host.parse::<Ipv6Addr>().is_err() && host.parse::<Ipv6Net>().is_err() {
            return Err(
                "has something other than an IPv6 address in its brackets; write it as [::1] or [::1]:8080".to_owned()
            );
        }
        match (rest, rest.strip_prefix(':')) {
            ("", _) => return Ok((host, None)),
            (_, Some(port)) => (host, port),
            _ => return Err("has something after `]`; write it as [::1] or [::1]:8080".to_owned()),
        }
    } else {
        match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') => (host, port),
            _ => return Ok((text, None)),
        }
    };
    match port.parse::<u16>() {
        Ok(number) if number > 0 && port.bytes().all(|byte| byte.is_ascii_digit()) => Ok((host, Some(number))),
        _ => Err(format!("has the port `{port}`; give a number from 1 to 65535, or leave out the colon for any port")),
    }
}

/// A host as the URL standard has it, with or without brackets around IPv6; `None` if it is none.
fn normalise(text: &str) -> Option<Host<String>> {
    let bare = text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Some(match address {
            IpAddr::V4(address) => Host::Ipv4(address),
            IpAddr::V6(address) => Host::Ipv6(address),
        });
    }
    match Host::parse(text).ok()? {
        Host::Domain(name) => {
            let name = without_dot(&name);
            // What the system's resolver would choke on, or take for something else, is no name.
            let label = |label: &str| {
                !label.is_empty()
                    && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            };
            name.split('.').all(label).then(|| Host::Domain(name.to_owned()))
        }
        host => Some(host),
    }
}

fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

fn address_of(host: &Host<String>) -> Option<IpAddr> {
    match host {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(IpAddr::V4(*address)),
        Host::Ipv6(address) => Some(IpAddr::V6(*address).to_canonical()),
    }
}

fn is_loopback(host: &Host<String>) -> bool {
    address_of(host).is_some_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
