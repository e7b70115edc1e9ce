//! The answers that one virtual user reads piece by piece, and what is measured of each.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::context::ShardContext;
use super::journey::Streamed;
use crate::http::event_stream::{Event, EventParser};
use crate::http::{Client, ErrorCode, Exchange, Piece, UNREAD_STREAMS};
use crate::metrics::{TagSetId, builtin};

/// Answers that one virtual user may have under way at once: each may hold a socket, and over HTTP/2 as much as one window takes.
pub(super) const MAX_STREAMS: usize = UNREAD_STREAMS;

/// The open streams of one virtual user, by number. They are not in the instance's table: an iteration that is cut off leaves that behind
/// until the next one begins, and its connections are to close at once.
#[derive(Debug, Default)]
pub(crate) struct Streams(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    streams: BTreeMap<u64, AnswerInPieces>,
    /// Numbers are never given twice: a stream that outlived its iteration finds nothing.
    last: u64,
}

impl Streams {
    /// Whether there is room for one more.
    pub(super) fn has_room(&self) -> bool {
        self.lock().streams.len() < MAX_STREAMS
    }

    /// Keeps a stream that begins; gives its number.
    pub(super) fn add(&self, stream: AnswerInPieces) -> u64 {
        let mut open = self.lock();
        open.last += 1;
        let number = open.last;
        open.streams.insert(number, stream);
        number
    }

    /// Takes a stream out, to read from it: if whoever does so is dropped, so is the stream.
    pub(super) fn take(&self, number: u64) -> Option<AnswerInPieces> {
        self.lock().streams.remove(&number)
    }

    /// Puts it back.
    pub(super) fn put_back(&self, number: u64, stream: AnswerInPieces) {
        self.lock().streams.insert(number, stream);
    }

    /// Closes what a call of the module left open.
    pub(super) fn close(&self) {
        // Mostly there are none.
        if self.lock().streams.is_empty() {
            return;
        }
        for (_, mut stream) in self.take_all() {
            stream.close();
        }
    }

    /// Cuts off what a call that was cut off left open.
    pub(super) fn cut(&self) {
        drop(self.take_all());
    }

    fn take_all(&self) -> BTreeMap<u64, AnswerInPieces> {
        std::mem::take(&mut self.lock().streams)
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One answer from its head to its end. One that is neither read to its end nor closed was interrupted.
#[derive(Debug)]
pub(super) struct AnswerInPieces {
    shard: Arc<ShardContext>,
    exchange: Exchange,
    /// How it is counted; `None` if it was refused, which is counted.
    streamed: Option<Box<Streamed>>,
    events: Option<Events>,
}

/// What came of waiting for an event.
#[derive(Debug)]
pub(super) enum NextEvent {
    Event(Event),
    End,
    Late,
    Failed,
}

/// Reads a body as Server-Sent Events.
#[derive(Debug)]
pub(super) struct Events {
    parser: EventParser,
    /// Those that came in one piece, and have not been asked for. Nothing is read while there are any.
    waiting: VecDeque<Event>,
    tags: TagSetId,
    /// When the request was begun.
    began: Instant,
    /// When the last event came.
    last: Option<Instant>,
}

impl Events {
    pub(super) fn new(tags: TagSetId, began: Instant) -> Self {
        Self { parser: EventParser::default(), waiting: VecDeque::new(), tags, began, last: None }
    }

    /// Takes bytes that have just come.
    fn feed(&mut self, bytes: &[u8], shard: &ShardContext) -> Result<(), crate::http::Failure> {
        let now = Instant::now();
        let Self { parser, waiting, tags, began, last } = self;
        parser.feed(bytes, &mut |event| {
            let (metric, since) = match *last {
                None => (builtin::SSE_FIRST_EVENT, *began),
                Some(last) => (builtin::SSE_EVENT_GAP, last),
            };
            *last = Some(now);
            shard.record(|recorder| {
                recorder.add(builtin::SSE_EVENTS, *tags, 1.0);
                recorder.duration(metric, *tags, now - since);
            });
            waiting.push_back(event);
        })
    }
}

impl AnswerInPieces {
    pub(super) const fn new(
        shard: Arc<ShardContext>,
        exchange: Exchange,
        streamed: Option<Box<Streamed>>,
        events: Option<Events>,
    ) -> Self {
        Self { shard, exchange, streamed, events }
    }

    pub(super) const fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Whether there is anything to read: of what failed, and of what is over, nothing is kept.
    pub(super) fn has_more(&self) -> bool {
        self.exchange.is_under_way() || !self.exchange.body.is_empty()
    }

    pub(super) const fn is_of_events(&self) -> bool {
        self.events.is_some()
    }

    /// The next bytes.
    pub(super) async fn read(&mut self, client: &Client, patience: Duration) -> Piece {
        let piece = client.read(&mut self.exchange, patience).await;
        if matches!(piece, Piece::End | Piece::Failed) {
            self.record();
        }
        piece
    }

    /// The next event.
    pub(super) async fn next(&mut self, client: &Client, patience: Duration) -> NextEvent {
        let until = Instant::now().checked_add(patience);
        loop {
            let Some(events) = &mut self.events else { return NextEvent::End };
            if let Some(event) = events.waiting.pop_front() {
                return NextEvent::Event(event);
            }
            let left = until.map_or(patience, |until| until.saturating_duration_since(Instant::now()));
            match self.read(client, left).await {
                Piece::Bytes(bytes) => {
                    let Some(events) = &mut self.events else { return NextEvent::End };
                    if let Err(failure) = events.feed(&bytes, &self.shard) {
                        // Those that were complete before come first.
                        self.exchange.fail(failure);
                        self.record();
                        continue;
                    }
                    let is_late = until.is_some_and(|until| Instant::now() >= until);
                    if events.waiting.is_empty() && is_late {
                        // What is there is read whatever the time: a server that sends nothing but comments, and those without end,
                        // would never be late.
                        return NextEvent::Late;
                    }
                }
                Piece::End => return NextEvent::End,
                Piece::Late => return NextEvent::Late,
                Piece::Failed => return NextEvent::Failed,
            }
            // A server that sends nothing but comments does not keep the others from their turn.
            tokio::task::coop::consume_budget().await;
        }
    }

    /// Ends the exchange: nobody wants more of it.
    pub(super) fn close(&mut self) {
        self.exchange.break_off();
        self.record();
    }

    /// k6's error code of what came of it so far.
    pub(super) fn error_code(&self) -> ErrorCode {
        self.exchange.failure.as_ref().map_or(ErrorCode::of_status(self.exchange.status), |failure| failure.code)
    }

    fn record(&mut self) {
        if let Some(streamed) = &mut self.streamed {
            streamed.record(&self.shard, &self.exchange);
        }
    }
}

impl Drop for AnswerInPieces {
    fn drop(&mut self) {
        self.exchange.break_off();
        if let Some(streamed) = &self.streamed {
            streamed.interrupt(&self.shard, &self.exchange);
        }
    }
}
