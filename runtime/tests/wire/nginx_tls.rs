//! Against nginx, over TLS and HTTP/2.

use serde_json::{Value, json};

use crate::probe::{Case, Probe, case, hash};
use crate::servers::{nginx, nginx_saw, nginx_url};

fn trusting(cases: impl IntoIterator<Item = Case>) -> Probe {
    Probe::new(cases).trusting(nginx().fact("authority"))
}

fn numbers(lines: &[Value], field: &str) -> Vec<u64> {
    lines.iter().map(|line| line[field].as_u64().expect("a number")).collect()
}

#[test]
fn versions_and_protocols() {
    let spoken = |name: &str, port: &str, protocol: &str, tls: &str| {
        let tag = tls.replace("TLSv", "tls");
        case(
            name,
            json!({"url": nginx_url(port, "/echo")}),
            json!({
                "status": 200, "protocol": protocol, "body": {"protocol": protocol, "tls": tls},
                "tags": {"proto": protocol, "tls_version": tag},
            }),
        )
    };
    let told = trusting([
        spoken("TLS 1.2", "tls12", "HTTP/1.1", "TLSv1.2"),
        spoken("TLS 1.3", "tls13", "HTTP/1.1", "TLSv1.3"),
        spoken("HTTP/2", "https", "HTTP/2.0", "TLSv1.3"),
        case(
            "plain",
            json!({"url": nginx_url("http", "/echo")}),
            json!({"protocol": "HTTP/1.1", "body": {"tls": ""}, "tags": {"proto": "HTTP/1.1"}}),
        ),
    ])
    .holds();
    for name in ["TLS 1.2", "TLS 1.3", "HTTP/2"] {
        assert!(told.of(name)["timings"]["tls_handshaking"].as_u64() > Some(0), "{}", told.of(name));
    }
    assert_eq!(told.of("plain")["timings"]["tls_handshaking"], 0);
    assert!(told.run.metric("http_req_tls_handshaking", "max") > 0.0);
}

#[test]
fn names_in_the_handshake() {
    let url = nginx_url("https", "/echo").replace("127.0.0.1", "localhost");
    trusting([
        case(
            "a name",
            json!({"url": url}),
            json!({"status": 200, "body": {"server_name": "localhost", "host": url[8..].trim_end_matches("/echo")}}),
        ),
        // An address is no name (RFC 6066, 3).
        case(
            "an address",
            json!({"url": nginx_url("https", "/echo")}),
            json!({"status": 200, "body": {"server_name": ""}}),
        ),
    ])
    .holds();
}

#[test]
fn many_requests_on_one_connection() {
    for port in ["https", "tls13", "tls12"] {
        let mark = format!("/echo?many-{port}");
        let told =
            trusting((0..20).map(|number| {
                case(format!("{number}"), json!({"url": nginx_url(port, &mark)}), json!({"status": 200}))
            }))
            .holds();
        let seen = nginx_saw(&mark);
        assert_eq!(numbers(&seen, "nth"), (1..=20).collect::<Vec<_>>(), "{port}");
        let handshakes = told.answers.iter().filter(|answer| answer["timings"]["tls_handshaking"] != 0).count();
        assert_eq!(handshakes, 1, "{port}");
    }
}

#[test]
fn bodies_over_http2_are_whole() {
    let noise = std::fs::read(nginx().folder().join("files/noise.bin")).expect("nginx has this file");
    trusting([
        case(
            "down",
            json!({"url": nginx_url("https", "/noise.bin")}),
            json!({"status": 200, "length": noise.len(), "hash": hash(&noise)}),
        ),
        case(
            "up",
            json!({"url": nginx_url("https", "/upload"), "method": "POST", "bytes": 300_000}),
            json!({
                "status": 200, "body": {"method": "POST", "length": "300000"},
            }),
        ),
        case(
            "a head alone",
            json!({"url": nginx_url("https", "/noise.bin"), "method": "HEAD"}),
            json!({
                "status": 200, "length": 0, "headers": {"content-length": noise.len().to_string()},
            }),
        ),
        case("no content", json!({"url": nginx_url("https", "/empty")}), json!({"status": 204, "length": 0})),
        case("not found", json!({"url": nginx_url("https", "/nothing")}), json!({"status": 404, "error_code": 1404})),
    ])
    .holds();
}

#[test]
fn a_server_that_says_goaway_after_each_second_request() {
    let told = trusting((0..7).map(|number| {
        case(
            format!("{number}"),
            json!({"url": nginx_url("h2-few", "/echo?goaway")}),
            json!({"status": 200, "protocol": "HTTP/2.0"}),
        )
    }))
    .holds();
    assert_eq!(told.run.metric("http_req_failed", "passes"), 0.0);
    assert_eq!(numbers(&nginx_saw("/echo?goaway"), "nth"), [1, 2, 1, 2, 1, 2, 1]);
}

#[test]
fn every_connection_pays_its_handshake() {
    for port in ["tls12", "tls13"] {
        let mark = format!("/close?resumed-{port}");
        trusting(
            (0..4).map(|number| {
                case(format!("{number}"), json!({"url": nginx_url(port, &mark)}), json!({"status": 200}))
            }),
        )
        .holds();
        let seen = nginx_saw(&mark);
        assert_eq!(numbers(&seen, "nth"), [1, 1, 1, 1], "{port}: a connection each");
        let resumed: Vec<&str> = seen.iter().filter_map(|line| line["reused"].as_str()).collect();
        assert_eq!(resumed, [".", ".", ".", "."], "{port}: no session is resumed, as in k6");
    }
}

#[test]
fn a_client_certificate_that_is_not_shown() {
    trusting([
        case(
            "none",
            json!({"url": nginx_url("mutual", "/echo")}),
            json!({"status": 400, "error_code": 1400, "text": "~No required SSL certificate"}),
        ),
        case(
            "plain HTTP on its port",
            json!({"url": nginx_url("https", "/echo").replace("https:", "http:")}),
            json!({"status": 400, "error_code": 1400}),
        ),
    ])
    .holds();
}
