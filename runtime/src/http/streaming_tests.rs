//! Bodies that come or go piece by piece, and bodies that a server is asked about first.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Barrier, mpsc};

use super::incoming::Piece;
use super::tests::{OneByOne, get, post, request, server, settings};
use super::tls::HttpVersion;
use super::{Client, ErrorCode, Exchange, Lane, Outgoing, UNREAD_STREAMS};

const LONG: Duration = Duration::from_secs(20);

fn streamed(url: &str) -> Outgoing {
    Outgoing { streamed: true, ..get(url) }
}

fn expecting(url: &str) -> Outgoing {
    Outgoing { headers: vec![("Expect".to_owned(), b"100-continue".to_vec())], ..post(url, "the body") }
}

/// Reads until the bytes end with `end`.
async fn read_until(stream: &mut TcpStream, end: &str) -> Option<String> {
    let mut seen = Vec::new();
    while !seen.ends_with(end.as_bytes()) {
        seen.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(seen).unwrap())
}

async fn rest(client: &Client, exchange: &mut Exchange) -> (Vec<u8>, Piece) {
    let mut all = Vec::new();
    loop {
        match client.read(exchange, LONG).await {
            Piece::Bytes(bytes) => all.extend_from_slice(&bytes),
            end => return (all, end),
        }
    }
}

#[tokio::test]
async fn a_body_is_read_as_it_comes_and_its_connection_serves_the_next_request() {
    let (go, going) = mpsc::unbounded_channel::<()>();
    let going = Arc::new(tokio::sync::Mutex::new(going));
    let url = server(move |mut stream, number| {
        let going = Arc::clone(&going);
        async move {
            while request(&mut stream).await.is_some() {
                let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
                stream.write_all(format!("{head}1\r\n{number}\r\n").as_bytes()).await.unwrap();
                for _ in 0..2 {
                    going.lock().await.recv().await;
                    stream.write_all(b"3\r\nabc\r\n").await.unwrap();
                }
                stream.write_all(b"0\r\ntrailer: x\r\n\r\n").await.unwrap();
            }
        }
    })
    .await;
    let (client, mut lane) = (Client::new(Arc::new(settings())), Lane::new());
    for _ in 0..2 {
        let mut exchange = client.send(&mut lane, &streamed(&url)).await;
        assert_eq!((exchange.status, exchange.is_under_way()), (200, true));
        assert_eq!(client.read(&mut exchange, LONG).await, Piece::Bytes(Bytes::from_static(b"0")));
        assert_eq!(client.read(&mut exchange, Duration::from_millis(20)).await, Piece::Late);
        go.send(()).unwrap();
        assert_eq!(client.read(&mut exchange, LONG).await, Piece::Bytes(Bytes::from_static(b"abc")));
        go.send(()).unwrap();
        assert_eq!(rest(&client, &mut exchange).await, (b"abc".to_vec(), Piece::End));
        assert_eq!(client.read(&mut exchange, LONG).await, Piece::End, "it stays so");
        assert!(exchange.failure.is_none() && !exchange.is_under_way());
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let chunks = b"1\r\n0\r\n3\r\nabc\r\n3\r\nabc\r\n0\r\ntrailer: x\r\n\r\n";
        assert_eq!(exchange.bytes_received, (head.len() + chunks.len()) as u64);
        assert!(exchange.bytes_sent > 0);
        assert!(exchange.timings.receiving >= Duration::from_millis(20), "{:?}", exchange.timings);
    }
}

