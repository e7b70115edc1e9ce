//! Faults of HTTP/1.1 and below it. Each one gives its error code in the sample's tags, and the virtual user goes on.

use std::time::Duration;

use serde_json::{Value, json};

use crate::faulty::{Act, Faulty, GOOD, drip, send};
use crate::probe::{Case, Probe, case};

/// An answer that nobody asked for.
const EVIL: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";

/// A fault and what comes of it.
struct Fault {
    name: &'static str,
    acts: Vec<Act>,
    expected: Value,
}

fn fault(name: &'static str, acts: impl IntoIterator<Item = Act>, expected: Value) -> Fault {
    Fault { name, acts: acts.into_iter().collect(), expected }
}

fn path(name: &str) -> String {
    format!("/{}", name.replace(' ', "-"))
}

/// Each fault in turn, and after each a request that must be answered.
fn cases(server: &Faulty, faults: &[Fault]) -> Vec<Case> {
    let mut cases = Vec::new();
    for Fault { name, expected, .. } in faults {
        cases.push(case(*name, json!({"url": server.url(&path(name)), "timeout": 0.7}), expected.clone()));
        let good = json!({"status": 200, "error_code": 0, "text": "good"});
        // What the server does after its answer must have happened by then.
        let pause = if name.contains("after the answer") { 0.2 } else { 0.0 };
        cases.push(case(format!("{name}; then"), json!({"url": server.url("/good"), "pause": pause}), good));
    }
    cases
}

fn all_hold(faults: Vec<Fault>) -> Faulty {
    let server = Faulty::start(faults.iter().map(|fault| (path(fault.name), fault.acts.clone())));
    Probe::new(cases(&server, &faults)).holds();
    for fault in faults {
        assert_eq!(
            server.requests(&path(fault.name)).len(),
            1,
            "{}: a request that was sent is never repeated",
            fault.name
        );
    }
    server
}

fn failed(code: u16) -> Value {
    json!({"status": 0, "error_code": code})
}

/// The head came, and then something went wrong.
fn cut(code: u16) -> Value {
    json!({"status": 200, "error_code": code})
}

#[test]
fn an_answer_that_breaks_off() {
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    all_hold(vec![
        fault("reset before an answer", [Act::Reset], failed(1220)),
        fault("closed before an answer", [Act::Close], failed(1220)),
        fault("reset in the head", [send("HTTP/1.1 200 OK\r\ncontent-"), Act::Reset], failed(1220)),
        fault("closed in the head", [send("HTTP/1.1 200 OK\r\ncontent-"), Act::Close], failed(1220)),
        fault("reset in the body", [send(&GOOD[..GOOD.len() - 2]), Act::Reset], cut(1220)),
        fault("closed before the length is reached", [send(&GOOD[..GOOD.len() - 2]), Act::Close], cut(1220)),
        fault("chunk cut", [send(CHUNKED), send("10\r\nabc"), Act::Close], cut(1220)),
        fault("chunk reset", [send(CHUNKED), send("10\r\nabc"), Act::Reset], cut(1220)),
        fault("last chunk missing", [send(CHUNKED), send("3\r\nabc\r\n"), Act::Close], cut(1220)),
        fault("end of the last chunk missing", [send(CHUNKED), send("3\r\nabc\r\n0\r\n"), Act::Close], cut(1220)),
    ]);
}

