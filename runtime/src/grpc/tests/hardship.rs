//! What a call's trouble does to its connection, to memory, and to the others of its thread.

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::http::MAX_INFORMATIONAL;

/// Long enough for whoever would go on to do so.
const MOMENT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn only_a_connection_that_is_to_blame_is_given_up() {
    let url = server(async |heard: Heard, mut respond: SendResponse<Bytes>, number| {
        drop(body_of(heard).await);
        match number {
            1 => say(respond, Response::builder().status(503).body(()).unwrap(), &[], None).await,
            2 => respond.send_reset(h2::Reason::REFUSED_STREAM),
            // The server's own words are no trouble of the connection.
            3 => say(respond, head("application/grpc"), &[], Some(trailers("14", "busy"))).await,
            4 => {
                let _open = respond.send_response(head("application/grpc"), false).unwrap();
                std::future::pending::<()>().await;
            }
            5 => std::future::pending::<()>().await,
            _ => unreachable!("there are five calls"),
        }
    })
    .await;
    let client = Client::new(&url);
    let second = Duration::from_secs(1);
    let calls =
        [(PATIENCE, 14, false), (PATIENCE, 14, false), (PATIENCE, 14, false), (second, 4, false), (second, 4, true)];
    for (limit, code, broken) in calls {
        let mut call = client.begin(Request { timeout: Some(limit), ..client.request(b"x") }).await.unwrap();
        assert_eq!(call.single().await, None);
        let status = call.status().unwrap();
        assert_eq!((status.code.0, call.is_broken()), (code, broken), "{status:?}");
    }
}

#[tokio::test]
async fn a_lost_connection_is_given_up() {
    let url = server_that_gives_up().await;
    let client = Client::new(&url);
    let mut call = client.begin(client.request(b"x")).await.unwrap();
    assert_eq!(call.single().await, None);
    assert!(call.is_broken(), "{:?}", call.status());
}

/// A server that sends so many informational answers before each answer, and tells of streams that are reset instead of read.
async fn informing_server(informational: u32, told: mpsc::Sender<h2::Reason>) -> String {
    server(move |heard: Heard, mut respond: SendResponse<Bytes>, _| {
        let told = told.clone();
        async move {
            drop(body_of(heard).await);
            for _ in 0..informational {
                respond.send_informational(Response::builder().status(103).body(()).unwrap()).unwrap();
            }
            if informational > MAX_INFORMATIONAL {
                let reset = std::future::poll_fn(|cx| respond.poll_reset(cx)).await.unwrap();
                told.send(reset).await.unwrap();
                return;
            }
            say(respond, head("application/grpc"), &[encode(b"one", false)], Some(trailers("0", ""))).await;
        }
    })
    .await
}

#[tokio::test]
async fn informational_answers_are_taken_in_whether_or_not_somebody_waits() {
    let (told, mut heard) = mpsc::channel(1);
    let client = Client::new(&informing_server(MAX_INFORMATIONAL, told.clone()).await);
    for attended in [false, true] {
        let mut call = client.begin(client.request(b"x")).await.unwrap();
        if attended {
            call.attend();
        }
        assert_eq!(call.single().await, Some(Bytes::from_static(b"one")), "attended: {attended}");
    }
    let client = Client::new(&informing_server(MAX_INFORMATIONAL + 1, told).await);
    for attended in [false, true] {
        let mut call = client.begin(client.request(b"x")).await.unwrap();
        if attended {
            call.attend();
            // The server is rid of its stream before anybody asks what it said.
            assert_eq!(timeout(PATIENCE, heard.recv()).await, Ok(Some(h2::Reason::CANCEL)));
        }
        assert_eq!(call.single().await, None);
        let status = call.status().unwrap();
        assert_eq!((status.code, status.tag), (Code::INTERNAL, "invalid gRPC answer"), "{status:?}");
        assert!(status.message.contains("informational") && !call.is_broken(), "{status:?}");
        if !attended {
            assert_eq!(heard.recv().await, Some(h2::Reason::CANCEL));
        }
    }
}

#[tokio::test]
async fn a_call_that_is_attended_to_is_cancelled_with_its_owner() {
    let (told, mut heard) = mpsc::channel(1);
    let url = server(move |request: Heard, mut respond: SendResponse<Bytes>, _| {
        let told = told.clone();
        async move {
            drop(body_of(request).await);
            let reset = std::future::poll_fn(|cx| respond.poll_reset(cx)).await.unwrap();
            told.send(reset).await.unwrap();
        }
    })
    .await;
    let client = Client::new(&url);
    let mut call = client.begin(client.request(b"x")).await.unwrap();
    call.attend();
    drop(call);
    assert_eq!(heard.recv().await, Some(h2::Reason::CANCEL));
}

#[tokio::test]
async fn messages_are_compressed_in_turn() {
    let message = vec![7; 100_000];
    let compressed = encode(&message, true);
    let answer = compressed.clone();
    let url = server(move |heard: Heard, respond, _| {
        let answer = answer.clone();
        async move {
            drop(body_of(heard).await);
            let mut head = head("application/grpc");
            head.headers_mut().insert("grpc-encoding", "gzip".parse().unwrap());
            say(respond, head, &[answer], Some(trailers("0", ""))).await;
        }
    })
    .await;
    let client = Client::new(&url);
    let turn = client.coding.acquire().await.unwrap();
    // What is to be sent waits, and no longer than the call may last.
    let asked = Request { gzip: true, timeout: Some(MOMENT), ..client.request(&message) };
    assert_eq!(client.begin(asked).await.unwrap_err().code, Code::DEADLINE_EXCEEDED);
    assert_eq!(client.budget.held(), 0);
    // What came waits too, and takes its part of the bound meanwhile.
    let mut call = client.begin(client.request(b"")).await.unwrap();
    {
        let mut answer = std::pin::pin!(call.single());
        while client.budget.held() == 0 {
            assert!(timeout(MOMENT, &mut answer).await.is_err(), "nobody gave it its turn");
        }
        assert!(timeout(MOMENT, &mut answer).await.is_err(), "nobody gave it its turn");
        assert_eq!(client.budget.held(), compressed.len());
        drop(turn);
        assert_eq!(answer.await, Some(Bytes::from(message)));
    }
    assert_eq!(client.budget.held(), 0);
}
