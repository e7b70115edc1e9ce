//! What a test says about its connections and requests.

use std::sync::Arc;

use super::addresses::{AddressBlocks, LocalAddresses};
use super::hosts::{HostPatterns, Hosts};
use super::proxy::Proxy;
use super::rate_limit::RateLimit;
use super::resolver::Resolver;
use super::tls::{HttpVersion, Tls};
use crate::grants::Grants;

/// What all virtual users of a test share. By default nobody may be called.
#[derive(Debug)]
pub struct ClientSettings {
    /// Who may be called.
    pub grants: Grants,
    /// Names to addresses.
    pub resolver: Resolver,
    /// Names whose addresses are given.
    pub hosts: Hosts,
    /// Whether the person who runs the test gave `hosts`, and not the module.
    pub hosts_are_granted: bool,
    /// Names that may not be called.
    pub host_blocks: HostPatterns,
    /// Addresses that may not be called.
    pub address_blocks: AddressBlocks,
    /// Addresses to call from.
    pub local_addresses: LocalAddresses,
    /// What requests go through.
    pub proxy: Option<Proxy>,
    /// Whom to trust, and more.
    pub tls: Tls,
    /// Which version of HTTP is spoken, where a request does not say.
    pub http_version: HttpVersion,
    /// The `User-Agent` of requests that bring none; empty for none.
    pub user_agent: String,
    /// The `rps` option.
    pub rate_limit: Option<Arc<RateLimit>>,
    /// Bodies are read, counted and thrown away, unless a request wants its own.
    pub discard_response_bodies: bool,
    /// Every request opens a connection of its own.
    pub no_connection_reuse: bool,
    /// Connections are closed at the end of each iteration.
    pub no_vu_connection_reuse: bool,
    /// The longest body that is kept, in bytes: a longer answer fails, as it would exhaust this machine.
    pub max_body_bytes: usize,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            grants: Grants::none(),
            resolver: Resolver::default(),
            hosts: Hosts::default(),
            hosts_are_granted: false,
            host_blocks: HostPatterns::default(),
            address_blocks: AddressBlocks::default(),
            local_addresses: LocalAddresses::default(),
            proxy: None,
            tls: Tls::default(),
            http_version: HttpVersion::Auto,
            user_agent: String::new(),
            rate_limit: None,
            discard_response_bodies: false,
            no_connection_reuse: false,
            no_vu_connection_reuse: false,
            max_body_bytes: 0,
        }
    }
}
