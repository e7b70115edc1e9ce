//! Answers that are read as they come, and Server-Sent Events.

use std::time::Duration;

use serde_json::{Value, json};

use crate::faulty::Http2Act::{Frame, Hang, Pause, Reset};
use crate::faulty::{Act, Certificates, DATA, END_HEADERS, Faulty, GOOD, HEADERS, RST_STREAM, send};
use crate::probe::{Case, Probe, case, hash};
use crate::servers::{httpbin_url, nginx, nginx_saw, nginx_url};

const PAUSE: Act = Act::Pause(Duration::from_millis(50));

#[test]
fn httpbin_is_the_same_whole_and_piece_by_piece() {
    let paths = [
        "/stream/20",
        "/stream-bytes/100000?seed=1&chunk_size=777",
        "/drip?numbytes=10&duration=1&delay=0.2",
        "/delay/0.3",
        "/bytes/100000?seed=2",
        "/image/png",
        "/redirect-to?url=/get",
    ];
    let mut cases = Vec::new();
    for path in paths {
        let url = httpbin_url(path);
        let expected = json!({"status": 200, "error_code": 0});
        cases.push(case(format!("{path} whole"), json!({"url": url}), expected));
        let expected = json!({"status": 200, "error_code": 0, "error": null, "end": "end"});
        cases.push(case(format!("{path} in pieces"), json!({"url": url, "stream": true}), expected));
    }
    let refused = json!({"status": 404, "error_code": 1404, "end": "end", "length": 0});
    cases.push(case("no success", json!({"url": httpbin_url("/status/404"), "stream": true}), refused));
    let teapot = json!({"status": 418, "text": "~teapot", "end": "end"});
    cases.push(case("no success with a body", json!({"url": httpbin_url("/status/418"), "stream": true}), teapot));
    cases.push(case("inflated", json!({"url": httpbin_url("/gzip")}), json!({"body": {"gzipped": true}})));
    let as_sent = json!({"status": 200, "body": null, "headers": {"content-encoding": "gzip"}});
    cases.push(case("as it was sent", json!({"url": httpbin_url("/gzip"), "stream": true}), as_sent));
    let told = Probe::new(cases).holds();
    for path in paths {
        let (whole, pieces) = (told.of(&format!("{path} whole")), told.of(&format!("{path} in pieces")));
        assert_eq!((&whole["length"], &whole["hash"]), (&pieces["length"], &pieces["hash"]), "{path}");
    }
    let drip = told.of("/drip?numbytes=10&duration=1&delay=0.2 in pieces");
    assert!(drip["pieces"].as_u64() > Some(1), "ten octets in a second come one by one: {drip}");
    assert_eq!(told.run.metric("http_req_failed", "passes"), 2.0);
}

#[test]
fn the_connection_serves_on_after_a_stream_that_was_read_to_its_end() {
    let noise = std::fs::read(nginx().folder().join("files/noise.bin")).expect("nginx has this file");
    for (port, protocol, after) in [("http", "HTTP/1.1", 1), ("tls13", "HTTP/1.1", 1), ("https", "HTTP/2.0", 4)] {
        let url = |mark: &str| nginx_url(port, &format!("/noise.bin?streams-{port}-{mark}"));
        let whole = || {
            json!({
                "status": 200, "protocol": protocol, "length": noise.len(), "hash": hash(&noise), "end": "end",
                "headers": {"content-length": noise.len().to_string()},
            })
        };
        let told = Probe::new([
            case("first", json!({"url": url("first"), "stream": true}), whole()),
            case("second", json!({"url": url("second"), "stream": true}), whole()),
            case(
                "left",
                json!({"url": url("left"), "stream": true, "leave": 1}),
                json!({"status": 200, "error_code": 0, "end": "left"}),
            ),
            case("after", json!({"url": url("after")}), json!({"status": 200, "hash": hash(&noise)})),
        ])
        .trusting(nginx().fact("authority"))
        .holds();
        assert!(told.of("left")["length"].as_u64() < Some(noise.len() as u64), "{port}");
        assert_eq!(told.run.metric("http_req_failed", "passes"), 0.0, "{port}");
        assert_eq!(told.run.metric("http_reqs", "count"), 4.0, "{port}");
        let nth = |mark: &str| match &nginx_saw(&format!("streams-{port}-{mark}"))[..] {
            [line] => line["nth"].as_u64().expect("a number"),
            lines => panic!("{port}: {} requests {mark}", lines.len()),
        };
        // What was left half-read is of no use any more: over HTTP/1.1 the connection, over HTTP/2 the stream.
        assert_eq!([nth("first"), nth("second"), nth("after")], [1, 2, after], "{port}");
    }
}

