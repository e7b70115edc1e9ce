//! One open connection.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use futures_util::{Sink as _, Stream as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::Budget;
use super::budget::Budgeted;
use super::event::{Ended, Event, Outgoing, Tally};
use crate::http::{ErrorCode, Failure, within};

/// The longest message that is sent.
const MAX_SENT_BYTES: usize = 16 << 20;
/// How long a server may take for a message, from its first byte to its last, before the connection counts as broken.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// Messages that are kept while something else is waited for. Beyond it nothing is read, and the system's buffers fill up.
const MAX_QUEUED: usize = 1_000;
/// Pings whose answers are still expected; of more, the oldest are given up.
const MAX_PINGS: usize = 64;
/// Pings of the server whose answers the system has not taken yet. Beyond it nothing is read: a server that pings and never reads would be
/// answered in memory.
const MAX_UNANSWERED: u32 = 64;
/// Bytes read and written at once: a connection at rest holds little.
const BUFFER_BYTES: usize = 4 * 1024;
/// Frames taken in one turn: then the thread's other virtual users have theirs.
const FRAMES_A_TURN: u32 = 64;

/// An open connection, or one that has ended. Dropping it sends a close frame if the socket takes it at once.
#[derive(Debug)]
pub(crate) struct Connection<S: AsyncRead + AsyncWrite + Unpin> {
    /// `None` once it has ended.
    socket: Option<WebSocketStream<Budgeted<S>>>,
    budget: Budget,
    /// With what each takes out of the budget.
    queue: VecDeque<(Event, usize)>,
    /// The longest message sent, which is what the library keeps for the next one; taken out of the budget.
    longest_sent: usize,
    /// Pings that came since everything was written the last time.
    unanswered: u32,
    pings: VecDeque<Ping>,
    next_ping: u64,
    /// The round trip that somebody waits for.
    awaited: Option<Duration>,
    /// Set once our close frame is on its way.
    closing: Option<u16>,
    ended: Option<Ended>,
    tally: Tally,
}

