//! Several requests at once. They are under way outside of the module's fiber, each in a lane of its own, so that what is measured of one is
//! not mixed up with what is measured of another.

use std::collections::VecDeque;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use wasmtime::component::Resource;

use super::{Body, Params, Prepared, http};
use crate::host::context::ShardContext;
use crate::host::journey::{Arrival, Journey, Session};
use crate::host::state::VuState;
use crate::http::{Client, Lane, Origin};

/// Requests that one call may bring.
const MAX_REQUESTS: usize = 1000;

/// A request of a batch, with the body in place of its record's, and its parameters.
type Requested = (http::Request, Option<Resource<Body>>, Option<Resource<Params>>);

/// How many requests of one batch may be under way.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// In all.
    at_once: usize,
    /// To one origin.
    per_host: usize,
}

/// The requests to one origin that wait.
struct Queue {
    origin: Arc<Origin>,
    waiting: VecDeque<(usize, Box<Journey>)>,
    under_way: usize,
}

impl VuState {
    /// Sends several requests at once.
    pub(super) async fn send_batch(&mut self, requests: Vec<Requested>) -> wasmtime::Result<Vec<http::Reply>> {
        if requests.len() > MAX_REQUESTS {
            wasmtime::bail!("a batch of {} requests; {MAX_REQUESTS} is the most", requests.len());
        }
        let mut urls = Vec::with_capacity(requests.len());
        let (mut journeys, mut arrivals) = (Vec::new(), Vec::new());
        for (number, (mut request, body, params)) in requests.into_iter().enumerate() {
            match self.prepared(&mut request, body.as_ref(), params.as_ref())? {
                Prepared::Ready(journey) => journeys.push((number, journey)),
                Prepared::Refused(arrival) => arrivals.push((number, *arrival)),
            }
            urls.push(request.url);
        }
        if !journeys.is_empty() {
            let settings = &self.test().requests;
            let no_limit = |limit: usize| if limit == 0 { usize::MAX } else { limit };
            let limits = Limits { at_once: settings.batch, per_host: no_limit(settings.batch_per_host) };
            let (room, shard, session) = (self.room(), Arc::clone(&self.shard), self.flight.shared_session());
            let made = self
                .flight
                .errand(|client| async move { make_all(journeys, limits, room, &client, &shard, &session).await });
            arrivals.extend(made.await);
        }
        arrivals.sort_unstable_by_key(|(number, _)| *number);
        let replies = arrivals.into_iter().zip(urls).map(|((_, arrival), url)| self.reply(arrival, &url));
        replies.collect()
    }
}

/// Makes all journeys, and gives what came of each with its number. `room` is what the instance may hold of all answers.
async fn make_all(
    journeys: Vec<(usize, Box<Journey>)>,
    limits: Limits,
    room: usize,
    client: &Client,
    shard: &ShardContext,
    session: &Mutex<Session>,
) -> Vec<(usize, Arrival)> {
    let at_once = limits.at_once.min(journeys.len()).max(1);
    client.expect_at_once(at_once);
    // What the instance holds of the answers that are there. Declared before what refers to it.
    let total = AtomicUsize::new(0);
    let held = &total;
    let mut queues = queued(journeys);
    let mut under_way = FuturesUnordered::new();
    let mut arrived = Vec::new();
    loop {
        while under_way.len() < at_once
            && let Some((queue, number, journey)) = next(&mut queues, limits.per_host)
        {
            under_way.push(async move {
                // What all have under way together is no more than what the instance may hold.
                let mut lane = Lane::with_room(room / at_once);
                (queue, number, journey.make(client, &mut lane, shard, session, held).await)
            });
        }
        let Some((queue, number, arrival)) = under_way.next().await else { return arrived };
        queues[queue].under_way -= 1;
        arrived.push((number, arrival));
        // Requests that are refused at once would never leave the turn to anybody else.
        tokio::task::coop::consume_budget().await;
    }
}

fn queued(journeys: Vec<(usize, Box<Journey>)>) -> Vec<Queue> {
    let mut queues: Vec<Queue> = Vec::new();
    for (number, journey) in journeys {
        let origin = &journey.outgoing.target.origin;
        match queues.iter_mut().find(|queue| queue.origin == *origin) {
            Some(queue) => queue.waiting.push_back((number, journey)),
            None => {
                let origin = Arc::clone(origin);
                queues.push(Queue { origin, waiting: VecDeque::from([(number, journey)]), under_way: 0 });
            }
        }
    }
    queues
}

/// The next journey that may begin, in the order of the batch: which queue it was in, and its number.
fn next(queues: &mut [Queue], per_host: usize) -> Option<(usize, usize, Box<Journey>)> {
    let free = queues.iter_mut().enumerate().filter(|(_, queue)| queue.under_way < per_host);
    let first = |(_, queue): &(usize, &mut Queue)| queue.waiting.front().map_or(usize::MAX, |(number, _)| *number);
    let (index, queue) = free.min_by_key(first)?;
    let (number, journey) = queue.waiting.pop_front()?;
    queue.under_way += 1;
    Some((index, number, journey))
}
