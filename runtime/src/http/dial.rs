//! Making a connection: who may be called, where that is, and what is spoken there.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::failure::{ErrorCode, Failure};
use super::settings::ClientSettings;
use super::stream::{Counted, Stream};
use super::target::Origin;
use super::tls::{HttpVersion, TlsVersion};

/// How long connecting may take: k6's dial timeout.
pub(super) const DIAL_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection that was just made.
#[derive(Debug)]
pub(crate) struct Dialed {
    /// To talk over.
    pub(crate) stream: Stream,
    /// The version of TLS, if it is spoken.
    pub(crate) tls: Option<TlsVersion>,
    /// Whether HTTP/2 was agreed on.
    pub(crate) http2: bool,
    /// Who is at the other end: the server, or the proxy.
    pub(crate) remote: SocketAddr,
    /// Requests name the whole URL: a proxy passes them on.
    pub(crate) absolute: bool,
}

/// How a connection is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// What will be spoken.
    pub(crate) http: HttpVersion,
    /// The address to call from.
    pub(crate) local: Option<IpAddr>,
    /// For all of it but the name's look-up.
    pub(crate) timeout: Duration,
    /// A proxy is to pass bytes on, not requests, though no TLS is spoken.
    pub(crate) tunnel: bool,
}

/// Where the time of making a connection went. Filled in as it goes, so that it is true also of one that failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct DialTimings {
    /// Asking the resolver; `None` where nothing was asked.
    pub(crate) looking_up: Option<Duration>,
    /// The TCP handshake.
    pub(crate) connecting: Duration,
    /// The TLS handshake.
    pub(crate) tls_handshaking: Duration,
}

/// Connects to an origin that may be called.
pub(crate) async fn dial(
    settings: &ClientSettings,
    origin: &Origin,
    wanted: Wanted,
    timings: &mut DialTimings,
) -> Result<Dialed, Failure> {
    if settings.host_blocks.contain(&origin.host) {
        return Err(blocked(ErrorCode::BLOCKED_HOST, &origin.host, "blockHostnames"));
    }
    let proxy = settings.proxy.as_ref().filter(|proxy| proxy.serves(origin));
    let remote = match proxy {
        // The name is the proxy's to look up: what it leads to cannot be held against a granted network.
        Some(_) if !settings.grants.allows_name(&origin.host, origin.port) => return Err(refused(settings, origin)),
        Some(proxy) => address_of(settings, &proxy.origin, timings).await?,
        None => granted_address(settings, origin, timings).await?,
    };
    let deadline = Instant::now() + wanted.timeout;
    let begun = Instant::now();
    let connected = tokio::time::timeout_at(deadline, connect(remote, wanted.local)).await;
    timings.connecting = begun.elapsed();
    let mut tcp = match connected {
        Ok(Ok(tcp)) => tcp,
        Ok(Err(error)) => return Err(Failure::dial(&error, remote)),
        Err(_elapsed) => return Err(Failure::new(ErrorCode::DIAL_TIMEOUT, "connecting timed out", remote)),
    };
    // Small requests must leave at once; a failure here only makes them slower.
    let _ = tcp.set_nodelay(true);
    let late = || Failure::new(ErrorCode::DIAL_TIMEOUT, "connecting timed out", format_args!("{origin} by {remote}"));
    if let Some(proxy) = proxy.filter(|_| origin.tls || wanted.tunnel) {
        tokio::time::timeout_at(deadline, proxy.tunnel(&mut tcp, origin)).await.map_err(|_| late())??;
    }
    let absolute = proxy.is_some() && !origin.tls && !wanted.tunnel;
    if !origin.tls {
        let http2 = wanted.http == HttpVersion::Http2;
        return Ok(Dialed { stream: Stream::Plain(tcp), tls: None, http2, remote, absolute });
    }
    let begun = Instant::now();
    let handshake = tokio::time::timeout_at(deadline, handshake(settings, tcp, origin, wanted.http)).await;
    timings.tls_handshaking = begun.elapsed();
    let (stream, tls, http2) = handshake.map_err(|_| {
        Failure::new(ErrorCode::DIAL_TIMEOUT, "TLS handshake timed out", format_args!("{origin} by {remote}"))
    })??;
    Ok(Dialed { stream, tls, http2, remote, absolute })
}

async fn connect(remote: SocketAddr, local: Option<IpAddr>) -> io::Result<TcpStream> {
    let Some(local) = local else { return TcpStream::connect(remote).await };
    let socket = if remote.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind(SocketAddr::new(local, 0))?;
    socket.connect(remote).await
}

