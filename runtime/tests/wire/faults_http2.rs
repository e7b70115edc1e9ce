//! Faults of HTTP/2.

use std::time::Duration;

use serde_json::{Value, json};

use crate::faulty::Http2Act::{Bytes, Close, Finish, Frame, FrameOn, Hang, Pause, Reset};
use crate::faulty::{
    Certificates, DATA, END_HEADERS, END_STREAM, Faulty, GOAWAY, HEADERS, Http2Act, RST_STREAM, SETTINGS, WINDOW_UPDATE,
};
use crate::probe::{Probe, case};

/// The error codes of RFC 9113, section 7.
const CODES: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

/// Each server does something to its first request; a second one must be answered.
fn all_hold(faults: Vec<(String, Vec<Http2Act>, Value)>) -> Vec<Faulty> {
    let servers: Vec<Faulty> = faults.iter().map(|(_, acts, _)| Faulty::start_http2(acts.clone())).collect();
    let cases = faults.iter().zip(&servers).flat_map(|((name, _, expected), server)| {
        let good = json!({"status": 200, "error_code": 0, "text": "good", "protocol": "HTTP/2.0"});
        [
            case(name.clone(), json!({"url": server.url("/"), "timeout": 1.0}), expected.clone()),
            case(format!("{name}; then"), json!({"url": server.url("/")}), good),
        ]
    });
    Probe::new(cases).trusting(Certificates::get().authority_file()).holds();
    servers
}

fn failed(code: u32) -> Value {
    json!({"status": 0, "error_code": code})
}

/// The head came, and then something went wrong.
fn cut(code: u32) -> Value {
    json!({"status": 200, "error_code": code})
}

fn numbered() -> impl Iterator<Item = (u32, &'static str)> {
    (0..).zip(CODES)
}

/// 0x88 is `:status: 200`.
fn head() -> Http2Act {
    Frame(HEADERS, END_HEADERS, vec![0x88])
}

#[test]
fn goaway_with_each_code() {
    let faults = numbered().map(|(code, name)| {
        // The last stream that was looked at is the request's own: it may have had its effect.
        let payload = [1_u32.to_be_bytes(), code.to_be_bytes()].concat();
        (format!("GOAWAY {name}"), vec![FrameOn(0, GOAWAY, 0, payload), Close], failed(1611 + code))
    });
    let servers = all_hold(faults.collect());
    for server in servers {
        assert_eq!(server.all_requests(), 2, "a request that may have been processed is never repeated");
    }
}

#[test]
fn goaway_before_the_request_was_looked_at() {
    let faults = [0, 1, 2, 11].map(|code: u32| {
        let payload = [0_u32.to_be_bytes(), code.to_be_bytes()].concat();
        (format!("GOAWAY {code}"), vec![FrameOn(0, GOAWAY, 0, payload), Close], failed(1611 + code))
    });
    all_hold(faults.to_vec());
}

#[test]
fn stream_reset_with_each_code() {
    let faults = numbered().map(|(code, name)| {
        (format!("RST_STREAM {name}"), vec![Frame(RST_STREAM, 0, code.to_be_bytes().to_vec())], failed(1631 + code))
    });
    for (server, name) in all_hold(faults.collect()).iter().zip(CODES) {
        assert_eq!(server.connections(), 1, "{name}: the connection goes on");
    }
    let faults = numbered().map(|(code, name)| {
        let acts = vec![head(), Frame(DATA, 0, b"begun".to_vec()), Frame(RST_STREAM, 0, code.to_be_bytes().to_vec())];
        (format!("RST_STREAM in the body {name}"), acts, cut(1631 + code))
    });
    all_hold(faults.collect());
}