#[test]
fn an_answer_that_is_none() {
    let oversized = format!("HTTP/1.1 200 OK\r\nx-long: {}\r\ncontent-length: 0\r\n\r\n", "x".repeat(1 << 20));
    let numerous: String = (0..5000).map(|number| format!("x-{number}: 1\r\n")).collect();
    let numerous = format!("HTTP/1.1 200 OK\r\n{numerous}content-length: 0\r\n\r\n");
    let chunked = |body: &str| send(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}"));
    all_hold(vec![
        fault("garbage", [send("\x16\x03\x01 this is no HTTP\r\n\r\n"), Act::Hang], failed(1000)),
        fault("a status of letters", [send("HTTP/1.1 abc OK\r\n\r\n"), Act::Hang], failed(1000)),
        fault("HTTP of another world", [send("HTTP/7.3 200 OK\r\n\r\n"), Act::Hang], failed(1000)),
        fault("a header of a megabyte", [send(oversized), Act::Hang], failed(1000)),
        fault("five thousand headers", [send(numerous), Act::Hang], failed(1000)),
        fault("a header with a forged line", [send("HTTP/1.1 200 OK\r\nx\0y: 1\r\n\r\n"), Act::Hang], failed(1000)),
        fault("a chunk size of letters", [chunked("xyz\r\nabc\r\n0\r\n\r\n"), Act::Hang], cut(1000)),
        fault("a negative chunk size", [chunked("-1\r\nabc\r\n0\r\n\r\n"), Act::Hang], cut(1000)),
        fault("a chunk size beyond 64 bits", [chunked("fffffffffffffffff\r\nabc"), Act::Hang], cut(1000)),
        fault("a chunk longer than its size", [chunked("3\r\nabcdef\r\n0\r\n\r\n"), Act::Hang], cut(1000)),
        fault(
            "two lengths",
            [send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcd"), Act::Hang],
            failed(1000),
        ),
        fault(
            "a length of letters",
            [send("HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n"), Act::Hang],
            failed(1000),
        ),
    ]);
}

#[test]
fn an_answer_that_is_slow() {
    let (head, body) = GOOD.split_at(GOOD.len() - 4);
    all_hold(vec![
        fault("silence", [Act::Hang], failed(1050)),
        fault("half a head", [send("HTTP/1.1 200 OK\r\n"), Act::Hang], failed(1050)),
        fault("a head by the byte", drip(head, 50), failed(1050)),
        fault("half a body", [send(head), send("go"), Act::Hang], cut(1050)),
        fault("a body by the byte", [vec![send(head)], drip(body, 400)].concat(), cut(1050)),
        fault(
            "informational for ever",
            std::iter::repeat_n([send("HTTP/1.1 102 Processing\r\n\r\n"), Act::Pause(Duration::from_millis(100))], 100)
                .flatten(),
            failed(1050),
        ),
        fault(
            "slow and in time",
            [send(head), send("go"), Act::Pause(Duration::from_millis(50)), send("od")],
            json!({"status": 200, "text": "good"}),
        ),
    ]);
}

#[test]
fn answers_that_are_odd_and_right() {
    let ok = |text: &str| json!({"status": 200, "error_code": 0, "text": text});
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n";
    let server = all_hold(vec![
        fault(
            "early hints",
            [send(hints), send(GOOD)],
            json!({"status": 200, "text": "good", "headers": {"link": null}}),
        ),
        fault("continue without being asked", [send("HTTP/1.1 100 Continue\r\n\r\n"), send(GOOD)], ok("good")),
        fault("many informational ones", std::iter::repeat_n(send(hints), 20).chain([send(GOOD)]), ok("good")),
        fault("byte by byte", drip(GOOD, 1), ok("good")),
        fault(
            "chunks with extensions",
            [send(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;a=b\r\ngo\r\n2\r\nod\r\n0\r\nx-after: 1\r\n\r\n",
            )],
            ok("good"),
        ),
        fault("until the end", [send("HTTP/1.1 200 OK\r\n\r\ngood"), Act::Close], ok("good")),
        fault(
            "HTTP 1.0",
            [send("HTTP/1.0 200 OK\r\n\r\ngood"), Act::Close],
            json!({"status": 200, "protocol": "HTTP/1.0", "text": "good"}),
        ),
        fault("no reason", [send("HTTP/1.1 200\r\ncontent-length: 4\r\n\r\ngood")], ok("good")),
        fault("closed after the answer", [send(GOOD), Act::Close], ok("good")),
        fault("reset after the answer", [send(GOOD), Act::Pause(Duration::from_millis(50)), Act::Reset], ok("good")),
        fault(
            "not modified with a length",
            [send("HTTP/1.1 304 Not Modified\r\ncontent-length: 4\r\n\r\n")],
            json!({"status": 304, "length": 0}),
        ),
        // In one piece, or with a pause before the next request: bytes that come after that request was sent are an
        // answer to it, as far as any client can tell.
        fault("more than was announced", [send([GOOD, EVIL].concat())], ok("good")),
        fault("more comes after the answer", [send(GOOD), send(EVIL)], ok("good")),
    ]);
    assert!(server.connections() >= 5, "connections that were closed, or had too much on them, are not used again");
}

#[test]
fn no_connection_at_all() {
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("a bound socket has an address")
    };
    let server = Faulty::start([]);
    let good = || case("good", json!({"url": server.url("/good")}), json!({"status": 200}));
    let told = Probe::new([
        case("refused", json!({"url": format!("http://{closed}/")}), failed(1212)),
        case("no such host", json!({"url": "http://no-such-host.invalid/"}), json!({"status": 0})),
        case("no URL", json!({"url": "http://[/"}), failed(1020)),
        case("another scheme", json!({"url": "gopher://127.0.0.1/"}), failed(1020)),
        case("a host that is not granted", json!({"url": "http://elsewhere.test/"}), failed(1111)),
        case("an address that is not granted", json!({"url": "http://127.0.0.2/"}), failed(1110)),
        good(),
    ])
    .args(&["--allow-host", "*.invalid"])
    .holds();
    // Without a name server nobody can say that there is no such host.
    let code = told.of("no such host")["error_code"].as_u64();
    assert!([Some(1100), Some(1101)].contains(&code), "{}", told.of("no such host"));
}
