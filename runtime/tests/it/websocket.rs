//! WebSockets through a compiled module: against the target server's echo, and against servers that misbehave.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use crate::support::{Folder, PATIENCE, Run, Server, collect, guest, run, runtime};

/// A server for one connection after the other; gives its URL.
fn server(talk: impl Fn(WebSocket<TcpStream>) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("ws://{}/x", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            #[expect(clippy::result_large_err, reason = "the library's type")]
            let agree = |request: &tungstenite::handshake::server::Request,
                         mut answer: tungstenite::handshake::server::Response| {
                if let Some(offered) = request.headers().get("sec-websocket-protocol") {
                    answer.headers_mut().insert("sec-websocket-protocol", offered.clone());
                }
                Ok(answer)
            };
            if let Ok(socket) = tungstenite::accept_hdr(stream, agree) {
                talk(socket);
            }
        }
    });
    url
}

fn play(url: &str, play: &str, args: &[&str]) -> Run {
    let (url, play) = (format!("URL={url}"), format!("PLAY={play}"));
    run(&guest("websocket"), &[&["-e", &url, "-e", &play], args].concat())
}

fn echo(server: &Server) -> String {
    format!("ws://{}/ws/echo", server.authority())
}

#[track_caller]
fn says(run: &Run, line: &str) {
    assert!(run.stderr.contains(line), "`{line}` is missing in:\n{}\n{}", run.stderr, run.stdout);
}

