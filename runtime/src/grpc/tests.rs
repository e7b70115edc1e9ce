//! Calls of servers that behave, and of servers that do not.

mod hardship;

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzEncoder;
use h2::server::SendResponse;
use http::{HeaderMap, Request as HttpRequest, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::framing::framed;
use super::metadata::{percent_decoded, text, timeout};
use super::*;
use crate::grants::Grants;
use crate::http::{ClientSettings, Target};
use crate::websocket::Budget;

/// A message as a server sends it.
fn encode(message: &[u8], gzip: bool) -> Bytes {
    let mut compressed = Vec::new();
    if gzip {
        GzEncoder::new(message, Compression::fast()).read_to_end(&mut compressed).unwrap();
        return framed(&compressed, true);
    }
    framed(message, false)
}

const PATIENCE: Duration = Duration::from_secs(60);

type Heard = HttpRequest<h2::RecvStream>;

/// A server that gives each request, with its number on its connection, to `answer`.
async fn server<F: Future<Output = ()> + Send + 'static>(
    answer: impl Fn(Heard, SendResponse<Bytes>, u32) -> F + Clone + Send + Sync + 'static,
) -> String {
    raw_server(move |stream| {
        let answer = answer.clone();
        async move {
            let Ok(mut connection) = h2::server::handshake(stream).await else { return };
            let mut number = 0;
            while let Some(Ok((request, respond))) = connection.accept().await {
                number += 1;
                tokio::spawn(answer(request, respond, number));
            }
        }
    })
    .await
}

/// Reads a request, and closes the connection with an error.
async fn server_that_gives_up() -> String {
    raw_server(async |stream| {
        let mut connection = h2::server::Builder::new().handshake::<_, Bytes>(stream).await.unwrap();
        let _request = connection.accept().await;
        connection.abrupt_shutdown(h2::Reason::PROTOCOL_ERROR);
        let _ = std::future::poll_fn(|cx| connection.poll_closed(cx)).await;
    })
    .await
}

async fn raw_server<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    url
}

fn settings() -> ClientSettings {
    let mut grants = Grants::default();
    grants.allow("127.0.0.1").unwrap();
    ClientSettings { grants, user_agent: "test/1".to_owned(), ..ClientSettings::default() }
}

fn head(content_type: &str) -> Response<()> {
    Response::builder().header("content-type", content_type).body(()).unwrap()
}

fn trailers(status: &str, message: &str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.parse().unwrap());
    trailers.insert("grpc-message", message.parse().unwrap());
    trailers
}

/// Everything that a server sends: a head, pieces of body, trailers.
async fn say(mut respond: SendResponse<Bytes>, head: Response<()>, body: &[Bytes], trailers: Option<HeaderMap>) {
    let mut stream = respond.send_response(head, body.is_empty() && trailers.is_none()).unwrap();
    for (number, piece) in body.iter().enumerate() {
        let is_last = number + 1 == body.len() && trailers.is_none();
        stream.send_data(piece.clone(), is_last).unwrap();
    }
    if let Some(trailers) = trailers {
        stream.send_trailers(trailers).unwrap();
    }
}

struct Client {
    channels: Channels,
    settings: ClientSettings,
    target: Target,
    budget: Budget,
    coding: Arc<Semaphore>,
}

impl Client {
    fn new(url: &str) -> Self {
        let target = Target::parse(url).unwrap();
        Self {
            channels: Channels::default(),
            settings: settings(),
            target,
            budget: Budget::new(8 << 20),
            coding: Arc::new(Semaphore::new(1)),
        }
    }

    fn request(&self, message: &[u8]) -> Request<'_> {
        Request {
            target: &self.target,
            path: "/a.B/C",
            metadata: Vec::new(),
            message: Bytes::copy_from_slice(message),
            gzip: false,
            timeout: Some(PATIENCE),
            max_bytes: 1 << 20,
        }
    }

    async fn begin(&self, request: Request<'_>) -> Result<Call, Status> {
        let (budget, coding) = (self.budget.clone(), Arc::clone(&self.coding));
        begin(&self.channels, &self.settings, None, request, budget, coding).await
    }

    /// A unary call's answer, or its status.
    async fn unary(&self, message: &[u8]) -> Result<Bytes, Status> {
        let mut call = self.begin(self.request(message)).await?;
        let answer = call.single().await;
        let status = call.status().cloned().expect("it is over");
        answer.ok_or(status)
    }
}

