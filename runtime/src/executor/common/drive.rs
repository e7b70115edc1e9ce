//! One shard's share of a run: its virtual users, each with its line of the timetable, and those who watch over them.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::{Budget, Model, ScenarioSpec};
use super::closed;
use super::open::{Bench, Desk, Dispatch};
use super::steering::Steering;
use super::timetable::{Line, Timetable};
use crate::shard::alarm::Alarm;
use crate::shard::clock::LoadClock;
use crate::shard::control::Control;
use crate::shard::progress::{Progress, ScenarioProgress};
use crate::shard::{Observer, Placement, ShardError, ShardParts, VuError, VuFactory, join_error};
use crate::stop::StopToken;

/// So many virtual users of a shard are made at once: making one is mostly computing, and the rest wait their turn.
const MADE_AT_ONCE: usize = 16;

/// What all shards of a run share.
#[derive(Debug)]
pub struct Run {
    /// In the order of the plan.
    pub(super) scenarios: Vec<ScenarioRun>,
    lines: Vec<Line>,
    shards: usize,
    placement: Placement,
    /// Ends the load before its time.
    pub(super) stop: StopToken,
    /// The live counters.
    pub progress: Arc<Progress>,
    /// Ends everything without ceremony: the run failed, or never began.
    pub(crate) abandon: CancellationToken,
}

/// One scenario of a run.
#[derive(Debug)]
pub(super) struct ScenarioRun {
    pub(super) spec: ScenarioSpec,
    pub(super) model: Model,
    /// Iterations taken from a budget that is shared.
    pub(super) taken: AtomicU64,
    /// What a hand on the wheel may change.
    pub(super) steering: Option<Steering>,
    desk: Desk,
    holdings_left: AtomicUsize,
}

/// Virtual user by virtual user, how its initialisation went.
pub type Readiness = Result<(), (u64, VuError)>;

impl Run {
    /// A run of these scenarios over so many shards.
    #[must_use]
    pub fn new(scenarios: Vec<ScenarioSpec>, shards: usize, placement: Placement, stop: StopToken) -> Self {
        let timetable = Timetable::new(&scenarios);
        let planned_vus = timetable.initial_vus();
        let lines = timetable.lines;
        let counters = |spec: &ScenarioSpec| {
            let executor = &spec.executor;
            ScenarioProgress::new(spec.start_time, executor.regular_duration(), executor.total_iterations())
        };
        let progress = Arc::new(Progress::new(planned_vus, scenarios.iter().map(counters).collect()));
        let mut spare = vec![vec![0_u32; shards]; scenarios.len()];
        let mut holdings = vec![0; scenarios.len()];
        for (index, line) in lines.iter().enumerate() {
            for holding in &line.holdings {
                holdings[holding.scenario] += 1;
                spare[holding.scenario][index % shards] += u32::from(!holding.planned);
            }
        }
        let scenario = |(spec, (spare, holdings)): (ScenarioSpec, (Vec<u32>, usize))| ScenarioRun {
            model: spec.executor.model(),
            steering: Steering::of(&spec.executor),
            spec,
            taken: AtomicU64::new(0),
            desk: Desk::new(&spare),
            holdings_left: AtomicUsize::new(holdings),
        };
        let scenarios = scenarios.into_iter().zip(spare.into_iter().zip(holdings)).map(scenario).collect();
        Self { scenarios, lines, shards, placement, stop, progress, abandon: CancellationToken::new() }
    }

    /// How many virtual users there are, those that may be made later included.
    #[must_use]
    pub fn vus(&self) -> usize {
        self.lines.len()
    }

    /// Which module each virtual user is an instance of, from virtual user 1 on.
    #[must_use]
    pub fn modules(&self) -> Arc<[usize]> {
        self.lines.iter().map(|line| line.module).collect()
    }

    /// Begins the load, for all shards at this moment.
    pub fn begin(&self, at: Instant) {
        self.progress.clock.begin(at);
    }

    /// The clock that all schedules follow.
    pub(super) fn clock(&self) -> &LoadClock {
        &self.progress.clock
    }

    pub(super) fn progress_of(&self, scenario: usize) -> &ScenarioProgress {
        &self.progress.scenarios[scenario]
    }
}

/// One shard.
pub(super) struct Shard<F, O> {
    pub(super) run: Arc<Run>,
    pub(super) index: usize,
    pub(super) parts: ShardParts<F, O>,
    slots: Vec<Slot>,
    benches: Vec<Bench>,
    /// The reins of those who give out starts, by scenario.
    dispatchers: Vec<Control>,
    turn: Semaphore,
}

