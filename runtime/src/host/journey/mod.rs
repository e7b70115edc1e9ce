//! A journey: all that one request of a module becomes on the wire. Each hop is one exchange, and recorded as a sample of its own as soon
//! as it is over.

mod counting;
mod dress;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::context::ShardContext;
use super::http::{Rare, method_id};
use super::series_cache::Symbol;
use super::stdio::Speaker;
use crate::http::{
    Client, Credentials, DEFAULT_TIMEOUT, ErrorCode, Exchange, Failure, Jar, Lane, Nonces, Origin, Outgoing, Target,
    Timings, debug, decode, destination, encode, listed, readdress,
};
use crate::metrics::TagSetId;
use counting::hop;
pub(super) use counting::{Counting, Label, Streamed};
use dress::Dress;

/// A request of a module, on its way to the pilot.
#[derive(Debug)]
pub(super) struct Journey {
    pub(super) outgoing: Outgoing,
    /// The tags of the first hop.
    pub(super) tags: TagSetId,
    pub(super) counting: Counting,
    pub(super) rare: Option<Arc<Rare>>,
    /// Bytes of an answer that the instance may still hold.
    pub(super) room: usize,
    /// Shows the hops, with `httpDebug`.
    pub(super) shower: Option<Arc<Speaker>>,
}

/// What came of a journey: its last hop.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(super) exchange: Exchange,
    pub(super) error_code: ErrorCode,
    /// Who answered, or should have; `None` if the URL was none.
    pub(super) target: Option<Arc<Target>>,
    pub(super) redirects: u32,
    /// The answer is a redirect that was not followed, as so many were before it.
    pub(super) limit_reached: Option<u32>,
    pub(super) expected: bool,
    /// Of an answer that is read piece by piece.
    pub(super) streamed: Option<Box<Streamed>>,
}

/// What a virtual user remembers of the servers it met.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// `None` for a virtual user that never saw a cookie.
    pub(in crate::host) jar: Option<Box<Jar>>,
    /// What each iteration begins with, left by `vu_init`; `None` where that is nothing.
    pub(in crate::host) first_jar: Option<Box<Jar>>,
    /// `None` for one that answered no challenge.
    nonces: Option<Box<Nonces>>,
}

impl Journey {
    /// It is not made, for this reason.
    pub(super) fn refused(mut self, shard: &ShardContext, failure: Failure) -> Arrival {
        self.counting.unsent(shard, self.tags, failure, Some(self.outgoing.target))
    }

    /// Sends the request, and again wherever it is sent to. `held` is what the instance holds of the answers to other requests of the same
    /// call.
    pub(super) async fn make(
        mut self: Box<Self>,
        client: &Client,
        lane: &mut Lane,
        shard: &ShardContext,
        session: &Mutex<Session>,
        held: &AtomicUsize,
    ) -> Arrival {
        let most = self.rare.as_ref().and_then(|rare| rare.redirects).unwrap_or(shard.test.requests.max_redirects);
        let limit = self.outgoing.timeout.unwrap_or(DEFAULT_TIMEOUT);
        let digest = self.digest();
        let compresses = self.rare.as_ref().is_some_and(|rare| !rare.compression.is_empty());
        if compresses && let Err(failure) = Box::pin(self.compress(shard)).await {
            return self.counting.unsent(shard, self.tags, failure, Some(self.outgoing.target));
        }
        let mut dress = Dress::default();
        let (mut redirects, mut limit_reached, mut challenged) = (0, None, false);
        loop {
            let credentials =
                digest.as_ref().filter(|(origin, _)| *origin == self.outgoing.target.origin).map(|(_, who)| &**who);
            dress.put_on(&mut self.outgoing, session, credentials);
            // Until it is recorded, it may still be cut off.
            let (mut exchange, unrecorded) = hop(client, lane, shard, &self.outgoing, self.tags).await;
            self.show(shard, &exchange);
            if exchange.head.notes().set_cookie {
                lock(session).store_cookies(shard, &self.outgoing.target, &exchange.head);
            }
            // A challenge is answered once: what is refused then is refused.
            if !challenged && self.is_challenged(&exchange, credentials, session) {
                challenged = true;
                self.counting.record(shard, self.tags, &exchange, true);
                unrecorded.recorded();
                dress.take_off(&mut self.outgoing);
                self.spend(&exchange, limit);
                continue;
            }
            if let Some(next) = self.next(shard, &exchange) {
                if redirects < most {
                    redirects += 1;
                    challenged = false;
                    self.counting.record(shard, self.tags, &exchange, true);
                    unrecorded.recorded();
                    dress.take_off(&mut self.outgoing);
                    self.spend(&exchange, limit);
                    self.turn(shard, next, exchange.status);
                    continue;
                }
                limit_reached = Some(most).filter(|most| *most > 0);
            }
            if exchange.failure.as_ref().is_some_and(|failure| failure.code == ErrorCode::TIMEOUT) {
                exchange.failure = Some(Failure::timeout(limit));
            }
            // What is read piece by piece is read as it was sent, also if all of it came at once.
            let in_pieces = self.outgoing.streamed && matches!(exchange.status, 200..=299);
            if exchange.head.notes().content_encoding
                && !in_pieces
                && !exchange.body.is_empty()
                && exchange.failure.is_none()
            {
                let room = self.room.saturating_sub(held.load(Ordering::Relaxed));
                Box::pin(decompress(shard, room, &mut exchange)).await;
            }
            keep_within(self.room.saturating_sub(held.load(Ordering::Relaxed)), &mut exchange);
            held.fetch_add(exchange.body.len(), Ordering::Relaxed);
            let (error_code, expected, streamed) = if self.outgoing.streamed {
                let (error_code, expected, streamed) = Streamed::begin(self.counting, shard, self.tags, &exchange);
                (error_code, expected, Some(streamed))
            } else {
                let (error_code, expected) = self.counting.record(shard, self.tags, &exchange, false);
                (error_code, expected, None)
            };
            unrecorded.recorded();
            let target = Some(self.outgoing.target);
            return Arrival { exchange, error_code, target, redirects, limit_reached, expected, streamed };
        }
    }

