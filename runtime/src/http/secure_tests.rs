//! The client against servers that speak TLS and HTTP/2, against proxies, and by way of names and addresses.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::tests::{OneByOne, answering, get, post, request, settings};
use super::tls::{HttpVersion, Identity, Tls, TlsOptions, TlsVersion, TlsVersions, certificates, private_key};
use super::{AddressBlocks, ClientSettings, ErrorCode, HostPatterns, Hosts, LocalAddresses, Outgoing, Proxy};

/// An authority, and what it signed for `localhost`.
struct Pki {
    authority: CertificateDer<'static>,
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
    client: Identity,
}

fn pki(names: &[&str]) -> Pki {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let leaf = |names: &[&str]| {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        (CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap(), key)
    };
    let (certificate, key) = leaf(names);
    let (own, own_key) = leaf(&["vu"]);
    let client = Identity {
        hosts: None,
        chain: certificates(own.pem().as_bytes()).unwrap(),
        key: private_key(own_key.serialize_pem().as_bytes()).unwrap(),
    };
    Pki { authority: issuer.der().clone(), chain: vec![certificate.der().clone()], key, client }
}

impl Pki {
    fn server(&self, alpn: &[&[u8]]) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), key)
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        config
    }

    fn trusting(&self) -> TlsOptions {
        TlsOptions { authorities: vec![self.authority.clone()], ..TlsOptions::default() }
    }
}

fn with(tls: TlsOptions) -> ClientSettings {
    ClientSettings { tls: Tls::new(tls).unwrap(), ..settings() }
}

/// A server under TLS that serves HTTP/1.1, or HTTP/2 where that was agreed on; its answers name the connection.
async fn tls_server(config: ServerConfig) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        for number in 0.. {
            let (tcp, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut tls) = acceptor.accept(tcp).await else { return };
                if tls.get_ref().1.alpn_protocol() == Some(b"h2") {
                    return serve_http2(tls, number).await;
                }
                let mut buffer = [0; 4096];
                while tls.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nconnection {number}");
                    tls.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    port
}

/// Answers with the connection's number, the method, the host and the body that came.
async fn serve_http2(io: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static, number: usize) {
    let Ok(mut connection) = h2::server::handshake(io).await else { return };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        tokio::spawn(async move {
            let (parts, mut body) = request.into_parts();
            let mut taken = 0;
            while let Some(Ok(piece)) = body.data().await {
                taken += piece.len();
                body.flow_control().release_capacity(piece.len()).unwrap();
            }
            match parts.uri.path() {
                "/reset" => return respond.send_reset(h2::Reason::INTERNAL_ERROR),
                "/refused" => return respond.send_reset(h2::Reason::REFUSED_STREAM),
                _ => {}
            }
            let headers = parts.headers.len();
            let text = format!("connection {number} {} {} {taken} {headers}", parts.method, parts.uri);
            let answer = http::Response::builder().status(201).header("x-a", "b").body(()).unwrap();
            let mut send = respond.send_response(answer, false).unwrap();
            send.send_data(text.into(), true).unwrap();
        });
    }
}

/// An HTTP/2 server in plain text.
async fn h2c_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for number in 0.. {
            let (tcp, _) = listener.accept().await.unwrap();
            tokio::spawn(serve_http2(tcp, number));
        }
    });
    port
}

fn over_http2(outgoing: Outgoing) -> Outgoing {
    Outgoing { http_version: Some(HttpVersion::Http2), ..outgoing }
}

#[track_caller]
fn code(exchange: &super::Exchange) -> u16 {
    exchange.failure.as_ref().unwrap_or_else(|| panic!("no failure: {exchange:?}")).code.0
}

#[tokio::test]
async fn tls_is_spoken_counted_and_kept() {
    let pki = pki(&["localhost"]);
    let port = tls_server(pki.server(&[b"http/1.1"])).await;
    let url = format!("https://localhost:{port}/");
    let mut client = OneByOne::new(with(pki.trusting()));
    let first = client.send(get(&url)).await;
    assert_eq!((first.status, &first.body[..]), (200, &b"connection 0"[..]), "{first:?}");
    assert_eq!((first.tls, first.protocol), (Some(TlsVersion::Tls13), "HTTP/1.1"));
    assert!(first.timings.tls_handshaking > Duration::ZERO && first.timings.connecting > Duration::ZERO);
    assert!(first.timings.blocked >= first.timings.tls_handshaking + first.timings.connecting);
    assert!(first.bytes_received > 500, "the handshake counts: {first:?}");
    let second = client.send(get(&url)).await;
    assert_eq!(&second.body[..], b"connection 0", "session tickets are nothing that anybody said: {second:?}");
    assert_eq!((second.timings.tls_handshaking, second.timings.looking_up), (Duration::ZERO, None));
    assert!(second.bytes_sent > 20 && second.bytes_sent < first.bytes_sent, "{second:?}");
    let old = TlsVersions { min: TlsVersion::Tls12, max: TlsVersion::Tls12 };
    let mut client = OneByOne::new(with(TlsOptions { versions: old, ..pki.trusting() }));
    assert_eq!(client.send(get(&url)).await.tls, Some(TlsVersion::Tls12));
}