#[derive(Debug)]
struct Ping {
    number: u64,
    sent: Instant,
    is_awaited: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// A connection on which the server may have said something already.
    pub(super) async fn new(stream: S, said: Vec<u8>, budget: Budget) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(budget.limit()))
            .max_frame_size(Some(budget.limit()));
        let mut stream = Budgeted::new(stream, budget.clone());
        stream.said(said.len());
        let socket = WebSocketStream::from_partially_read(stream, said, Role::Client, Some(config)).await;
        Self {
            socket: Some(socket),
            budget,
            queue: VecDeque::new(),
            longest_sent: 0,
            unanswered: 0,
            pings: VecDeque::new(),
            next_ping: 0,
            awaited: None,
            closing: None,
            ended: None,
            tally: Tally::default(),
        }
    }

    /// How it ended; `None` while it is open.
    pub(crate) const fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// What happened since the last call.
    pub(crate) fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    /// Whether it waits for the server to read before it reads on.
    #[cfg(test)]
    pub(super) const fn is_held_up(&self) -> bool {
        self.unanswered >= MAX_UNANSWERED
    }

    #[cfg(test)]
    pub(super) fn queue_len(&self) -> usize {
        self.queue.len()
    }

    /// Sends a message: it was handed to the system when this returns.
    ///
    /// # Errors
    /// When it was not. A message that is too long leaves the connection open.
    pub(crate) async fn send(&mut self, outgoing: Outgoing) -> Result<(), Failure> {
        let message = match outgoing {
            Outgoing::Text(text) => Message::Text(text.into()),
            Outgoing::Binary(bytes) => Message::Binary(bytes.into()),
        };
        let bytes = message.len();
        if bytes > MAX_SENT_BYTES {
            let detail = format_args!("a message of {bytes} bytes; {MAX_SENT_BYTES} is the most that is sent");
            return Err(Failure::new(ErrorCode::OTHER, "message too long", detail));
        }
        if self.ended.is_none() {
            if let Some(more) = bytes.checked_sub(self.longest_sent) {
                if !self.budget.take(more) {
                    let limit = self.budget.limit() >> 20;
                    let detail = format_args!(
                        "with it, this virtual user's WebSockets take more than their {limit} MiB (--memory-limit)"
                    );
                    return Err(Failure::new(ErrorCode::OTHER, "message too long", detail));
                }
                self.longest_sent = bytes;
            }
            self.write(message).await;
        }
        match &self.ended {
            None => {
                self.tally.sent += 1;
                Ok(())
            }
            Some(Ended { error_code: ErrorCode::NONE, code, .. }) => {
                let detail = format_args!("it was closed with code {code}");
                Err(Failure::new(ErrorCode::OTHER, "connection closed", detail))
            }
            Some(ended) => Err(Failure { code: ended.error_code, tag: ended.tag, text: ended.reason.clone() }),
        }
    }

    /// Waits for the next message. `None` when nothing came in time, or the connection ended.
    pub(crate) async fn receive(&mut self, timeout: Duration) -> Option<Event> {
        self.wait(timeout, |connection| !connection.queue.is_empty()).await;
        let (event, taken) = self.queue.pop_front()?;
        self.budget.give_back(taken);
        Some(event)
    }

    /// Sends a ping and waits for its answer: the round trip. A timeout of 0 does not wait.
    pub(crate) async fn ping(&mut self, timeout: Duration) -> Option<Duration> {
        let number = self.next_ping;
        self.next_ping += 1;
        if self.pings.len() >= MAX_PINGS {
            self.pings.pop_front();
        }
        self.pings.push_back(Ping { number, sent: Instant::now(), is_awaited: !timeout.is_zero() });
        self.write(Message::Ping(number.to_be_bytes().to_vec().into())).await;
        if timeout.is_zero() {
            return None;
        }
        self.wait(timeout, |connection| connection.awaited.is_some()).await;
        for ping in &mut self.pings {
            ping.is_awaited = false;
        }
        self.awaited.take()
    }

    /// Sends a close frame, and waits for the server's. What else comes meanwhile is counted and dropped.
    pub(crate) async fn close(&mut self, code: u16, reason: &str, timeout: Duration) -> Ended {
        if self.ended.is_none() {
            self.closing = Some(code);
            self.forget_queue();
            let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
            let begun = Instant::now();
            let patience = timeout.min(WRITE_TIMEOUT);
            let mut message = Some(Message::Close(Some(frame)));
            let _ = tokio::time::timeout(patience, poll_fn(|cx| self.poll_write(cx, &mut message))).await;
            if !timeout.is_zero() {
                self.wait(timeout.saturating_sub(begun.elapsed()), |_| false).await;
            }
        }
        let late = || {
            let failure = format_args!("the server sent no close frame within {timeout:?}");
            Ended { code, ..Ended::broken(Failure::new(ErrorCode::TIMEOUT, "closing timed out", failure)) }
        };
        let ended = match self.ended.take() {
            Some(ended) => ended,
            None if timeout.is_zero() => Ended::closed(code, reason),
            None => late(),
        };
        self.socket = None;
        self.ended.insert(ended).clone()
    }

    /// Hands a message to the system.
    async fn write(&mut self, message: Message) {
        let mut message = Some(message);
        let written = poll_fn(|cx| self.poll_write(cx, &mut message));
        if tokio::time::timeout(WRITE_TIMEOUT, written).await.is_err() {
            let detail = format_args!("the server did not take the message within {WRITE_TIMEOUT:?}");
            self.end(Ended::broken(Failure::new(ErrorCode::TIMEOUT, "sending timed out", detail)));
        }
    }

    /// Ready when the message was handed over, or the connection ended.
    fn poll_write(&mut self, cx: &mut Context<'_>, message: &mut Option<Message>) -> Poll<()> {
        let Some(socket) = &mut self.socket else {
            return Poll::Ready(());
        };
        let mut socket = Pin::new(socket);
        let mut written = Ok(());
        if message.is_some() && socket.as_mut().poll_ready(cx).is_ready() {
            written = message.take().map_or(Ok(()), |message| socket.as_mut().start_send(message));
        }
        if message.is_none() {
            if let Err(error) = written {
                self.fail(&error);
                return Poll::Ready(());
            }
            match socket.poll_flush(cx) {
                Poll::Ready(Ok(())) => {
                    self.unanswered = 0;
                    return Poll::Ready(());
                }
                Poll::Ready(Err(error)) => {
                    self.fail(&error);
                    return Poll::Ready(());
                }
                Poll::Pending => {}
            }
        }
        // A server that only takes more once it got rid of its own messages would wait for us, and we for it.
        match self.poll_read(cx, |connection| connection.queue.len() >= MAX_QUEUED) {
            Poll::Ready(()) if self.socket.is_none() => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }

    /// Takes in what comes until it is `enough`, the connection ends, or the time is over. A timeout of 0 takes what is there.
    async fn wait(&mut self, timeout: Duration, enough: impl Fn(&Self) -> bool) {
        let taken_in = poll_fn(|cx| if enough(self) { Poll::Ready(()) } else { self.poll_read(cx, &enough) });
        let _ = within(timeout, taken_in).await;
    }

    /// Takes in frames. Ready when it is `enough` or the connection has ended.
    fn poll_read(&mut self, cx: &mut Context<'_>, enough: impl Fn(&Self) -> bool) -> Poll<()> {
        for _ in 0..FRAMES_A_TURN {
            let Some(socket) = &mut self.socket else {
                return Poll::Ready(());
            };
            if self.queue.len() >= MAX_QUEUED {
                return Poll::Pending;
            }
            let mut socket = Pin::new(socket);
            if self.unanswered >= MAX_UNANSWERED {
                if let Err(error) = ready!(socket.as_mut().poll_flush(cx)) {
                    self.fail(&error);
                    continue;
                }
                self.unanswered = 0;
            }
            match ready!(socket.poll_next(cx)) {
                Some(Ok(message)) => self.take_in(message, cx),
                Some(Err(error)) => self.fail(&error),
                None => self.fail(&Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)),
            }
            if enough(self) {
                return Poll::Ready(());
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn take_in(&mut self, message: Message, cx: &mut Context<'_>) {
        let Some(socket) = &mut self.socket else { return };
        let bytes = message.len();
        match message {
            Message::Text(text) => {
                socket.get_mut().message();
                self.enqueue(Event::Text(text.as_str().to_owned()));
            }
            Message::Binary(bytes) => {
                socket.get_mut().message();
                self.enqueue(Event::Binary(bytes.to_vec()));
            }
            // The library answers it when it is polled next.
            Message::Ping(_) => {
                socket.get_mut().control(bytes);
                self.unanswered += 1;
            }
            Message::Pong(answer) => {
                socket.get_mut().control(bytes);
                self.answered(&answer);
            }
            Message::Close(frame) => {
                // Our answer leaves now if the socket takes it; it is not waited for.
                let _ = Pin::new(socket).poll_flush(cx);
                self.end(match frame {
                    // What the library puts in the place of a code that nobody may send.
                    Some(frame) if frame.code == CloseCode::Protocol && frame.reason == "Protocol violation" => {
                        Ended::broken(protocol_error("a close frame with a code that is never sent"))
                    }
                    Some(frame) => Ended::closed(u16::from(frame.code), frame.reason.as_str()),
                    None => Ended::closed(1005, ""),
                });
            }
            Message::Frame(_) => {}
        }
    }

    fn enqueue(&mut self, event: Event) {
        self.tally.received += 1;
        if self.closing.is_some() {
            return;
        }
        // What the first one takes is taken already: its connection read it.
        let bytes = if self.queue.is_empty() { 0 } else { event.bytes() };
        if self.budget.take(bytes) {
            self.queue.push_back((event, bytes));
        } else {
            self.too_long();
        }
    }

    fn answered(&mut self, answer: &[u8]) {
        let Some(place) = self.pings.iter().position(|ping| ping.number.to_be_bytes() == *answer) else {
            return;
        };
        // A server may answer the last of several pings only (RFC 6455, 5.5.3).
        self.pings.drain(..place);
        let Some(ping) = self.pings.pop_front() else { return };
        let round_trip = ping.sent.elapsed();
        self.tally.round_trips.push(round_trip);
        if ping.is_awaited {
            self.awaited = Some(round_trip);
        } else if self.closing.is_none() {
            self.queue.push_back((Event::Pong(round_trip), 0));
        }
    }

    fn fail(&mut self, error: &Error) {
        let exhausted = self.socket.as_mut().is_some_and(|socket| socket.get_ref().is_exhausted());
        let (failure, code) = match (error, self.closing) {
            // Whatever ends a connection that is being closed: it is closed.
            (
                Error::ConnectionClosed
                | Error::AlreadyClosed
                | Error::Io(_)
                | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake),
                Some(code),
            ) => return self.end(Ended::closed(code, "")),
            _ if exhausted => return self.too_long(),
            (Error::Io(error), _) => (Failure::exchange(error), None),
            (Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) | Error::ConnectionClosed, _) => {
                let detail = "the server closed the connection without a close frame";
                (Failure::new(ErrorCode::RESET_BY_PEER, "connection reset by peer", detail), None)
            }
            (Error::Capacity(_), _) => return self.too_long(),
            (Error::Utf8(_), _) => (protocol_error(error), Some(CloseCode::Invalid)),
            (Error::Protocol(error), _) => (protocol_error(error), Some(CloseCode::Protocol)),
            (error, _) => (protocol_error(error), Some(CloseCode::Protocol)),
        };
        if let Some(code) = code {
            self.say_goodbye(code, "");
        }
        self.end(Ended::broken(failure));
    }

    fn too_long(&mut self) {
        self.say_goodbye(CloseCode::Size, "");
        let limit = self.budget.limit() >> 20;
        let detail =
            format_args!("what the server sends takes more than this virtual user's {limit} MiB (--memory-limit)");
        self.end(Ended::broken(Failure::new(ErrorCode::OTHER, "message too long", detail)));
    }

    fn end(&mut self, ended: Ended) {
        self.socket = None;
        self.ended.get_or_insert(ended);
    }

    /// Sends a close frame if the socket takes it at once.
    fn say_goodbye(&mut self, code: CloseCode, reason: &'static str) {
        let Some(socket) = &mut self.socket else { return };
        if self.closing.is_some() {
            return;
        }
        let frame = CloseFrame { code, reason: reason.into() };
        let mut message = Some(Message::Close(Some(frame)));
        // Whoever is dropped may have used up its turn.
        let attempt = tokio::task::coop::unconstrained(poll_fn(|cx| {
            let mut socket = Pin::new(&mut *socket);
            if let Some(message) = message.take() {
                let _ = socket.as_mut().start_send(message);
            }
            socket.poll_flush(cx)
        }));
        let _ = pin!(attempt).poll(&mut Context::from_waker(Waker::noop()));
    }

    fn forget_queue(&mut self) {
        for (_, taken) in self.queue.drain(..) {
            self.budget.give_back(taken);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Drop for Connection<S> {
    fn drop(&mut self) {
        self.say_goodbye(CloseCode::Away, "");
        self.forget_queue();
        self.budget.give_back(self.longest_sent);
    }
}

fn protocol_error(detail: impl std::fmt::Display) -> Failure {
    Failure::new(ErrorCode::OTHER, "WebSocket protocol error", detail)
}
