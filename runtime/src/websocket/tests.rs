//! Connections to servers that behave, and to servers that do not.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::{Answer, Budget, Connection, Ended, Event, Outgoing, Request, open};
use crate::http::{ErrorCode, Failure, Target};

const PATIENCE: Duration = Duration::from_secs(60);
const MIB: usize = 1 << 20;

/// A listener whose one connection goes to `serve`, and a connection to it.
async fn connected<F: Future<Output = ()> + Send + 'static>(
    serve: impl FnOnce(TcpStream) -> F + Send + 'static,
) -> (TcpStream, Target) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { serve(listener.accept().await.unwrap().0).await });
    (TcpStream::connect(address).await.unwrap(), Target::parse(&format!("http://{address}/chat?room=7")).unwrap())
}

async fn opened<F: Future<Output = ()> + Send + 'static>(
    budget: Budget,
    talk: impl FnOnce(WebSocketStream<TcpStream>) -> F + Send + 'static,
) -> Connection<TcpStream> {
    let (stream, target) = connected(async move |stream| talk(accept_async(stream).await.unwrap()).await).await;
    open(stream, request(&target), budget, &mut Answer::default()).await.unwrap()
}

const fn request(target: &Target) -> Request<'_> {
    Request { target, headers: Vec::new(), subprotocols: Vec::new(), user_agent: "test/1" }
}

/// Opening against a server that answers the request's head with this, `KEY` replaced by what belongs there.
async fn answered(
    answer: &'static str,
    subprotocols: &[&str],
) -> (Result<Connection<TcpStream>, Failure>, Answer, String) {
    let (told, mut heard) = tokio::sync::mpsc::channel(1);
    let (stream, target) = connected(async move |mut stream| {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
        let answer = answer.replace("KEY", &derive_accept_key(key.as_bytes()));
        stream.write_all(answer.as_bytes()).await.unwrap();
        told.send(head).await.unwrap();
    })
    .await;
    let subprotocols = subprotocols.iter().map(|name| (*name).to_owned()).collect();
    let headers = vec![
        ("X-Token".to_owned(), b"7".to_vec()),
        ("Upgrade".to_owned(), b"h2c".to_vec()),
        ("Sec-WebSocket-Protocol".to_owned(), b"c, d".to_vec()),
    ];
    let mut answer = Answer::default();
    let request = Request { subprotocols, headers, ..request(&target) };
    let opened = open(stream, request, Budget::new(MIB), &mut answer).await;
    (opened, answer, heard.recv().await.unwrap())
}

const AGREED: &str = "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nconnection: keep-alive, Upgrade\r\nsec-websocket-accept: KEY\r\n";

#[tokio::test]
async fn the_handshake_is_that_of_the_rfc() {
    let answer: &'static str =
        format!("HTTP/1.1 103 Early Hints\r\n\r\n{AGREED}sec-websocket-protocol: c\r\n\r\n").leak();
    let (opened, answer, request) = answered(answer, &["a", "b"]).await;
    opened.unwrap();
    assert_eq!((answer.status, answer.subprotocol.as_deref()), (101, Some("c")));
    assert!(request.starts_with("GET /chat?room=7 HTTP/1.1\r\nhost: 127.0.0.1:"), "{request}");
    let expected = [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: a, b, c, d",
        "X-Token: 7",
        "user-agent: test/1",
    ];
    for line in expected {
        assert!(request.lines().any(|known| known == line), "{line} is missing in {request}");
    }
    assert_eq!(request.matches("pgrade:").count(), 1, "{request}");
    // A server may choose no subprotocol.
    let (opened, answer, _) = answered(format!("{AGREED}\r\n").leak(), &["a"]).await;
    assert!(opened.is_ok() && answer.subprotocol.is_none());
}

