//! A server that answers each request as a test says. Its threads end with the process.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use serde_json::{Map, Value, json};

/// One request.
pub(crate) struct Asked {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    /// In order of arrival, with names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Which connection of the server it came on, from 0.
    pub(crate) connection: usize,
}

impl Asked {
    /// The first value of a header; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The percent-decoded values of this name in the query.
    pub(crate) fn query(&self, name: &str) -> Vec<String> {
        let query = self.path.split_once('?').map_or("", |(_, query)| query);
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(known, _)| *known == name).map(|(_, value)| decoded(value)).collect()
    }

    /// All of it; several headers of one name are joined by ` | `.
    pub(crate) fn json(&self) -> Value {
        let mut headers = Map::new();
        for (name, value) in &self.headers {
            let joined = headers.get(name).map(|known| format!("{} | {value}", known.as_str().unwrap_or_default()));
            headers.insert(name.clone(), json!(joined.unwrap_or_else(|| value.clone())));
        }
        let body = String::from_utf8_lossy(&self.body);
        json!({"method": self.method, "path": self.path, "headers": headers, "body": body, "connection": self.connection})
    }
}

/// An answer with its length.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("HTTP/1.1 {status} Of Course\r\n{lines}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// The request itself as JSON.
pub(crate) fn echo(asked: &Asked) -> Vec<u8> {
    answer(200, &[("content-type", "application/json")], asked.json().to_string())
}

/// Listens on a free port of the loopback address; gives `http://127.0.0.1:PORT`.
pub(crate) fn start(reply: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let reply = Arc::new(reply);
    std::thread::spawn(move || {
        for (connection, stream) in listener.incoming().flatten().enumerate() {
            let reply = Arc::clone(&reply);
            std::thread::spawn(move || serve(stream, connection, &*reply));
        }
    });
    url
}

fn serve(mut stream: TcpStream, connection: usize, reply: &dyn Fn(&Asked) -> Vec<u8>) {
    let mut seen = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        while let Some((asked, used)) = parse(&seen, connection) {
            seen.drain(..used);
            let mut answer = reply(&asked);
            if asked.method == "HEAD" {
                answer.truncate(answer.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |at| at + 4));
            }
            if stream.write_all(&answer).is_err() {
                return;
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(read) => seen.extend_from_slice(&buffer[..read]),
        }
    }
}

/// The first whole request, and how many bytes it takes.
fn parse(bytes: &[u8], connection: usize) -> Option<(Asked, usize)> {
    let head_end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let mut lines = head.trim_end().split("\r\n");
    let mut first = lines.next()?.split(' ').map(str::to_owned);
    let (method, path) = (first.next()?, first.next()?);
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let end = head_end + length.unwrap_or(0);
    let body = bytes.get(head_end..end)?.to_vec();
    Some((Asked { method, path, headers, body, connection }, end))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let hex: String = rest.by_ref().take(2).map(char::from).collect();
            bytes.push(u8::from_str_radix(&hex, 16).expect("two hexadecimal digits"));
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}
