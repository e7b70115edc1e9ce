//! Every call of the SDK, checked from inside the module, against a server that says what it got.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::json;

use crate::support::{guest, run};

/// A server that answers every request with the request as JSON. Its threads end with the process.
fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    url
}

fn serve(mut stream: TcpStream) {
    let mut seen = Vec::new();
    loop {
        while let Some((request, used)) = parse(&seen) {
            seen.drain(..used);
            let head_only = request["method"] == "HEAD";
            let body = request.to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\nx-echo: yes\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let answer = if head_only { head } else { head + &body };
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(read) => seen.extend_from_slice(&buffer[..read]),
        }
    }
}

/// The first whole request, and how many bytes it takes.
fn parse(bytes: &[u8]) -> Option<(serde_json::Value, usize)> {
    let head_end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let mut lines = head.trim_end().split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?, first.next()?);
    let headers: serde_json::Map<String, serde_json::Value> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), json!(value)))
        .collect();
    let length = headers.get("content-length").and_then(|length| length.as_str()?.parse::<usize>().ok()).unwrap_or(0);
    let body = bytes.get(head_end..head_end + length)?;
    let body = String::from_utf8_lossy(body);
    Some((json!({"method": method, "path": path, "headers": headers, "body": body}), head_end + length))
}

#[test]
fn every_call_does_what_it_says() {
    let run = run(&guest("kitchen-sink"), &["-e", &format!("BASE_URL={}", echo()), "-e", "ECHO=1"]).exits(0);
    assert_eq!(run.metric("checks", "value"), 1.0, "{}\n{}", run.stdout, run.stderr);
    assert!(run.metric("checks", "passes") > 200.0, "{}", run.stdout);
    assert_eq!(run.metric_or_zero("iteration_errors", "count"), 0.0, "{}", run.stderr);
}