async fn handshake(
    settings: &ClientSettings,
    tcp: TcpStream,
    origin: &Origin,
    http: HttpVersion,
) -> Result<(Stream, Option<TlsVersion>, bool), Failure> {
    let config = settings.tls.config(&origin.host, http)?;
    let name = match origin.address {
        Some(address) => ServerName::IpAddress(address.into()),
        None => ServerName::try_from(origin.host.clone()).map_err(|error| {
            Failure::new(ErrorCode::TLS, "no name for TLS", format_args!("{}: {error}", origin.host))
        })?,
    };
    let connected = TlsConnector::from(config).connect(name, Counted::new(tcp)).await;
    let stream = connected.map_err(|error| Failure::handshake(&error, origin))?;
    let session = stream.get_ref().1;
    let version = session.protocol_version().and_then(TlsVersion::of);
    let http2 = session.alpn_protocol() == Some(b"h2");
    if http == HttpVersion::Http2 && !http2 {
        let text = format_args!("{origin} did not agree to it in the TLS handshake");
        return Err(Failure::new(ErrorCode::HTTP2, "HTTP/2 not spoken", text));
    }
    Ok((Stream::Tls(Box::new(stream)), version, http2))
}

/// The address of an origin, whoever it is.
async fn address_of(
    settings: &ClientSettings,
    origin: &Origin,
    timings: &mut DialTimings,
) -> Result<SocketAddr, Failure> {
    if let Some(address) = origin.address {
        return Ok(SocketAddr::new(address, origin.port));
    }
    let resolved = settings.resolver.resolve(&origin.host, origin.port).await?;
    timings.looking_up = resolved.took;
    one_of(settings, origin, &resolved.addresses)
}

/// The address of an origin that may be called. Grants are looked at here, where a name has become an address: a granted network holds
/// whatever the name says.
async fn granted_address(
    settings: &ClientSettings,
    origin: &Origin,
    timings: &mut DialTimings,
) -> Result<SocketAddr, Failure> {
    let grants = &settings.grants;
    let by_name = grants.allows_name(&origin.host, origin.port);
    let remote = if let Some(mapped) = settings.hosts.find(&origin.host, origin.port) {
        // A module that brings its own map leads nobody anywhere: both ends of it must be granted.
        let reachable = settings.hosts_are_granted
            || grants.allows_address(mapped.ip(), mapped.port())
            || grants.allows_name(&mapped.ip().to_string(), mapped.port());
        if !reachable {
            let detail = grants.refusal(&mapped.ip().to_string(), mapped.port());
            return Err(Failure { code: ErrorCode::BLOCKED_ADDRESS, tag: "address not granted", text: detail });
        }
        if !by_name && !grants.allows_address(mapped.ip(), mapped.port()) {
            return Err(refused(settings, origin));
        }
        mapped
    } else if let Some(address) = origin.address {
        if !by_name && !grants.allows_address(address, origin.port) {
            return Err(refused(settings, origin));
        }
        SocketAddr::new(address, origin.port)
    } else {
        if !by_name && !grants.has_networks() {
            return Err(refused(settings, origin));
        }
        let resolved = settings.resolver.resolve(&origin.host, origin.port).await;
        let resolved = resolved?;
        timings.looking_up = resolved.took;
        let mut addresses = resolved.addresses;
        if !by_name {
            addresses.retain(|address| grants.allows_address(*address, origin.port));
            if addresses.is_empty() {
                return Err(refused(settings, origin));
            }
        }
        one_of(settings, origin, &addresses)?
    };
    if settings.address_blocks.contain(remote.ip()) {
        return Err(blocked(ErrorCode::BLOCKED_ADDRESS, &remote.ip().to_string(), "blacklistIPs"));
    }
    Ok(remote)
}

fn one_of(settings: &ClientSettings, origin: &Origin, addresses: &[IpAddr]) -> Result<SocketAddr, Failure> {
    let address = settings.resolver.select(addresses).ok_or_else(|| {
        Failure::new(ErrorCode::DIAL, "connecting failed", format_args!("{} has no address", origin.host))
    })?;
    Ok(SocketAddr::new(address, origin.port))
}

fn refused(settings: &ClientSettings, origin: &Origin) -> Failure {
    let (code, tag) = match origin.address {
        Some(_) => (ErrorCode::BLOCKED_ADDRESS, "address not granted"),
        None => (ErrorCode::BLOCKED_HOST, "host not granted"),
    };
    Failure { code, tag, text: settings.grants.refusal(&origin.host, origin.port) }
}

fn blocked(code: ErrorCode, what: &str, option: &str) -> Failure {
    let tag = if code == ErrorCode::BLOCKED_HOST { "host blocked" } else { "address blocked" };
    Failure::new(code, tag, format_args!("{what} is on the list of the option {option}"))
}
