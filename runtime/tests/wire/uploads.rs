//! Bodies on their way up: files, forms with files, chunks, and servers that are asked first.

use std::time::Duration;

use base64::Engine;
use serde_json::json;

use crate::faulty::{Act, Faulty, GOOD, send};
use crate::probe::{Case, Probe, case};
use crate::servers::{httpbin_url, nginx, nginx_url};
use crate::support::Folder;

fn octets(length: usize) -> Vec<u8> {
    (0..=255).cycle().take(length).collect()
}

/// As httpbin shows what is no text.
fn shown(bytes: &[u8]) -> String {
    format!("data:application/octet-stream;base64,{}", base64::engine::general_purpose::STANDARD.encode(bytes))
}

#[test]
fn files_and_forms_arrive() {
    let folder = Folder::new();
    let text = "쿠폰,1\n".repeat(100);
    let photo = octets(1000);
    let large = octets(900_000);
    let mut grants = Vec::new();
    for (name, bytes) in [("list", text.as_bytes()), ("photo", &photo), ("large", &large)] {
        let path = folder.file(name);
        std::fs::write(&path, bytes).expect("the file is written");
        grants.extend(["--file".to_owned(), format!("{name}={}", path.display())]);
    }
    let step = |method: &str, path: &str, file: &str| json!({"url": httpbin_url(path), "method": method, "file": file});
    let form = json!([{"name": "user", "text": "Ann & \"Bob\" 쿠폰"}, {"name": "notes", "file": "list"}, {"name": "photo", "file": "photo"}, {"name": "more", "bytes": 300}]);
    let files = json!({"notes": text, "photo": shown(&photo), "more": shown(&octets(300))});
    let form = |method: &str, path: &str, chunked: bool| {
        (
            json!({"url": httpbin_url(path), "method": method, "parts": form, "chunked": chunked}),
            json!({"status": 200, "body": {
                "form": {"user": "Ann & \"Bob\" 쿠폰"}, "files": files, "data": "",
                "headers": {"Content-Type": "~multipart/form-data; boundary="},
            }}),
        )
    };
    let arrived = |data: &str| json!({"status": 200, "error_code": 0, "body": {"data": data}});
    let large = |port: &str, chunked: bool| {
        let url = nginx_url(port, "/upload");
        json!({"url": url, "method": "POST", "file": "large", "chunked": chunked})
    };
    let all = json!({"status": 200, "body": {"method": "POST", "length": "900000"}});
    let ((posted, of_posted), (put, of_put), (chunked, of_chunked)) =
        (form("POST", "/post", false), form("PUT", "/put", false), form("POST", "/post", true));
    Probe::new([
        case("a file of text", step("POST", "/post", "list"), arrived(&text)),
        case("a file of every octet", step("POST", "/post", "photo"), arrived(&shown(&photo))),
        case("a file that is put", step("PUT", "/put", "photo"), arrived(&shown(&photo))),
        case("a form with files", posted, of_posted),
        case("a form that is put", put, of_put),
        case("a form in chunks", chunked, of_chunked),
        case("a large file", large("http", false), all.clone()),
        case("over TLS", large("tls13", false), all.clone()),
        case("over HTTP/2", large("https", false), all.clone()),
        case("in chunks", large("http", true), all.clone()),
        case("in chunks over TLS", large("tls13", true), all.clone()),
        case("without a length over HTTP/2", large("https", true), all),
    ])
    .trusting(nginx().fact("authority"))
    .args(&grants.iter().map(String::as_str).collect::<Vec<_>>())
    .holds();
}

#[test]
fn chunks_arrive_as_what_was_in_them() {
    let step = |more: serde_json::Value| {
        let mut step = json!({"url": httpbin_url("/post"), "method": "POST", "chunked": true});
        step.as_object_mut().expect("fields").extend(more.as_object().expect("fields").clone());
        step
    };
    let arrived = |data: &str| json!({"status": 200, "body": {"data": data, "headers": {"Transfer-Encoding": "chunked", "Content-Length": null}}});
    let told = Probe::new([
        case("a text", step(json!({"body": "쿠폰 1"})), arrived("쿠폰 1")),
        case("every octet", step(json!({"bytes": 256})), arrived(&shown(&octets(256)))),
        case(
            "more than one chunk",
            step(json!({"bytes": 200_000})),
            json!({"status": 200, "text": format!("~{}", &shown(&octets(200_000))[..7000])}),
        ),
        case("JSON", step(json!({"json": {"n": [1, null]}})), json!({"body": {"json": {"n": [1, null]}}})),
        case("nothing", step(json!({"body": ""})), json!({"status": 200, "body": {"data": ""}})),
        case(
            "too much for nginx",
            json!({"url": nginx_url("http", "/small-body"), "method": "POST", "bytes": 2000, "chunked": true}),
            json!({"status": 413, "error_code": 1413}),
        ),
        case("after all of them", json!({"url": httpbin_url("/get")}), json!({"status": 200})),
    ])
    .holds();
    assert!(told.of("more than one chunk")["length"].as_u64() > Some(200_000 * 4 / 3), "its base64 is longer");
}