async fn body_of(heard: Heard) -> Vec<u8> {
    let mut body = heard.into_body();
    let mut bytes = Vec::new();
    while let Some(Ok(piece)) = body.data().await {
        bytes.extend_from_slice(&piece);
        body.flow_control().release_capacity(piece.len()).unwrap();
    }
    bytes
}

#[tokio::test]
async fn a_call_is_what_the_protocol_says_and_its_connection_is_kept() {
    let url = server(async |heard: Heard, respond, number| {
        let expected = [
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("user-agent", "test/1"),
            ("x-token", "7"),
            ("x-bin", "AAEC"),
            ("grpc-timeout", "60000000u"),
        ];
        for (name, value) in expected {
            assert_eq!(heard.headers().get(name).map(|value| value.to_str().unwrap()), Some(value), "{name}");
        }
        assert_eq!((heard.method().as_str(), heard.uri().path()), ("POST", "/a.B/C"));
        let body = body_of(heard).await;
        let mut head = head("application/grpc+proto");
        head.headers_mut().insert("x-number", number.into());
        let mut trailers = trailers("0", "");
        trailers.insert("x-bin", "AAEC,Aw==".parse().unwrap());
        say(respond, head, &[Bytes::from(body)], Some(trailers)).await;
    })
    .await;
    let client = Client::new(&url);
    for number in 1..=3_u8 {
        let metadata = vec![("x-token".to_owned(), b"7".to_vec()), ("x-bin".to_owned(), vec![0, 1, 2])];
        check(&metadata).unwrap();
        let mut call = client.begin(Request { metadata, ..client.request(&[number; 100_000]) }).await.unwrap();
        assert_eq!(call.single().await, Some(Bytes::from(vec![number; 100_000])));
        assert_eq!(call.status().map(|status| status.code), Some(Code::OK));
        assert_eq!(text(call.headers()), [("x-number".to_owned(), number.to_string().into_bytes())]);
        let trailers = [("x-bin".to_owned(), vec![0, 1, 2]), ("x-bin".to_owned(), vec![3])];
        assert_eq!(text(call.trailers()), trailers);
    }
}

#[tokio::test]
async fn the_servers_word_is_the_status() {
    let url = server(async |heard: Heard, respond, number| {
        drop(body_of(heard).await);
        match number {
            1 => say(respond, head("application/grpc"), &[], Some(trailers("5", "no caf%C3%A9 %zz"))).await,
            // Nothing but trailers: they are the head.
            _ => {
                let mut head = head("application/grpc");
                head.headers_mut().extend(trailers("16", "who%20are you"));
                say(respond, head, &[], None).await;
            }
        }
    })
    .await;
    let client = Client::new(&url);
    for (code, message) in [(5, "no café %zz"), (16, "who are you")] {
        let status = client.unary(b"x").await.unwrap_err();
        assert_eq!((status.code.0, status.message.as_str(), status.error_code.0), (code, message, 0));
    }
}