#[tokio::test]
async fn an_answer_that_is_no_consent_is_refused() {
    let cases = [
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned(), 404, 1404, "status 404 instead of 101"),
        ("HTTP/1.1 200 OK\r\n\r\n".to_owned(), 200, 1000, "status 200 instead of 101"),
        ("HTTP/1.1 101 Go\r\n\r\n".to_owned(), 101, 1000, "not for a WebSocket"),
        (format!("{}\r\n", AGREED.replace("KEY", "x")), 101, 1000, "Sec-WebSocket-Accept"),
        (format!("{AGREED}sec-websocket-protocol: z\r\n\r\n"), 101, 1000, "subprotocol that was not offered"),
        (format!("{AGREED}sec-websocket-extensions: permessage-deflate\r\n\r\n"), 101, 1000, "extension"),
        ("SSH-2.0-OpenSSH_9\r\n".to_owned(), 0, 1000, "no HTTP"),
        (format!("HTTP/1.1 101 Go\r\nx: {}", "y".repeat(20_000)), 0, 1000, "longer than 16384 bytes"),
        (String::new(), 0, 1220, "closed the connection before it answered"),
        ("HTTP/1.1 101 Sw".to_owned(), 0, 1220, "closed the connection before it answered"),
    ];
    for (text, status, code, said) in cases {
        let (opened, answer, _) = answered(text.clone().leak(), &["a"]).await;
        let failure = opened.err().unwrap_or_else(|| panic!("{text} was taken"));
        assert_eq!((answer.status, failure.code.0), (status, code), "{text}");
        assert!(failure.text.contains(said), "{text}: {}", failure.text);
    }
}

#[tokio::test]
async fn messages_go_both_ways_and_pings_are_answered_meanwhile() {
    let mut connection = opened(Budget::new(MIB), async |mut server| {
        server.send(Message::Ping("are you there".into())).await.unwrap();
        let mut pongs = 0;
        while let Some(Ok(message)) = server.next().await {
            match message {
                Message::Pong(_) => pongs += 1,
                Message::Text(text) => {
                    server.send(Message::Text(format!("{text}, {pongs} pongs").into())).await.unwrap()
                }
                Message::Binary(bytes) => {
                    // In two parts, with a ping between them.
                    let (first, second) = bytes.split_at(bytes.len() / 2);
                    let parts =
                        [(OpCode::Data(Data::Binary), first, false), (OpCode::Data(Data::Continue), second, true)];
                    for (code, part, is_last) in parts {
                        let frame = Frame::message(part.to_vec(), code, is_last);
                        server.send(Message::Frame(frame)).await.unwrap();
                        server.send(Message::Ping("".into())).await.unwrap();
                    }
                }
                _ => {}
            }
        }
    })
    .await;
    assert_eq!(connection.receive(Duration::from_millis(20)).await, None, "nothing is there, and the ping is answered");
    connection.send(Outgoing::Text("hello".to_owned())).await.unwrap();
    assert_eq!(connection.receive(PATIENCE).await, Some(Event::Text("hello, 1 pongs".to_owned())));
    let bytes: Vec<u8> = (0..100_000_u32).map(|number| number as u8).collect();
    connection.send(Outgoing::Binary(bytes.clone())).await.unwrap();
    assert_eq!(connection.receive(PATIENCE).await, Some(Event::Binary(bytes)));
    assert!(connection.ping(PATIENCE).await.is_some());
    assert_eq!(connection.ping(Duration::ZERO).await, None);
    assert!(matches!(connection.receive(PATIENCE).await, Some(Event::Pong(_))));
    assert_eq!(connection.close(4001, "enough", PATIENCE).await, Ended::closed(4001, "enough"));
    let tally = connection.take_tally();
    assert_eq!((tally.sent, tally.received, tally.round_trips.len()), (2, 2, 2));
    assert_eq!(connection.send(Outgoing::Text(String::new())).await.unwrap_err().code, ErrorCode::OTHER);
}

#[tokio::test]
async fn a_server_that_closes_says_why() {
    for (frame, expected) in [
        (Some(CloseFrame { code: 1012.into(), reason: "restarting".into() }), Ended::closed(1012, "restarting")),
        (None, Ended::closed(1005, "")),
    ] {
        let (told, heard) = tokio::sync::oneshot::channel();
        let mut connection = opened(Budget::new(MIB), async |mut server| {
            server.send(Message::Text("last".into())).await.unwrap();
            server.close(frame).await.unwrap();
            told.send(server.next().await).unwrap();
        })
        .await;
        assert_eq!(connection.receive(PATIENCE).await, Some(Event::Text("last".to_owned())));
        assert_eq!(connection.receive(PATIENCE).await, None);
        assert_eq!(connection.ended(), Some(&expected));
        let answer = heard.await.unwrap();
        assert!(matches!(answer, Some(Ok(Message::Close(_)))), "the close frame is answered: {answer:?}");
    }
}

/// What comes of waiting for a message that never comes whole.
async fn broken<F: Future<Output = ()> + Send + 'static>(
    talk: impl FnOnce(WebSocketStream<TcpStream>) -> F + Send + 'static,
) -> Ended {
    let mut connection = opened(Budget::new(MIB), talk).await;
    while connection.receive(PATIENCE).await.is_some() {}
    connection.ended().expect("it ended, and was not waited for in vain").clone()
}