#[test]
fn real_servers_are_asked_before_a_body_is_sent() {
    let asking = |url: String| json!({"url": url, "method": "POST", "bytes": 100_000, "expect_continue": true});
    let wanted = || json!({"status": 200, "error_code": 0, "body": {"method": "POST", "length": "100000"}});
    let told = Probe::new([
        case(
            "httpbin wants it",
            json!({"url": httpbin_url("/post"), "method": "POST", "body": "wanted", "expect_continue": true}),
            json!({"status": 200, "body": {"data": "wanted", "headers": {"Expect": "100-continue"}}}),
        ),
        case("nginx wants it", asking(nginx_url("http", "/upload")), wanted()),
        case("nginx wants it over TLS", asking(nginx_url("tls13", "/upload")), wanted()),
        // Over HTTP/2 nginx never says a word before its answer.
        case("nginx gets it over HTTP/2", asking(nginx_url("https", "/upload")), wanted()),
    ])
    .trusting(nginx().fact("authority"))
    .holds();
    assert!(told.run.metric("data_sent", "count") > 300_000.0);

    let refused = || json!({"status": 413, "error_code": 1413});
    let told = Probe::new([
        case("too much", asking(nginx_url("http", "/small-body")), refused()),
        case("too much over TLS", asking(nginx_url("tls13", "/small-body")), refused()),
        case("too much over HTTP/2", asking(nginx_url("https", "/small-body")), refused()),
        case("then", json!({"url": nginx_url("http", "/short.txt")}), json!({"status": 200})),
    ])
    .trusting(nginx().fact("authority"))
    .holds();
    assert!(told.run.metric("data_sent", "count") < 100_000.0, "not one of the bodies was sent");
}

#[test]
fn servers_that_answer_the_question_as_they_like() {
    const BODY: usize = 100_000;
    let empty = |status: &str| send(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n"));
    let go_on = || send("HTTP/1.1 100 Continue\r\n\r\n");
    let good = || json!({"status": 200, "error_code": 0, "text": "good"});
    let late = Act::Pause(Duration::from_millis(1500));
    // Whether the body is sent, and what is done: the question leaves the body to the script.
    let table = [
        ("wanted", true, Some(vec![go_on(), Act::TakeBody, send(GOOD)]), good()),
        (
            "wanted after hints",
            true,
            Some(vec![send("HTTP/1.1 103 Early Hints\r\n\r\n"), go_on(), Act::TakeBody, send(GOOD)]),
            good(),
        ),
        ("never answered", true, None, good()),
        ("answered too late", true, Some(vec![late, go_on(), Act::TakeBody, send(GOOD)]), good()),
        (
            "wanted and then reset",
            true,
            Some(vec![go_on(), Act::TakeBody, Act::Reset]),
            json!({"status": 0, "error_code": 1220}),
        ),
        (
            "wanted and then silent",
            true,
            Some(vec![go_on(), Act::TakeBody, Act::Hang]),
            json!({"status": 0, "error_code": 1050}),
        ),
        (
            "failed",
            false,
            Some(vec![empty("417 Expectation Failed"), Act::Hang]),
            json!({"status": 417, "error_code": 1417}),
        ),
        (
            "not allowed",
            false,
            Some(vec![empty("401 Unauthorized"), Act::Hang]),
            json!({"status": 401, "error_code": 1401}),
        ),
        ("answered without it", false, Some(vec![send(GOOD), Act::Hang]), good()),
        ("closed instead", false, Some(vec![Act::Close]), json!({"status": 0, "error_code": 1220})),
        ("reset instead", false, Some(vec![Act::Reset]), json!({"status": 0, "error_code": 1220})),
    ];
    let path = |name: &str| format!("/{}", name.replace(' ', "-"));
    let script = table.iter().filter_map(|(name, _, acts, _)| Some((path(name), acts.clone()?)));
    let server = Faulty::start(script);
    let mut cases: Vec<Case> = Vec::new();
    for (name, _, _, expected) in &table {
        let step = json!({"url": server.url(&path(name)), "method": "POST", "bytes": BODY, "expect_continue": true, "timeout": 3.0});
        cases.push(case(*name, step, expected.clone()));
        cases.push(case(format!("{name}; then"), json!({"url": server.url("/good")}), good()));
    }
    let told = Probe::new(cases).holds();
    let sent = table.iter().filter(|(_, sent, ..)| *sent).count() as f64;
    let bodies = told.run.metric("data_sent", "count") / BODY as f64;
    assert!((sent..sent + 0.5).contains(&bodies), "{bodies} bodies were sent, and not {sent}");
    for (name, ..) in &table {
        assert_eq!(server.requests(&path(name)).len(), 1, "{name}: a request that was sent is never repeated");
    }
}