/// One virtual user's place.
pub(super) struct Slot {
    /// Its number, from 1.
    pub(super) id: u64,
    pub(super) control: Rc<Control>,
    line: Line,
    /// Which of its holdings it is in.
    current: Cell<usize>,
}

/// Says, when dropped, that a virtual user is as ready as it will be before the load.
pub(super) struct Ready(Option<mpsc::UnboundedSender<Readiness>>);

impl Drop for Ready {
    fn drop(&mut self) {
        if let Some(ready) = &self.0 {
            let _ = ready.send(Ok(()));
        }
    }
}

/// Runs one shard to the end of the load.
///
/// # Errors
/// When one of its tasks panics.
pub async fn drive<F: VuFactory, O: Observer>(
    run: Arc<Run>,
    index: usize,
    parts: ShardParts<F, O>,
    ready: mpsc::UnboundedSender<Readiness>,
) -> Result<(), ShardError> {
    let mine = |(number, line): (usize, &Line)| Slot {
        id: number as u64 + 1,
        control: Rc::default(),
        line: line.clone(),
        current: Cell::new(0),
    };
    let slots = run.lines.iter().enumerate().skip(index).step_by(run.shards).map(mine).collect();
    let benches = run.scenarios.iter().map(|_| Bench::default()).collect();
    let dispatchers = run.scenarios.iter().map(|_| Control::default()).collect();
    let abandon = run.abandon.clone();
    // From before anybody waits.
    let changes = run.clock().changes();
    let shard = Rc::new(Shard { run, index, parts, slots, benches, dispatchers, turn: Semaphore::new(MADE_AT_ONCE) });
    let mut work = JoinSet::new();
    let mut watch = JoinSet::new();
    for slot in 0..shard.slots.len() {
        let (shard, ready) = (Rc::clone(&shard), ready.clone());
        work.spawn_local(async move { shard.live(slot, ready).await });
    }
    drop(ready);
    for scenario in 0..shard.run.scenarios.len() {
        if matches!(shard.run.scenarios[scenario].model, Model::Open { .. }) {
            let own = Rc::clone(&shard);
            work.spawn_local(async move { own.dispatch(scenario).await });
            let own = Rc::clone(&shard);
            watch.spawn_local(async move { own.dispatcher(scenario).messages().await });
        }
    }
    let own = Rc::clone(&shard);
    watch.spawn_local(async move { own.pass_on(changes).await });
    let own = Rc::clone(&shard);
    watch.spawn_local(async move { own.end_holdings().await });
    let own = Rc::clone(&shard);
    watch.spawn_local(async move { own.obey().await });
    while !work.is_empty() {
        let joined = tokio::select! {
            joined = work.join_next() => joined,
            Some(joined) = watch.join_next() => Some(joined),
            () = abandon.cancelled() => return Ok(()),
        };
        if let Some(Err(error)) = joined {
            return Err(join_error(index, error));
        }
    }
    Ok(())
}

impl<F: VuFactory, O: Observer> Shard<F, O> {
    /// One virtual user's life.
    async fn live(&self, slot: usize, ready: mpsc::UnboundedSender<Readiness>) {
        let slot = &self.slots[slot];
        let mut vu = None;
        if slot.line.planned() {
            match self.create(slot.id).await {
                Ok(made) => vu = Some(made),
                Err(error) => {
                    let _ = ready.send(Err((slot.id, error)));
                    return;
                }
            }
        }
        let mut ready = Some(Ready(Some(ready)));
        for (index, holding) in slot.line.holdings.iter().enumerate() {
            slot.current.set(index);
            if self.run.stop.level().is_none() {
                slot.control.reset();
                let scenario = &self.run.scenarios[holding.scenario];
                match (&scenario.model, &mut vu) {
                    (Model::Open { .. }, vu) => {
                        let ready = ready.take().unwrap_or(Ready(None));
                        self.dispatcher(holding.scenario).hold(slot, holding, vu, ready).await;
                    }
                    (Model::Closed { budget, .. }, Some(vu)) => {
                        drop(ready.take());
                        closed::run(self, slot, holding, *budget, vu).await;
                    }
                    (Model::Closed { .. }, None) => debug_assert!(false, "closed models plan all their virtual users"),
                }
            }
            self.leave(holding.scenario);
        }
    }

