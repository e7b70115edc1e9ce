//! Running an open model: iterations are due at given times, and go to whoever is free.
//!
//! Each shard has a dispatcher; start k belongs to the dispatcher of shard k mod the number of shards. It takes a free
//! virtual user of its own shard, or else reserves one of another's, by that shard's count of free ones, and hands the
//! start over. Only when nobody anywhere is free is the start dropped, and a further virtual user made, one at a time, while
//! `maxVUs` allows. Nothing is queued.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::super::pacer::Pacer;
use super::drive::{Ready, Shard, Slot};
use super::iterate::iterate;
use super::timetable::Holding;
use crate::shard::control::{Control, Waited};
use crate::shard::{Observer, Outcome, VuFactory};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What the shards of one open scenario share.
#[derive(Debug)]
pub(super) struct Desk {
    shards: Vec<ShardDesk>,
    /// A further virtual user is being made.
    growing: AtomicBool,
    /// Nobody is left to be made, and that has been said.
    exhausted: AtomicBool,
    dispatchers: AtomicUsize,
}

/// One shard's part of it. The alignment keeps shards off each other's cache lines.
#[derive(Debug)]
#[repr(align(128))]
struct ShardDesk {
    /// Virtual users that are free and not reserved.
    free: AtomicU32,
    /// Virtual users that may still be made.
    spare: AtomicU32,
    send: UnboundedSender<Message>,
    receive: Mutex<Option<UnboundedReceiver<Message>>>,
}

/// What one shard tells another.
#[derive(Debug)]
enum Message {
    /// Run this start, due at this time of the load; one of your free virtual users is reserved for it.
    Start(Duration),
    /// Make one of your spare virtual users.
    Grow,
    /// All dispatchers are through.
    Over,
}

/// One shard's virtual users that wait. Only its own thread touches them.
#[derive(Debug, Default)]
pub(super) struct Bench {
    free: RefCell<VecDeque<Rc<Seat>>>,
    spare: RefCell<VecDeque<Rc<Seat>>>,
    /// Spare ones that were wanted before they had sat down.
    wanted: Cell<u32>,
    over: Cell<bool>,
}

/// Where one virtual user waits.
#[derive(Debug)]
struct Seat {
    control: Rc<Control>,
    due: Cell<Option<Duration>>,
    called: Cell<bool>,
}

impl Desk {
    /// `spare` says how many virtual users of each shard may be made on demand.
    pub(super) fn new(spare: &[u32]) -> Self {
        let desk = |&spare: &u32| {
            let (send, receive) = unbounded_channel();
            ShardDesk {
                free: AtomicU32::new(0),
                spare: AtomicU32::new(spare),
                send,
                receive: Mutex::new(Some(receive)),
            }
        };
        Self {
            shards: spare.iter().map(desk).collect(),
            growing: AtomicBool::new(false),
            exhausted: AtomicBool::new(false),
            dispatchers: AtomicUsize::new(spare.len()),
        }
    }

    /// Tells a shard; one that has ended needs no telling.
    fn tell(&self, shard: usize, message: Message) {
        let _ = self.shards[shard].send.send(message);
    }
}

/// Takes one off a count, unless it is 0.
fn take_one(count: &AtomicU32) -> bool {
    count.fetch_update(AcqRel, Acquire, |count| count.checked_sub(1)).is_ok()
}

/// The shards from this one on, around.
fn around(shard: usize, shards: usize) -> impl Iterator<Item = usize> {
    (0..shards).map(move |i| (shard + i) % shards)
}

/// One shard's part in one open scenario.
pub(super) struct Dispatch<'a, F, O> {
    pub(super) shard: &'a Shard<F, O>,
    pub(super) scenario: usize,
    pub(super) desk: &'a Desk,
    pub(super) bench: &'a Bench,
}

