//! Asking a server to go over to WebSockets (RFC 6455, 4.1).
//!
//! The library's own handshake fails where a server chooses none of the subprotocols that were offered, which the RFC allows, and does not
//! take `Connection: keep-alive, Upgrade`. So the request is written by the HTTP client, and the answer is looked at here.

use http::Method;
use httparse::Status;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{Budget, Connection};
use crate::http::{ErrorCode, Failure, Form, Head, Notes, Target, encode_head};

/// The longest head of an answer that is read.
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 128;

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) target: &'a Target,
    /// They have passed `check_headers`.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) subprotocols: Vec<String>,
    pub(crate) user_agent: &'a str,
}

/// What was answered, whether the server agreed or not.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// 0 without an answer.
    pub(crate) status: u16,
    pub(crate) head: Head,
    /// The one that the server chose.
    pub(crate) subprotocol: Option<String>,
}

/// Asks, and waits for the answer, which is put into `answer` as soon as it is known.
///
/// # Errors
/// When the server did not agree, or broke off.
pub(crate) async fn open<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    request: Request<'_>,
    budget: Budget,
    answer: &mut Answer,
) -> Result<Connection<S>, Failure> {
    let key = generate_key();
    let (bytes, offered) = write(request, &key);
    let sent = async {
        stream.write_all(&bytes).await?;
        stream.flush().await
    };
    sent.await.map_err(|error| Failure::exchange(&error))?;
    let mut read = Vec::new();
    let length = loop {
        match parse(&read)? {
            Some((length, status)) if (100..200).contains(&status) && status != 101 => {
                read.drain(..length);
            }
            Some((length, status)) => {
                answer.status = status;
                break length;
            }
            None if read.len() >= MAX_HEAD_BYTES => {
                let detail = format_args!("the answer's head is longer than {MAX_HEAD_BYTES} bytes");
                return Err(Failure::new(ErrorCode::OTHER, "invalid answer", detail));
            }
            None => {
                let mut chunk = [0; 2048];
                match stream.read(&mut chunk).await {
                    Ok(0) => {
                        let detail = "the server closed the connection before it answered";
                        return Err(Failure::new(ErrorCode::RESET_BY_PEER, "connection reset by peer", detail));
                    }
                    Ok(bytes) => read.extend_from_slice(&chunk[..bytes]),
                    Err(error) => return Err(Failure::exchange(&error)),
                }
            }
        }
    };
    let rest = read.split_off(length);
    answer.head = Head::parsed(&read, Notes::default()).unwrap_or_default();
    answer.subprotocol = agreed(answer, &key, &offered)?;
    Ok(Connection::new(stream, rest, budget).await)
}

/// The request's bytes, and the subprotocols in it.
fn write(request: Request<'_>, key: &str) -> (Vec<u8>, Vec<String>) {
    let mut offered = request.subprotocols;
    let mut headers = vec![
        ("Upgrade".to_owned(), b"websocket".to_vec()),
        ("Connection".to_owned(), b"Upgrade".to_vec()),
        ("Sec-WebSocket-Version".to_owned(), b"13".to_vec()),
        ("Sec-WebSocket-Key".to_owned(), key.as_bytes().to_vec()),
    ];
    let mut own = Vec::with_capacity(request.headers.len());
    for (name, value) in request.headers {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        if is("Sec-WebSocket-Protocol") {
            offered.extend(tokens(&value));
        } else if !is("Upgrade") && !is("Connection") && !is("Sec-WebSocket-Version") && !is("Sec-WebSocket-Key") {
            own.push((name, value));
        }
    }
    if !offered.is_empty() {
        headers.push(("Sec-WebSocket-Protocol".to_owned(), offered.join(", ").into_bytes()));
    }
    headers.append(&mut own);
    let mut bytes = Vec::with_capacity(512);
    encode_head(
        &mut bytes,
        &Method::GET,
        request.target,
        &headers,
        Form { user_agent: request.user_agent, proxy: None },
        None,
    );
    (bytes, offered)
}

/// The items of a list.
fn tokens(value: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(value);
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// Length and status of a complete head.
fn parse(bytes: &[u8]) -> Result<Option<(usize, u16)>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(bytes) {
        Ok(Status::Complete(length)) => Ok(response.code.map(|status| (length, status))),
        Ok(Status::Partial) => Ok(None),
        Err(error) => Err(Failure::new(ErrorCode::OTHER, "invalid answer", format_args!("this is no HTTP: {error}"))),
    }
}

/// Whether this is the consent of a server that understood; gives the subprotocol.
fn agreed(answer: &Answer, key: &str, offered: &[String]) -> Result<Option<String>, Failure> {
    if answer.status != 101 {
        let code = match ErrorCode::of_status(answer.status) {
            ErrorCode::NONE => ErrorCode::OTHER,
            code => code,
        };
        let detail = format_args!("the server answered with status {} instead of 101", answer.status);
        return Err(Failure::new(code, "upgrade refused", detail));
    }
    let lists = |name: &str, wanted: &str| {
        let values = answer.head.all();
        let mut values = values.iter().filter(|(other, _)| other == name);
        values.any(|(_, value)| tokens(value).iter().any(|token| token.eq_ignore_ascii_case(wanted)))
    };
    let bad = |detail: &str| Err(Failure::new(ErrorCode::OTHER, "invalid upgrade", detail));
    if !lists("upgrade", "websocket") || !lists("connection", "upgrade") {
        return bad("the answer with status 101 is not for a WebSocket");
    }
    if answer.head.get("sec-websocket-accept") != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
        return bad("Sec-WebSocket-Accept does not belong to this connection's key");
    }
    if answer.head.get("sec-websocket-extensions").is_some_and(|value| !tokens(value).is_empty()) {
        return bad("the server uses an extension that was not offered");
    }
    match answer.head.get("sec-websocket-protocol") {
        None => Ok(None),
        Some(chosen) => match offered.iter().find(|offered| offered.as_bytes() == chosen) {
            Some(chosen) => Ok(Some(chosen.clone())),
            None => bad("the server chose a subprotocol that was not offered"),
        },
    }
}
