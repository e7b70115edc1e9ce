//! Who a request is from, and which statuses are expected.

use serde_json::{Value, json};

use crate::probe::{Probe, case};
use crate::servers::{httpbin_url, nginx_saw, nginx_url};

#[test]
fn basic_and_bearer() {
    let with_user = |url: String| url.replace("://", "://ann:s3cret@");
    let refused = || json!({"status": 401, "error_code": 1401, "tags": {"expected_response": "false"}});
    let known = || json!({"status": 200, "body": {"authenticated": true, "user": "ann"}});
    Probe::new([
        case("basic", json!({"url": httpbin_url("/basic-auth/ann/s3cret"), "basic": ["ann", "s3cret"]}), known()),
        case("in the URL", json!({"url": with_user(httpbin_url("/basic-auth/ann/s3cret"))}), known()),
        case(
            "beyond ASCII",
            json!({"url": httpbin_url("/basic-auth/ann/%EC%BF%A0%ED%8F%B0"), "basic": ["ann", "쿠폰"]}),
            known(),
        ),
        case("wrong", json!({"url": httpbin_url("/basic-auth/ann/s3cret"), "basic": ["ann", "secret"]}), refused()),
        case("none", json!({"url": httpbin_url("/basic-auth/ann/s3cret")}), refused()),
        case(
            "bearer",
            json!({"url": httpbin_url("/bearer"), "bearer": "t0ken"}),
            json!({"status": 200, "body": {"authenticated": true, "token": "t0ken"}}),
        ),
        case("no bearer", json!({"url": httpbin_url("/bearer")}), refused()),
        case(
            "nginx",
            json!({"url": nginx_url("http", "/private/short.txt?basic"), "basic": ["ann", "s3cret"]}),
            json!({"status": 200, "text": "a short text\n"}),
        ),
        case(
            "nginx wrong",
            json!({"url": nginx_url("http", "/private/short.txt?basic"), "basic": ["bob", "s3cret"]}),
            refused(),
        ),
    ])
    .holds();
    let users: Vec<Value> = nginx_saw("/private/short.txt?basic").iter().map(|line| line["user"].clone()).collect();
    assert_eq!(users, ["ann", "bob"]);
}

#[test]
fn digest() {
    let url = |qop: &str, algorithm: &str| httpbin_url(&format!("/digest-auth/{qop}/ann/s3cret/{algorithm}"));
    let known = || json!({"status": 200, "error_code": 0, "body": {"authenticated": true, "user": "ann"}});
    let refused = || json!({"status": 401, "error_code": 1401});
    let login = json!(["ann", "s3cret"]);
    // Each begins without the cookies by which httpbin knows a nonce again.
    let step = |qop: &str, algorithm: &str, login: &Value| json!({"url": url(qop, algorithm), "digest": login, "clear_cookies": true});
    let algorithms = ["MD5", "SHA-256", "SHA-512"];
    let mut cases: Vec<_> =
        algorithms.iter().map(|algorithm| case(*algorithm, step("auth", algorithm, &login), known())).collect();
    let with_body = json!({"url": url("auth", "MD5"), "digest": login, "method": "POST", "body": "x"});
    cases.extend([
        case("of no kind", step("none", "MD5", &login), known()),
        case("with the body", step("auth-int", "MD5", &login), known()),
        case("wrong", step("auth", "MD5", &json!(["ann", "secret"])), refused()),
        case("none", json!({"url": url("auth", "MD5"), "clear_cookies": true}), refused()),
        case("a method that is not allowed", with_body, json!({"status": 405})),
    ]);
    let told = Probe::new(cases).holds();
    // A challenge is a sample of its own, and one that the credentials are for is no failure.
    assert!(told.run.metric("http_reqs", "count") > 8.0, "{}", told.run.stdout);

    let again = [1, 2, 3]
        .map(|number| case(format!("request {number}"), json!({"url": url("auth", "MD5"), "digest": login}), known()));
    let told = Probe::new(again).holds();
    assert_eq!(told.run.metric("http_reqs", "count"), 4.0, "one challenge, and its nonce is used again");
}

#[test]
fn statuses_that_are_expected() {
    let status = |name: &str, status: u16, expect: Value, expected: bool| {
        let step = json!({"url": httpbin_url(&format!("/status/{status}")), "expect": expect, "redirects": 0});
        case(
            name,
            step,
            json!({"status": status, "expected": expected, "tags": {"expected_response": expected.to_string()}}),
        )
    };
    let told = Probe::new([
        status("by default", 404, json!([]), false),
        status("expected", 404, json!([[404, 404]]), true),
        status("in a range", 503, json!([[200, 299], [500, 599]]), true),
        status("not in it", 302, json!([[200, 299]]), false),
        status("good and not expected", 200, json!([[404, 404]]), false),
    ])
    .holds();
    assert_eq!(told.run.metric("http_req_failed", "passes"), 3.0);
}