#[tokio::test]
async fn a_connection_that_breaks_has_k6s_code() {
    let ended = broken(async |server| drop(server)).await;
    assert_eq!((ended.code, ended.error_code), (1006, ErrorCode::RESET_BY_PEER));
    assert!(ended.reason.contains("without a close frame"), "{}", ended.reason);

    let ended = broken(async |server| {
        socket2::SockRef::from(server.get_ref()).set_linger(Some(Duration::ZERO)).unwrap();
    })
    .await;
    assert_eq!((ended.code, ended.error_code), (1006, ErrorCode::RESET_BY_PEER));

    // Bytes that no server may send: a reserved bit, an unknown kind, a masked frame, a long ping, half a character.
    let nonsense: [&[u8]; 5] =
        [&[0xf1, 0], &[0x83, 0], &[0x81, 0x80, 0, 0, 0, 0], &[0x89, 126, 0, 126], &[0x81, 1, 0xc3]];
    for bytes in nonsense {
        let (told, heard) = tokio::sync::oneshot::channel();
        let ended = broken(async move |mut server| {
            let mut bytes = bytes.to_vec();
            bytes.resize(200, 0);
            server.get_mut().write_all(&bytes).await.unwrap();
            told.send(server.next().await).unwrap();
        })
        .await;
        assert_eq!((ended.code, ended.error_code, ended.tag), (1006, ErrorCode::OTHER, "WebSocket protocol error"));
        let answer = heard.await.unwrap();
        assert!(matches!(answer, Some(Ok(Message::Close(Some(_))))), "it is told so: {answer:?}");
    }
}

#[tokio::test]
async fn what_a_server_can_make_us_hold_is_bounded() {
    // One frame that is too long by what its head says; one that grows in parts.
    let ended =
        broken(async |mut server| server.send(Message::Binary(vec![0; MIB + 1].into())).await.unwrap_or(())).await;
    assert_eq!((ended.error_code, ended.tag), (ErrorCode::OTHER, "message too long"));
    let ended = broken(async |mut server| {
        let mut code = OpCode::Data(Data::Binary);
        loop {
            let part = Frame::message(vec![0; 10_000], code, false);
            code = OpCode::Data(Data::Continue);
            if server.send(Message::Frame(part)).await.is_err() {
                return;
            }
        }
    })
    .await;
    assert_eq!((ended.error_code, ended.tag), (ErrorCode::OTHER, "message too long"));
}

#[tokio::test]
async fn connections_of_one_user_share_their_bound() {
    let budget = Budget::new(MIB);
    let half_a_message = async |mut server: WebSocketStream<TcpStream>| {
        let part = Frame::message(vec![0; 700_000], OpCode::Data(Data::Binary), false);
        server.send(Message::Frame(part)).await.unwrap();
        while server.next().await.is_some() {}
    };
    let mut first = opened(budget.clone(), half_a_message).await;
    while budget.held() < 700_000 {
        assert_eq!(first.receive(Duration::from_millis(10)).await, None);
    }
    let mut second = opened(budget.clone(), half_a_message).await;
    assert_eq!(second.receive(PATIENCE).await, None);
    assert_eq!(second.ended().map(|ended| ended.tag), Some("message too long"));
    drop(first);
    drop(second);
    assert_eq!(budget.held(), 0);
}

