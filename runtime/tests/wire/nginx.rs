//! Against nginx.

use serde_json::json;

use crate::probe::{Probe, case, hash};
use crate::servers::{nginx, nginx_saw, nginx_url};

fn file(name: &str) -> Vec<u8> {
    std::fs::read(nginx().folder().join("files").join(name)).expect("nginx has this file")
}

#[test]
fn what_it_serves() {
    let url = |path: &str| nginx_url("http", path);
    let noise = file("noise.bin");
    let page = file("page.html");
    Probe::new([
        case("a short text", json!({"url": url("/short.txt")}), json!({
            "status": 200, "protocol": "HTTP/1.1", "text": "a short text\n", "headers": {"content-type": "text/plain", "server": "~nginx"},
        })),
        case("a megabyte", json!({"url": url("/noise.bin")}), json!({"status": 200, "length": noise.len(), "hash": hash(&noise)})),
        case("a page", json!({"url": url("/page.html")}), json!({"status": 200, "length": page.len(), "hash": hash(&page)})),
        case("a part", json!({"url": url("/noise.bin"), "headers": [["Range", "bytes=1000-1999"]]}), json!({
            "status": 206, "length": 1000, "hash": hash(&noise[1000..2000]), "headers": {"content-range": format!("bytes 1000-1999/{}", noise.len())},
        })),
        case("a head alone", json!({"url": url("/noise.bin"), "method": "HEAD"}), json!({
            "status": 200, "length": 0, "headers": {"content-length": noise.len().to_string()},
        })),
        case("no content", json!({"url": url("/empty")}), json!({"status": 204, "length": 0})),
        case("not found", json!({"url": url("/nothing")}), json!({"status": 404, "error_code": 1404})),
        case("gone", json!({"url": url("/gone")}), json!({"status": 410, "error_code": 1410, "text": "gone\n"})),
        case("a teapot", json!({"url": url("/teapot")}), json!({"status": 418, "error_code": 1418, "text": "short and stout\n"})),
        case("broken", json!({"url": url("/broken")}), json!({"status": 500, "error_code": 1500, "text": "broken\n"})),
        case("too much", json!({"url": url("/small-body"), "method": "POST", "bytes": 2000}), json!({"status": 413, "error_code": 1413})),
        case("a method that it lacks", json!({"url": url("/short.txt"), "method": "PURGE"}), json!({"status": 405, "error_code": 1405})),
        case("a query", json!({"url": url("/echo"), "query": [["q", "쿠폰 & more"]]}), json!({
            "body": {"uri": "/echo?q=%EC%BF%A0%ED%8F%B0%20%26%20more", "method": "GET"},
        })),
    ])
    .holds();
}

#[test]
fn kept_connections_are_used_as_long_as_it_allows() {
    let url = |path: &str, test: &str| nginx_url("http", &format!("{path}?{test}"));
    let step = |name: &str, path: &str| case(name, json!({"url": url(path, "kept")}), json!({"status": 200}));
    Probe::new((0..5).map(|number| step(&format!("kept {number}"), "/echo"))).holds();
    let seen = nginx_saw("/echo?kept");
    assert_eq!(seen.iter().map(|line| line["nth"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);

    let told = Probe::new((0..5).map(|number| step(&format!("few {number}"), "/few"))).holds();
    assert_eq!(told.run.metric("http_req_failed", "passes"), 0.0);
    let seen = nginx_saw("/few?kept");
    assert_eq!(seen.iter().map(|line| line["nth"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 1, 2, 1]);

    Probe::new((0..3).map(|number| step(&format!("closed {number}"), "/close"))).holds();
    let seen = nginx_saw("/close?kept");
    assert_eq!(seen.iter().map(|line| line["nth"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 1, 1]);

    // The server closes while the virtual user thinks: found out before a request is lost on it.
    let told = Probe::new((0..4).map(|number| {
        case(format!("brief {number}"), json!({"url": url("/brief", "kept"), "pause": 0.3}), json!({"status": 200}))
    }))
    .holds();
    assert_eq!(told.run.metric("http_req_failed", "passes"), 0.0);
    let seen = nginx_saw("/brief?kept");
    assert_eq!(seen.iter().map(|line| line["nth"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 1, 1, 1]);
}

#[test]
fn requests_that_it_limits_are_failures() {
    let limited = |name: &str, path: &str, status: u16| {
        let expected = if status == 200 {
            json!({"status": 200, "error_code": 0})
        } else {
            json!({"status": status, "error_code": 1000 + status})
        };
        case(name, json!({"url": nginx_url("http", path)}), expected)
    };
    let told = Probe::new([
        limited("first", "/limited/short.txt?key=limits", 200),
        limited("second", "/limited/short.txt?key=limits", 503),
        limited("third", "/limited-429/short.txt?key=limits", 429),
        limited("another key", "/limited-429/short.txt?key=limits-2", 200),
        limited("another path", "/short.txt", 200),
    ])
    .holds();
    assert_eq!(told.run.metric("http_req_failed", "passes"), 2.0);
    assert_eq!(nginx_saw("key=limits").len(), 4, "no request is repeated");
}

#[test]
fn times_are_of_the_phases_that_there_were() {
    let told = Probe::new([
        case("first", json!({"url": nginx_url("http", "/echo")}), json!({"timings": {"tls_handshaking": 0}})),
        case(
            "second",
            json!({"url": nginx_url("http", "/echo")}),
            json!({"timings": {"connecting": 0, "tls_handshaking": 0}}),
        ),
    ])
    .holds();
    assert!(told.of("first")["timings"]["connecting"].as_u64() > Some(0), "{}", told.of("first"));
    for name in ["first", "second"] {
        assert!(told.of(name)["timings"]["waiting"].as_u64() > Some(0), "{}", told.of(name));
    }
}
