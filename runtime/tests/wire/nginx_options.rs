//! Options and flags that say how connections are made, against nginx, which says how they were.

use serde_json::{Value, json};

use crate::probe::{Case, Probe, case};
use crate::servers::{nginx, nginx_saw, nginx_url};

fn trusting(cases: impl IntoIterator<Item = Case>) -> Probe {
    Probe::new(cases).args(&["--ca-cert", nginx().fact("authority")])
}

/// What the server says of a request to this port.
fn seen(port: &str, expected: Value) -> Case {
    case(port, json!({"url": nginx_url(port, "/echo")}), json!({"status": 200, "error_code": 0, "body": expected}))
}

fn failed(port: &str, code: u16) -> Case {
    case(port, json!({"url": nginx_url(port, "/echo")}), json!({"status": 0, "error_code": code}))
}

#[test]
fn versions_of_tls() {
    trusting([
        seen("https", json!({"tls": "TLSv1.2"})),
        seen("tls12", json!({"tls": "TLSv1.2"})),
        failed("tls13", 1300),
    ])
    .option("tlsVersion", json!("tls1.2"))
    .holds();
    trusting([
        seen("https", json!({"tls": "TLSv1.3"})),
        failed("tls12", 1300),
        seen("tls13", json!({"tls": "TLSv1.3"})),
    ])
    .option("tlsVersion", json!({"min": "tls1.3"}))
    .holds();
}

#[test]
fn cipher_suites() {
    trusting([
        seen("tls13", json!({"cipher": "TLS_AES_128_GCM_SHA256"})),
        seen("tls12", json!({"cipher": "ECDHE-ECDSA-CHACHA20-POLY1305"})),
    ])
    .option("tlsCipherSuites", json!(["TLS_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"]))
    .holds();
}

#[test]
fn versions_of_http() {
    let protocol = |port: &str, protocol: &str| seen(port, json!({"protocol": protocol}));
    trusting([protocol("https", "HTTP/1.1"), protocol("tls13", "HTTP/1.1"), protocol("http", "HTTP/1.1")])
        .args(&["--http-version", "1.1"])
        .holds();
    // With prior knowledge where there is no TLS; where there is, the server must agree.
    trusting([protocol("https", "HTTP/2.0"), protocol("h2c", "HTTP/2.0"), failed("tls13", 1600)])
        .args(&["--http-version", "2"])
        .holds();
}

#[test]
fn client_certificates() {
    let shown = || seen("mutual", json!({"client": "CN=ann", "verified": "SUCCESS"}));
    let (cert, key) = (nginx().fact("client-cert"), nginx().fact("client-key"));
    trusting([shown()]).args(&["--client-cert", cert, "--client-key", key]).holds();
    let text = |file: &str| std::fs::read_to_string(file).expect("nginx's own file");
    let identity = |domain: &str| json!([{"domains": [domain], "cert": text(cert), "key": text(key)}]);
    trusting([shown()]).option("tlsAuth", identity("127.0.0.1")).holds();
    trusting([case("none", json!({"url": nginx_url("mutual", "/echo")}), json!({"status": 400}))])
        .option("tlsAuth", identity("elsewhere.test"))
        .holds();
}

#[test]
fn hosts_have_the_addresses_that_are_given() {
    let address = nginx_url("https", "").replace("https://", "");
    let hosts = json!({"shop.test": address, "*.shop.test": address});
    let told = |name: &str| {
        let url = format!("https://{name}/echo");
        case(name, json!({"url": url}), json!({"status": 200, "body": {"server_name": name, "host": name}}))
    };
    trusting([told("shop.test"), told("www.shop.test")])
        .args(&["--allow-host", "shop.test,*.shop.test"])
        .option("hosts", hosts)
        .holds();
}

