//! One call, from its request to its status.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use http::{HeaderMap, HeaderValue, Method, Request as HttpRequest, Uri, header};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::answer::{Answer, Lost};
use super::channels::Channels;
use super::framing::{Decoder, encode};
use super::metadata::{self, Metadata};
use super::status::{Code, Status};
use crate::http::http2::Http2;
use crate::http::{ClientSettings, ErrorCode, Failure, Target};
use crate::websocket::{Budget, Held};

/// The longest message that is sent.
const MAX_SENT_BYTES: usize = 16 << 20;

/// What is called.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) target: &'a Target,
    /// `/package.Service/Method`.
    pub(crate) path: &'a str,
    /// It has passed `check`.
    pub(crate) metadata: Metadata,
    pub(crate) message: Bytes,
    pub(crate) gzip: bool,
    /// `None` for no limit.
    pub(crate) timeout: Option<Duration>,
    /// The longest message that is taken.
    pub(crate) max_bytes: usize,
}

/// A call under way, or one that has ended. Dropping it cancels it.
#[derive(Debug)]
pub(crate) struct Call {
    connection: Http2,
    answer: Option<Answer>,
    body: Option<RecvStream>,
    decoder: Decoder,
    /// What the library keeps of the request until it is sent.
    _sent: Held,
    deadline: Option<Deadline>,
    headers: HeaderMap,
    trailers: HeaderMap,
    status: Option<Status>,
    untouched: bool,
    /// See `is_broken`.
    broken: bool,
}

#[derive(Debug, Clone, Copy)]
struct Deadline {
    at: Instant,
    timeout: Duration,
}

impl Deadline {
    fn exceeded(self) -> Status {
        let detail = format_args!("the call was not over within {:?}", self.timeout);
        Status::failed(Code::DEADLINE_EXCEEDED, Failure::new(ErrorCode::TIMEOUT, "deadline exceeded", detail))
    }

    async fn limit<T>(limit: Option<Self>, work: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
        match limit {
            None => work.await,
            Some(limit) => tokio::time::timeout_at(limit.at, work).await.unwrap_or_else(|_| Err(limit.exceeded())),
        }
    }
}

/// Sends a call's request. Messages are compressed, both ways, when `coding` lets them be: one thread does it for all virtual users.
///
/// # Errors
/// When it did not leave.
pub(crate) async fn begin(
    channels: &Channels,
    settings: &ClientSettings,
    local: Option<IpAddr>,
    mut request: Request<'_>,
    budget: Budget,
    coding: Arc<Semaphore>,
) -> Result<Call, Status> {
    let deadline = request.timeout.map(|timeout| Deadline { at: Instant::now() + timeout, timeout });
    let head = head(&mut request, settings)?;
    let length = request.message.len();
    if length > MAX_SENT_BYTES {
        let detail = format_args!("{length} bytes; {MAX_SENT_BYTES} is the most that is sent");
        return Err(Status::own(Code::RESOURCE_EXHAUSTED, "message too long", detail));
    }
    let Some(held) = budget.hold(length) else {
        let detail = "with it, this virtual user's calls take more than its memory limit (--memory-limit)";
        return Err(Status::own(Code::RESOURCE_EXHAUSTED, "message too long", detail));
    };
    let encoded = encode(request.message, request.gzip, MAX_SENT_BYTES, &coding);
    let message = Deadline::limit(deadline, encoded).await?;
    let begun = async {
        loop {
            let (connection, reused) = channels
                .connection(settings, request.target, local)
                .await
                .map_err(|failure| Status::failed(Code::UNAVAILABLE, failure))?;
            let sent = async {
                let (answer, mut upload) = connection.ready().await?.send_request(head.clone(), false)?;
                upload.send_data(message.clone(), true)?;
                Ok::<_, h2::Error>(answer)
            };
            match sent.await {
                Ok(answer) => return Ok((connection, answer)),
                // The server closed a kept connection, and has seen nothing of this call.
                Err(error) => {
                    channels.forget(&connection);
                    if !reused {
                        return Err(Status::broken(&connection, &error));
                    }
                }
            }
        }
    };
    let (connection, answer) = Deadline::limit(deadline, begun).await?;
    Ok(Call {
        connection,
        answer: Some(Answer::new(answer)),
        body: None,
        decoder: Decoder::new(request.max_bytes, budget, coding),
        _sent: held,
        deadline,
        headers: HeaderMap::new(),
        trailers: HeaderMap::new(),
        status: None,
        untouched: false,
        broken: false,
    })
}

/// The request's head.
fn head(request: &mut Request<'_>, settings: &ClientSettings) -> Result<HttpRequest<()>, Status> {
    let scheme = if request.target.origin.tls { "https" } else { "http" };
    let uri =
        Uri::builder().scheme(scheme).authority(&*request.target.host_header).path_and_query(request.path).build();
    let mut head = HttpRequest::new(());
    *head.method_mut() = Method::POST;
    *head.uri_mut() = uri.map_err(|error| Status::own(Code::INVALID_ARGUMENT, "invalid gRPC path", error))?;
    let headers = head.headers_mut();
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-accept-encoding", HeaderValue::from_static("gzip"));
    if request.gzip {
        headers.insert("grpc-encoding", HeaderValue::from_static("gzip"));
    }
    if let Some(timeout) = request.timeout {
        headers.insert("grpc-timeout", metadata::timeout(timeout));
    }
    metadata::write(std::mem::take(&mut request.metadata), headers)?;
    if !headers.contains_key(header::USER_AGENT)
        && let Ok(agent) = HeaderValue::from_str(&settings.user_agent)
        && !agent.is_empty()
    {
        headers.insert(header::USER_AGENT, agent);
    }
    Ok(head)
}