#[tokio::test]
async fn certificates_that_prove_nothing_are_refused_each_with_its_code() {
    let right = pki(&["localhost"]);
    let port = tls_server(right.server(&[])).await;
    let url = format!("https://localhost:{port}/");
    let mut stranger = OneByOne::new(with(pki(&["localhost"]).trusting()));
    let exchange = stranger.send(get(&url)).await;
    assert_eq!(code(&exchange), 1310, "{exchange:?}");
    let mut careless = OneByOne::new(with(TlsOptions { skip_verify: true, ..TlsOptions::default() }));
    assert_eq!(careless.send(get(&url)).await.status, 200);

    let other = pki(&["other.test"]);
    let port = tls_server(other.server(&[])).await;
    let exchange = OneByOne::new(with(other.trusting())).send(get(&format!("https://localhost:{port}/"))).await;
    assert_eq!(code(&exchange), 1311, "{exchange:?}");

    let plain = super::tests::server(|mut stream, _| async move {
        let _ = stream.read(&mut [0; 100]).await;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        let _ = stream.read(&mut [0; 100]).await;
    });
    let plain = plain.await.replace("http://", "https://");
    let exchange = OneByOne::new(with(other.trusting())).send(get(&plain)).await;
    assert_eq!(code(&exchange), 1300, "{exchange:?}");
    assert_eq!(exchange.failure.unwrap().tag, "answer is not TLS");
}

