//! Faults of TLS.

use rustls::version::{TLS12, TLS13};
use serde_json::{Value, json};
use xtask::certificates::Identity;

use crate::faulty::{Act, Certificates, Faulty, record, send};
use crate::probe::{Case, Probe, case};

fn failed(code: u16) -> Value {
    json!({"status": 0, "error_code": code})
}

fn good(server: &Faulty, name: &str) -> Case {
    case(name, json!({"url": server.url("/good")}), json!({"status": 200, "error_code": 0, "text": "good"}))
}

/// A probe that trusts the authority of the tests.
fn trusting(cases: impl IntoIterator<Item = Case>) -> Probe {
    Probe::new(cases).trusting(Certificates::get().authority_file())
}

#[test]
fn certificates_of_each_bad_kind() {
    let certificates = Certificates::get();
    let start = |identity: &Identity| Faulty::start_tls(identity, []);
    let server = start(&certificates.good());
    let bad = [
        ("expired", start(&certificates.expired()), 1300, "~expired"),
        ("not yet valid", start(&certificates.not_yet_valid()), 1300, "~not valid yet"),
        ("of another host", start(&certificates.of_another_host()), 1311, "~another host"),
        ("of an unknown authority", start(&certificates.of_a_stranger()), 1310, "~unknown authority"),
        ("self-signed", start(&Certificates::self_signed()), 1310, "~unknown authority"),
        ("for clients", start(&certificates.for_clients()), 1300, "~certificate"),
    ];
    let cases = bad.iter().flat_map(|(name, bad, code, text)| {
        let refused = json!({"status": 0, "error_code": code, "error": text});
        [case(*name, json!({"url": bad.url("/")}), refused), good(&server, &format!("{name}; then"))]
    });
    trusting(cases).holds();
    for (name, server, ..) in &bad {
        assert!(server.requests("/").is_empty(), "{name}: nothing was sent to it");
    }

    // Whoever trusts nobody but the system knows none of them; whoever looks at nothing takes them all.
    Probe::new([case("not trusted", json!({"url": server.url("/")}), failed(1310))]).holds();
    let cases = bad.iter().map(|(name, bad, ..)| good(bad, name));
    Probe::new(cases).args(&["--insecure-skip-tls-verify"]).holds();
}

#[test]
fn handshakes_that_come_to_nothing() {
    let first = Faulty::start_handshake;
    let alert = |description| record(21, &[2, description]);
    let faults = [
        ("plain HTTP", first(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".to_vec(), Act::Hang), 1300),
        ("a version that is refused", first(alert(70), Act::Close), 1300),
        ("a handshake that fails", first(alert(40), Act::Close), 1300),
        ("an internal error", first(alert(80), Act::Close), 1300),
        ("a name that is not known", first(alert(112), Act::Close), 1300),
        ("an empty record", first(record(22, &[]), Act::Hang), 1300),
        ("a message of another time", first(record(22, &[20, 0, 0, 4, 1, 2, 3, 4]), Act::Hang), 1300),
        ("closed in the handshake", first(Vec::new(), Act::Close), 1220),
        ("reset in the handshake", first(Vec::new(), Act::Reset), 1220),
        ("no handshake at all", first(Vec::new(), Act::Hang), 1050),
    ];
    let cases = faults.iter().flat_map(|(name, server, code)| {
        let step = json!({"url": server.url("/"), "timeout": 0.7});
        [case(*name, step, failed(*code)), good(server, &format!("{name}; then"))]
    });
    trusting(cases).holds();
    for (name, server, _) in &faults {
        assert_eq!(server.requests("/").len(), 0, "{name}");
    }
}

#[test]
fn no_version_in_common() {
    let identity = Certificates::get().good();
    let (old, new) = (Faulty::start_tls_of(&identity, &[&TLS12], []), Faulty::start_tls_of(&identity, &[&TLS13], []));
    let cases = |old_code: u16, new_code: u16| {
        let expected = |code: u16| if code == 0 { json!({"status": 200, "error_code": 0}) } else { failed(code) };
        [
            case("the old one", json!({"url": old.url("/")}), expected(old_code)),
            case("the new one", json!({"url": new.url("/")}), expected(new_code)),
        ]
    };
    trusting(cases(0, 0)).holds();
    trusting(cases(1300, 0)).option("tlsVersion", json!({"min": "tls1.3", "max": "tls1.3"})).holds();
    trusting(cases(0, 1300)).option("tlsVersion", json!({"min": "tls1.2", "max": "tls1.2"})).holds();
}

#[test]
fn answers_that_break_off_behind_tls() {
    let begun = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun";
    let script = [
        ("/closed", vec![send(begun), Act::Close]),
        ("/reset", vec![send(begun), Act::Reset]),
        ("/hang", vec![send(begun), Act::Hang]),
        // Without a length, the end of the connection is the end of the body: but only if TLS says that it is the end.
        ("/cut", vec![send("HTTP/1.1 200 OK\r\n\r\nbegun"), Act::Close]),
        ("/forged", vec![send(begun), Act::Below(record(23, &[7; 100])), Act::Hang]),
        ("/alert", vec![send(begun), Act::Below(record(21, &[2, 80])), Act::Hang]),
    ];
    let server = Faulty::start_tls(&Certificates::get().good(), script.map(|(path, acts)| (path.to_owned(), acts)));
    let faults =
        [("/closed", 1220), ("/reset", 1220), ("/hang", 1050), ("/cut", 1220), ("/forged", 1300), ("/alert", 1300)];
    let cases = faults.iter().flat_map(|(path, code)| {
        let name = path.trim_start_matches('/');
        let step = json!({"url": server.url(path), "timeout": 0.7});
        [case(name, step, json!({"error_code": code})), good(&server, &format!("{name}; then"))]
    });
    trusting(cases).holds();
    for (path, _) in faults {
        assert_eq!(server.requests(path).len(), 1, "{path}: a request that was sent is never repeated");
    }
}

#[test]
fn one_protocol_on_the_other_ones_port() {
    let (plain, secure) = (Faulty::start([]), Faulty::start_tls(&Certificates::get().good(), []));
    trusting([
        case("TLS to plain HTTP", json!({"url": plain.url_of("https", "/"), "timeout": 2}), json!({"status": 0})),
        good(&plain, "plain; then"),
        case("plain HTTP to TLS", json!({"url": secure.url_of("http", "/"), "timeout": 2}), json!({"status": 0})),
        good(&secure, "TLS; then"),
    ])
    .holds();
}
