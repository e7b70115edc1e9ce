//! The requests that an instance waits for, driven outside of its fiber.
//!
//! A host function that awaits is polled on the module's own stack: every virtual user would keep the pages that the HTTP client once
//! touched there, and each wake-up of its socket would switch stacks twice. So the module only waits for a result, and whoever polls the
//! virtual user polls the exchange, on the thread's stack.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use super::answers::Streams;
use super::context::ShardContext;
use super::cpu::CpuMeter;
use super::journey::{Arrival, Journey, Session};
use super::sessions::Sessions;
use crate::http::{Client, Lane};

/// Sends what is put into its desk, for as long as it is polled. One future serves all requests of a virtual user: it is made once,
/// and nothing of its size is ever moved.
type Pilot = Pin<Box<dyn Future<Output = Infallible> + Send>>;

/// What the pilot does beside journeys.
type Errand = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One virtual user's client, at rest or with an exchange under way.
pub(crate) struct Flight {
    shard: Arc<ShardContext>,
    /// The address that this virtual user calls from; none: the system chooses.
    local: Option<IpAddr>,
    desk: Arc<Mutex<Desk>>,
    session: Arc<Mutex<Session>>,
    /// `None` before the first request, and after one that was cut off.
    pilot: Mutex<Option<(Pilot, Arc<Client>)>>,
    /// WebSockets that are open between two calls of the module, until its iteration ends.
    pub(super) sessions: Sessions,
    /// Answers that come piece by piece, in the same way.
    pub(super) streams: Streams,
}

impl std::fmt::Debug for Flight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flight").field("desk", &self.desk).finish_non_exhaustive()
    }
}

/// What goes between the module and the pilot.
#[derive(Debug, Default)]
struct Desk {
    /// From the module's call until its answer.
    under_way: bool,
    order: Option<Order>,
    arrival: Option<Arrival>,
}

/// What the module waits for.
enum Order {
    /// Boxed: it goes through several hands, and is long.
    Journey(Box<Journey>),
    Errand(Errand),
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Journey(journey) => journey.fmt(f),
            Self::Errand(_) => f.write_str("an errand"),
        }
    }
}

impl Flight {
    pub(crate) fn new(shard: Arc<ShardContext>) -> Arc<Self> {
        let local = shard.http.local_addresses.next();
        let sessions = Sessions::new(shard.test.limits.memory_bytes, local);
        Arc::new(Self {
            shard,
            local,
            desk: Arc::default(),
            session: Arc::default(),
            pilot: Mutex::default(),
            sessions,
            streams: Streams::default(),
        })
    }

    /// Sends a request, and waits for what comes of it. What is polled here is only whether it came.
    pub(super) async fn send(&self, journey: Box<Journey>) -> Arrival {
        *lock(&self.desk) = Desk { under_way: true, order: Some(Order::Journey(journey)), arrival: None };
        poll_fn(|_| lock(&self.desk).arrival.take().map_or(Poll::Pending, Poll::Ready)).await
    }