#[tokio::test]
async fn a_server_that_asks_sees_the_clients_certificate() {
    let pki = pki(&["localhost"]);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(pki.authority.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
    let key = PrivateKeyDer::try_from(pki.key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.unwrap())
        .with_single_cert(pki.chain.clone(), key)
        .unwrap();
    let url = format!("https://localhost:{}/", tls_server(config).await);
    let nameless = OneByOne::new(with(pki.trusting())).send(get(&url)).await;
    assert_eq!(code(&nameless), 1300, "{nameless:?}");
    let elsewhere = HostPatterns::from_json(&json!(["elsewhere.test"])).unwrap();
    let identity = |hosts| Identity { hosts, chain: pki.client.chain.clone(), key: pki.client.key.clone_key() };
    let for_others = TlsOptions { identities: vec![identity(Some(elsewhere))], ..pki.trusting() };
    assert_eq!(code(&OneByOne::new(with(for_others)).send(get(&url)).await), 1300);
    let named = TlsOptions { identities: vec![identity(None)], ..pki.trusting() };
    assert_eq!(OneByOne::new(with(named)).send(get(&url)).await.status, 200);
}

#[tokio::test]
async fn http2_is_agreed_on_under_tls_and_refused_where_asked() {
    let pki = pki(&["localhost"]);
    let url = format!("https://localhost:{}/a?b", tls_server(pki.server(&[b"h2", b"http/1.1"])).await);
    let mut client = OneByOne::new(with(pki.trusting()));
    for _ in 0..2 {
        let exchange = client.send(post(&url, "hello")).await;
        assert_eq!((exchange.status, exchange.protocol, exchange.tls), (201, "HTTP/2.0", Some(TlsVersion::Tls13)));
        let text = String::from_utf8_lossy(&exchange.body).into_owned();
        assert_eq!(text, format!("connection 0 POST {url} 5 2"), "user-agent and content-length, and no host");
        assert_eq!(exchange.head.get("X-A"), Some(&b"b"[..]));
        assert!(exchange.bytes_sent > 0 && exchange.bytes_received > 0);
    }
    let old = client.send(Outgoing { http_version: Some(HttpVersion::Http1), ..get(&url) }).await;
    assert_eq!((old.status, old.protocol), (200, "HTTP/1.1"));
    let only_old = format!("https://localhost:{}/", tls_server(pki.server(&[b"http/1.1"])).await);
    let refused = client.send(over_http2(get(&only_old))).await;
    assert!([1300, 1600].contains(&code(&refused)), "{refused:?}");
}

#[tokio::test]
async fn http2_with_prior_knowledge_serves_many_at_once_on_one_connection() {
    let url = format!("http://127.0.0.1:{}/x", h2c_server().await);
    let client = OneByOne::new(settings());
    let large = Outgoing { body: Some(Bytes::from(vec![7; 3 << 20]).into()), ..over_http2(post(&url, "")) };
    let small = over_http2(get(&url));
    let mut lanes = [(); 4].map(|()| super::Lane::new());
    let [a, b, c, d] = &mut lanes;
    let first = client.0.send(a, &small).await;
    assert_eq!(first.status, 201, "{first:?}");
    let (one, two, three) = tokio::join!(client.0.send(b, &large), client.0.send(c, &small), client.0.send(d, &small));
    for exchange in [&one, &two, &three] {
        assert!(exchange.body.starts_with(b"connection 0 "), "{exchange:?}");
    }
    assert!(String::from_utf8_lossy(&one.body).contains(" 3145728 "), "{one:?}");
    let sent: u64 = [&one, &two, &three].iter().map(|exchange| exchange.bytes_sent).sum();
    assert!(sent >= 3 << 20, "what one of them sent is counted once: {sent}");
}

#[tokio::test]
async fn what_goes_wrong_with_http2_has_its_code_and_the_next_request_goes_on() {
    let port = h2c_server().await;
    let mut client = OneByOne::new(settings());
    let mut send = async |path: &str| client.send(over_http2(get(&format!("http://127.0.0.1:{port}{path}")))).await;
    let reset = send("/reset").await;
    assert_eq!(code(&reset), 1630 + 1 + 2, "INTERNAL_ERROR is 2: {reset:?}");
    let next = send("/").await;
    assert!(next.body.starts_with(b"connection 0 "), "the connection is as good as before: {next:?}");
    assert_eq!(code(&send("/refused").await), 1630 + 1 + 7, "REFUSED_STREAM is 7, also when tried again");
    assert_eq!(send("/").await.status, 201);
    let old = answering(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
    let exchange = OneByOne::new(settings()).send(over_http2(get(&old))).await;
    assert!((1650..1670).contains(&code(&exchange)), "{exchange:?}");
}

#[tokio::test]
async fn what_left_of_a_request_that_is_cut_off_is_known() {
    let (asked, mut was_asked) = tokio::sync::mpsc::unbounded_channel();
    let url = super::tests::server(move |tcp, _| {
        let asked = asked.clone();
        async move {
            let mut connection = h2::server::handshake(tcp).await.unwrap();
            let mut unanswered = Vec::new();
            while let Some(Ok(request)) = connection.accept().await {
                unanswered.push(request);
                asked.send(()).unwrap();
            }
        }
    });
    let url = url.await;
    let mut client = OneByOne::new(settings());
    let meter = client.1.meter();
    let outgoing = over_http2(get(&url));
    tokio::select! {
        exchange = client.send(&outgoing) => panic!("{exchange:?}"),
        _ = was_asked.recv() => {}
    }
    assert!(meter.bytes_written() > 20, "{meter:?}");
}

#[tokio::test]
async fn a_connection_that_the_server_winds_down_costs_no_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(tcp).await.unwrap();
                let mut served = 0;
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    respond.send_response(http::Response::new(()), true).unwrap();
                    served += 1;
                    if served == 2 {
                        connection.graceful_shutdown();
                    }
                }
            });
        }
    });
    let mut client = OneByOne::new(settings());
    for number in 0..9 {
        let exchange = client.send(over_http2(get(&url))).await;
        assert_eq!(exchange.status, 200, "request {number}: {exchange:?}");
    }
}

/// Serves as a proxy: answers CONNECT by connecting, and all else itself. Tells what it was asked.
async fn proxy() -> (u16, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let tell = tell.clone();
            tokio::spawn(async move {
                while let Some(asked) = request(&mut tcp).await {
                    let _ = tell.send(asked.clone());
                    let Some(rest) = asked.strip_prefix("CONNECT ") else {
                        tcp.write_all(b"HTTP/1.1 203 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                        continue;
                    };
                    let authority = rest.split(' ').next().unwrap();
                    if authority.starts_with("127.0.0.2") {
                        tcp.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").await.unwrap();
                        return;
                    }
                    let mut there = TcpStream::connect(authority).await.unwrap();
                    tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut tcp, &mut there).await;
                    return;
                }
            });
        }
    });
    (port, told)
}

