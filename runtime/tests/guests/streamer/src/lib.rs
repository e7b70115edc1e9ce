//! Several requests at once, and bodies that come and go piece by piece, checked from inside. `PART` says which part; BASE_URL is a server that answers
//! with what the query says, or the target server.

use flashcrowd::prelude::*;

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .env_var(EnvVar::required("PART").help("the function to run"))
        .env_var(EnvVar::required("BASE_URL").help("a server"))
        .env_var(EnvVar::with_default("OTHER_URL", "http://127.0.0.1:1").help("another one"))
}

#[flashcrowd::scenario]
fn run() {
    match env("PART").as_str() {
        "batch" => batch(),
        "batches" => batches(),
        "slow-batch" => drop(http::batch((0..3).map(|_| http::get("/never")))),
        "large-batch" => drop(http::batch((0..1001).map(|_| http::get("/")))),
        "stream" => stream(),
        "left-stream" => left_stream(),
        "kept-streams" => kept_streams(),
        "many-streams" => many_streams(),
        "broken-stream" => broken_stream(),
        "events" => events(),
        "no-events" => no_events(),
        "endless-events" => endless_events(),
        "comments" => comments(),
        "uploads" => uploads(),
        other => fail(format!("there is no part `{other}`")),
    }
}

/// Answers come in the order of the requests; one that fails, or is none, stops no other; each is counted with its own tags.
fn batch() {
    let other = env("OTHER_URL");
    let answers = http::batch([
        http::get("/echo?a"),
        http::post("/echo?b").json(&7).tag("kind", "posted"),
        http::get("no url at all"),
        http::get("http://stranger.test/"),
        http::get("/to?url=/echo%3fc").name("redirected"),
        http::get(format!("{other}/echo?d")),
    ]);
    let statuses: Vec<u16> = answers.iter().map(Response::status).collect();
    check!(statuses, "in order" => |s| *s == [200, 200, 0, 0, 200, 200]);
    let paths: Vec<String> = answers.iter().map(|answer| answer.text().chars().take(60).collect()).collect();
    check!(paths, "each with its own body" => |p| {
        p[0].contains("/echo?a") && p[1].contains("/echo?b") && p[4].contains("/echo?c") && p[5].contains("/echo?d")
    });
    let codes: Vec<u16> = answers.iter().map(Response::error_code).collect();
    check!(codes, "with their codes" => |c| *c == [0, 0, 1020, 1111, 0, 0]);
    check!(http::batch([]), "nothing is nothing" => |a| a.is_empty());
}

/// Twelve requests, twice: the server counts its connections.
fn batches() {
    for _ in 0..2 {
        let answers = http::batch((0..12).map(|_| http::get("/slow-echo")));
        check!(answers, "all came" => |a| a.iter().all(|answer| answer.ok()));
    }
}

/// `/pieces` answers with three lines, each in a chunk of its own, and waits before the second.
fn stream() {
    let mut answer = http::get("/pieces").tag("kind", "stream").stream();
    check!(answer, "has its head" => |a| a.status() == 200 && a.ok() && a.header("x-kind").as_deref() == Some("pieces"));
    let first = answer.read(20).expect("the first");
    check!(first, "the first piece comes alone" => |f| f.as_deref() == Some(&b"one\n"[..]));
    check!(answer.read(0.01), "the second is late" => |p| *p == Err(http::StreamError::Late));
    // That it may go on.
    http::post("/go").send();
    let lines: Vec<String> = answer.lines(20).map(|line| line.expect("a line")).collect();
    check!(lines, "the rest comes in lines" => |l| *l == ["two", "three"]);
    check!(answer.read(1), "the end stays" => |p| *p == Ok(None));
    check!(answer, "was received for a while" => |a| a.timings().receiving >= millis(10));
    // The server counts its connections: both serve on.
    http::batch([http::get("/echo"), http::get("/echo")]);
}

