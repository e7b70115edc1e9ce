//! Against httpbin, whose answers say what it was sent.

use serde_json::{Value, json};

use crate::probe::{Case, Probe, case};
use crate::servers::{httpbin, httpbin_url as url};

#[test]
fn statuses() {
    let expected = |status: u16| match status {
        400.. => json!({"status": status, "error_code": 1000 + status}),
        _ => json!({"status": status, "error_code": 0}),
    };
    let statuses = [
        200, 201, 202, 204, 206, 300, 304, 400, 401, 403, 404, 405, 406, 408, 409, 410, 418, 422, 429, 451, 500, 501,
        502, 503, 504,
    ];
    let cases: Vec<Case> = statuses
        .into_iter()
        .map(|status| {
            case(format!("status {status}"), json!({"url": url(&format!("/status/{status}"))}), expected(status))
        })
        .collect();
    let told = Probe::new(cases).holds();
    let failed = statuses.iter().filter(|status| **status >= 400).count();
    assert_eq!(told.run.metric("http_req_failed", "passes"), failed as f64);
}

#[test]
fn what_is_sent_arrives() {
    let method = |method: &str, expected: Value| {
        let step =
            json!({"url": url("/anything/here"), "method": method, "query": [["a", "1"], ["a", "2"], ["b", "x y&z"]]});
        case(format!("method {method}"), step, expected)
    };
    let arrived =
        |method: &str| json!({"status": 200, "body": {"method": method, "args": {"a": ["1", "2"], "b": "x y&z"}}});
    let octets: Vec<u8> = (0..=255).collect();
    let base64 = |bytes: &[u8]| {
        use base64::Engine;
        format!("data:application/octet-stream;base64,{}", base64::engine::general_purpose::STANDARD.encode(bytes))
    };
    Probe::new([
        method("GET", arrived("GET")),
        method("POST", arrived("POST")),
        method("PUT", arrived("PUT")),
        method("PATCH", arrived("PATCH")),
        method("DELETE", arrived("DELETE")),
        method("HEAD", json!({"status": 200, "length": 0})),
        method("OPTIONS", json!({"status": 200, "headers": {"allow": "~GET"}})),
        case("headers", json!({"url": url("/headers"), "headers": [["X-One", "1"], ["x-two", "a, b"], ["X-One", "2"]]}), json!({
            "body": {"headers": {"X-One": "1,2", "X-Two": "a, b", "Host": httpbin().fact("url").trim_start_matches("http://")}},
        })),
        case("a text", json!({"url": url("/post"), "method": "POST", "body": "쿠폰 1"}), json!({"body": {"data": "쿠폰 1", "headers": {"Content-Length": "8"}}})),
        case("every octet", json!({"url": url("/post"), "method": "POST", "bytes": 256}), json!({"body": {"data": base64(&octets)}})),
        case("an empty body", json!({"url": url("/post"), "method": "POST", "body": ""}), json!({"body": {"data": "", "headers": {"Content-Length": "0"}}})),
        case("JSON", json!({"url": url("/post"), "method": "POST", "json": {"n": [1, null, "쿠폰"]}}), json!({
            "body": {"json": {"n": [1, null, "쿠폰"]}, "headers": {"Content-Type": "application/json"}},
        })),
        case("a form", json!({"url": url("/post"), "method": "POST", "form": [["user", "Ann & Bob"], ["쿠폰", "+1%"]]}), json!({
            "body": {"form": {"user": "Ann & Bob", "쿠폰": "+1%"}, "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
        })),
        case("a megabyte", json!({"url": url("/status/202"), "method": "POST", "bytes": 1 << 20}), json!({"status": 202})),
    ])
    .holds();
}

#[test]
fn bodies_come_as_they_are() {
    let octets: Vec<u8> = (0..26).map(|letter| b'a' + letter).cycle().take(100).collect();
    let told = Probe::new([
        case(
            "an image",
            json!({"url": url("/image/png")}),
            json!({
                "status": 200, "length": 8090, "headers": {"content-type": "image/png", "content-length": "8090"},
            }),
        ),
        case(
            "another image",
            json!({"url": url("/image/jpeg")}),
            json!({"status": 200, "headers": {"content-type": "image/jpeg"}}),
        ),
        case(
            "UTF-8",
            json!({"url": url("/encoding/utf8")}),
            json!({"status": 200, "length": 14239, "text": "~STARGΛ̊TE"}),
        ),
        case(
            "a range",
            json!({"url": url("/range/100")}),
            json!({"status": 200, "text": String::from_utf8_lossy(&octets)}),
        ),
        case(
            "a part of it",
            json!({"url": url("/range/100"), "headers": [["Range", "bytes=10-19"]]}),
            json!({"status": 206, "text": "klmnopqrst"}),
        ),
        case(
            "a stream",
            json!({"url": url("/stream/20")}),
            json!({"status": 200, "headers": {"transfer-encoding": "chunked"}}),
        ),
        case(
            "streamed bytes",
            json!({"url": url("/stream-bytes/5000?seed=1&chunk_size=77")}),
            json!({"status": 200, "length": 5000}),
        ),
        case(
            "the same bytes at once",
            json!({"url": url("/bytes/5000?seed=1")}),
            json!({"status": 200, "length": 5000}),
        ),
        case(
            "a drip",
            json!({"url": url("/drip?numbytes=10&duration=0.5&delay=0.1")}),
            json!({"status": 200, "text": "**********"}),
        ),
        case("HTML", json!({"url": url("/html")}), json!({"status": 200, "text": "~Herman Melville"})),
        case("after all of them", json!({"url": url("/get")}), json!({"status": 200})),
    ])
    .holds();
    assert_eq!(told.of("a stream")["text"].as_str().unwrap().lines().count(), 20);
    assert_eq!(told.of("streamed bytes")["hash"], told.of("the same bytes at once")["hash"]);
}

#[test]
fn answers_that_take_too_long() {
    let told = Probe::new([
        case("in time", json!({"url": url("/delay/0.2")}), json!({"status": 200, "error_code": 0})),
        case("too late", json!({"url": url("/delay/5"), "timeout": 0.4}), json!({"status": 0, "error_code": 1050})),
        case(
            "in the middle",
            json!({"url": url("/drip?numbytes=10&duration=5&delay=0"), "timeout": 0.4}),
            json!({"status": 200, "error_code": 1050}),
        ),
        case("and on", json!({"url": url("/get")}), json!({"status": 200, "error_code": 0})),
    ])
    .holds();
    assert_eq!(told.run.metric("http_req_failed", "passes"), 2.0);
    assert!(told.of("in time")["timings"]["waiting"].as_u64() >= Some(200_000_000));
}