#[tokio::test]
async fn a_proxy_passes_requests_on_and_opens_tunnels_to_what_is_granted() {
    let (port, mut told) = proxy().await;
    let pki = pki(&["localhost"]);
    let secure = tls_server(pki.server(&[])).await;
    let through = || Some(Proxy::new(&format!("http://ann:pw@127.0.0.1:{port}"), &[]).unwrap());
    let mut client = OneByOne::new(ClientSettings { proxy: through(), ..with(pki.trusting()) });
    assert_eq!(client.send(get("http://localhost:81/x?y")).await.status, 203);
    let asked = told.recv().await.unwrap();
    assert!(asked.starts_with("GET http://localhost:81/x?y HTTP/1.1\r\nhost: localhost:81\r\n"), "{asked}");
    assert!(asked.contains("proxy-authorization: Basic YW5uOnB3\r\n"), "{asked}");
    let tunnelled = client.send(get(&format!("https://localhost:{secure}/"))).await;
    assert_eq!(tunnelled.status, 200, "{tunnelled:?}");
    let asked = told.recv().await.unwrap();
    assert!(asked.starts_with(&format!("CONNECT localhost:{secure} HTTP/1.1\r\n")), "{asked}");
    assert_eq!(client.send(get("http://other.test/")).await.failure.unwrap().code, ErrorCode::BLOCKED_HOST);
    let mut grants = settings().grants;
    grants.allow("127.0.0.2").unwrap();
    let mut client = OneByOne::new(ClientSettings { proxy: through(), grants, ..with(pki.trusting()) });
    let refused = client.send(get("https://127.0.0.2:444/")).await.failure.unwrap();
    assert_eq!((refused.code, refused.tag), (ErrorCode::PROXY, "proxy refused"));
}

#[tokio::test]
async fn names_lead_where_the_options_say_and_nowhere_else() {
    let url = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let port: u16 = url.rsplit(':').next().unwrap().trim_end_matches("/x").parse().unwrap();
    let hosts = || Hosts::from_json(&json!({"shop.test": format!("127.0.0.1:{port}")})).unwrap();
    let mut named = settings().grants;
    named.allow("shop.test").unwrap();
    let mut only_named = crate::grants::Grants::none();
    only_named.allow("shop.test").unwrap();
    let send = async |settings: ClientSettings| OneByOne::new(settings).send(get("http://shop.test/")).await;
    let by_person =
        ClientSettings { hosts: hosts(), hosts_are_granted: true, grants: only_named.clone(), ..settings() };
    assert_eq!(send(by_person).await.status, 200);
    let by_module = ClientSettings { hosts: hosts(), grants: only_named, ..settings() };
    assert_eq!(code(&send(by_module).await), 1110, "a module's own map leads to what is granted only");
    let both = ClientSettings { hosts: hosts(), grants: named.clone(), ..settings() };
    assert_eq!(send(both).await.status, 200);
    let no_name = ClientSettings { hosts: hosts(), hosts_are_granted: true, ..settings() };
    assert_eq!(code(&send(no_name).await), 1111);
    let host_blocks = HostPatterns::from_json(&json!(["*.test"])).unwrap();
    let blocked = ClientSettings { hosts: hosts(), host_blocks, grants: named, ..settings() };
    assert_eq!(code(&send(blocked).await), 1111);
    let address_blocks = AddressBlocks::from_json(&json!(["127.0.0.0/8"])).unwrap();
    let blocked = ClientSettings { address_blocks, ..settings() };
    assert_eq!(code(&OneByOne::new(blocked).send(get(&url)).await), 1110);
}

#[tokio::test]
async fn each_client_calls_from_an_address_of_its_own() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut tcp, from) = listener.accept().await.unwrap();
            let _ = tell.send(from.ip().to_string());
            tokio::spawn(async move {
                while request(&mut tcp).await.is_some() {
                    tcp.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                }
            });
        }
    });
    let local_addresses = LocalAddresses::from_json(&json!("127.0.0.8-127.0.0.9")).unwrap();
    let settings = Arc::new(ClientSettings { local_addresses, ..settings() });
    for _ in 0..3 {
        let client = super::Client::new(Arc::clone(&settings));
        for _ in 0..2 {
            assert_eq!(client.send(&mut super::Lane::new(), &get(&url)).await.status, 200);
        }
    }
    drop(settings);
    let seen = [told.recv().await, told.recv().await, told.recv().await].map(Option::unwrap);
    assert_eq!(seen, ["127.0.0.8", "127.0.0.9", "127.0.0.8"]);
}

#[tokio::test]
async fn a_handshake_that_never_ends_has_a_limit_of_its_own() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let connect_timeout = Some(Duration::from_millis(50));
    let exchange = OneByOne::new(settings()).send(Outgoing { connect_timeout, ..get(&url) }).await;
    assert_eq!(code(&exchange), 1211, "{exchange:?}");
    assert!(exchange.timings.tls_handshaking >= Duration::from_millis(40));
}