#[tokio::test]
async fn nothing_is_read_while_nobody_reads() {
    let (told, mut written) = mpsc::unbounded_channel();
    let url = server(move |mut stream, _| {
        let told = told.clone();
        async move {
            request(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let block = vec![b'x'; 1 << 20];
            let mut sent = 0_usize;
            while sent < 64 << 20 && stream.write_all(&block).await.is_ok() {
                sent += block.len();
                told.send(sent).unwrap();
            }
        }
    })
    .await;
    let client = Client::new(Arc::new(settings()));
    let mut exchange = client.send(&mut Lane::new(), &streamed(&url)).await;
    // Until nothing leaves the server any more.
    let mut most = 0;
    while let Ok(Some(sent)) = tokio::time::timeout(Duration::from_millis(500), written.recv()).await {
        most = sent;
    }
    assert!(most < 64 << 20, "the server could send all of it");
    let (all, end) = rest(&client, &mut exchange).await;
    assert_eq!((all.len(), end), (64 << 20, Piece::End), "longer than a body that is held may be");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_failure() {
    let url = server(|mut stream, _| async move {
        request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab").await.unwrap();
    })
    .await;
    let client = Client::new(Arc::new(settings()));
    let mut exchange = client.send(&mut Lane::new(), &streamed(&url)).await;
    assert_eq!(rest(&client, &mut exchange).await, (b"ab".to_vec(), Piece::Failed));
    assert_eq!(exchange.failure.as_ref().unwrap().code, ErrorCode::RESET_BY_PEER);
    assert_eq!(client.read(&mut exchange, LONG).await, Piece::Failed, "it stays so");
}

#[tokio::test]
async fn an_answer_that_is_no_success_is_taken_in_whole() {
    let url = server(|mut stream, _| async move {
        request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nno").await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        stream.write_all(b"pe").await.unwrap();
    })
    .await;
    let client = Client::new(Arc::new(settings()));
    let mut exchange = client.send(&mut Lane::new(), &streamed(&url)).await;
    assert_eq!((exchange.status, exchange.is_under_way(), &exchange.body[..]), (404, false, &b"nope"[..]));
    assert_eq!(rest(&client, &mut exchange).await, (b"nope".to_vec(), Piece::End));
}

#[tokio::test]
async fn a_stream_that_is_left_closes_its_connection() {
    let (told, mut ended) = mpsc::unbounded_channel();
    let url = server(move |mut stream, _| {
        let told = told.clone();
        async move {
            request(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nx").await.unwrap();
            told.send(request(&mut stream).await).unwrap();
        }
    })
    .await;
    let client = Client::new(Arc::new(settings()));
    let mut exchange = client.send(&mut Lane::new(), &streamed(&url)).await;
    assert!(matches!(client.read(&mut exchange, LONG).await, Piece::Bytes(_)));
    exchange.break_off();
    assert_eq!(ended.recv().await.unwrap(), None);
    assert!(exchange.failure.is_none() && exchange.bytes_received > 0);
}

/// Serves HTTP/2 in plain text.
async fn h2_server<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(http::Request<h2::RecvStream>, h2::server::SendResponse<Bytes>) -> F + Send + Clone + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let serve = serve.clone();
            tokio::spawn(async move {
                let Ok(mut connection) = h2::server::handshake(tcp).await else { return };
                while let Some(Ok((request, respond))) = connection.accept().await {
                    tokio::spawn(serve(request, respond));
                }
            });
        }
    });
    url
}

async fn all_of(mut body: h2::RecvStream) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(Ok(piece)) = body.data().await {
        body.flow_control().release_capacity(piece.len()).unwrap();
        all.extend_from_slice(&piece);
    }
    all
}

fn over_http2(outgoing: Outgoing) -> Outgoing {
    Outgoing { http_version: Some(HttpVersion::Http2), ..outgoing }
}

