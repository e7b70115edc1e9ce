//! The misbehaving server behind TLS: certificates of each bad kind, and handshakes that come to nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};
use xtask::certificates::{Authority, Identity};

use super::{Act, Faulty, converse};

/// An authority that a test may trust, and one that nobody does.
pub(crate) struct Certificates {
    authority: Authority,
    stranger: Authority,
    file: std::path::PathBuf,
}

impl Certificates {
    /// Those of this process.
    pub(crate) fn get() -> &'static Self {
        static ALL: OnceLock<Certificates> = OnceLock::new();
        ALL.get_or_init(|| {
            let authority = Authority::new("an authority of the tests").expect("an authority");
            let stranger = Authority::new("a stranger").expect("an authority");
            let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("authority-{}.pem", std::process::id()));
            std::fs::write(&file, authority.certificate().pem()).expect("a file");
            Self { authority, stranger, file }
        })
    }

    /// The certificate of the authority that may be trusted, as PEM.
    pub(crate) fn authority_file(&self) -> &str {
        self.file.to_str().expect("a path of text")
    }

    pub(crate) fn good(&self) -> Identity {
        self.authority.server(&["127.0.0.1", "localhost"], |_| {}).expect("a certificate")
    }

    pub(crate) fn expired(&self) -> Identity {
        let change = |params: &mut rcgen::CertificateParams| {
            params.not_before = rcgen::date_time_ymd(2001, 1, 1);
            params.not_after = rcgen::date_time_ymd(2002, 1, 1);
        };
        self.authority.server(&["127.0.0.1"], change).expect("a certificate")
    }

    pub(crate) fn not_yet_valid(&self) -> Identity {
        let change = |params: &mut rcgen::CertificateParams| params.not_before = rcgen::date_time_ymd(4000, 1, 1);
        self.authority.server(&["127.0.0.1"], change).expect("a certificate")
    }

    pub(crate) fn of_another_host(&self) -> Identity {
        self.authority.server(&["shop.test"], |_| {}).expect("a certificate")
    }

    pub(crate) fn for_clients(&self) -> Identity {
        self.authority.client("127.0.0.1").expect("a certificate")
    }

    pub(crate) fn of_a_stranger(&self) -> Identity {
        self.stranger.server(&["127.0.0.1"], |_| {}).expect("a certificate")
    }

    pub(crate) fn self_signed() -> Identity {
        Identity::self_signed(&["127.0.0.1"]).expect("a certificate")
    }
}

/// What a server shows, and speaks.
pub(crate) fn config(
    identity: &Identity,
    versions: &[&'static SupportedProtocolVersion],
    alpn: &[&str],
) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("versions that the provider has")
        .with_no_client_auth()
        .with_single_cert(vec![identity.certificate.der().clone()], key)
        .expect("a certificate with its key");
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

impl Faulty {
    /// Speaks HTTP/1.1 behind TLS, as the script says.
    pub(crate) fn start_tls(identity: &Identity, script: impl IntoIterator<Item = (String, Vec<Act>)>) -> Self {
        Self::start_tls_of(identity, rustls::ALL_VERSIONS, script)
    }

    /// The same, with these versions of TLS only.
    pub(crate) fn start_tls_of(
        identity: &Identity,
        versions: &[&'static SupportedProtocolVersion],
        script: impl IntoIterator<Item = (String, Vec<Act>)>,
    ) -> Self {
        let config = config(identity, versions, &[]);
        let script: BTreeMap<String, Vec<Act>> = script.into_iter().collect();
        Self::serve("https", move |stream, seen| {
            let socket = stream.try_clone().expect("a second handle");
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            let mut stream = StreamOwned::new(connection, stream);
            converse(&mut stream, &socket, &script, seen);
        })
    }

    /// Answers the first connection's hello with these bytes, and then does this; other connections are served.
    pub(crate) fn start_handshake(bytes: Vec<u8>, act: Act) -> Self {
        let good = config(&Certificates::get().good(), rustls::ALL_VERSIONS, &[]);
        Self::serve("https", move |stream, seen| {
            let socket = stream.try_clone().expect("a second handle");
            let first = seen.lock().unwrap().connections == 1;
            if !first {
                let connection = ServerConnection::new(Arc::clone(&good)).expect("a connection");
                return converse(&mut StreamOwned::new(connection, stream), &socket, &BTreeMap::new(), seen);
            }
            // The hello is read first: bytes that nobody read would make a reset of every close.
            let _ = std::io::Read::read(&mut &stream, &mut [0; 16 * 1024]);
            let _ = std::io::Write::write_all(&mut &stream, &bytes);
            match act {
                Act::Close => super::close(&socket),
                Act::Reset => super::reset(&socket),
                _ => super::drain(&socket),
            }
        })
    }
}

/// Bytes below TLS: what is sent with this is no record that a key made.
pub(crate) fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("a short payload").to_be_bytes();
    [&[kind, 3, 3][..], &length, payload].concat()
}