#[tokio::test]
async fn answers_that_are_not_grpc_are_told_apart() {
    let framed = || encode(b"hello", false);
    let gzipped = || encode(b"hello", true);
    type Case = (Response<()>, Vec<Bytes>, Option<HeaderMap>, u32, u16, &'static str);
    let with_status = |status: u16| Response::builder().status(status).body(()).unwrap();
    let with_encoding = |name: &'static str| {
        let mut head = head("application/grpc");
        head.headers_mut().insert("grpc-encoding", name.parse().unwrap());
        head
    };
    let ok = || Some(trailers("0", ""));
    let grpc = || head("application/grpc");
    let cases: Vec<Case> = vec![
        (with_status(404), vec![], None, 12, 1404, "HTTP status 404"),
        (with_status(401), vec![], None, 16, 1401, "HTTP status 401"),
        (with_status(403), vec![], None, 7, 1403, "HTTP status 403"),
        (with_status(400), vec![], None, 13, 1400, "HTTP status 400"),
        (with_status(503), vec![Bytes::from("busy")], None, 14, 1503, "HTTP status 503"),
        (with_status(500), vec![], None, 2, 1500, "HTTP status 500"),
        (head("text/html"), vec![Bytes::from("<p>")], None, 2, 1000, "content type text/html"),
        (head("application/grpcx"), vec![], ok(), 2, 1000, "content type application/grpcx"),
        (grpc(), vec![framed()], None, 2, 1000, "without trailers"),
        (grpc(), vec![framed()], Some(HeaderMap::new()), 2, 1000, "without trailers"),
        (grpc(), vec![framed()], Some(trailers("many", "")), 2, 1000, "no number"),
        (grpc(), vec![], ok(), 13, 1000, "succeeded without an answer"),
        (grpc(), vec![framed(), framed()], ok(), 13, 1000, "here are more"),
        (grpc(), vec![framed().slice(..7)], ok(), 13, 1000, "ended within a message"),
        (grpc(), vec![Bytes::from_static(&[2, 0, 0, 0, 0])], ok(), 13, 1000, "neither 0 nor 1"),
        (grpc(), vec![Bytes::from_static(&[0, 0xff, 0, 0, 0])], ok(), 8, 1000, "4278190080 bytes"),
        (grpc(), vec![gzipped()], ok(), 13, 1000, "did not say how"),
        (with_encoding("br"), vec![gzipped()], ok(), 13, 1000, "`br`"),
        (with_encoding("gzip"), vec![Bytes::from_static(&[1, 0, 0, 0, 1, 7])], ok(), 13, 1000, "gzip"),
        (with_encoding("gzip"), vec![encode(&vec![0; 2 << 20], true)], ok(), 8, 1000, "what is compressed"),
    ];
    for (head, body, end, code, error_code, said) in cases {
        let answer = Arc::new((head, body, end));
        let url = server(move |heard: Heard, respond, _| {
            let answer = Arc::clone(&answer);
            async move {
                drop(body_of(heard).await);
                say(respond, answer.0.clone(), &answer.1, answer.2.clone()).await;
            }
        })
        .await;
        let client = Client::new(&url);
        let status = client.unary(b"x").await.unwrap_err();
        assert_eq!((status.code.0, status.error_code.0), (code, error_code), "{said}: {status:?}");
        assert!(status.message.contains(said), "{said}: {status:?}");
        assert_eq!(client.budget.held(), 0, "{said}");
    }
}

#[tokio::test]
async fn compressed_messages_go_both_ways() {
    let url = server(async |heard: Heard, respond, _| {
        assert_eq!(heard.headers()["grpc-encoding"], "gzip");
        assert_eq!(heard.headers()["grpc-accept-encoding"], "gzip");
        let body = body_of(heard).await;
        assert!(body[0] == 1 && body.len() < 1_000, "{}", body.len());
        let mut head = head("application/grpc");
        head.headers_mut().insert("grpc-encoding", "gzip".parse().unwrap());
        say(respond, head, &[Bytes::from(body)], Some(trailers("0", ""))).await;
    })
    .await;
    let client = Client::new(&url);
    let message = vec![7; 100_000];
    let mut call = client.begin(Request { gzip: true, ..client.request(&message) }).await.unwrap();
    assert_eq!(call.single().await, Some(Bytes::from(message)));
}

