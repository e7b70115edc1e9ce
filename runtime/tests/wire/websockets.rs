//! WebSockets: against Python's `websockets`, directly and through nginx with TLS, and against a server that misbehaves.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::proxies;
use crate::servers::{nginx, nginx_url, tinyproxy, websockets_url};
use crate::support::{Folder, PATIENCE, Run, finish, guest, runtime};

/// Runs the module's `play` against a URL; `more` are further variables.
fn play(url: &str, play: &str, more: &[(&str, &str)]) -> Run {
    play_with(url, play, more, &[])
}

fn play_with(url: &str, play: &str, more: &[(&str, &str)], args: &[&str]) -> Run {
    let folder = Folder::new();
    let export = folder.file("summary.json");
    let mut command = runtime();
    command.arg("run").arg(guest("websocket")).arg("--allow-host").arg("127.0.0.1").args(args);
    for (name, value) in [("URL", url), ("PLAY", play)].iter().chain(more) {
        command.arg("-e").arg(format!("{name}={value}"));
    }
    command.env("SSL_CERT_FILE", nginx().fact("authority"));
    command.arg("--summary-export").arg(&export).current_dir(folder.path());
    finish(command, &export).exits(0)
}

#[track_caller]
fn says(run: &Run, line: &str) {
    assert!(run.stderr.contains(line), "`{line}` is missing in:\n{}\n{}", run.stderr, run.stdout);
}

/// What the target says to one client whose handshake was agreed to: these bytes, and then nothing. The end comes from the client.
fn saying(bytes: &'static [u8]) -> String {
    use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("ws://{}/", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let head = head_of(&mut stream);
        let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).expect("a key");
        let accept = derive_accept_key(key.as_bytes());
        let agreed = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade";
        write!(stream, "{agreed}\r\nSec-WebSocket-Accept: {accept}\r\n\r\n").expect("it listens");
        stream.write_all(bytes).expect("it listens");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    url
}

fn head_of(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a request");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("a request is ASCII")
}

#[test]
fn a_talk_with_another_library() {
    let run = play(&websockets_url("/echo"), "talk", &[("SUBPROTOCOL", "second")]);
    for (check, passes) in [
        ("the text comes back", 10),
        ("the bytes come back", 10),
        ("a ping is answered", 1),
        ("nothing else came", 1),
        ("nothing is sent after closing", 1),
    ] {
        assert_eq!(run.check(check), (passes, 0), "{check}: {}", run.stderr);
    }
    says(&run, "open: subprotocol=Some(\"second\")");
    says(&run, "closed: 4000 \"bye\" 0");
    assert_eq!(run.metric("ws_msgs_received", "count"), 20.0);
}

#[test]
fn what_another_library_sends() {
    let run = play(&websockets_url("/fragments/100"), "collect", &[]);
    says(&run, "collected 1 of 790 bytes, the last: part 98;part 99;");
    assert_eq!(run.metric("ws_msgs_received", "count"), 1.0, "fragments are one message");
    let run = play(&websockets_url("/push/500/2000"), "collect", &[("COUNT", "500")]);
    says(&run, "collected 500 of 1000000 bytes, the last: .............499");
    assert_eq!(run.metric("ws_msgs_received", "count"), 500.0);
    // It tells once its ping was answered.
    says(&play(&websockets_url("/ping"), "collect", &[]), "the last: answered");
    says(&play(&websockets_url("/close/4001/bye"), "listen", &[]), "closed: 4001 \"bye\" 0");
    says(&play(&websockets_url("/drop"), "listen", &[]), "closed: 1006 \"connection reset by peer");
    says(&play(&websockets_url("/status/503"), "refused", &[]), "refused: status=503 code=1503 ");
}

#[test]
fn the_handshake_brings_the_cookies_of_the_virtual_user() {
    let run = play(&websockets_url("/said"), "twice", &[]);
    says(&run, "first cookie: None");
    says(&run, "second cookie: Some(\"seat=7\")");
}

#[test]
fn through_nginx_with_tls() {
    let backend = websockets_url("");
    let backend = backend.strip_prefix("ws://").expect("a WebSocket's URL");
    for port in ["https", "tls12", "http"] {
        let url = nginx_url(port, "/ws/echo").replacen("http", "ws", 1);
        let run = play(&url, "talk", &[("BACKEND", backend)]);
        assert_eq!(run.check("the bytes come back"), (10, 0), "{}", run.stderr);
        says(&run, "closed: 4000 \"bye\" 0");
        let run = play(&url, "refused", &[("BACKEND", "127.0.0.1:1")]);
        says(&run, "refused: status=502 code=1502 ");
    }
}

#[test]
fn through_a_proxys_tunnel() {
    let backend = websockets_url("");
    let backend = backend.strip_prefix("ws://").expect("a WebSocket's URL");
    // A port whose tunnels no other test counts.
    let secure = nginx_url("https-other", "/ws/echo").replacen("http", "ws", 1);
    for (url, tunnel) in [(websockets_url("/echo"), backend), (secure.clone(), &secure[6..secure.len() - 8])] {
        let run = play_with(&url, "talk", &[("BACKEND", backend)], &["--proxy", &proxies::known()]);
        assert_eq!(run.check("the text comes back"), (10, 0), "{}", run.stderr);
        let log = std::fs::read_to_string(tinyproxy().fact("access-log")).expect("the proxy writes a log");
        assert!(log.contains(&format!("CONNECT {tunnel} HTTP/1.1")), "{tunnel}\n{log}");
        let refused = play_with(&url, "refused", &[], &["--proxy", tinyproxy().fact("url")]);
        says(&refused, "refused: status=0 code=1210 ");
    }
}

/// Control frames have 125 bytes at most.
const LONG_PING: [u8; 130] = {
    let mut frame = [b'x'; 130];
    (frame[0], frame[1], frame[2], frame[3]) = (0x89, 126, 0, 126);
    frame
};

#[test]
fn frames_that_break_the_rules() {
    for (bytes, code) in [
        (&[0x81, 0x02, 0xc3, 0x28][..], "a text that is not UTF-8"),
        (&[0xc1, 0x01, b'x'], "a reserved bit"),
        (&[0x83, 0x01, b'x'], "a reserved opcode"),
        (&[0x81, 0x81, 1, 2, 3, 4, b'x'], "a masked frame"),
        (&[0x80, 0x01, b'x'], "a continuation of nothing"),
        (&[0x01, 0x01, b'x', 0x81, 0x01, b'y'], "a message within a message"),
        (&[0x09, 0x01, b'x'], "a ping in parts"),
        (&LONG_PING, "a long ping"),
        (&[0x88, 0x01, 3], "a close code of one byte"),
        (&[0x88, 0x02, 0x03, 0xed], "a close code that is never sent"),
    ] {
        let run = play(&saying(bytes), "listen", &[]);
        assert!(run.stderr.contains("closed: 1006 \"WebSocket protocol error: "), "{code}: {}", run.stderr);
        assert!(run.stderr.contains(" 1000\n"), "{code}: {}", run.stderr);
        assert_eq!(run.metric_or_zero("iteration_errors", "count"), 0.0, "{code}");
        assert_eq!(run.metric_or_zero("ws_msgs_received", "count"), 0.0, "{code}");
    }
    // A length that nobody has the memory for is refused when it is read.
    let run = play(&saying(&[0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), "listen", &[]);
    says(&run, "closed: 1006 \"message too long: ");
}