/// A step that is done to one path, and after it a request that must be answered.
fn and_on(server: &Faulty, faults: &[(&str, Vec<Act>, Value)], step: &Value) -> Vec<Case> {
    let good = || json!({"status": 200, "error_code": 0, "text": "good"});
    let mut cases = Vec::new();
    for (name, _, expected) in faults {
        let mut step = step.clone();
        step["url"] = json!(server.url(&path(name)));
        cases.push(case(*name, step, expected.clone()));
        cases.push(case(format!("{name}; then"), json!({"url": server.url("/good")}), good()));
    }
    cases
}

fn path(name: &str) -> String {
    format!("/{}", name.replace(' ', "-"))
}

fn started(faults: &[(&str, Vec<Act>, Value)]) -> Faulty {
    Faulty::start(faults.iter().map(|(name, acts, _)| (path(name), acts.clone())))
}

#[test]
fn streams_that_break_off() {
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nsome\r\n";
    const SIZED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome";
    let failed = |code: u16| json!({"status": 200, "error_code": code, "text": "some", "end": "failed"});
    let faults = [
        ("reset in the body", vec![send(SIZED), PAUSE, Act::Reset], failed(1220)),
        ("closed in the body", vec![send(SIZED), Act::Close], failed(1220)),
        ("reset between chunks", vec![send(CHUNKED), PAUSE, Act::Reset], failed(1220)),
        ("closed between chunks", vec![send(CHUNKED), Act::Close], failed(1220)),
        ("a chunk of letters", vec![send(CHUNKED), PAUSE, send("xyz\r\n"), Act::Hang], failed(1000)),
        (
            "silence in the body",
            vec![send(SIZED), Act::Hang],
            json!({"status": 200, "error_code": 0, "text": "some", "end": "late"}),
        ),
        ("until the end", vec![send("HTTP/1.1 200 OK\r\n\r\nsome"), Act::Close], json!({"text": "some", "end": "end"})),
        ("closed before", vec![Act::Close], json!({"status": 0, "error_code": 1220, "end": "failed", "pieces": 0})),
        ("silence before", vec![Act::Hang], json!({"status": 0, "error_code": 1050, "end": "failed", "pieces": 0})),
    ];
    let server = started(&faults);
    let step = json!({"stream": true, "patience": 0.5, "timeout": 0.7});
    let told = Probe::new(and_on(&server, &faults, &step)).holds();
    assert_eq!(told.run.metric("http_req_failed", "passes"), 7.0, "neither what was late nor what was left");
    for (name, ..) in &faults {
        assert_eq!(server.requests(&path(name)).len(), 1, "{name}: a request that was sent is never repeated");
    }

    // 0x88 is `:status: 200`, and 8 is CANCEL.
    let head = || vec![Frame(HEADERS, END_HEADERS, vec![0x88]), Frame(DATA, 0, b"some".to_vec())];
    let pause = || Pause(Duration::from_millis(50));
    let faults = [
        ("stream reset", vec![pause(), Frame(RST_STREAM, 0, vec![0, 0, 0, 8])], "failed", 1639),
        ("connection reset", vec![pause(), Reset], "failed", 1220),
        ("silence", vec![Hang], "late", 0),
    ];
    let servers: Vec<Faulty> =
        faults.iter().map(|(_, acts, ..)| Faulty::start_http2([head(), acts.clone()].concat())).collect();
    let cases = faults.iter().zip(&servers).flat_map(|((name, _, end, code), server)| {
        let step = json!({"url": server.url("/"), "stream": true, "patience": 0.5});
        let expected = json!({"status": 200, "protocol": "HTTP/2.0", "error_code": code, "text": "some", "end": end});
        let good = json!({"status": 200, "error_code": 0, "text": "good"});
        [case(*name, step, expected), case(format!("{name}; then"), json!({"url": server.url("/")}), good)]
    });
    // What was silent says nothing to a second request either: that goes on another connection.
    Probe::new(cases.filter(|case| !case.is_named("silence; then")))
        .trusting(Certificates::get().authority_file())
        .holds();
}

