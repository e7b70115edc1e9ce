//! Several requests at once, and bodies that come and go piece by piece: a compiled scenario checks them from inside, and the server and the samples are
//! looked at from outside.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::support::{Folder, Run, Server, guest, run};

/// A server that the module `streamer` is written for. Its threads end with the process.
struct Pieces {
    url: String,
    connections: Arc<AtomicUsize>,
    /// Requests being answered at once, at most.
    most: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Shared {
    connections: Arc<AtomicUsize>,
    now: AtomicUsize,
    most: Arc<AtomicUsize>,
    /// `/go` was asked for.
    gone: Mutex<bool>,
    going: Condvar,
}

impl Pieces {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = Arc::new(Shared::default());
        let (connections, most) = (Arc::clone(&shared.connections), Arc::clone(&shared.most));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                let number = shared.connections.fetch_add(1, SeqCst);
                std::thread::spawn(move || serve(&stream, number, &shared));
            }
        });
        Self { url, connections, most }
    }
}

/// Answers the requests of one connection until somebody closes it.
fn serve(stream: &TcpStream, connection: usize, shared: &Shared) -> Option<()> {
    let mut input = BufReader::new(stream);
    let mut output = stream;
    loop {
        let mut first = String::new();
        input.read_line(&mut first).ok().filter(|bytes| *bytes > 0)?;
        let path = first.split(' ').nth(1)?.to_owned();
        let mut headers = Map::new();
        loop {
            let mut line = String::new();
            input.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.insert(name.to_lowercase(), json!(value));
        }
        if headers.contains_key("expect") {
            // Long enough that a body which does not wait would be seen: the next line read would be its.
            std::thread::sleep(Duration::from_millis(50));
            assert!(input.buffer().is_empty(), "the body came before it was asked for");
            output.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
        }
        let body = body(&mut input, &headers)?;
        let query = path.split_once('=').map_or("", |(_, value)| value).replace("%3f", "?");
        match path.split('?').next()? {
            "/to" => answer(output, 302, &format!("location: {query}\r\n"), "elsewhere")?,
            "/status" => answer(output, query.parse().ok()?, "", "so it is")?,
            "/never" => drop(input.read(&mut [0])),
            "/go" => {
                *shared.gone.lock().expect("nobody panics") = true;
                shared.going.notify_all();
                answer(output, 200, "", "")?;
            }
            "/pieces" => {
                let head = "HTTP/1.1 200 OK\r\nx-kind: pieces\r\ntransfer-encoding: chunked\r\n\r\n";
                output.write_all(format!("{head}4\r\none\n\r\n").as_bytes()).ok()?;
                let gone = shared.gone.lock().expect("nobody panics");
                drop(shared.going.wait_while(gone, |gone| !*gone).expect("nobody panics"));
                output.write_all(b"6\r\ntwo\nth\r\n4\r\nree\n\r\n0\r\n\r\n").ok()?;
            }
            "/endless" => {
                output.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
                loop {
                    output.write_all(b"more").ok()?;
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            "/comments" => {
                output.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n").ok()?;
                let comments = ": nothing to say\n".repeat(10_000);
                loop {
                    output.write_all(comments.as_bytes()).ok()?;
                }
            }
            "/broken" => {
                output.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome").ok()?;
                return None;
            }
            other => {
                if other == "/slow-echo" {
                    let now = shared.now.fetch_add(1, SeqCst) + 1;
                    shared.most.fetch_max(now, SeqCst);
                    std::thread::sleep(Duration::from_millis(100));
                    shared.now.fetch_sub(1, SeqCst);
                }
                let text =
                    json!({"path": path, "headers": headers, "body": body, "connection": connection}).to_string();
                answer(output, 200, "content-type: application/json\r\n", &text)?;
            }
        }
    }
}

fn body(input: &mut impl std::io::BufRead, headers: &Map<String, Value>) -> Option<String> {
    let mut exactly = |length: usize| {
        let mut bytes = vec![0; length];
        input.read_exact(&mut bytes).ok()?;
        String::from_utf8(bytes).ok()
    };
    if let Some(length) = headers.get("content-length") {
        return exactly(length.as_str()?.parse().ok()?);
    }
    if headers.get("transfer-encoding").is_none() {
        return Some(String::new());
    }
    let mut body = String::new();
    loop {
        let mut size = String::new();
        while !size.ends_with("\r\n") {
            size.push_str(&exactly(1)?);
        }
        let size = usize::from_str_radix(size.trim_end(), 16).expect("a chunk's size");
        body.push_str(&exactly(size)?);
        assert_eq!(exactly(2)?, "\r\n", "behind a chunk");
        if size == 0 {
            return Some(body);
        }
    }
}

fn answer(mut output: &TcpStream, status: u16, headers: &str, body: &str) -> Option<()> {
    let head = format!("HTTP/1.1 {status} So\r\n{headers}content-length: {}\r\n\r\n", body.len());
    output.write_all(format!("{head}{body}").as_bytes()).ok()
}

/// Runs a part of the module against this server, with these options and further arguments.
#[track_caller]
fn ran(part: &str, url: &str, config: &Value, args: &[&str]) -> Run {
    let folder = Folder::new();
    let file = folder.file("config.json");
    std::fs::write(&file, config.to_string()).expect("a config file");
    let (part, base) = (format!("PART={part}"), format!("BASE_URL={url}"));
    let all = [&["-e", &part, "-e", &base, "-c", file.to_str().expect("UTF-8")], args].concat();
    run(&guest("streamer"), &all)
}

/// As [`ran`]: every check and threshold must pass.
#[track_caller]
fn passes(part: &str, url: &str, thresholds: &Value, args: &[&str]) -> Run {
    let run = ran(part, url, &json!({ "thresholds": thresholds }), args).exits(0);
    assert_eq!(run.metric("checks", "value"), 1.0, "{}\n{}", run.stdout, run.stderr);
    assert_eq!(run.metric_or_zero("iteration_errors", "count"), 0.0, "{}\n{}", run.stdout, run.stderr);
    run
}

/// A load that is over after a second and waits for nobody.
fn cut_short() -> Value {
    json!({"scenarios": {"cut": {"executor": "constant-vus", "vus": 1, "duration": "1s", "gracefulStop": "0s"}}})
}

#[test]
fn a_batch_brings_every_answer_in_order_and_counts_each() {
    let (server, other) = (Pieces::start(), Pieces::start());
    let thresholds = json!({
        "http_reqs": ["count==7"],
        "http_reqs{kind:posted,method:POST}": ["count==1"],
        "http_reqs{name:redirected}": ["count==2"],
        "http_reqs{error_code:1020}": ["count==1"],
        "http_reqs{error_code:1111}": ["count==1"],
    });
    passes("batch", &server.url, &thresholds, &["-e", &format!("OTHER_URL={}", other.url)]);
}

#[test]
fn a_batch_keeps_to_its_limits_and_its_connections() {
    for (args, most) in [(&[][..], 6), (&["--batch-per-host", "2"], 2), (&["--batch", "3", "--batch-per-host", "0"], 3)]
    {
        let server = Pieces::start();
        let run = passes("batches", &server.url, &json!({"http_reqs": ["count==24"]}), args);
        assert_eq!(server.most.load(SeqCst), most, "{args:?}");
        assert_eq!(server.connections.load(SeqCst), most, "the second batch uses the first one's: {args:?}");
        // The server takes its time for each: none has the time of one that was answered before.
        assert!(run.metric("http_req_waiting", "min") >= 50.0, "{:#}", run.summary["metrics"]["http_req_waiting"]);
    }
}

#[test]
fn an_interruption_cuts_all_requests_of_a_batch_and_counts_each() {
    let run = ran("slow-batch", &Pieces::start().url, &cut_short(), &[]).exits(0);
    assert_eq!(run.metric("http_reqs_interrupted", "count"), 3.0, "{}", run.stdout);
    assert_eq!(run.metric_or_zero("http_reqs", "count"), 0.0, "{}", run.stdout);
}

#[test]
fn a_batch_without_end_is_refused() {
    let run = ran("large-batch", &Pieces::start().url, &json!({}), &[]);
    assert_eq!(run.metric("iteration_errors", "count"), 1.0, "{}", run.stdout);
    assert!(run.stdout.contains("a batch of 1001 requests; 1000 is the most"), "{}", run.stdout);
    assert_eq!(run.metric_or_zero("http_reqs", "count"), 0.0, "{}", run.stdout);
}

#[test]
fn a_body_is_read_as_it_comes() {
    let server = Pieces::start();
    let thresholds = json!({"http_reqs": ["count==4"], "http_reqs{kind:stream,status:200}": ["count==1"]});
    passes("stream", &server.url, &thresholds, &[]);
    assert_eq!(server.connections.load(SeqCst), 2);
}

#[test]
fn a_stream_that_is_left_is_counted_as_its_status_says() {
    let thresholds = json!({"http_reqs{status:200}": ["count==2"], "http_req_failed": ["rate==0"]});
    passes("left-stream", &Pieces::start().url, &thresholds, &[]);
    let run = ran("kept-streams", &Pieces::start().url, &json!({}), &["-i", "3"]).exits(0);
    assert_eq!(run.metric("http_reqs", "count"), 3.0, "closed at the end of each iteration");
    assert_eq!(run.metric_or_zero("http_reqs_interrupted", "count"), 0.0);
    let thresholds = json!({"http_reqs{status:200}": ["count==16"], "http_reqs{error_code:1000}": ["count==1"]});
    passes("many-streams", &Pieces::start().url, &thresholds, &[]);
}

#[test]
fn a_stream_that_breaks_off_is_a_failed_request() {
    let thresholds = json!({
        "http_reqs{error_code:1220,status:200}": ["count==1"],
        "http_reqs{error_code:1404}": ["count==1"],
        "http_req_failed": ["rate==1"],
    });
    passes("broken-stream", &Pieces::start().url, &thresholds, &[]);
}

#[test]
fn events_come_in_order_and_are_timed() {
    let server = Server::start(&[]);
    let thresholds = json!({
        "http_reqs": ["count==1"],
        "sse_events": ["count==5"],
        "sse_events{status:200,method:GET,scenario:default}": ["count==5"],
        "sse_first_event": ["min>=20"],
        "sse_event_gap": ["avg>5"],
        "http_req_receiving": ["min>=80"],
    });
    passes("events", &server.url, &thresholds, &[]);
}

#[test]
fn what_is_no_stream_of_events_says_why() {
    let run = passes("no-events", &Pieces::start().url, &json!({"http_reqs": ["count==2"]}), &[]);
    assert_eq!(run.metric_or_zero("sse_events", "count"), 0.0);
}

#[test]
fn the_end_of_the_load_cuts_a_stream() {
    let server = Server::start(&[]);
    let run = ran("endless-events", &server.url, &cut_short(), &[]).exits(0);
    assert_eq!(run.metric("http_reqs_interrupted", "count"), 1.0, "{}", run.stdout);
    assert_eq!(run.metric_or_zero("http_reqs", "count"), 0.0, "{}", run.stdout);
    assert!(run.metric("data_received", "count") > 0.0);
}

#[test]
fn comments_are_no_events_however_many_come() {
    let run = passes("comments", &Pieces::start().url, &json!({"http_reqs": ["count==1"]}), &[]);
    assert_eq!(run.metric_or_zero("sse_events", "count"), 0.0);
}

#[test]
fn bodies_go_out_in_chunks_and_when_they_are_asked_for() {
    passes("uploads", &Pieces::start().url, &json!({"http_reqs": ["count==3"]}), &[]);
}