/// Closed before its end: counted as its status says.
fn left_stream() {
    let mut answer = http::get("/endless").stream();
    check!(answer.read(20), "something comes" => |p| matches!(p, Ok(Some(_))));
    answer.close();
    let again = http::get("/endless").stream();
    check!(again, "another one" => |a| a.ok());
}

/// Left open when the iteration ends.
fn kept_streams() {
    std::mem::forget(http::get("/endless").stream());
}

fn many_streams() {
    let streams: Vec<_> = (0..17).map(|_| http::get("/endless").stream()).collect();
    check!(streams, "sixteen are open" => |s| s.iter().take(16).all(|answer| answer.ok()));
    let refused = &streams[16];
    check!(refused, "one more is not" => |r| r.status() == 0 && r.error().is_some_and(|text| text.contains("16 open")));
}

fn broken_stream() {
    let mut answer = http::get("/broken").stream();
    check!(answer.read(20), "something comes" => |p| *p == Ok(Some(b"some".to_vec())));
    let broken = answer.read(20);
    check!(broken, "and breaks off" => |b| matches!(b, Err(http::StreamError::Failed { error_code: 1220, .. })));
    check!(answer, "which it remembers" => |a| a.error_code() == 1220 && a.error().is_some());
    let mut refused = http::get("/status?status=404").stream();
    check!(refused, "what is no success is there at once" => |r| r.status() == 404);
    check!(refused.read(0), "and can be read" => |p| *p == Ok(Some(b"so it is".to_vec())));
}

/// Against the target server.
fn events() {
    let mut ticks = http::events("/events?count=5&every=20");
    check!(ticks, "is a stream of events" => |t| t.status() == 200 && t.error().is_none());
    let mut numbers = Vec::new();
    while let Some(event) = ticks.next(20).expect("an event or the end") {
        check!(event, "is a tick" => |e| e.kind == "tick" && e.retry.is_none());
        numbers.push((event.id.clone(), event.json::<serde_json::Value>().expect("JSON")["number"].as_u64()));
    }
    let expected: Vec<_> = (1..=5).map(|number: u64| (number.to_string(), Some(number))).collect();
    check!(numbers, "in order" => |n| *n == expected);
    check!(ticks.next(1), "the end stays" => |n| *n == Ok(None));
}

fn no_events() {
    let mut wrong = http::events("/echo");
    check!(wrong, "another type is told" => |w| w.error().is_some_and(|text| text.contains("`application/json`")));
    check!(wrong.next(1), "and gives none" => |n| matches!(n, Err(http::StreamError::Failed { .. })));
    let refused = http::events("/status?status=503");
    check!(refused, "another status is told" => |r| {
        r.status() == 503 && r.error_code() == 1503 && r.error().is_some_and(|text| text.contains("503"))
    });
}

fn endless_events() {
    let mut ticks = http::events("/events?count=1000000&every=1000");
    while let Ok(Some(_)) | Err(http::StreamError::Late) = ticks.next(60) {}
}

/// A server that sends nothing but comments, as fast as it can, is late like one that sends nothing.
fn comments() {
    let mut events = http::events("/comments");
    for patience in [0.0, 0.05] {
        check!(events.next(patience), "late" => |n| *n == Err(http::StreamError::Late));
    }
}

fn uploads() {
    let chunked = http::post("/echo").chunked().body(vec![b'x'; 200_000]).send();
    check!(chunked, "arrives in chunks" => |r| {
        r.ok() && r.text().contains("\"transfer-encoding\":\"chunked\"") && !r.text().contains("\"content-length\"")
    });
    let expected = http::post("/echo").expect_continue().body("asked for").send();
    check!(expected, "arrives when it is asked for" => |r| {
        r.text().contains("\"expect\":\"100-continue\"") && r.text().contains("asked for")
    });
    let hosts = http::get("/echo").header("Host", "a").header("host", "b").send();
    check!(hosts, "two hosts are refused" => |r| r.status() == 0 && r.error().is_some_and(|text| text.contains("two `Host`")));
}
