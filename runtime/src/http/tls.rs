//! How TLS is spoken: whom to trust, what to show, which versions and ciphers.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, DigitallySignedStruct, ProtocolVersion, RootCertStore, SignatureScheme, SupportedProtocolVersion,
    version,
};

use super::failure::{ErrorCode, Failure};
use super::hosts::HostPatterns;

/// What a run says about TLS.
#[derive(Debug, Default)]
pub struct TlsOptions {
    /// Accepts any certificate.
    pub skip_verify: bool,
    /// Which versions may be spoken; empty for all that there are.
    pub versions: TlsVersions,
    /// Cipher suites by their IANA names; empty for all that there are.
    pub suites: CipherSuites,
    /// Authorities that are trusted beside the system's.
    pub authorities: Vec<CertificateDer<'static>>,
    /// What this side shows of itself, and to whom; the first that fits.
    pub identities: Vec<Identity>,
}

/// The versions of TLS that may be spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsVersions {
    /// The lowest.
    pub min: TlsVersion,
    /// The highest.
    pub max: TlsVersion,
}

impl Default for TlsVersions {
    fn default() -> Self {
        Self { min: TlsVersion::Tls12, max: TlsVersion::Tls13 }
    }
}

/// A version of TLS that there is. Older ones are broken, and the library does not have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

impl TlsVersion {
    /// As k6 writes it, in options and in the tag `tls_version`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tls12 => "tls1.2",
            Self::Tls13 => "tls1.3",
        }
    }

    pub(super) fn of(version: ProtocolVersion) -> Option<Self> {
        match version {
            ProtocolVersion::TLSv1_2 => Some(Self::Tls12),
            ProtocolVersion::TLSv1_3 => Some(Self::Tls13),
            _ => None,
        }
    }
}

/// Cipher suites that may be used; empty for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CipherSuites(Vec<rustls::CipherSuite>);

impl CipherSuites {
    /// The names of all that there are, as k6 and IANA have them.
    pub fn names() -> Vec<String> {
        ring::ALL_CIPHER_SUITES.iter().map(|suite| name(suite.suite())).collect()
    }

    /// The suites with these names.
    ///
    /// # Errors
    /// The first name that is none of them.
    pub fn from_names<'a>(names: &'a [String]) -> Result<Self, &'a str> {
        let known = |wanted: &'a String| {
            let found = ring::ALL_CIPHER_SUITES.iter().map(rustls::SupportedCipherSuite::suite);
            found.into_iter().find(|suite| name(*suite) == *wanted).ok_or(wanted.as_str())
        };
        names.iter().map(known).collect::<Result<_, _>>().map(Self)
    }
}

/// IANA's name: that of TLS 1.3 suites has no version in it.
fn name(suite: rustls::CipherSuite) -> String {
    format!("{suite:?}").replacen("TLS13_", "TLS_", 1)
}

/// A certificate with its key, shown to servers that ask for one.
#[derive(Debug, PartialEq, Eq)]
pub struct Identity {
    /// Hosts to show it to; none for all.
    pub hosts: Option<HostPatterns>,
    /// The certificate and what leads to its authority.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self { hosts: self.hosts.clone(), chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

/// Which version of HTTP is spoken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum HttpVersion {
    /// Over TLS what the server prefers, HTTP/1.1 otherwise.
    #[default]
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2: over TLS the server must agree to it, otherwise it is known to understand it.
    Http2,
}

impl HttpVersion {
    const ALL: [Self; 3] = [Self::Auto, Self::Http1, Self::Http2];

    /// The version of this name: `auto`, `1.1` or `2`.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "auto" | "" => Some(Self::Auto),
            "1.1" => Some(Self::Http1),
            "2" => Some(Self::Http2),
            _ => None,
        }
    }

    /// The protocols offered in the TLS handshake, the preferred one first (RFC 7301).
    fn alpn(self) -> Vec<Vec<u8>> {
        let names: &[&[u8]] = match self {
            Self::Auto => &[b"h2", b"http/1.1"],
            Self::Http1 => &[b"http/1.1"],
            Self::Http2 => &[b"h2"],
        };
        names.iter().map(|name| name.to_vec()).collect()
    }
}

/// What goes wrong before the load.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// Text that holds no certificate.
    #[error("holds no certificate in PEM ({0}); it begins with -----BEGIN CERTIFICATE-----")]
    Certificate(String),
    /// Text that holds no key.
    #[error(
        "holds no private key in PEM ({0}); an encrypted one must be decrypted first: openssl pkey -in KEY -out PLAIN_KEY"
    )]
    Key(String),
    /// What was given does not go together.
    #[error("does not go together: {0}")]
    Contradiction(String),
}

/// The certificates in a PEM text.
///
/// # Errors
/// When there is none.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(TlsError::Certificate("nothing in it begins like one".to_owned())),
        Ok(found) => Ok(found),
        Err(error) => Err(TlsError::Certificate(error.to_string())),
    }
}

/// The private key in a PEM text.
///
/// # Errors
/// When there is none.
pub fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| TlsError::Key(error.to_string()))
}

/// TLS as a run speaks it. The system's authorities are read when the first connection needs them.
#[derive(Debug)]
pub struct Tls {
    provider: Arc<CryptoProvider>,
    versions: Vec<&'static SupportedProtocolVersion>,
    options: TlsOptions,
    verifier: OnceLock<Result<Arc<dyn ServerCertVerifier>, String>>,
    /// By identity (the last is none) and version of HTTP.
    configs: Vec<[OnceLock<Arc<ClientConfig>>; 3]>,
}

impl Default for Tls {
    fn default() -> Self {
        Self::with(TlsOptions::default(), ring::default_provider(), vec![&version::TLS13, &version::TLS12])
    }
}