#[tokio::test]
async fn resets_and_lost_connections_have_their_codes() {
    let cases = [
        (h2::Reason::CANCEL, 1, 1639),
        (h2::Reason::REFUSED_STREAM, 14, 1638),
        (h2::Reason::INTERNAL_ERROR, 13, 1633),
        (h2::Reason::ENHANCE_YOUR_CALM, 8, 1642),
    ];
    for (reason, code, error_code) in cases {
        let url = server(move |heard: Heard, mut respond: SendResponse<Bytes>, _| async move {
            drop(body_of(heard).await);
            respond.send_reset(reason);
        })
        .await;
        let status = Client::new(&url).unary(b"x").await.unwrap_err();
        assert_eq!((status.code.0, status.error_code.0), (code, error_code), "{status:?}");
    }
    let url = server_that_gives_up().await;
    let status = Client::new(&url).unary(b"x").await.unwrap_err();
    assert_eq!((status.code.0, status.error_code.0), (14, 1612), "{status:?}");
    let url = raw_server(async |stream| {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let _request = connection.accept().await;
    })
    .await;
    let status = Client::new(&url).unary(b"x").await.unwrap_err();
    assert_eq!(status.code, Code::UNAVAILABLE, "{status:?}");
    assert_ne!(status.error_code.0, 0);
    // Somebody who speaks HTTP/1.1, and nobody at all.
    let url = raw_server(async |stream| {
        stream.writable().await.unwrap();
        stream.try_write(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n").unwrap();
    })
    .await;
    let status = Client::new(&url).unary(b"x").await.unwrap_err();
    assert_eq!(status.code, Code::UNAVAILABLE, "{status:?}");
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let status = Client::new(&format!("http://{nobody}")).unary(b"x").await.unwrap_err();
    assert_eq!((status.code.0, status.error_code.0), (14, 1212), "{status:?}");
}

#[tokio::test]
async fn a_kept_connection_that_the_server_closed_costs_no_call() {
    let url = raw_server(async |stream| {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((heard, respond))) = connection.accept().await {
            tokio::spawn(async move {
                drop(body_of(heard).await);
                say(respond, head("application/grpc"), &[encode(b"one", false)], Some(trailers("0", ""))).await;
            });
            connection.graceful_shutdown();
        }
    })
    .await;
    let client = Client::new(&url);
    for _ in 0..5 {
        assert_eq!(client.unary(b"x").await, Ok(Bytes::from_static(b"one")));
    }
}

#[tokio::test]
async fn a_deadline_ends_the_call_and_tells_the_server() {
    let (told, mut heard) = tokio::sync::mpsc::channel(1);
    let url = server(move |request: Heard, mut respond: SendResponse<Bytes>, _| {
        let told = told.clone();
        async move {
            let limit = request.headers()["grpc-timeout"].to_str().unwrap().to_owned();
            let mut stream = respond.send_response(head("application/grpc"), false).unwrap();
            stream.send_data(encode(b"first", false), false).unwrap();
            let reset = std::future::poll_fn(|cx| stream.poll_reset(cx)).await.unwrap();
            told.send((limit, reset)).await.unwrap();
        }
    })
    .await;
    let client = Client::new(&url);
    let limit = Some(Duration::from_millis(300));
    let mut call = client.begin(Request { timeout: limit, ..client.request(b"x") }).await.unwrap();
    assert_eq!(call.message().await, Some(Bytes::from_static(b"first")));
    assert_eq!(call.message().await, None);
    let status = call.status().unwrap();
    assert_eq!((status.code, status.error_code.0), (Code::DEADLINE_EXCEEDED, 1050));
    assert_eq!(heard.recv().await.unwrap(), ("300000u".to_owned(), h2::Reason::CANCEL));
    // Dropping a call, too.
    let mut call = client.begin(client.request(b"x")).await.unwrap();
    assert!(call.message().await.is_some());
    drop(call);
    assert_eq!(heard.recv().await.unwrap().1, h2::Reason::CANCEL);
}

#[tokio::test]
async fn a_stream_comes_message_by_message_however_it_is_cut() {
    let url = server(async |heard: Heard, mut respond: SendResponse<Bytes>, _| {
        drop(body_of(heard).await);
        let mut stream = respond.send_response(head("application/grpc"), false).unwrap();
        let all: Vec<u8> = (0..1_000_u32).flat_map(|number| encode(&vec![7; number as usize], false)).collect();
        for piece in all.chunks(777) {
            stream.send_data(Bytes::copy_from_slice(piece), false).unwrap();
        }
        stream.send_trailers(trailers("9", "enough")).unwrap();
    })
    .await;
    let client = Client::new(&url);
    let mut call = client.begin(client.request(b"x")).await.unwrap();
    for length in 0..1_000 {
        assert_eq!(call.message().await.map(|message| message.len()), Some(length));
    }
    assert_eq!(call.message().await, None);
    assert_eq!(call.status().map(|status| (status.code.0, status.message.as_str())), Some((9, "enough")));
}

