//! Redirects, each hop a sample, and what goes with them.

use serde_json::{Value, json};

use crate::probe::{Case, Probe, case};
use crate::servers::{httpbin_url, nginx, nginx_url};

/// How many requests of this name there were.
fn hops(name: &str) -> String {
    format!("http_reqs{{name:{name}}}")
}

/// Holds, with a count of the requests of each name.
#[track_caller]
fn with_hops(cases: Vec<Case>, expected: &[(&str, f64)]) {
    let thresholds: serde_json::Map<String, Value> =
        expected.iter().map(|(name, _)| (hops(name), json!(["count>=0"]))).collect();
    let told = Probe::new(cases)
        .args(&["--ca-cert", nginx().fact("authority")])
        .option("thresholds", Value::Object(thresholds))
        .holds();
    for (name, count) in expected {
        assert_eq!(told.run.metric(&hops(name), "count"), *count, "{name}: each hop is a sample");
    }
}

#[test]
fn methods_and_bodies_on_their_way() {
    let step = |method: &str, code: u16| json!({"url": nginx_url("http", &format!("/{code}")), "method": method, "body": "12345"});
    let landed = |method: &str, length: &str| json!({"status": 200, "url": nginx_url("http", "/echo"), "redirects": 1, "body": {"method": method, "length": length}});
    let mut cases: Vec<Case> =
        [301, 302, 303].map(|code| case(format!("POST {code}"), step("POST", code), landed("GET", ""))).into();
    cases.extend([307, 308].map(|code| case(format!("POST {code}"), step("POST", code), landed("POST", "5"))));
    cases.extend([301, 302, 303, 307, 308].map(|code| {
        case(format!("GET {code}"), json!({"url": nginx_url("http", &format!("/{code}"))}), landed("GET", ""))
    }));
    cases.push(case(
        "HEAD",
        json!({"url": nginx_url("http", "/302"), "method": "HEAD"}),
        json!({"status": 200, "redirects": 1, "length": 0, "url": nginx_url("http", "/echo")}),
    ));
    with_hops(cases, &[("POST 301", 2.0), ("GET 308", 2.0), ("HEAD", 2.0)]);
}

#[test]
fn where_they_lead() {
    let to = |name: &str, url: String, landed: String, hops: u32| {
        case(name, json!({"url": url}), json!({"status": 200, "error_code": 0, "url": landed, "redirects": hops}))
    };
    let nginx_to = |path: &str, landed: &str, hops| {
        to(path.trim_start_matches('/'), nginx_url("http", path), nginx_url("http", landed), hops)
    };
    with_hops(
        vec![
            nginx_to("/relative", "/echo", 1),
            nginx_to("/query", "/echo?from=query", 1),
            nginx_to("/three", "/echo", 3),
            to("to TLS", nginx_url("http", "/to-https"), nginx_url("https", "/echo"), 1),
            to("from TLS", nginx_url("https", "/to-http"), nginx_url("http", "/echo"), 1),
            to("httpbin relative", httpbin_url("/relative-redirect/3"), httpbin_url("/get"), 3),
            to("httpbin absolute", httpbin_url("/absolute-redirect/3"), httpbin_url("/get"), 3),
            to(
                "httpbin anywhere",
                httpbin_url("/redirect-to?url=/anything/else&status_code=307"),
                httpbin_url("/anything/else"),
                1,
            ),
        ],
        &[("three", 4.0), ("to TLS", 2.0), ("httpbin relative", 4.0)],
    );
}

#[test]
fn where_they_end() {
    let stays = |name: &str, step: Value, hops: u32| {
        case(name, step, json!({"status": 302, "error_code": 0, "redirects": hops}))
    };
    with_hops(
        vec![
            stays("without end", json!({"url": nginx_url("http", "/loop")}), 10),
            stays("not followed", json!({"url": nginx_url("http", "/302"), "redirects": 0}), 0),
            stays("two of three", json!({"url": nginx_url("http", "/three"), "redirects": 2}), 2),
            stays("leading nowhere", json!({"url": nginx_url("http", "/nowhere-to-go")}), 0),
        ],
        &[("without end", 11.0), ("not followed", 1.0), ("two of three", 3.0)],
    );
    let one =
        json!({"status": 302, "redirects": 1, "url": nginx_url("http", "/two"), "headers": {"location": "~/one"}});
    Probe::new([case("by the flag", json!({"url": nginx_url("http", "/three")}), one)])
        .args(&["--max-redirects", "1"])
        .holds();
}