    /// Who answers challenges, and of whom: nobody else ever sees the answer. Credentials given as a header come first.
    fn digest(&self) -> Option<(Arc<Origin>, Arc<Credentials>)> {
        let credentials = self.rare.as_ref()?.digest.as_ref()?;
        let given = self.outgoing.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        (!given).then(|| (Arc::clone(&self.outgoing.target.origin), Arc::clone(credentials)))
    }

    /// Applies the codings that the request asks for to its body.
    async fn compress(&mut self, shard: &ShardContext) -> Result<(), Failure> {
        let Some(rare) = self.rare.clone() else { return Ok(()) };
        let Some(body) = self.outgoing.body.as_ref().filter(|body| !body.is_empty()) else { return Ok(()) };
        let _turn = shard.coding.acquire().await;
        let encoding = Box::pin(encode(&rare.compression, body, shard.http.max_body_bytes));
        self.outgoing.body = Some(encoding.await?);
        let names: Vec<&str> = rare.compression.iter().map(|coding| coding.name()).collect();
        let headers = &mut self.outgoing.headers;
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-encoding"));
        headers.push(("content-encoding".to_owned(), names.join(", ").into_bytes()));
        Ok(())
    }

    /// Whether the answer is a challenge that can be answered.
    fn is_challenged(&self, exchange: &Exchange, credentials: Option<&Credentials>, session: &Mutex<Session>) -> bool {
        let Some(credentials) = credentials else { return false };
        exchange.status == 401
            && exchange.failure.is_none()
            && exchange.head.notes().challenge
            && lock(session).nonces.get_or_insert_default().learn(
                credentials,
                &self.outgoing.target.origin,
                &exchange.head,
            )
    }

    /// With `httpDebug`, shows an exchange that is over.
    fn show(&self, shard: &ShardContext, exchange: &Exchange) {
        if let (Some(shower), Some(much)) = (&self.shower, shard.test.http_debug) {
            shower.show("http", debug::lines(&self.outgoing, &shard.http.user_agent, exchange, much));
        }
    }

    /// Where the answer sends the request.
    fn next(&self, shard: &ShardContext, exchange: &Exchange) -> Option<(Arc<Target>, Symbol)> {
        if exchange.failure.is_some() {
            return None;
        }
        let url = destination(exchange.status, &exchange.head, &self.outgoing.target)?;
        shard.cached(|cache, _| cache.target(url.as_str())).ok()
    }

    /// Turns to where the answer sends the request.
    fn turn(&mut self, shard: &ShardContext, (target, symbol): (Arc<Target>, Symbol), status: u16) {
        readdress(&mut self.outgoing, target, status);
        self.counting.method = method_id(Some(&self.outgoing.method), &shard.test.registry);
        self.tags = self.counting.tags(shard, &self.outgoing.target.url, symbol);
    }

    /// Leaves the hops to come the time that is left.
    fn spend(&mut self, over: &Exchange, limit: Duration) {
        let Timings { blocked, sending, waiting, receiving, .. } = over.timings;
        let left = self.outgoing.timeout.unwrap_or(limit).saturating_sub(blocked + sending + waiting + receiving);
        self.outgoing.timeout = Some(left);
    }
}

/// Undoes the codings of an answer's body.
async fn decompress(shard: &ShardContext, room: usize, exchange: &mut Exchange) {
    let Some(codings) = listed(&exchange.head.get_all("content-encoding")) else { return };
    let _turn = shard.coding.acquire().await;
    match decode(&codings, std::mem::take(&mut exchange.body), room.min(shard.http.max_body_bytes)).await {
        Ok(body) => exchange.body = body,
        Err(failure) => exchange.failure = Some(failure),
    }
}

/// An answer that the instance may hold: of its own memory's size in all, at most.
fn keep_within(room: usize, exchange: &mut Exchange) {
    if exchange.failure.is_none() && exchange.body.len() > room {
        exchange.body = Bytes::new();
        exchange.failure = Some(Failure::new(
            ErrorCode::OTHER,
            "body dropped",
            format_args!(
                "this instance may hold {room} bytes more of answers; let go of responses, or raise --memory-limit"
            ),
        ));
    }
}

fn lock(session: &Mutex<Session>) -> MutexGuard<'_, Session> {
    session.lock().unwrap_or_else(PoisonError::into_inner)
}