    /// Makes a virtual user, when it is its turn.
    pub(super) async fn create(&self, id: u64) -> Result<F::Vu, VuError> {
        let _turn = self.turn.acquire().await;
        let made = self.parts.factory.create(id).await?;
        self.run.progress.initialised_vus.fetch_add(1, Relaxed);
        Ok(made)
    }

    /// One holding is over; with the last of a scenario, the scenario is.
    fn leave(&self, index: usize) {
        let scenario = &self.run.scenarios[index];
        if scenario.holdings_left.fetch_sub(1, AcqRel) == 1 {
            // What a stop leaves undone was not dropped: as in k6, only maxDuration drops.
            if let Model::Closed { budget: Budget::Shared(total), .. } = scenario.model
                && self.run.stop.level().is_none()
            {
                self.dropped(index, total.saturating_sub(scenario.taken.load(Relaxed)));
            }
            self.run.progress_of(index).end();
        }
    }

    /// Counts iterations that will not run.
    pub(super) fn dropped(&self, scenario: usize, count: u64) {
        if count > 0 {
            self.run.progress_of(scenario).dropped.fetch_add(count, Relaxed);
            self.parts.observer.iterations_dropped(scenario, count);
        }
    }

    async fn dispatch(&self, scenario: usize) {
        if let Model::Open { pacer } = &self.run.scenarios[scenario].model {
            self.dispatcher(scenario).starts(pacer).await;
        }
    }

    fn dispatcher(&self, scenario: usize) -> Dispatch<'_, F, O> {
        let desk = &self.run.scenarios[scenario].desk;
        Dispatch { shard: self, scenario, desk, bench: &self.benches[scenario] }
    }

    /// When this scenario begins or began, later by as much as the load was paused. The load has begun.
    pub(super) fn begin_of(&self, scenario: usize) -> Instant {
        self.run.clock().moment_of(self.run.scenarios[scenario].spec.start_time)
    }

    /// The reins of who gives out this scenario's starts here.
    pub(super) fn reins_of(&self, scenario: usize) -> &Control {
        &self.dispatchers[scenario]
    }

    /// What wakes a dispatcher.
    pub(super) fn alarm(&self) -> Alarm {
        match self.run.placement {
            Placement::Threads => Alarm::precise(),
            Placement::Local => Alarm::coarse(),
        }
    }

    /// Everybody who waits for the load's clock, or for a share of the load, looks again when one of them changes.
    async fn pass_on(&self, mut changes: watch::Receiver<()>) {
        while changes.changed().await.is_ok() {
            self.slots.iter().for_each(|slot| slot.control.wake());
            self.dispatchers.iter().for_each(Control::wake);
        }
    }

    /// Interrupts whatever still runs when its holding ends.
    async fn end_holdings(&self) {
        let lines = self.slots.iter().enumerate();
        let mut ends: Vec<(Duration, usize, usize)> = lines
            .flat_map(|(slot, place)| {
                place.line.holdings.iter().enumerate().map(move |(index, holding)| (holding.until, slot, index))
            })
            .collect();
        ends.sort_unstable();
        for (until, slot, index) in ends {
            self.run.clock().reach(until).await;
            let slot = &self.slots[slot];
            if slot.current.get() == index {
                slot.control.interrupt();
            }
        }
    }

    /// Does what the stop token says.
    async fn obey(&self) {
        let stop = &self.run.stop;
        stop.stopped().await;
        self.run.progress.scenarios.iter().for_each(ScenarioProgress::wind_down);
        self.slots.iter().for_each(|slot| slot.control.finish());
        self.dispatchers.iter().for_each(Control::finish);
        // From here on real time counts: whoever ends a run that is paused does not want to wait until it goes on.
        let stopped = Instant::now();
        let graceful = |slot: &Slot| {
            let holding = slot.line.holdings.get(slot.current.get());
            holding.map_or(Duration::ZERO, |holding| self.run.scenarios[holding.scenario].spec.graceful_stop)
        };
        let mut limits: Vec<Duration> = self.run.scenarios.iter().map(|scenario| scenario.spec.graceful_stop).collect();
        limits.sort_unstable();
        let gracefully = async {
            for limit in limits {
                tokio::time::sleep_until(stopped + limit).await;
                self.slots.iter().filter(|slot| graceful(slot) <= limit).for_each(|slot| slot.control.interrupt());
            }
        };
        tokio::select! {
            () = stop.stopped_immediately() => {}
            () = gracefully => {}
        }
        self.slots.iter().for_each(|slot| slot.control.interrupt());
    }
}