#[test]
fn what_is_blocked_is_not_called() {
    let url = nginx_url("http", "/echo?blocked");
    let named = url.replace("127.0.0.1", "localhost");
    Probe::new([
        case("name", json!({"url": named}), json!({"status": 0, "error_code": 1111})),
        case("address", json!({"url": url}), json!({"status": 200})),
    ])
    .option("blockHostnames", json!(["localhost"]))
    .holds();
    assert_eq!(nginx_saw("/echo?blocked").len(), 1);
    Probe::new([
        case("name", json!({"url": named}), json!({"status": 0, "error_code": 1110})),
        case("address", json!({"url": url}), json!({"status": 0, "error_code": 1110})),
    ])
    .option("blacklistIPs", json!(["127.0.0.0/8", "::1/128"]))
    .holds();
    assert_eq!(nginx_saw("/echo?blocked").len(), 1);
}

#[test]
fn each_virtual_user_calls_from_an_address_of_its_own() {
    let told = Probe::new([case("from", json!({"url": nginx_url("http", "/echo")}), json!({}))])
        .args(&["--local-ips", "127.0.0.21-127.0.0.23", "--vus", "3", "--iterations", "3"])
        .send()
        .exits(0);
    let mut addresses: Vec<&str> =
        told.answers.iter().filter_map(|answer| answer["body"]["address"].as_str()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    assert!(
        !addresses.is_empty()
            && addresses.iter().all(|address| ["127.0.0.21", "127.0.0.22", "127.0.0.23"].contains(address)),
        "{addresses:?}"
    );
}

#[test]
fn connections_are_reused_as_it_is_said() {
    let numbers = |mark: &str, probe: &dyn Fn(Probe) -> Probe| {
        let url = nginx_url("https", &format!("/echo?{mark}"));
        let steps = || [1, 2].map(|number| case(format!("{mark} {number}"), json!({"url": url}), json!({})));
        probe(trusting(steps())).args(&["--vus", "1", "--iterations", "2"]).send().exits(0);
        nginx_saw(&format!("/echo?{mark}"))
            .iter()
            .map(|line| line["nth"].as_u64().expect("a number"))
            .collect::<Vec<_>>()
    };
    assert_eq!(numbers("reuse", &|probe| probe), [1, 2, 3, 4]);
    assert_eq!(numbers("no-reuse", &|probe| probe.option("noConnectionReuse", json!(true))), [1, 1, 1, 1]);
    assert_eq!(numbers("no-vu-reuse", &|probe| probe.option("noVUConnectionReuse", json!(true))), [1, 2, 1, 2]);
}

#[test]
fn agents_and_bodies() {
    Probe::new([seen("http", json!({"agent": "somebody/1"}))]).args(&["--user-agent", "somebody/1"]).holds();
    let told = Probe::new([case(
        "nothing is kept",
        json!({"url": nginx_url("http", "/noise.bin")}),
        json!({"status": 200, "length": 0}),
    )])
    .args(&["--discard-response-bodies"])
    .holds();
    assert!(told.run.metric("data_received", "count") > 1_048_576.0, "it was read all the same");
}

#[test]
fn requests_go_through_a_proxy() {
    let url = nginx_url("http", "/echo?proxied");
    let through = nginx_url("proxy", "").replace("http://", "http://ann:s3cret@");
    Probe::new([case(
        "through",
        json!({"url": url}),
        json!({"status": 200, "body": {"uri": "/echo?proxied", "host": url[7..].trim_end_matches("/echo?proxied")}}),
    )])
    .args(&["--proxy", &through])
    .holds();
    let port = |url: &str| url.rsplit(':').next().and_then(|port| port.split('/').next()?.parse::<u64>().ok());
    let ports: Vec<Option<u64>> = nginx_saw("/echo?proxied").iter().map(|line| line["port"].as_u64()).collect();
    assert_eq!(ports, [port(&url), port(&nginx_url("proxy", ""))], "the proxy logs when the server has answered");
    Probe::new([case("directly", json!({"url": nginx_url("http", "/echo?direct")}), json!({"status": 200}))])
        .args(&["--proxy", &through, "--no-proxy", "127.0.0.1"])
        .holds();
    assert_eq!(nginx_saw("/echo?direct").len(), 1);
}
