//! How requests travel: names, addresses, TLS and the version of HTTP.

use super::Given;
use crate::field_error::FieldError;
use crate::http::tls::{CipherSuites, HttpVersion, TlsVersions};
use crate::http::{AddressBlocks, DnsOptions, HostPatterns, Hosts, LocalAddresses};
use crate::options::{Options, read};

/// How requests travel.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// How names are looked up.
    pub dns: DnsOptions,
    /// Addresses of names.
    pub hosts: Hosts,
    /// Names that may not be called.
    pub host_blocks: HostPatterns,
    /// Addresses that may not be called.
    pub address_blocks: AddressBlocks,
    /// Addresses to call from.
    pub local_addresses: LocalAddresses,
    /// The version of HTTP.
    pub http_version: HttpVersion,
    /// Accepts any certificate.
    pub skip_tls_verify: bool,
    /// Versions of TLS.
    pub tls_versions: TlsVersions,
    /// Cipher suites of TLS.
    pub cipher_suites: CipherSuites,
}

impl Network {
    pub(super) fn resolve(options: &Options) -> Result<Self, FieldError> {
        let given = Given(options);
        Ok(Self {
            dns: given.read("dns", DnsOptions::from_json)?.unwrap_or_default(),
            hosts: given.read("hosts", Hosts::from_json)?.unwrap_or_default(),
            host_blocks: given.read("blockHostnames", HostPatterns::from_json)?.unwrap_or_default(),
            address_blocks: given.read("blacklistIPs", AddressBlocks::from_json)?.unwrap_or_default(),
            local_addresses: given.read("localIPs", LocalAddresses::from_json)?.unwrap_or_default(),
            http_version: given.read("httpVersion", read::http_version)?.unwrap_or_default(),
            skip_tls_verify: given.flag("insecureSkipTLSVerify")?,
            tls_versions: given.read("tlsVersion", TlsVersions::from_json)?.unwrap_or_default(),
            cipher_suites: given.read("tlsCipherSuites", CipherSuites::from_json)?.unwrap_or_default(),
        })
    }
}
