//! Through a proxy that nobody here wrote, and through some that nobody would want.

use serde_json::{Value, json};

use crate::faulty::{Act, Faulty, send};
use crate::probe::{Probe, case};
use crate::servers::{nginx, nginx_saw, nginx_url, tinyproxy};

/// The proxy's URL, for this user.
fn through(user: &str, password: &str) -> String {
    tinyproxy().fact("url").replace("http://", &format!("http://{user}:{password}@"))
}

pub(crate) fn known() -> String {
    through(tinyproxy().fact("user"), tinyproxy().fact("password"))
}

#[test]
fn requests_go_whole_or_through_a_tunnel() {
    let to = |port: &'static str, protocol: &str| {
        let expected = json!({"status": 200, "error_code": 0, "body": {"protocol": protocol, "authorization": ""}});
        case(port, json!({"url": nginx_url(port, "/echo?tinyproxy")}), expected)
    };
    let again = case(
        "again",
        json!({"url": nginx_url("https", "/echo?tinyproxy")}),
        json!({"status": 200, "timings": {"connecting": 0, "tls_handshaking": 0}}),
    );
    let told = Probe::new([
        to("http", "HTTP/1.1"),
        to("tls12", "HTTP/1.1"),
        to("tls13", "HTTP/1.1"),
        to("https", "HTTP/2.0"),
        again,
    ])
    .args(&["--ca-cert", nginx().fact("authority"), "--proxy", &known()])
    .holds();
    assert!(told.of("tls13")["timings"]["tls_handshaking"].as_u64() > Some(0), "with the server, within the tunnel");
    assert_eq!(nginx_saw("/echo?tinyproxy").len(), 5);
    let log = std::fs::read_to_string(tinyproxy().fact("access-log")).expect("the proxy writes a log");
    for port in ["tls12", "tls13", "https"] {
        let tunnel = format!("CONNECT {} HTTP/1.1", nginx_url(port, "").trim_start_matches("https://"));
        assert_eq!(log.matches(&tunnel).count(), 1, "{port}: one tunnel for all requests\n{log}");
    }
}

#[test]
fn a_proxy_that_refuses() {
    let fails = |name: &str, url: String| case(name, json!({"url": url}), json!({"status": 0, "error_code": 1210}));
    let secret = || nginx_url("https", "/echo?refused").replace("127.0.0.1", "localhost");
    // Without a tunnel its refusal is an answer, as any other.
    let plain = || case("plain", json!({"url": nginx_url("http", "/echo?refused")}), json!({"status": 401}));
    let wrong = through("ann", "secret");
    for proxy in [&wrong, tinyproxy().fact("url")] {
        let told = Probe::new([fails("TLS", secret()), plain()]).args(&["--proxy", proxy]).send().exits(0);
        assert_eq!(told.of("TLS")["error_code"], 1210);
        assert!(told.of("TLS")["error"].as_str().unwrap_or_default().contains("status 4"), "{}", told.of("TLS"));
        assert!([json!(401), json!(407)].contains(&told.of("plain")["status"]), "{}", told.of("plain"));
    }
    // A host that the proxy does not let through, and one that it cannot find.
    Probe::new([
        fails("refused", "https://refused.test/".to_owned()),
        case("refused plain", json!({"url": "http://refused.test/"}), json!({"status": 403, "error_code": 1403})),
        fails("unknown", "https://unknown.invalid/".to_owned()),
    ])
    .args(&["--proxy", &known(), "--allow-host", "refused.test,unknown.invalid"])
    .holds();
    assert_eq!(nginx_saw("/echo?refused"), Vec::<Value>::new());
}

#[test]
fn a_proxy_that_misbehaves() {
    // What is asked of it is the path `127.0.0.1:PORT`, which is the script's.
    let target = nginx_url("tls13", "/echo?misbehaving");
    let authority = nginx_url("tls13", "").replace("https://", "");
    for (name, acts, codes) in [
        ("silence", vec![Act::Hang], vec![1050]),
        ("closed", vec![Act::Close], vec![1210, 1220]),
        ("reset", vec![Act::Reset], vec![1210, 1220]),
        ("no HTTP", vec![send("this is no HTTP\r\n\r\n"), Act::Hang], vec![1210]),
        ("no end", vec![send("HTTP/1.1 200 OK\r\nx: "), send(vec![b'x'; 1 << 20]), Act::Hang], vec![1210]),
        ("a failure", vec![send("HTTP/1.1 502 Bad Gateway\r\n\r\n"), Act::Hang], vec![1210]),
        ("a tunnel to nowhere", vec![send("HTTP/1.1 200 OK\r\n\r\n"), Act::Close], vec![1220]),
        ("a tunnel to something else", vec![send("HTTP/1.1 200 OK\r\n\r\nhello?"), Act::Hang], vec![1300]),
    ] {
        let proxy = Faulty::start([(authority.clone(), acts)]);
        let told = Probe::new([case(name, json!({"url": target, "timeout": 1.0}), json!({"status": 0}))])
            .args(&["--ca-cert", nginx().fact("authority"), "--proxy", &proxy.url("")])
            .holds();
        let code = told.of(name)["error_code"].as_u64().unwrap_or_default();
        assert!(codes.contains(&code), "{name}: {code}: {}", told.of(name)["error"]);
    }
    assert_eq!(
        nginx_saw("/echo?misbehaving"),
        Vec::<Value>::new(),
        "what the proxy does not do is not done without it"
    );
}
