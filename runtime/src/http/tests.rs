//! The client against servers that behave, and servers that do not.

use std::borrow::Borrow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Client, ClientSettings, ErrorCode, Exchange, Lane, Outgoing, Target};
use crate::grants::Grants;

pub(super) fn settings() -> ClientSettings {
    let mut grants = Grants::default();
    grants.allow("127.0.0.1,localhost").unwrap();
    ClientSettings { grants, user_agent: "test/1".to_owned(), max_body_bytes: 1 << 20, ..ClientSettings::default() }
}

/// A client that sends one request after the other.
pub(super) struct OneByOne(pub(super) Client, pub(super) Lane);

impl OneByOne {
    pub(super) fn new(settings: ClientSettings) -> Self {
        Self(Client::new(Arc::new(settings)), Lane::new())
    }

    pub(super) async fn send(&mut self, outgoing: impl Borrow<Outgoing>) -> Exchange {
        self.0.send(&mut self.1, outgoing.borrow()).await
    }
}

fn client() -> OneByOne {
    OneByOne::new(settings())
}

pub(super) fn get(url: &str) -> Outgoing {
    Outgoing {
        target: Arc::new(Target::parse(url).unwrap()),
        method: Method::GET,
        headers: Vec::new(),
        body: None,
        timeout: Some(Duration::from_secs(20)),
        discard: None,
        connect_timeout: None,
        http_version: None,
        chunked: false,
        streamed: false,
    }
}

pub(super) fn post(url: &str, body: &'static str) -> Outgoing {
    Outgoing { method: Method::POST, body: Some(Bytes::from_static(body.as_bytes()).into()), ..get(url) }
}

/// A server that hands each connection, with its number, to `serve`.
pub(super) async fn server<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(TcpStream, usize) -> F + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, number));
        }
    });
    url
}

/// Reads one request: its head, and a body of `content-length`.
pub(super) async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut seen = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&seen).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .to_ascii_lowercase()
                .split("content-length: ")
                .nth(1)
                .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse::<usize>().unwrap());
            if body.len() >= length {
                return Some(text);
            }
        }
        let mut buffer = [0; 1024];
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => seen.extend_from_slice(&buffer[..read]),
        }
    }
}

/// Answers every request on a connection with the same bytes.
pub(super) async fn answering(answer: &'static [u8]) -> String {
    server(move |mut stream, _| async move {
        while request(&mut stream).await.is_some() {
            stream.write_all(answer).await.unwrap();
        }
    })
    .await
}

#[track_caller]
fn failed(exchange: &Exchange, code: u16) {
    let failure = exchange.failure.as_ref().unwrap_or_else(|| panic!("no failure: {exchange:?}"));
    assert_eq!(failure.code, ErrorCode(code), "{failure:?}");
    assert_eq!((exchange.status, exchange.body.len()), (0, 0));
}