impl<F: VuFactory, O: Observer> Dispatch<'_, F, O> {
    /// Gives out this shard's starts, each when it is due. Late ones are given out at once.
    pub(super) async fn starts(&self, pacer: &Pacer) {
        let scenario = &self.shard.run.scenarios[self.scenario];
        let (clock, reins) = (self.shard.run.clock(), self.shard.reins_of(self.scenario));
        let begin = scenario.spec.start_time;
        // The scenario lasts as long as it says, however early its last start is.
        let end = begin + scenario.spec.executor.regular_duration();
        let shards = self.desk.shards.len() as u64;
        let alarm = self.shard.alarm();
        let mut steered: Option<(Pacer, u64)> = None;
        let mut k = self.shard.index as u64;
        while self.shard.run.stop.level().is_none() {
            let pacer = match &scenario.steering {
                Some(steering) => steering.pacer(clock.version(), &mut steered).unwrap_or(pacer),
                None => pacer,
            };
            let due = pacer.due(k).map(|due| begin + due);
            match (reins.reach_unless_changed(clock, due.unwrap_or(end), &alarm).await, due) {
                (Waited::Reached, Some(due)) if self.shard.run.stop.level().is_none() => {
                    self.start(due).await;
                    k += shards;
                }
                (Waited::Changed, _) => {}
                _ => break,
            }
        }
        if self.desk.dispatchers.fetch_sub(1, AcqRel) == 1 {
            for shard in 0..self.desk.shards.len() {
                self.desk.tell(shard, Message::Over);
            }
        }
    }

    async fn start(&self, due: Duration) {
        if self.place(due) {
            return;
        }
        // Who became free at this very moment may not have come to say so.
        tokio::task::yield_now().await;
        if !self.place(due) {
            self.shard.dropped(self.scenario, 1);
            self.grow();
        }
    }

    /// Gives this start to somebody free.
    fn place(&self, due: Duration) -> bool {
        let found = around(self.shard.index, self.desk.shards.len()).find(|&i| take_one(&self.desk.shards[i].free));
        match found {
            Some(shard) if shard == self.shard.index => self.seat(due),
            Some(shard) => self.desk.tell(shard, Message::Start(due)),
            None => return false,
        }
        true
    }

    /// Gives this start to somebody free here, for whom it is reserved; he may have been called off since.
    fn seat(&self, due: Duration) {
        let seat = self.bench.free.borrow_mut().pop_front();
        match seat {
            Some(seat) => {
                seat.due.set(Some(due));
                seat.control.wake();
            }
            None => self.too_late(),
        }
    }

    /// A start was given out that cannot run any more: the scenario's time is over. One that a stop prevents is not
    /// counted, as are those that were never given out.
    fn too_late(&self) {
        if self.shard.run.stop.level().is_none() {
            self.shard.dropped(self.scenario, 1);
        }
    }

    /// Has a further virtual user made, unless one is being made already.
    fn grow(&self) {
        if self.desk.growing.swap(true, AcqRel) {
            return;
        }
        let found = around(self.shard.index, self.desk.shards.len()).find(|&i| take_one(&self.desk.shards[i].spare));
        match found {
            Some(shard) => self.desk.tell(shard, Message::Grow),
            None => {
                // `growing` stays set: there is nothing to look for any more.
                if !self.desk.exhausted.swap(true, Relaxed) {
                    self.shard.parts.observer.vus_exhausted(self.scenario);
                }
            }
        }
    }

    /// Does what other dispatchers ask of this shard, until all are through.
    pub(super) async fn messages(&self) {
        let receive = &self.desk.shards[self.shard.index].receive;
        let Some(mut receive) = receive.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        while let Some(message) = receive.recv().await {
            match message {
                Message::Start(due) => self.seat(due),
                Message::Grow => match self.bench.spare.borrow_mut().pop_front() {
                    Some(seat) => seat.call(),
                    None => self.bench.wanted.set(self.bench.wanted.get() + 1),
                },
                Message::Over => break,
            }
        }
        self.bench.over.set(true);
        let waiting = self.bench.free.take().into_iter().chain(self.bench.spare.take());
        waiting.for_each(|seat| seat.control.finish());
    }

    /// Runs one holding of one virtual user to its end, making the virtual user first if need be.
    pub(super) async fn hold(&self, slot: &Slot, holding: &Holding, vu: &mut Option<F::Vu>, ready: Ready) {
        let seat = Rc::new(Seat { control: Rc::clone(&slot.control), due: Cell::new(None), called: Cell::new(false) });
        let mut ready = Some(ready);
        if !holding.planned {
            if !self.called(&seat, &mut ready).await {
                return;
            }
            if vu.is_none() {
                match slot.control.unless_interrupted(pin!(self.shard.create(slot.id))).await {
                    Some(Ok(made)) => *vu = Some(made),
                    Some(Err(error)) => self.shard.parts.observer.vu_failed(self.scenario, &error),
                    None => {}
                }
            }
            self.desk.growing.store(false, Release);
        }
        let Some(vu) = vu else { return };
        let progress = self.shard.run.progress_of(self.scenario);
        progress.active_vus.fetch_add(1, Relaxed);
        while !self.bench.over.get() && !slot.control.finishing() {
            self.bench.free.borrow_mut().push_back(Rc::clone(&seat));
            self.desk.shards[self.shard.index].free.fetch_add(1, AcqRel);
            drop(ready.take());
            let Some(due) = slot.control.until(|| seat.due.take()).await else {
                self.get_up(&seat);
                break;
            };
            // Given out just before a pause: it begins after it, and is as late as it was.
            if slot.control.finishing() || !slot.control.while_paused(self.shard.run.clock()).await {
                self.too_late();
                break;
            }
            let due = self.shard.run.clock().moment_of(due);
            if iterate(self.shard, self.scenario, &slot.control, vu, slot.id, Some(due)).await == Outcome::Interrupted {
                break;
            }
        }
        progress.active_vus.fetch_sub(1, Relaxed);
    }

    /// Takes a virtual user off the bench that was called off while it waited there.
    fn get_up(&self, seat: &Rc<Seat>) {
        let mut free = self.bench.free.borrow_mut();
        let waiting = free.len();
        free.retain(|other| !Rc::ptr_eq(seat, other));
        if free.len() < waiting {
            // Where the count is 0 already, another shard has reserved it, and will find nobody.
            take_one(&self.desk.shards[self.shard.index].free);
        }
    }

    /// Waits on the spare bench until this virtual user is wanted.
    async fn called(&self, seat: &Rc<Seat>, ready: &mut Option<Ready>) -> bool {
        drop(ready.take());
        if self.bench.over.get() || seat.control.finishing() {
            return false;
        }
        match self.bench.wanted.get() {
            0 => self.bench.spare.borrow_mut().push_back(Rc::clone(seat)),
            wanted => {
                self.bench.wanted.set(wanted - 1);
                return true;
            }
        }
        seat.control.until(|| seat.called.take().then_some(())).await.is_some()
    }
}

impl Seat {
    fn call(&self) {
        self.called.set(true);
        self.control.wake();
    }
}