impl Tls {
    /// TLS by these options.
    ///
    /// # Errors
    /// When versions and ciphers contradict each other, or a certificate and its key.
    pub fn new(options: TlsOptions) -> Result<Self, TlsError> {
        let TlsVersions { min, max } = options.versions;
        let in_range = |version: TlsVersion| (min..=max).contains(&version);
        let versions = [(TlsVersion::Tls13, &version::TLS13), (TlsVersion::Tls12, &version::TLS12)];
        let versions: Vec<_> =
            versions.into_iter().filter(|(version, _)| in_range(*version)).map(|(_, version)| version).collect();
        if versions.is_empty() {
            return Err(TlsError::Contradiction(format!(
                "the lowest version, {}, is above the highest, {}",
                min.as_str(),
                max.as_str()
            )));
        }
        let mut provider = ring::default_provider();
        let wanted = &options.suites.0;
        provider.cipher_suites.retain(|suite| wanted.is_empty() || wanted.contains(&suite.suite()));
        let tls = Self::with(options, provider, versions);
        // Whatever cannot work is found out now: only the authorities are read later.
        let trusting = Trusting(tls.provider.signature_verification_algorithms);
        for identity in tls.options.identities.iter().map(Some).chain([None]) {
            tls.build(Arc::new(trusting.clone()), identity)
                .map_err(|error| TlsError::Contradiction(error.to_string()))?;
        }
        Ok(tls)
    }

    fn with(options: TlsOptions, provider: CryptoProvider, versions: Vec<&'static SupportedProtocolVersion>) -> Self {
        let configs = (0..=options.identities.len()).map(|_| Default::default()).collect();
        Self { provider: Arc::new(provider), versions, options, verifier: OnceLock::new(), configs }
    }

    /// What a connection to this host is made with.
    ///
    /// # Errors
    /// When no authority can be read from the system, and none was given.
    pub(super) fn config(&self, host: &str, http: HttpVersion) -> Result<Arc<ClientConfig>, Failure> {
        let fits = |identity: &Identity| identity.hosts.as_ref().is_none_or(|hosts| hosts.contain(host));
        let none = self.options.identities.len();
        let index = self.options.identities.iter().position(fits).unwrap_or(none);
        let place = HttpVersion::ALL.iter().position(|version| *version == http).unwrap_or(0);
        let slot = &self.configs[index][place];
        if let Some(config) = slot.get() {
            return Ok(Arc::clone(config));
        }
        let failed = |text: &str| Failure::new(ErrorCode::TLS, "TLS cannot be spoken", text);
        let verifier = self.verifier.get_or_init(|| self.verifier()).clone().map_err(|text| failed(&text))?;
        let built = self.build(verifier, self.options.identities.get(index));
        let mut config = built.map_err(|error| failed(&error.to_string()))?;
        config.alpn_protocols = http.alpn();
        Ok(Arc::clone(slot.get_or_init(|| Arc::new(config))))
    }

    fn build(
        &self,
        verifier: Arc<dyn ServerCertVerifier>,
        identity: Option<&Identity>,
    ) -> Result<ClientConfig, rustls::Error> {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&self.versions)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match identity {
            Some(identity) => builder.with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())?,
            None => builder.with_no_client_auth(),
        };
        // A session of one virtual user is none of another's, and k6 resumes none either: every connection pays its handshake.
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    fn verifier(&self) -> Result<Arc<dyn ServerCertVerifier>, String> {
        if self.options.skip_verify {
            return Ok(Arc::new(Trusting(self.provider.signature_verification_algorithms)));
        }
        let mut roots = RootCertStore::empty();
        let system = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(system.certs);
        roots.add_parsable_certificates(self.options.authorities.iter().cloned());
        if roots.is_empty() {
            let why = system.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
            return Err(format!(
                "this system has no certificate authorities{why}; install its package ca-certificates, or give --ca-cert FILE"
            ));
        }
        let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider)).build();
        built.map(|verifier| verifier as Arc<dyn ServerCertVerifier>).map_err(|error| error.to_string())
    }
}

/// Believes every certificate; that the peer has its key is checked all the same.
#[derive(Debug, Clone)]
struct Trusting(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_have_the_names_of_the_registry() {
        let names = CipherSuites::names();
        assert!(names.contains(&"TLS_AES_128_GCM_SHA256".to_owned()), "{names:?}");
        assert!(names.contains(&"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256".to_owned()), "{names:?}");
        assert!(CipherSuites::from_names(&names).is_ok());
        assert_eq!(CipherSuites::from_names(&["TLS_RSA_WITH_RC4_128_SHA".to_owned()]), Err("TLS_RSA_WITH_RC4_128_SHA"));
    }

    #[test]
    fn what_cannot_work_is_found_out_at_once() {
        let versions = |min, max| TlsOptions { versions: TlsVersions { min, max }, ..TlsOptions::default() };
        let error = Tls::new(versions(TlsVersion::Tls13, TlsVersion::Tls12)).unwrap_err();
        assert_eq!(error.to_string(), "does not go together: the lowest version, tls1.3, is above the highest, tls1.2");
        let suites = CipherSuites::from_names(&["TLS_AES_128_GCM_SHA256".to_owned()]).unwrap();
        let only_old = TlsOptions { suites, ..versions(TlsVersion::Tls12, TlsVersion::Tls12) };
        assert!(Tls::new(only_old).unwrap_err().to_string().starts_with("does not go together: "));
        assert!(matches!(certificates(b"hello"), Err(TlsError::Certificate(_))));
        assert!(private_key(b"hello").unwrap_err().to_string().contains("openssl pkey"));
    }
}