#[tokio::test]
async fn a_connection_is_used_again_and_bytes_are_counted() {
    let url = server(|mut stream, number| async move {
        while let Some(request) = request(&mut stream).await {
            let body = format!("connection {number}, {} bytes", request.len());
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nx-a: b\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let mut client = client();
    let first = client.send(&post(&url, "hello")).await;
    let second = client.send(&post(&url, "hello")).await;
    for exchange in [&first, &second] {
        assert_eq!((exchange.status, exchange.protocol), (200, "HTTP/1.1"));
        assert!(exchange.failure.is_none(), "{exchange:?}");
        assert_eq!(exchange.head.get("x-a"), Some(&b"b"[..]));
        let text = String::from_utf8_lossy(&exchange.body).into_owned();
        assert_eq!(text, format!("connection 0, {} bytes", exchange.bytes_sent), "every byte sent was counted");
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nx-a: b\r\n\r\n", text.len());
        assert_eq!(exchange.bytes_received, (head.len() + text.len()) as u64);
    }
    assert!(first.timings.connecting > Duration::ZERO && first.timings.connecting <= first.timings.blocked);
    assert_eq!(second.timings.connecting, Duration::ZERO);
    let mut client = self::client();
    let third = client.send(&post(&url, "hello")).await;
    assert!(third.body.starts_with(b"connection 1"), "{third:?}");
}

#[tokio::test]
async fn an_option_closes_every_connection() {
    let url = server(|mut stream, number| async move {
        while request(&mut stream).await.is_some() {
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{number}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let mut never = OneByOne::new(ClientSettings { no_connection_reuse: true, ..settings() });
    let bodies = [never.send(&get(&url)).await.body, never.send(&get(&url)).await.body];
    assert_eq!(bodies, ["0", "1"]);
}

#[tokio::test]
async fn a_kept_connection_that_the_server_closed_costs_no_request() {
    let url = server(|mut stream, number| async move {
        request(&mut stream).await;
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{number}");
        stream.write_all(answer.as_bytes()).await.unwrap();
        // Closed without a word, as servers do when their keep-alive time is over.
    })
    .await;
    let mut client = client();
    for number in 0..5 {
        let exchange = client.send(&post(&url, "x")).await;
        assert!(exchange.failure.is_none(), "{exchange:?}");
        assert_eq!(exchange.body, number.to_string());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_a_server_does_behind_its_answer_is_seen_by_a_user_that_never_rests() {
    for unasked in [None, Some(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")] {
        let (behind, done) = std::sync::mpsc::channel();
        let (url_sent, url) = std::sync::mpsc::channel();
        // A thread of its own: the client's does not wait for anything between its requests.
        std::thread::spawn(move || {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            url_sent.send(format!("http://{}/x", listener.local_addr().unwrap())).unwrap();
            let mut kept = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = std::io::Read::read(&mut stream, &mut [0; 1024]);
                std::io::Write::write_all(&mut stream, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
                std::thread::sleep(Duration::from_millis(30));
                if let Some(unasked) = unasked {
                    std::io::Write::write_all(&mut stream, unasked).unwrap();
                    kept.push(stream);
                } else {
                    drop(stream);
                }
                let _ = behind.send(());
            }
        });
        let url = url.recv().unwrap();
        let mut client = client();
        for _ in 0..3 {
            let exchange = client.send(&post(&url, "x")).await;
            assert!(exchange.failure.is_none() && exchange.status == 200, "{exchange:?}");
            // Without an await: nothing looks at the socket meanwhile.
            done.recv().unwrap();
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[tokio::test]
async fn a_server_that_sends_without_end_is_too_late_all_the_same() {
    let url = server(|mut stream, _| async move {
        request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        let flood = b"1\r\nx\r\n".repeat(100_000);
        while stream.write_all(&flood).await.is_ok() {}
    })
    .await;
    let mut client = OneByOne::new(ClientSettings { discard_response_bodies: true, ..settings() });
    let request = Outgoing { timeout: Some(Duration::from_millis(300)), ..get(&url) };
    let sending = client.send(&request);
    let exchange = tokio::time::timeout(Duration::from_secs(60), sending).await.expect("it ends by its own timeout");
    assert_eq!((exchange.status, exchange.failure.unwrap().code), (200, ErrorCode::TIMEOUT));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waits_for_its_turn_has_sent_nothing() {
    let url = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let mut client =
        OneByOne::new(ClientSettings { rate_limit: super::RateLimit::new(0.1).map(Arc::new), ..settings() });
    let meter = client.1.meter();
    assert_eq!(client.send(&get(&url)).await.status, 200);
    assert!(meter.bytes_written() > 0);
    let request = get(&url);
    let waiting = client.send(&request);
    assert!(tokio::time::timeout(Duration::from_secs(1), waiting).await.is_err());
    assert_eq!(meter.bytes_written(), 0, "broken off while it waited");
}

#[tokio::test]
async fn headers_host_agent_and_user_are_sent() {
    let url = server(|mut stream, _| async move {
        while let Some(request) = request(&mut stream).await {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", request.len());
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
        }
    })
    .await;
    let authority = url.trim_start_matches("http://").trim_end_matches("/x").to_owned();
    let mut client = client();
    let plain = client.send(&get(&url)).await;
    let text = String::from_utf8_lossy(&plain.body).into_owned();
    assert!(text.starts_with("GET /x HTTP/1.1\r\n"), "{text}");
    assert!(text.contains(&format!("host: {authority}\r\n")) && text.contains("user-agent: test/1\r\n"), "{text}");
    let mut outgoing = post(&format!("http://ann:pass@{authority}/y?q=1"), "body");
    for (name, value) in [("user-agent", "mine"), ("content-length", "999"), ("x-twice", "1"), ("x-twice", "2")] {
        outgoing.headers.push((name.to_owned(), value.as_bytes().to_vec()));
    }
    let text = String::from_utf8_lossy(&client.send(&outgoing).await.body).into_owned();
    for part in [
        "POST /y?q=1 ",
        "user-agent: mine",
        "content-length: 4",
        "x-twice: 1",
        "x-twice: 2",
        "authorization: Basic YW5uOnBhc3M=",
    ] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
}

#[tokio::test]
async fn bodies_of_every_framing_are_read() {
    let mut client = client();
    let chunked =
        answering(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").await;
    assert_eq!(client.send(&get(&chunked)).await.body, "abcde");
    assert_eq!(client.send(&get(&chunked)).await.body, "abcde", "and the connection goes on");
    let none = answering(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(client.send(&get(&none)).await.status, 204);
    let until_closed = server(|mut stream, _| async move {
        request(&mut stream).await;
        stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nold").await.unwrap();
    })
    .await;
    let old = client.send(&get(&until_closed)).await;
    assert_eq!((old.body.as_ref(), old.protocol), (b"old".as_ref(), "HTTP/1.0"));
    let head = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await;
    let answer = client.send(&Outgoing { method: Method::HEAD, ..get(&head) }).await;
    assert!(answer.failure.is_none() && answer.body.is_empty(), "{answer:?}");
}

#[tokio::test]
async fn a_body_may_be_thrown_away_or_be_too_long() {
    let url = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabcde").await;
    let mut discarding = OneByOne::new(ClientSettings { discard_response_bodies: true, ..settings() });
    let answer = discarding.send(&get(&url)).await;
    assert!(answer.failure.is_none() && answer.body.is_empty() && answer.bytes_received > 5, "{answer:?}");
    let mut narrow = OneByOne::new(ClientSettings { max_body_bytes: 4, ..settings() });
    let answer = narrow.send(&get(&url)).await;
    assert_eq!((answer.status, answer.failure.unwrap().code), (200, ErrorCode::OTHER));
}

#[tokio::test]
async fn network_failures_have_k6_codes() {
    let mut client = client();
    let refused = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    failed(&client.send(&get(&refused)).await, 1212);

    let closing = server(|mut stream, _| async move {
        request(&mut stream).await;
    })
    .await;
    failed(&client.send(&post(&closing, "x")).await, 1220);

    let resetting = server(|stream, _| async move {
        // What was not read makes the kernel send RST instead of FIN.
        stream.readable().await.unwrap();
    })
    .await;
    failed(&client.send(&post(&resetting, "x")).await, 1220);

    let garbage = answering(b"SSH-2.0-OpenSSH_9.2\r\n").await;
    failed(&client.send(&get(&garbage)).await, 1000);

    let silent = server(|mut stream, _| async move {
        request(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let timed_out = client.send(&Outgoing { timeout: Some(Duration::from_millis(100)), ..get(&silent) }).await;
    failed(&timed_out, 1050);
    assert!(timed_out.bytes_sent > 0 && timed_out.timings.waiting > Duration::ZERO, "{timed_out:?}");
}

#[tokio::test]
async fn an_answer_cut_short_is_a_failure_that_keeps_its_status() {
    let url = server(|mut stream, _| async move {
        request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc").await.unwrap();
    })
    .await;
    let answer = client().send(&get(&url)).await;
    assert_eq!((answer.status, answer.failure.unwrap().code), (200, ErrorCode::RESET_BY_PEER));
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn only_granted_hosts_are_called() {
    let url = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let port = Target::parse(&url).unwrap().origin.port;
    let with = |grants: &str| {
        let mut list = Grants::default();
        if !grants.is_empty() {
            list.allow(grants).unwrap();
        }
        OneByOne::new(ClientSettings { grants: list, ..settings() })
    };
    failed(&with("").send(&get(&url)).await, 1110);
    let by_name = format!("http://localhost:{port}/x");
    let refused = with("127.0.0.1").send(&get(&by_name)).await;
    failed(&refused, 1111);
    let text = refused.failure.unwrap().text;
    assert!(text.contains(&format!("--allow-host localhost:{port}")), "{text}");
    assert_eq!(with("localhost").send(&get(&by_name)).await.status, 200);
    assert_eq!(
        with("127.0.0.0/8").send(&get(&by_name)).await.status,
        200,
        "a network holds for whatever name leads there"
    );
    failed(&with("10.0.0.0/8").send(&get(&by_name)).await, 1111);
}

#[tokio::test]
async fn an_answer_before_the_request_has_left_does_not_block_the_next() {
    let url = server(|mut stream, number| async move {
        if number == 0 {
            // Answers at once, keeps the connection, and reads no further.
            stream.readable().await.unwrap();
            stream.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            std::future::pending::<()>().await;
        }
        while request(&mut stream).await.is_some() {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        }
    })
    .await;
    let mut client = client();
    let large = Outgoing { method: Method::POST, body: Some(vec![0; 20 << 20].into()), ..get(&url) };
    assert_eq!(client.send(&large).await.status, 413);
    let next = client.send(&get(&url)).await;
    assert_eq!(next.status, 200, "{next:?}");
}

#[tokio::test]
async fn a_body_in_pieces_is_sent_as_one_and_its_length_is_exact() {
    let url = server(|mut stream, _| async move {
        while let Some(request) = request(&mut stream).await {
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{request}", request.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let large = Bytes::from(vec![b'b'; 100_000]);
    let pieces = [Bytes::from_static(b"a"), large.clone(), Bytes::new(), Bytes::from_static(b"c")];
    let body = super::Payload::Pieces(pieces.into());
    let outgoing = Outgoing { method: Method::PUT, body: Some(body), ..get(&url) };
    let mut client = client();
    for _ in 0..2 {
        let exchange = client.send(&outgoing).await;
        let text = String::from_utf8_lossy(&exchange.body);
        assert!(text.contains("content-length: 100002\r\n"), "{}", &text[..200]);
        assert!(text.ends_with(&format!("\r\n\r\na{}c", "b".repeat(100_000))));
    }
}

#[tokio::test]
async fn a_request_says_for_itself_whether_its_body_is_kept() {
    let url = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab").await;
    let discarding = Arc::new(ClientSettings { discard_response_bodies: true, ..settings() });
    for (settings, discard, body) in [
        (Arc::new(settings()), None, "ab"),
        (Arc::new(settings()), Some(true), ""),
        (Arc::clone(&discarding), None, ""),
        (discarding, Some(false), "ab"),
    ] {
        let exchange = OneByOne(Client::new(settings), Lane::new()).send(&Outgoing { discard, ..get(&url) }).await;
        assert_eq!((exchange.status, &*exchange.body), (200, body.as_bytes()));
    }
}
