//! What must never happen.

use serde_json::{Value, json};

use crate::faulty::{Faulty, send};
use crate::probe::{Probe, case};
use crate::servers::{nginx, nginx_saw, nginx_url};

#[test]
fn cookies_of_one_virtual_user_never_reach_another() {
    const VUS: usize = 20;
    for (mark, kept) in [("jar-kept", true), ("jar-reset", false)] {
        let quiet = |port: &str, path: String| json!({"url": nginx_url(port, &path), "quiet": true});
        let told = Probe::new([
            case("before", quiet("http", format!("/echo?{mark}-before={{vu}}")), json!({})),
            case("set", quiet("http", "/cookie?who={vu}".to_owned()), json!({})),
            case("after", quiet("http", format!("/echo?{mark}-after={{vu}}")), json!({})),
            // Over HTTP/2 as well, where several requests share a connection.
            case("over HTTP/2", quiet("https", format!("/echo?{mark}-after={{vu}}")), json!({})),
        ])
        .args(&["--ca-cert", nginx().fact("authority"), "--vus", &VUS.to_string(), "--iterations", "100"])
        .option("noCookiesReset", json!(kept))
        .send()
        .exits(0);
        assert_eq!(told.run.metric("http_req_failed", "passes"), 0.0);
        let (before, after) = (nginx_saw(&format!("{mark}-before=")), nginx_saw(&format!("{mark}-after=")));
        assert_eq!((before.len(), after.len()), (100, 200));
        for line in before.iter().chain(&after) {
            let vu = line["uri"].as_str().and_then(|uri| uri.rsplit('=').next()).expect("its own number");
            let cookie = line["cookie"].as_str().expect("a text");
            let first = line["uri"].as_str().is_some_and(|uri| uri.contains("before"));
            assert!(
                cookie == format!("who={vu}") || first && cookie.is_empty(),
                "virtual user {vu} brought {cookie:?}"
            );
            assert!(kept || !first || cookie.is_empty(), "an iteration begins without cookies: {cookie:?}");
        }
    }
}

#[test]
fn credentials_are_never_carried_to_another_host() {
    let bearer = json!([
        ["Authorization", "Bearer s3cret"],
        ["Cookie", "token=s3cret"],
        ["Proxy-Authorization", "Basic s3cret"]
    ]);
    let arrives =
        |authorization: &str| json!({"status": 200, "redirects": 1, "body": {"authorization": authorization}});
    let nothing = || json!({"status": 200, "redirects": 1, "body": {"authorization": "", "cookie": ""}});
    let with_user = |url: String| url.replace("://", "://ann:s3cret@");
    Probe::new([
        case(
            "to the same host",
            json!({"url": nginx_url("http", "/302"), "headers": bearer}),
            arrives("Bearer s3cret"),
        ),
        case("to another host", json!({"url": nginx_url("http", "/to-other"), "headers": bearer}), nothing()),
        case(
            "with a body",
            json!({"url": nginx_url("http", "/to-other-307"), "method": "POST", "body": "x", "headers": bearer}),
            nothing(),
        ),
        case("basic", json!({"url": nginx_url("http", "/to-other"), "basic": ["ann", "s3cret"]}), nothing()),
        case("bearer", json!({"url": nginx_url("http", "/to-other"), "bearer": "s3cret"}), nothing()),
        case("in the URL", json!({"url": with_user(nginx_url("http", "/to-other"))}), nothing()),
        case(
            "in the URL, to the same host",
            json!({"url": with_user(nginx_url("http", "/302"))}),
            arrives("Basic YW5uOnMzY3JldA=="),
        ),
        case("from TLS", json!({"url": nginx_url("https", "/to-http"), "headers": bearer}), nothing()),
        case("to TLS", json!({"url": nginx_url("http", "/to-https"), "headers": bearer}), nothing()),
        case("over HTTP/2", json!({"url": nginx_url("https", "/to-other"), "headers": bearer}), nothing()),
    ])
    .args(&["--ca-cert", nginx().fact("authority")])
    .holds();
    let log = nginx_saw("/echo");
    let others: Vec<&Value> = log
        .iter()
        .filter(|line| {
            ["other", "https-other"].iter().any(|name| nginx_url(name, "").ends_with(&format!(":{}", line["port"])))
        })
        .collect();
    assert!(others.len() >= 6 && others.iter().all(|line| line["authorization"] == ""), "{others:?}");
}

#[test]
fn redirects_to_hosts_that_are_not_granted_are_not_followed() {
    let forbidden = Faulty::start([]);
    let to = |location: String| {
        vec![send(format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"))]
    };
    let named = forbidden.url("/secret").replace("127.0.0.1", "localhost");
    let ways = [
        ("an address", forbidden.url("/secret"), 1110),
        ("a name", named.clone(), 1111),
        ("no scheme", named.trim_start_matches("http:").to_owned(), 1111),
        ("TLS", named.replace("http:", "https:"), 1111),
        ("credentials", named.replace("://", "://ann:s3cret@"), 1111),
        ("another notation", forbidden.url("/secret").replace("127.0.0.1", "0x7f.1"), 1110),
        ("a decimal notation", forbidden.url("/secret").replace("127.0.0.1", "2130706433"), 1110),
        ("IPv6", forbidden.url("/secret").replace("127.0.0.1", "[::ffff:127.0.0.1]"), 1110),
    ];
    let granted = Faulty::start(
        ways.iter().enumerate().map(|(number, (_, location, _))| (format!("/{number}"), to(location.clone()))),
    );
    let cases = ways.iter().enumerate().flat_map(|(number, (name, _, code))| {
        [
            case(*name, json!({"url": granted.url(&format!("/{number}"))}), json!({"status": 0, "error_code": code})),
            case(format!("{name}; then"), json!({"url": granted.url("/good")}), json!({"status": 200, "text": "good"})),
        ]
    });
    let authority = granted.url("").replace("http://", "");
    Probe::new(cases).without_grants().args(&["--allow-host", &authority]).holds();
    assert_eq!(
        (forbidden.all_requests(), forbidden.connections()),
        (0, 0),
        "nothing is sent there, and nobody connects"
    );
    assert_eq!(granted.all_requests(), 2 * ways.len());
}