/// A run that goes on.
fn begin(module: &Path, args: &[&str]) -> (Child, Folder) {
    let folder = Folder::new();
    let mut command = runtime();
    command.arg("run").arg(module).args(args).arg("--summary-export").arg(folder.file("summary.json"));
    let child = command.current_dir(folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    (child.expect("the runtime starts"), folder)
}

#[test]
fn a_talk_with_the_target_server_is_measured_as_k6_does() {
    let server = Server::start(&[]);
    let run = play(&echo(&server), "talk", &["-u", "3", "-i", "6", "--summary-mode", "full"]).exits(0);
    for (check, passes) in [
        ("the text comes back", 60),
        ("the bytes come back", 60),
        ("a ping is answered", 6),
        ("nothing else came", 6),
        ("nothing is sent after closing", 6),
    ] {
        assert_eq!(run.check(check), (passes, 0), "{check}");
    }
    says(&run, "open: subprotocol=Some(\"chat\") url=ws://127.0.0.1:");
    says(&run, "closed: 4000 \"bye\" 0");
    assert_eq!(run.metric("ws_sessions", "count"), 6.0);
    assert_eq!(run.metric("ws_msgs_sent", "count"), 120.0);
    assert_eq!(run.metric("ws_msgs_received", "count"), 120.0);
    for metric in ["ws_connecting", "ws_session_duration", "ws_ping"] {
        assert!(run.metric(metric, "min") > 0.0, "{metric}");
    }
    assert!(run.metric("ws_session_duration", "min") > run.metric("ws_connecting", "min"));
    for metric in ["data_sent", "data_received"] {
        assert!((300_000.0..400_000.0).contains(&run.metric(metric, "count")), "{metric}: {}", run.stdout);
    }
    assert_eq!(run.metric_or_zero("http_reqs", "count"), 0.0);
    assert!(run.stdout.contains("WEBSOCKET"), "{}", run.stdout);
}

#[test]
fn what_is_no_websocket_gives_its_status_or_k6s_code() {
    let server = Server::start(&[]);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let authority = server.authority();
    for (url, status, code) in [
        (format!("ws://{authority}/health"), 200, 1000),
        (format!("ws://{authority}/nowhere"), 404, 1404),
        (format!("ws://{closed}/"), 0, 1212),
        (format!("//{authority}/ws/echo"), 0, 1110),
        ("ftp://127.0.0.1/".to_owned(), 0, 1020),
        ("ws://".to_owned(), 0, 1020),
    ] {
        let thresholds = Folder::new();
        let config = thresholds.file("options.json");
        let counted = format!("ws_sessions{{error_code:{code},status:{status}}}");
        let options = serde_json::json!({"thresholds": {counted: ["count==1"]}});
        std::fs::write(&config, options.to_string()).unwrap();
        let run = play(&url, "refused", &["--config", config.to_str().unwrap()]).exits(0);
        says(&run, &format!("refused: status={status} code={code} "));
        says(&run, "WebSocket failed: ");
        assert_eq!(run.metric_or_zero("ws_connecting", "max"), 0.0, "only what opens took time to");
    }
}

#[test]
fn a_server_that_breaks_off_costs_no_iteration() {
    for (talk, line) in [
        (
            (|socket| drop(socket)) as fn(WebSocket<TcpStream>),
            "closed: 1006 \"connection reset by peer: the server closed",
        ),
        (
            |mut socket| {
                let _ = socket.send(Message::Binary(vec![0; 9 << 20].into()));
                let _ = socket.read();
            },
            "closed: 1006 \"message too long",
        ),
        (
            |mut socket| {
                let _ = std::io::Write::write_all(socket.get_mut(), &[0xff; 100]);
                let _ = socket.read();
            },
            "closed: 1006 \"WebSocket protocol error",
        ),
    ] {
        let run = play(&server(talk), "listen", &["--memory-limit", "8MiB"]).exits(0);
        says(&run, line);
        assert_eq!(run.metric("ws_sessions", "count"), 1.0);
        assert!(run.metric("ws_session_duration", "max") > 0.0);
        assert_eq!(run.metric_or_zero("iteration_errors", "count"), 0.0);
    }
}

#[test]
fn what_an_iteration_leaves_open_is_closed_at_its_end() {
    let (told, heard) = mpsc::channel();
    let url = server(move |mut socket| told.send(socket.read().map_err(|error| error.to_string())).unwrap());
    let run = play(&url, "keep", &["-u", "1", "-i", "2"]).exits(0);
    says(&run, "kept: false Some(Closing { code: 1001, reason: \"the iteration that opened this connection is over\"");
    for _ in 0..2 {
        match heard.recv_timeout(PATIENCE).expect("the server heard of the end") {
            Ok(Message::Close(Some(frame))) => assert_eq!(u16::from(frame.code), 1001),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(run.metric("ws_sessions", "count"), 2.0);
}

#[test]
fn the_end_of_the_load_drops_a_connection_at_once() {
    let (told, heard) = mpsc::channel();
    let url = server(move |mut socket| {
        told.send("open".to_owned()).unwrap();
        told.send(format!("{:?}", socket.read().map(|message| message.is_close()))).unwrap();
    });
    let folder = Folder::new();
    let config = folder.file("options.json");
    let options =
        r#"{"scenarios": {"default": {"executor": "constant-vus", "vus": 1, "duration": "1s", "gracefulStop": "0s"}}}"#;
    std::fs::write(&config, options).unwrap();
    let env = format!("URL={url}");
    let args = ["-e", &env, "-e", "PLAY=hold", "--config", config.to_str().unwrap()];
    let (child, folder) = begin(&guest("websocket"), &args);
    assert_eq!(heard.recv_timeout(PATIENCE).unwrap(), "open");
    assert_eq!(heard.recv_timeout(PATIENCE).unwrap(), "Ok(true)", "a close frame, although the iteration was cut off");
    let run = collect(child, &folder.file("summary.json")).exits(0);
    assert_eq!(run.metric("ws_sessions", "count"), 1.0);
    assert!(run.metric("ws_session_duration", "max") > 0.0, "a session that is cut off is measured too");
}

#[test]
fn open_connections_are_bounded() {
    let server = Server::start(&[]);
    let run = play(&echo(&server), "many", &[]).exits(0);
    says(&run, "refused after 64: ");
    assert_eq!(run.metric("ws_sessions", "count"), 65.0);
}

#[test]
fn a_server_that_stops_says_so() {
    let server = Server::start(&[]);
    let url = format!("URL={}", echo(&server));
    let (child, folder) = begin(&guest("websocket"), &["-e", &url, "-e", "PLAY=listen"]);
    let begun = std::time::Instant::now();
    while !server.get("/metrics").1.contains("\nwebsockets_open 1\n") {
        assert!(begun.elapsed() < PATIENCE, "nobody connected");
        std::thread::sleep(Duration::from_millis(20));
    }
    server.terminate();
    let run = collect(child, &folder.file("summary.json")).exits(0);
    says(&run, "closed: 1001 \"the server is shutting down\" 0");
}
