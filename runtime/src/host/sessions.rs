//! The WebSockets and gRPC streams that one virtual user has open, and what is measured of the former.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::context::ShardContext;
use super::streams::Stream;
use crate::grpc::Channels;
use crate::http::stream::{Moved, Stream as Socket};
use crate::metrics::{TagSetId, builtin};
use crate::websocket::{Budget, Connection};

/// WebSockets and gRPC streams that one virtual user may have open at once. Few enough that a hostile module cannot eat the machine's open files.
pub(super) const MAX_SESSIONS: usize = 64;

/// What one virtual user has open, by number. They are not in the instance's table: an iteration that is cut off leaves that behind
/// until the next one begins, and its sockets are to close at once.
#[derive(Debug)]
pub(crate) struct Sessions {
    open: Mutex<Open>,
    pub(super) budget: Budget,
    /// What gRPC calls go over. It outlives iterations.
    pub(crate) channels: Channels,
    /// The address to call from.
    local: Option<IpAddr>,
}

#[derive(Debug, Default)]
struct Open {
    sessions: BTreeMap<u64, Session>,
    streams: BTreeMap<u64, Stream>,
    /// Numbers are never given twice: a socket that outlived its iteration finds nothing.
    last: u64,
}

impl Sessions {
    pub(crate) fn new(memory_bytes: usize, local: Option<IpAddr>) -> Self {
        Self { open: Mutex::default(), budget: Budget::new(memory_bytes), channels: Channels::default(), local }
    }

    /// The address to call from.
    pub(super) fn local(&self) -> Option<IpAddr> {
        self.local
    }

    /// Whether there is room for one more.
    pub(super) fn has_room(&self) -> bool {
        let open = self.lock();
        open.sessions.len() + open.streams.len() < MAX_SESSIONS
    }

    /// Keeps a session that begins; gives its number.
    pub(super) fn add(&self, session: Session) -> u64 {
        let mut open = self.lock();
        open.last += 1;
        let number = open.last;
        open.sessions.insert(number, session);
        number
    }

    /// Takes a session out, to work with it: if whoever does so is dropped, so is the session.
    pub(super) fn take(&self, number: u64) -> Option<Session> {
        self.lock().sessions.remove(&number)
    }

    /// Puts it back.
    pub(super) fn put_back(&self, number: u64, session: Session) {
        self.lock().sessions.insert(number, session);
    }

    /// Keeps a stream that begins; gives its number.
    pub(super) fn add_stream(&self, stream: Stream) -> u64 {
        let mut open = self.lock();
        open.last += 1;
        let number = open.last;
        open.streams.insert(number, stream);
        number
    }

    /// Takes a stream out, to work with it: if whoever does so is dropped, so is the stream.
    pub(super) fn take_stream(&self, number: u64) -> Option<Stream> {
        self.lock().streams.remove(&number)
    }

    /// Puts it back.
    pub(super) fn put_stream_back(&self, number: u64, stream: Stream) {
        self.lock().streams.insert(number, stream);
    }

    /// Looks at a stream.
    pub(super) fn with_stream<R>(&self, number: u64, look: impl FnOnce(&Stream) -> R) -> Option<R> {
        self.lock().streams.get(&number).map(look)
    }

    /// Closes all.
    pub(crate) fn clear(&self) {
        let mut open = self.lock();
        // Most iterations open nothing.
        if open.sessions.is_empty() && open.streams.is_empty() {
            return;
        }
        let (sessions, streams) = (std::mem::take(&mut open.sessions), std::mem::take(&mut open.streams));
        drop(open);
        drop((sessions, streams));
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One WebSocket from its consent to its end.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) connection: Connection<Socket>,
    shard: Arc<ShardContext>,
    tags: TagSetId,
    began: Instant,
    moved: Arc<Moved>,
}

impl Session {
    /// `began` is when connecting did.
    pub(super) const fn new(
        connection: Connection<Socket>,
        shard: Arc<ShardContext>,
        tags: TagSetId,
        began: Instant,
        moved: Arc<Moved>,
    ) -> Self {
        Self { connection, shard, tags, began, moved }
    }

    /// Records what happened since the last call.
    #[expect(clippy::cast_precision_loss, reason = "counts of one call stay far below 2^53")]
    pub(super) fn record(&mut self) {
        let tally = self.connection.take_tally();
        let counts = [
            (builtin::WS_MSGS_SENT, tally.sent),
            (builtin::WS_MSGS_RECEIVED, tally.received),
            (builtin::DATA_SENT, self.moved.take_sent()),
            (builtin::DATA_RECEIVED, self.moved.take_received()),
        ];
        self.shard.record(|recorder| {
            for (metric, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
                recorder.add(metric, self.tags, count as f64);
            }
            for round_trip in tally.round_trips {
                recorder.duration(builtin::WS_PING, self.tags, round_trip);
            }
        });
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.record();
        let (tags, lasted) = (self.tags, self.began.elapsed());
        self.shard.record(|recorder| recorder.duration(builtin::WS_SESSION_DURATION, tags, lasted));
    }
}