impl Call {
    /// What it goes over.
    pub(crate) const fn connection(&self) -> &Http2 {
        &self.connection
    }

    /// What the server sent before its messages.
    pub(crate) const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// What the server sent after them.
    pub(crate) const fn trailers(&self) -> &HeaderMap {
        &self.trailers
    }

    /// How it ended; `None` while it is under way.
    pub(crate) const fn status(&self) -> Option<&Status> {
        self.status.as_ref()
    }

    /// Whether its connection serves no further call: it broke, or it may have died without a word, as no answer came in time. A reset stream,
    /// or a proxy that answers instead of the server, leaves it as good as before.
    pub(crate) const fn is_broken(&self) -> bool {
        self.broken
    }

    /// Has the answer attended to until somebody waits for it: for calls that are left alone for a while.
    pub(crate) fn attend(&mut self) {
        self.answer = self.answer.take().map(Answer::attended);
    }

    /// Whether it failed and the server, which closes the connection or refuses the stream, has not looked at it: it may be made again.
    pub(crate) const fn is_untouched(&self) -> bool {
        self.untouched
    }

    /// Waits for the next message; `None` when the call has ended.
    pub(crate) async fn message(&mut self) -> Option<Bytes> {
        if self.status.is_some() {
            return None;
        }
        match Deadline::limit(self.deadline, self.advance()).await {
            Ok(Some(message)) => return Some(message),
            Ok(None) => {}
            Err(status) => {
                self.broken |= status.code == Code::DEADLINE_EXCEEDED && self.answer.is_some();
                self.end(status);
            }
        }
        None
    }

    /// Waits for the one message of a unary call, and for the call's end.
    pub(crate) async fn single(&mut self) -> Option<Bytes> {
        let message = self.message().await;
        if message.is_some() && self.message().await.is_some() {
            self.end(Status::own(
                Code::INTERNAL,
                "invalid gRPC answer",
                "a unary call has one answer, and here are more",
            ));
        }
        if message.is_none() && self.status.as_ref().is_some_and(|status| status.code == Code::OK) {
            self.end(Status::own(Code::INTERNAL, "invalid gRPC answer", "the call succeeded without an answer"));
        }
        message.filter(|_| self.status.as_ref().is_some_and(|status| status.code == Code::OK))
    }

    /// Ends it by this side's will.
    pub(crate) fn cancel(&mut self) {
        if self.status.is_none() {
            let status = Status { code: Code::CANCELLED, message: String::new(), error_code: ErrorCode::NONE, tag: "" };
            self.end(status);
        }
    }

    /// The next message, or `None` when the server said how the call ended.
    async fn advance(&mut self) -> Result<Option<Bytes>, Status> {
        if let Some(answer) = &mut self.answer {
            let answer = match answer.head().await {
                Ok(answer) => answer,
                Err(Lost::Broken(error)) => {
                    self.untouched = Http2::is_untouched(&error);
                    return Err(self.broke(&error));
                }
                Err(Lost::Invalid(why)) => return Err(Status::own(Code::INTERNAL, "invalid gRPC answer", why)),
            };
            self.answer = None;
            let (head, body) = answer.into_parts();
            self.headers = head.headers;
            let kind = self.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
            let is_grpc = kind.is_some_and(|kind| {
                kind.strip_prefix("application/grpc")
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', ';']))
            });
            // An answer that is nothing but its end carries its status in its only head, whatever HTTP says.
            if let Some(status) = Status::of(&self.headers)
                && (body.is_end_stream() || head.status != 200)
            {
                self.trailers = std::mem::take(&mut self.headers);
                self.end(status);
                return Ok(None);
            }
            if head.status != 200 || !is_grpc {
                return Err(Status::of_http(head.status.as_u16(), kind));
            }
            match self.headers.get("grpc-encoding").map(HeaderValue::as_bytes) {
                None | Some(b"identity") => {}
                Some(b"gzip") => self.decoder.gzip = true,
                Some(other) => {
                    let detail =
                        format_args!("the server sends `{}`; gzip was offered", String::from_utf8_lossy(other));
                    return Err(Status::own(Code::INTERNAL, "invalid gRPC encoding", detail));
                }
            }
            self.body = Some(body);
        }
        loop {
            if let Some(message) = self.decoder.next().await? {
                return Ok(Some(message));
            }
            let Some(body) = &mut self.body else {
                return Err(Status::own(Code::INTERNAL, "invalid gRPC answer", "it has no body"));
            };
            let Some(piece) = body.data().await else { break };
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => return Err(self.broke(&error)),
            };
            self.decoder.push(&piece)?;
            // Only what was taken makes room for more.
            let _ = body.flow_control().release_capacity(piece.len());
            tokio::task::coop::consume_budget().await;
        }
        let Some(body) = &mut self.body else { return Ok(None) };
        let trailers = match body.trailers().await {
            Ok(trailers) => trailers,
            Err(error) => return Err(self.broke(&error)),
        };
        if !self.decoder.is_at_rest() {
            return Err(Status::own(Code::INTERNAL, "invalid gRPC message", "the stream ended within a message"));
        }
        let trailers = trailers.unwrap_or_default();
        let status = Status::of(&trailers).ok_or_else(|| {
            Status::own(Code::UNKNOWN, "no gRPC status", "the stream ended without trailers that say how the call went")
        })?;
        self.trailers = trailers;
        self.end(status);
        Ok(None)
    }

    /// Its stream broke, alone or with its connection.
    fn broke(&mut self, error: &h2::Error) -> Status {
        self.broken = !error.is_reset();
        Status::broken(&self.connection, error)
    }

    /// Whatever is still under way is reset.
    fn end(&mut self, status: Status) {
        self.status = Some(status);
        self.answer = None;
        self.body = None;
    }
}
