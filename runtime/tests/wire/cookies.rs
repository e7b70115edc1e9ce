//! Cookies by the rules of RFC 6265.

use serde_json::{Value, json};

use crate::probe::{Probe, case};
use crate::servers::{httpbin_url, nginx_saw, nginx_url};

fn echoed(cookie: &str) -> Value {
    json!({"status": 200, "body": {"cookie": cookie}})
}

#[test]
fn they_go_where_they_belong() {
    let at = |path: &str| json!({"url": nginx_url("http", path)});
    Probe::new([
        case("none yet", at("/echo"), echoed("")),
        case(
            "set",
            at("/cookies"),
            json!({"status": 200, "cookies": {"plain": "1", "here": "2", "elsewhere": "3", "hidden": "7"}}),
        ),
        // The longer path first; neither one that is over nor one of another domain. Secure ones go to loopback addresses, as in browsers.
        case("sent", at("/echo"), echoed("here=2; hidden=7; plain=1; secret=4")),
        case("another path", at("/few"), echoed("hidden=7; plain=1; secret=4")),
        case("another port", json!({"url": nginx_url("other", "/few")}), echoed("hidden=7; plain=1; secret=4")),
        case("another host", json!({"url": nginx_url("other", "/echo").replace("127.0.0.1", "localhost")}), echoed("")),
        case(
            "one of its own",
            json!({"url": nginx_url("http", "/few"), "cookies": [["own", "8"], ["plain", "9"]]}),
            json!({"body": {"cookie": "~own=8"}}),
        ),
        case(
            "a header of its own",
            json!({"url": nginx_url("http", "/few"), "headers": [["Cookie", "mine=1"]]}),
            json!({"body": {"cookie": "~mine=1"}}),
        ),
        case(
            "on the way",
            at("/cookie-and-redirect"),
            json!({"status": 200, "redirects": 1, "body": {"cookie": "~hop=1"}}),
        ),
        case(
            "held",
            at("/echo"),
            json!({"held": {"here": "2", "plain": "1", "hop": "1", "secret": "4", "hidden": "7"}}),
        ),
        case("forgotten", json!({"url": nginx_url("http", "/echo"), "clear_cookies": true}), echoed("")),
        case(
            "given",
            json!({"url": nginx_url("http", "/echo"), "set_cookies": ["a=1", "b=2; Path=/echo", "c=3; Path=/nowhere"]}),
            echoed("b=2; a=1"),
        ),
    ])
    .holds();
}

#[test]
fn httpbin_sets_and_deletes_them() {
    let holds = |name: &str, path: &str, cookies: Value| {
        case(name, json!({"url": httpbin_url(path)}), json!({"status": 200, "body": {"cookies": cookies}}))
    };
    let told = Probe::new([
        holds("one", "/cookies/set/one/1", json!({"one": "1"})),
        holds("more", "/cookies/set?two=2&three=3", json!({"one": "1", "two": "2", "three": "3"})),
        holds("less", "/cookies/delete?two", json!({"one": "1", "three": "3"})),
    ])
    .holds();
    assert_eq!(told.of("less")["body"]["cookies"], json!({"one": "1", "three": "3"}), "and no other");
}

#[test]
fn they_live_as_long_as_an_iteration_or_longer() {
    let seen = |mark: &str, reset: bool| {
        let quiet = |path: &str| json!({"url": nginx_url("http", path), "quiet": true});
        let before = case("before", quiet(&format!("/echo?{mark}")), json!({}));
        let probe = Probe::new([before, case("set", quiet("/cookie?who=me"), json!({}))])
            .option("noCookiesReset", json!(!reset));
        probe.args(&["--vus", "1", "--iterations", "3"]).send().exits(0);
        nginx_saw(&format!("/echo?{mark}"))
            .iter()
            .map(|line| line["cookie"].as_str().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(seen("reset", true), ["", "", ""]);
    assert_eq!(seen("no-reset", false), ["", "who=me", "who=me"]);
}