#[test]
fn events_from_servers_of_every_kind() {
    const EVENTS: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n";
    let chunked = |body: &str| {
        let head = format!("{EVENTS}transfer-encoding: chunked\r\n\r\n");
        send(format!("{head}{:x}\r\n{body}\r\n", body.len()))
    };
    let whole = "id: 1\ndata: a\ndata: b\n\n: a comment\r\n\r\nevent: tick\rdata: 쿠폰\r\r";
    let both = json!([["1", "message", "a\nb"], ["1", "tick", "쿠폰"]]);
    let half = "data: first\n\ndata: sec";
    let first = json!([["", "message", "first"]]);
    let broken = || json!({"status": 200, "error_code": 1220, "events": first, "end": "failed"});
    let endless = format!("{EVENTS}\r\ndata: first\n\ndata: {}", "x".repeat(2 << 20));
    let late = json!({"status": 200, "error_code": 0, "events": [], "end": "late"});
    let faults = [
        (
            "whole",
            vec![chunked(whole), PAUSE, send("0\r\n\r\n")],
            json!({"status": 200, "error_code": 0, "error": null, "events": both, "end": "end"}),
        ),
        ("closed in the middle of an event", vec![chunked(half), Act::Close], broken()),
        ("reset in the middle of an event", vec![chunked(half), PAUSE, Act::Reset], broken()),
        (
            "over in the middle of an event",
            vec![send(format!("{EVENTS}\r\n{half}")), Act::Close],
            json!({"status": 200, "error_code": 0, "events": first, "end": "end"}),
        ),
        (
            "an event without end",
            vec![send(endless), Act::Hang],
            json!({"status": 200, "error_code": 1000, "events": first, "end": "failed", "error": "~event"}),
        ),
        ("comments alone", vec![chunked(": a\n\n: b\n\n"), Act::Hang], late),
        (
            "another type",
            vec![send(GOOD)],
            json!({"status": 200, "events": [], "end": "failed", "error": "~text/event-stream"}),
        ),
        (
            "another status",
            vec![send(format!("{}content-length: 0\r\n\r\n", EVENTS.replace("200 OK", "503 No")))],
            json!({"status": 503, "error_code": 1503, "events": [], "end": "failed", "error": "~503"}),
        ),
        (
            "no content",
            vec![send("HTTP/1.1 204 No Content\r\n\r\n")],
            json!({"status": 204, "error_code": 0, "events": [], "end": "end"}),
        ),
    ];
    let server = started(&faults);
    let told = Probe::new(and_on(&server, &faults, &json!({"events": true, "patience": 0.5, "timeout": 5.0}))).holds();
    assert_eq!(told.run.metric("sse_events", "count"), 6.0);
    assert_eq!(told.run.metric("http_req_failed", "passes"), 4.0);
    let asked = server.requests(&path("whole"));
    assert!(asked[0].to_lowercase().contains("\r\naccept: text/event-stream\r\n"), "{asked:?}");
}