#[test]
fn connections_that_break_the_protocol() {
    let broken = |name: &str, acts: Vec<Http2Act>, code: u32| {
        (name.to_owned(), [acts, vec![Hang]].concat(), failed(1651 + code))
    };
    all_hold(vec![
        broken("data on the connection itself", vec![FrameOn(0, DATA, 0, b"x".to_vec())], 1),
        broken("data on a stream that nobody opened", vec![FrameOn(99, DATA, 0, b"x".to_vec())], 1),
        broken("a window that does not grow", vec![FrameOn(0, WINDOW_UPDATE, 0, vec![0; 4])], 1),
        broken("a window beyond bounds", vec![FrameOn(0, WINDOW_UPDATE, 0, vec![0x7f, 0xff, 0xff, 0xff])], 3),
        broken("a head that cannot be unpacked", vec![Frame(HEADERS, END_HEADERS | END_STREAM, vec![0xff; 8])], 1),
        broken("a frame that is too long", vec![Bytes(vec![0xff, 0xff, 0xff, DATA, 0, 0, 0, 0, 1])], 6),
        broken("settings of a wrong size", vec![FrameOn(0, SETTINGS, 0, vec![1, 2, 3])], 1),
    ]);
}

#[test]
fn connections_that_break_off() {
    let told = |name: &str, acts: Vec<Http2Act>, expected: Value| (name.to_owned(), acts, expected);
    let begun = || Frame(DATA, 0, b"begun".to_vec());
    all_hold(vec![
        told("closed before an answer", vec![Close], failed(1220)),
        told("finished before an answer", vec![Finish], failed(1220)),
        told("reset before an answer", vec![Reset], failed(1220)),
        told("closed in the body", vec![head(), begun(), Close], cut(1220)),
        told("finished in the body", vec![head(), begun(), Finish], cut(1220)),
        // A reset overtakes what was not read yet.
        told("reset in the body", vec![head(), begun(), Pause(Duration::from_millis(200)), Reset], cut(1220)),
        told("closed in a frame", vec![Bytes(vec![0, 0, 10, DATA, 0, 0, 0, 0, 1, b'x']), Close], failed(1220)),
        told(
            "GOAWAY in the body",
            vec![head(), begun(), FrameOn(0, GOAWAY, 0, vec![0, 0, 0, 1, 0, 0, 0, 2]), Finish],
            cut(1613),
        ),
        // Nothing is broken, but nothing comes either: the next request does not wait on the same connection.
        told("silence", vec![Hang], failed(1050)),
        told("silence in the body", vec![head(), begun(), Hang], cut(1050)),
    ]);
}

#[test]
fn answers_that_are_odd_and_right() {
    let ok = |text: &str| json!({"status": 200, "error_code": 0, "text": text, "protocol": "HTTP/2.0"});
    // 0x08: a literal whose name is that of `:status`.
    let hints = || Frame(HEADERS, END_HEADERS, b"\x08\x03103".to_vec());
    let data = |text: &str, flags| Frame(DATA, flags, text.as_bytes().to_vec());
    let odd = |name: &str, acts: Vec<Http2Act>, expected| (name.to_owned(), acts, expected);
    all_hold(vec![
        odd("early hints", vec![hints(), hints(), head(), data("hinted", END_STREAM)], ok("hinted")),
        odd(
            "in pieces",
            vec![head(), data("in ", 0), Pause(Duration::from_millis(50)), data("", 0), data("pieces", END_STREAM)],
            ok("in pieces"),
        ),
        odd("no body", vec![Frame(HEADERS, END_HEADERS | END_STREAM, vec![0x88])], ok("")),
        odd(
            "a frame of an unknown type",
            vec![FrameOn(0, 0xee, 0, b"what".to_vec()), head(), data("x", END_STREAM)],
            ok("x"),
        ),
        odd("ping first", vec![FrameOn(0, 6, 0, vec![0; 8]), head(), data("x", END_STREAM)], ok("x")),
        odd(
            "the last words after the answer",
            vec![head(), data("x", END_STREAM), FrameOn(0, GOAWAY, 0, vec![0, 0, 0, 1, 0, 0, 0, 0]), Close],
            ok("x"),
        ),
    ]);
}