#[tokio::test]
async fn a_flood_of_pings_leaves_others_their_turn_and_the_timeout_holds() {
    let mut connection = opened(Budget::new(MIB), async |mut server| {
        let pings = [0x89, 0].repeat(10_000);
        while server.get_mut().write_all(&pings).await.is_ok() {}
    })
    .await;
    let turns = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let other = tokio::spawn({
        let turns = std::sync::Arc::clone(&turns);
        async move {
            loop {
                turns.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        }
    });
    assert_eq!(connection.receive(Duration::from_millis(200)).await, None);
    assert!(connection.ended().is_none() && turns.load(std::sync::atomic::Ordering::Relaxed) > 10);
    other.abort();
}

#[tokio::test]
async fn a_server_that_pings_and_never_reads_is_not_answered_in_memory() {
    let (told, heard) = tokio::sync::oneshot::channel::<()>();
    let mut connection = opened(Budget::new(MIB), async |mut server| {
        let ping = [&[0x89, 125][..], &[0; 125]].concat().repeat(1_000);
        let stream = server.get_mut();
        let full = async { while stream.write_all(&ping).await.is_ok() {} };
        tokio::select! {
            () = full => panic!("the connection broke"),
            _ = heard => {}
        }
        // From here on it reads.
        let mut bytes = vec![0; 1 << 16];
        while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
    })
    .await;
    // Buffers of the system grow for a while.
    let mut held_up = 0;
    while held_up < 10 {
        assert_eq!(connection.receive(Duration::from_millis(10)).await, None);
        assert_eq!(connection.ended(), None);
        held_up = if connection.is_held_up() { held_up + 1 } else { 0 };
    }
    told.send(()).unwrap();
    while connection.is_held_up() {
        assert_eq!(connection.receive(Duration::from_millis(10)).await, None);
    }
    assert_eq!(connection.ended(), None);
}

#[tokio::test]
async fn what_is_sent_takes_its_part_of_the_bound() {
    let budget = Budget::new(MIB);
    let read = async |mut server: WebSocketStream<TcpStream>| while server.next().await.is_some() {};
    let mut connection = opened(budget.clone(), read).await;
    for _ in 0..3 {
        connection.send(Outgoing::Binary(vec![1; MIB / 2])).await.unwrap();
    }
    assert_eq!(budget.held(), MIB / 2, "the longest counts, as its memory stays with the connection");
    let failure = connection.send(Outgoing::Binary(vec![1; MIB + 1])).await.unwrap_err();
    assert_eq!((failure.tag, connection.ended()), ("message too long", None));
    connection.send(Outgoing::Binary(vec![1; 10])).await.unwrap();
    drop(connection);
    assert_eq!(budget.held(), 0);
}

#[tokio::test]
async fn messages_are_kept_while_a_pong_is_waited_for_and_not_more_than_a_thousand() {
    let mut connection = opened(Budget::new(MIB), async |mut server| {
        for number in 0..1_500 {
            server.feed(Message::Text(number.to_string().into())).await.unwrap();
        }
        server.flush().await.unwrap();
        while let Some(Ok(_)) = server.next().await {}
    })
    .await;
    assert_eq!(connection.ping(Duration::from_millis(200)).await, None, "its answer stands behind too many messages");
    assert_eq!(connection.queue_len(), 1_000);
    for number in 0..1_500 {
        assert_eq!(connection.receive(PATIENCE).await, Some(Event::Text(number.to_string())));
    }
    assert!(matches!(connection.receive(PATIENCE).await, Some(Event::Pong(_))));
}

#[tokio::test]
async fn two_that_both_write_first_do_not_wait_for_each_other_for_ever() {
    let mut connection = opened(Budget::new(32 * MIB), async |mut server| {
        // It reads nothing before all of this is gone.
        server.send(Message::Binary(vec![1; 12 * MIB].into())).await.unwrap();
        while let Some(Ok(message)) = server.next().await {
            server.send(Message::Text(message.len().to_string().into())).await.unwrap();
        }
    })
    .await;
    connection.send(Outgoing::Binary(vec![2; 12 * MIB])).await.unwrap();
    assert_eq!(connection.receive(PATIENCE).await, Some(Event::Binary(vec![1; 12 * MIB])));
    assert_eq!(connection.receive(PATIENCE).await, Some(Event::Text((12 * MIB).to_string())));
    let failure = connection.send(Outgoing::Binary(vec![2; 17 * MIB])).await.unwrap_err();
    assert_eq!((failure.tag, connection.ended()), ("message too long", None));
}

#[tokio::test]
async fn closing_waits_no_longer_than_it_is_told() {
    // A server that never reads, and floods.
    let mut connection =
        opened(
            Budget::new(MIB),
            async |mut server| {
                while server.send(Message::Text("x".repeat(1_000).into())).await.is_ok() {}
            },
        )
        .await;
    let ended = connection.close(1000, "", Duration::from_millis(100)).await;
    assert_eq!((ended.code, ended.error_code), (1000, ErrorCode::TIMEOUT));
    assert!(connection.take_tally().received > 0, "what came is counted, and dropped");
    assert_eq!(connection.receive(PATIENCE).await, None);
}

#[tokio::test]
async fn a_connection_that_is_dropped_says_goodbye() {
    let (told, heard) = tokio::sync::oneshot::channel();
    let connection = opened(Budget::new(MIB), async |mut server| told.send(server.next().await).unwrap()).await;
    drop(connection);
    match heard.await.unwrap() {
        Some(Ok(Message::Close(Some(frame)))) => assert_eq!(u16::from(frame.code), 1001),
        other => panic!("{other:?}"),
    }
}