    /// Does something with the virtual user's client, and waits for what comes of it: what is not one journey.
    pub(super) async fn errand<T, F>(&self, errand: impl FnOnce(Arc<Client>) -> F) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let done = Arc::new(Mutex::new(None));
        let errand = errand(self.client());
        let order = Box::pin({
            let done = Arc::clone(&done);
            async move {
                let output = errand.await;
                *lock(&done) = Some(output);
            }
        });
        *lock(&self.desk) = Desk { under_way: true, order: Some(Order::Errand(order)), arrival: None };
        poll_fn(|_| lock(&done).take().map_or(Poll::Pending, Poll::Ready)).await
    }

    /// Sends a request in a lane of its own: its answer is read when others have been sent.
    pub(super) async fn send_alone(&self, journey: Box<Journey>) -> Arrival {
        let (shard, session) = (Arc::clone(&self.shard), Arc::clone(&self.session));
        self.errand(|client| async move {
            journey.make(&client, &mut Lane::new(), &shard, &session, &AtomicUsize::new(0)).await
        })
        .await
    }

    fn client(&self) -> Arc<Client> {
        let mut pilot = lock(&self.pilot);
        Arc::clone(&pilot.get_or_insert_with(|| self.new_pilot()).1)
    }

    fn new_pilot(&self) -> (Pilot, Arc<Client>) {
        let client = Arc::new(Client::calling_from(self.local, Arc::clone(&self.shard.http)));
        let pilot =
            pilot_of(Arc::clone(&client), Arc::clone(&self.shard), Arc::clone(&self.desk), Arc::clone(&self.session));
        (Box::pin(pilot), client)
    }

    /// Shared with the requests of a batch.
    pub(super) fn shared_session(&self) -> Arc<Mutex<Session>> {
        Arc::clone(&self.session)
    }

    /// What the virtual user remembers of the servers it met.
    pub(super) fn session(&self) -> MutexGuard<'_, Session> {
        lock(&self.session)
    }

    /// What an iteration leaves behind, as the options say.
    pub(super) fn end_iteration(&self) {
        self.sessions.clear();
        self.streams.close();
        if self.shard.http.no_vu_connection_reuse {
            *lock(&self.pilot) = None;
            self.sessions.channels.clear();
        }
        if !self.shard.test.requests.keep_cookies {
            self.session().jar = None;
        }
    }

    /// The cookies that are there now are those that every iteration begins with.
    pub(super) fn keep_cookies(&self) {
        if !self.shard.test.requests.keep_cookies {
            let mut session = self.session();
            session.first_jar = session.jar.clone();
        }
    }

    /// What an iteration begins with.
    pub(super) fn begin_iteration(&self) {
        let mut session = self.session();
        if let Some(first) = &session.first_jar {
            session.jar = Some(first.clone());
        }
    }

    /// A fresh instance logs in anew.
    pub(super) fn begin_vu(&self) {
        self.session().first_jar = None;
    }

    /// Polls a call into the module, and the exchanges that it begins. When it is dropped, so is the exchange under way.
    pub(crate) async fn drive<F: Future + Unpin>(&self, cpu: &CpuMeter, mut call: F) -> F::Output {
        let mut cut = Cut { flight: self, finished: false };
        let output = poll_fn(|cx| {
            cpu.begin_turn();
            loop {
                // While an exchange is under way the module waits for it, and for nothing else.
                if self.advance(cx).is_pending() {
                    return Poll::Pending;
                }
                if let Poll::Ready(output) = Pin::new(&mut call).poll(cx) {
                    return Poll::Ready(output);
                }
                if !lock(&self.desk).under_way {
                    return Poll::Pending;
                }
            }
        })
        .await;
        cut.finished = true;
        output
    }

    /// Ready when nothing is under way.
    fn advance(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !lock(&self.desk).under_way {
            return Poll::Ready(());
        }
        let mut pilot = lock(&self.pilot);
        let (pilot, _) = pilot.get_or_insert_with(|| self.new_pilot());
        match pilot.as_mut().poll(cx) {
            Poll::Ready(never) => match never {},
            Poll::Pending if lock(&self.desk).under_way => Poll::Pending,
            Poll::Pending => Poll::Ready(()),
        }
    }
}

/// Sends one request after the other, and runs errands.
async fn pilot_of(
    client: Arc<Client>,
    shard: Arc<ShardContext>,
    desk: Arc<Mutex<Desk>>,
    session: Arc<Mutex<Session>>,
) -> Infallible {
    let mut lane = Lane::new();
    loop {
        // Requests that are refused at once would never leave the turn to anybody else.
        tokio::task::coop::consume_budget().await;
        let arrival = match poll_fn(|_| lock(&desk).order.take().map_or(Poll::Pending, Poll::Ready)).await {
            Order::Journey(journey) => {
                Some(journey.make(&client, &mut lane, &shard, &session, &AtomicUsize::new(0)).await)
            }
            Order::Errand(errand) => {
                errand.await;
                None
            }
        };
        let mut desk = lock(&desk);
        desk.arrival = arrival;
        desk.under_way = false;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Drops what is under way, and the client with its connections, when the call that waits for it is dropped.
struct Cut<'a> {
    flight: &'a Flight,
    finished: bool,
}

impl Drop for Cut<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.flight.sessions.clear();
            self.flight.streams.cut();
        }
        let mut desk = lock(&self.flight.desk);
        if desk.under_way {
            *desk = Desk::default();
            drop(desk);
            *lock(&self.flight.pilot) = None;
        }
    }
}