#[tokio::test]
async fn a_body_is_read_as_it_comes_over_http2_too() {
    let url = h2_server(|_, mut respond| async move {
        let mut send = respond.send_response(http::Response::new(()), false).unwrap();
        for piece in ["one", "", "two"] {
            send.send_data(Bytes::from_static(piece.as_bytes()), false).unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let trailers = http::HeaderMap::from_iter([(http::HeaderName::from_static("x"), "y".parse().unwrap())]);
        send.send_trailers(trailers).unwrap();
    })
    .await;
    let (client, mut lane) = (Client::new(Arc::new(settings())), Lane::new());
    let mut exchange = client.send(&mut lane, &over_http2(streamed(&url))).await;
    assert_eq!((exchange.status, exchange.protocol, exchange.is_under_way()), (200, "HTTP/2.0", true));
    assert_eq!(rest(&client, &mut exchange).await, (b"onetwo".to_vec(), Piece::End));
    assert!(exchange.failure.is_none() && exchange.bytes_received > 6, "{exchange:?}");
    let whole = client.send(&mut lane, &over_http2(get(&url))).await;
    assert_eq!(whole.body, "onetwo", "trailers are no trouble: {whole:?}");
}

#[tokio::test]
async fn a_body_that_is_wanted_follows_the_servers_word() {
    let url = server(|mut stream, _| async move {
        let head = read_until(&mut stream, "\r\n\r\n").await.unwrap();
        assert!(head.contains("Expect: 100-continue\r\n") && head.contains("content-length: 8\r\n"), "{head}");
        tokio::time::sleep(Duration::from_millis(50)).await;
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.unwrap();
        let body = read_until(&mut stream, "the body").await.unwrap();
        assert_eq!(body, "the body", "nothing of it came before");
        tokio::time::sleep(Duration::from_millis(100)).await;
        stream.write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        let _ = stream.read_u8().await;
    })
    .await;
    let exchange = OneByOne::new(settings()).send(expecting(&url)).await;
    assert_eq!((exchange.status, exchange.failure.as_ref()), (201, None));
    let timings = exchange.timings;
    assert!(timings.sending >= Duration::from_millis(50), "what was waited for the word is sending: {timings:?}");
    assert!(timings.waiting >= Duration::from_millis(100), "and the answer was waited for: {timings:?}");
}

#[tokio::test]
async fn a_body_that_is_not_wanted_is_never_sent() {
    let url = server(|mut stream, number| async move {
        read_until(&mut stream, "\r\n\r\n").await.unwrap();
        let answer = format!("HTTP/1.1 417 Expectation Failed\r\ncontent-length: 1\r\n\r\n{number}");
        stream.write_all(answer.as_bytes()).await.unwrap();
        assert!(stream.read_u8().await.is_err(), "not a byte follows");
    })
    .await;
    let mut client = OneByOne::new(settings());
    for number in ["0", "1"] {
        let exchange = client.send(expecting(&url)).await;
        assert_eq!((exchange.status, exchange.failure.as_ref()), (417, None));
        assert_eq!(exchange.body, number, "the connection serves nobody else");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_gets_the_body_after_a_second() {
    let url = server(|mut stream, _| async move {
        request(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        let _ = stream.read_u8().await;
    })
    .await;
    let exchange = OneByOne::new(settings()).send(expecting(&url)).await;
    assert_eq!((exchange.status, exchange.failure.as_ref()), (200, None));
    assert!(exchange.timings.sending >= Duration::from_secs(1), "{:?}", exchange.timings);
}

#[tokio::test]
async fn a_server_is_asked_over_http2_too() {
    let url = h2_server(|request, mut respond| async move {
        if request.uri().path() == "/no" {
            let answer = http::Response::builder().status(413).body(()).unwrap();
            let mut send = respond.send_response(answer, false).unwrap();
            return send.send_data(Bytes::from_static(b"too large"), true).unwrap();
        }
        let go_on = http::Response::builder().status(100).body(()).unwrap();
        respond.send_informational(go_on).unwrap();
        let body = all_of(request.into_body()).await;
        let mut send = respond.send_response(http::Response::new(()), false).unwrap();
        send.send_data(body.into(), true).unwrap();
    })
    .await;
    let mut client = OneByOne::new(settings());
    let exchange = client.send(over_http2(expecting(&url))).await;
    assert_eq!((exchange.status, &exchange.body[..], exchange.failure.as_ref()), (200, &b"the body"[..], None));
    let refused = client.send(over_http2(expecting(&url.replace("/x", "/no")))).await;
    assert_eq!((refused.status, &refused.body[..], refused.failure.as_ref()), (413, &b"too large"[..], None));
    assert!(refused.bytes_sent > 0);
}

#[tokio::test]
async fn a_body_goes_out_in_chunks() {
    let url = server(|mut stream, _| async move {
        while let Some(head) = read_until(&mut stream, "\r\n\r\n").await {
            assert!(head.contains("transfer-encoding: chunked\r\n") && !head.contains("content-length"), "{head}");
            let body = read_until(&mut stream, "0\r\n\r\n").await.unwrap();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let mut client = OneByOne::new(settings());
    for _ in 0..2 {
        let exchange = client.send(Outgoing { chunked: true, ..post(&url, "hello") }).await;
        assert_eq!((exchange.status, &exchange.body[..]), (200, &b"5\r\nhello\r\n0\r\n\r\n"[..]), "{exchange:?}");
    }
    let url = h2_server(|request, mut respond| async move {
        let length = request.headers().get("content-length").is_some();
        let body = all_of(request.into_body()).await;
        let mut send = respond.send_response(http::Response::new(()), false).unwrap();
        send.send_data(format!("{length} {}", body.len()).into(), true).unwrap();
    })
    .await;
    let exchange = client.send(over_http2(Outgoing { chunked: true, ..post(&url, "hello") })).await;
    assert_eq!((exchange.status, &exchange.body[..]), (200, &b"false 5"[..]));
}

#[tokio::test]
async fn an_old_server_that_keeps_its_connection_is_believed() {
    let url = server(|mut stream, number| async move {
        while request(&mut stream).await.is_some() {
            let answer = format!("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n{number}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let mut client = OneByOne::new(settings());
    assert_eq!([client.send(get(&url)).await.body, client.send(get(&url)).await.body], ["0", "0"]);
}

#[tokio::test]
async fn connections_that_were_opened_at_once_are_kept_for_the_next_requests() {
    // Nothing is answered before all of a round are there.
    let round = Arc::new(std::sync::Mutex::new(Arc::new(Barrier::new(0))));
    let rounds = Arc::clone(&round);
    let url = server(move |mut stream, number| {
        let rounds = Arc::clone(&rounds);
        async move {
            while request(&mut stream).await.is_some() {
                let round = Arc::clone(&rounds.lock().unwrap());
                round.wait().await;
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{number:02}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let client = Client::new(Arc::new(settings()));
    // Gives the highest number of a connection that was used: the server counts them.
    let at_once = |requests: usize| {
        let (client, url) = (&client, &url);
        *round.lock().unwrap() = Arc::new(Barrier::new(requests));
        async move {
            let mut lanes: Vec<Lane> = (0..requests).map(|_| Lane::new()).collect();
            let outgoing = get(url);
            let sends = lanes.iter_mut().map(|lane| client.send(lane, &outgoing));
            let exchanges = futures_util::future::join_all(sends).await;
            let numbers = exchanges.iter().map(|exchange| str::from_utf8(&exchange.body).unwrap().parse::<u32>());
            numbers.map(Result::unwrap).max().unwrap()
        }
    };
    let mut seen = Vec::new();
    for (requests, expected) in [(6, 0), (6, 0), (12, 0), (12, 0), (12, 12), (12, 12), (40, 1000), (40, 1000)] {
        client.expect_at_once(expected);
        seen.push(at_once(requests).await);
    }
    // Eight are kept without a batch, and never more than 32.
    assert_eq!(seen, [5, 5, 11, 15, 19, 19, 47, 55]);
}

/// As many answers as a virtual user may leave unread, each a full window or thousands of small events: the next request is answered.
#[tokio::test]
async fn answers_that_nobody_reads_keep_no_other_from_coming_over_http2() {
    for (piece, pieces) in [(vec![7; 16 * 1024], 128), (b"data: an event of some bytes\n\n".to_vec(), 4_000)] {
        let piece = Bytes::from(piece);
        let url = h2_server(move |request, mut respond| {
            let piece = piece.clone();
            async move {
                let short = request.uri().path() == "/short";
                let mut body = respond.send_response(http::Response::new(()), false).unwrap();
                if short {
                    return body.send_data(Bytes::from_static(b"short"), true).unwrap();
                }
                for _ in 0..pieces {
                    body.reserve_capacity(piece.len());
                    while body.capacity() < piece.len() {
                        if !matches!(std::future::poll_fn(|cx| body.poll_capacity(cx)).await, Some(Ok(_))) {
                            return;
                        }
                    }
                    body.send_data(piece.clone(), false).unwrap();
                }
                std::future::pending::<()>().await;
            }
        })
        .await;
        let client = Client::new(Arc::new(settings()));
        let mut unread = Vec::new();
        for _ in 0..UNREAD_STREAMS {
            let exchange = client.send(&mut Lane::new(), &over_http2(streamed(&url))).await;
            assert_eq!((exchange.status, &exchange.failure), (200, &None));
            unread.push(exchange);
        }
        // Until the server has sent what it may.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let outgoing = Outgoing { timeout: Some(LONG), ..over_http2(get(&url.replace("/x", "/short"))) };
        let short = client.send(&mut Lane::new(), &outgoing).await;
        assert_eq!((short.status, &short.failure, &short.body[..]), (200, &None, &b"short"[..]));
        for mut exchange in unread {
            assert!(matches!(client.read(&mut exchange, LONG).await, Piece::Bytes(_)), "{:?}", exchange.failure);
        }
    }
}