#[test]
fn deadlines_have_at_most_eight_digits() {
    let cases = [
        (Duration::from_nanos(1), "1n"),
        (Duration::from_millis(99), "99000000n"),
        (Duration::from_millis(100), "100000u"),
        (Duration::from_secs(100), "100000m"),
        (Duration::from_nanos(100_000_000_001), "100001m"),
        (Duration::from_secs(100_000), "100000S"),
        (Duration::MAX, "99999999H"),
    ];
    for (time, expected) in cases {
        assert_eq!(timeout(time), expected, "{time:?}");
    }
}

#[test]
fn metadata_that_cannot_be_sent_is_refused() {
    let is_fine = |name: &str, value: &[u8]| check(&vec![(name.to_owned(), value.to_vec())]).is_ok();
    assert!(is_fine("x-a.b_c", b"plain text") && is_fine("x-bin", &[0, 255]));
    for (name, value) in
        [("X", &b"a"[..]), ("", b"a"), ("grpc-status", b"0"), ("te", b"a"), ("x", b"a\n"), ("x", "é".as_bytes())]
    {
        assert!(!is_fine(name, value), "{name}");
    }
    assert_eq!(percent_decoded(b"a%20b%"), "a b%");
    assert_eq!(is_method_path("/a.B/C"), Some(("a.B", "C")));
    for bad in ["", "/", "a.B/C", "/a.B", "/a.B/", "/a/b/c", "/a b/c"] {
        assert_eq!(is_method_path(bad), None, "{bad}");
    }
}

#[tokio::test]
async fn streams_that_nobody_reads_do_not_hold_up_the_others() {
    let url = server(async |heard: Heard, respond, _| {
        drop(body_of(heard).await);
        say(respond, head("application/grpc"), &[encode(&vec![7; 1 << 20], false)], Some(trailers("0", ""))).await;
    })
    .await;
    let client = Client::new(&url);
    let mut calls = Vec::new();
    for _ in 0..64 {
        calls.push(client.begin(client.request(b"x")).await.unwrap());
    }
    let mut last = calls.pop().unwrap();
    assert_eq!(last.single().await.map(|message| message.len()), Some(1 << 20));
}

#[tokio::test]
async fn what_is_sent_takes_its_part_of_the_bound() {
    let url = server(async |heard: Heard, _respond, _| {
        drop(body_of(heard).await);
        std::future::pending::<()>().await;
    })
    .await;
    let client = Client::new(&url);
    let first = client.begin(client.request(&vec![1; 5 << 20])).await.unwrap();
    assert_eq!(client.budget.held(), 5 << 20);
    let status = client.begin(client.request(&vec![1; 5 << 20])).await.unwrap_err();
    assert_eq!((status.code, status.tag), (Code::RESOURCE_EXHAUSTED, "message too long"));
    drop(first);
    assert_eq!(client.budget.held(), 0);
    let status = client.begin(client.request(&vec![1; (16 << 20) + 1])).await.unwrap_err();
    assert_eq!((status.code, status.tag), (Code::RESOURCE_EXHAUSTED, "message too long"));
}

#[tokio::test]
async fn a_status_that_grpc_does_not_have_is_told_and_counts_as_unknown() {
    let url = server(async |heard: Heard, respond, _| {
        drop(body_of(heard).await);
        say(respond, head("application/grpc"), &[], Some(trailers("4000000000", "?"))).await;
    })
    .await;
    let status = Client::new(&url).unary(b"x").await.unwrap_err();
    assert_eq!((status.code, status.code.known()), (Code(4_000_000_000), 2));
    assert_eq!(Code(16).known(), 16);
}
