//! Every executor on a paused clock, over one, two and three shards: stub virtual users, exact times.

/// Every iteration takes so many milliseconds.
macro_rules! takes {
    ($ms:expr) => {
        |_| ($ms, IterationEnd::Completed)
    };
}

/// A scenario from its options.
macro_rules! scenario {
    ($($json:tt)+) => { scenario(serde_json::json!({ $($json)+ })) };
}

mod closed;
mod exact;
mod lifecycle;
mod live;
mod open;
mod ramping_vus;
mod real_threads;

use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::*;
use crate::executor::ExecutorConfig;
use crate::shard::{Actual, EndedIteration, Iteration, IterationEnd, Outcome, VirtualUser};

/// How long an iteration takes, and how it ends.
type Behaviour = fn(&Iteration) -> (u64, IterationEnd);

/// How the load is stopped.
type Stop = fn(&StopToken);

/// How the load is steered.
type Steer = fn(&Helm);

struct Stub(Behaviour);

impl VirtualUser for Stub {
    async fn iterate(&mut self, iteration: &Iteration) -> IterationEnd {
        let (ms, end) = (self.0)(iteration);
        if ms > 0 {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        end
    }
}

struct Factory {
    behaviour: Behaviour,
    creation_ms: u64,
    made: Arc<Mutex<Vec<u64>>>,
}

impl VuFactory for Factory {
    type Vu = Stub;
    async fn create(&self, vu_id: u64) -> Result<Stub, VuError> {
        tokio::time::sleep(Duration::from_millis(self.creation_ms)).await;
        self.made.lock().unwrap().push(vu_id);
        Ok(Stub(self.behaviour))
    }
}

#[derive(Clone, Default)]
struct Witness {
    ended: Arc<Mutex<Vec<(usize, EndedIteration)>>>,
    dropped: Arc<Mutex<Vec<(usize, u64, Instant)>>>,
    exhausted: Arc<Mutex<Vec<usize>>>,
    failed: Arc<Mutex<Vec<String>>>,
}

struct Watcher {
    shard: usize,
    witness: Witness,
}

impl Observer for Watcher {
    fn iteration_ended(&self, ended: &EndedIteration) {
        self.witness.ended.lock().unwrap().push((self.shard, *ended));
    }
    fn iterations_dropped(&self, scenario: usize, count: u64) {
        self.witness.dropped.lock().unwrap().push((scenario, count, Instant::now()));
    }
    fn vu_failed(&self, _: usize, error: &VuError) {
        self.witness.failed.lock().unwrap().push(error.to_string());
    }
    fn vus_exhausted(&self, scenario: usize) {
        self.witness.exhausted.lock().unwrap().push(scenario);
    }
}

/// One iteration as tests look at it: times in milliseconds since the load began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    started: u128,
    ended: u128,
    scenario: usize,
    vu: u64,
    number: u64,
    due_us: Option<u128>,
    interrupted: bool,
    shard: usize,
}

/// What a run came to.
struct Report {
    seen: Vec<Seen>,
    dropped: Vec<(usize, u64, u128)>,
    exhausted: Vec<usize>,
    made: Vec<u64>,
    end: Ended,
    progress: Arc<Progress>,
}

impl Report {
    /// When iterations began, in milliseconds.
    fn starts(&self) -> Vec<u128> {
        self.seen.iter().map(|seen| seen.started).collect()
    }
    /// When iterations were due, in microseconds, in order.
    fn dues(&self) -> Vec<u128> {
        let mut dues: Vec<_> = self.seen.iter().filter_map(|seen| seen.due_us).collect();
        dues.sort_unstable();
        dues
    }
    fn interrupted(&self) -> usize {
        self.seen.iter().filter(|seen| seen.interrupted).count()
    }
    fn dropped(&self) -> u64 {
        self.dropped.iter().map(|(_, count, _)| count).sum()
    }
    /// When the load was over, in milliseconds.
    fn length(&self) -> u128 {
        (self.end.ended - self.end.started).as_millis()
    }
    fn of(&self, scenario: usize) -> Vec<Seen> {
        self.seen.iter().filter(|seen| seen.scenario == scenario).copied().collect()
    }
    /// What must hold of every run.
    fn check(&self, shards: usize) {
        for scenario in 0..self.progress.scenarios.len() {
            let mut numbers: Vec<_> = self.of(scenario).iter().map(|seen| seen.number).collect();
            numbers.sort_unstable();
            assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>(), "each number once");
            let live = &self.progress.scenarios[scenario];
            assert_eq!(live.busy_vus.load(Relaxed), 0);
            assert_eq!(live.active_vus.load(Relaxed), 0);
            assert_eq!(live.started.load(Relaxed), numbers.len() as u64);
            assert_eq!(self.progress.phase(scenario, Instant::now()), crate::shard::progress::Phase::Done);
        }
        for seen in &self.seen {
            assert_eq!((seen.vu as usize - 1) % shards, seen.shard, "a virtual user stays on its shard");
        }
        let mut by_vu = self.seen.clone();
        by_vu.sort_by_key(|seen| (seen.vu, seen.started, seen.ended));
        for pair in by_vu.windows(2).filter(|pair| pair[0].vu == pair[1].vu) {
            assert!(pair[0].ended <= pair[1].started, "one at a time: {pair:?}");
        }
    }
}

/// A test: scenarios, and what happens around them.
struct Test {
    scenarios: Vec<ScenarioSpec>,
    shards: usize,
    behaviour: Behaviour,
    creation_ms: u64,
    /// Stops the load after so many milliseconds.
    stop: Vec<(u64, Stop)>,
    /// What a hand on the wheel does after so many milliseconds; what it does at 0 comes before the load.
    steer: Vec<(u64, Steer)>,
}

impl Test {
    fn new(scenarios: Vec<ScenarioSpec>, behaviour: Behaviour) -> Self {
        Self { scenarios, shards: 1, behaviour, creation_ms: 0, stop: Vec::new(), steer: Vec::new() }
    }

    fn shards(mut self, shards: usize) -> Self {
        self.shards = shards;
        self
    }

    fn creation(mut self, ms: u64) -> Self {
        self.creation_ms = ms;
        self
    }

    fn stop(mut self, after_ms: u64, how: Stop) -> Self {
        self.stop.push((after_ms, how));
        self
    }

    fn steer(mut self, after_ms: u64, how: Steer) -> Self {
        self.steer.push((after_ms, how));
        self
    }

    /// Pauses for so long.
    fn pause(self, after_ms: u64, for_ms: u64) -> Self {
        self.steer(after_ms, |helm| assert!(helm.pause())).steer(after_ms + for_ms, |helm| assert!(helm.resume()))
    }

    fn run(self) -> Report {
        paused(self.go())
    }

    async fn go(self) -> Report {
        let token = StopToken::new();
        let schedule = Schedule::new(self.scenarios, self.shards, Placement::Local, token.clone());
        let progress = schedule.progress();
        let helm = schedule.helm();
        let witness = Witness::default();
        let made = Arc::new(Mutex::new(Vec::new()));
        let (behaviour, creation_ms) = (self.behaviour, self.creation_ms);
        let (seen_by, makes) = (witness.clone(), Arc::clone(&made));
        let build = move |shard| {
            let factory = Factory { behaviour, creation_ms, made: Arc::clone(&makes) };
            (factory, Watcher { shard, witness: seen_by.clone() })
        };
        let prepared = schedule.prepare(build).await.unwrap();
        self.steer.iter().filter(|(at, _)| *at == 0).for_each(|(_, how)| how(&helm));
        let running = prepared.start();
        let began = running.started();
        for (after_ms, how) in self.steer.into_iter().filter(|(at, _)| *at > 0) {
            let helm = helm.clone();
            tokio::spawn(async move {
                tokio::time::sleep_until(began + Duration::from_millis(after_ms)).await;
                how(&helm);
            });
        }
        for (after_ms, how) in self.stop {
            let token = token.clone();
            tokio::spawn(async move {
                tokio::time::sleep_until(began + Duration::from_millis(after_ms)).await;
                how(&token);
            });
        }
        let end = running.finish().await.unwrap();
        let ms = |at: Instant| (at - began).as_millis();
        let see = |(shard, ended): &(usize, EndedIteration)| Seen {
            started: ms(ended.started),
            ended: ms(ended.ended),
            scenario: ended.iteration.scenario,
            vu: ended.iteration.vu_id,
            number: ended.iteration.number_in_scenario,
            due_us: ended.iteration.due.map(|due| (due - began).as_micros()),
            interrupted: ended.outcome == Outcome::Interrupted,
            shard: *shard,
        };
        let mut seen: Vec<_> = witness.ended.lock().unwrap().iter().map(see).collect();
        seen.sort_unstable();
        let dropped = witness.dropped.lock().unwrap().iter().map(|(s, n, at)| (*s, *n, ms(*at))).collect();
        let exhausted = witness.exhausted.lock().unwrap().clone();
        let mut made = made.lock().unwrap().clone();
        made.sort_unstable();
        let report = Report { seen, dropped, exhausted, made, end, progress };
        report.check(self.shards);
        report
    }
}

/// Runs a future, and what it spawns, on a paused clock.
fn paused<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, future)
}

/// A scenario from its options, as a user would write them.
fn scenario(mut options: Value) -> ScenarioSpec {
    let fields = options.as_object_mut().unwrap();
    let executor = fields.remove("executor").unwrap();
    let mut common = |key, default| fields.remove(key).map_or(default, |v| crate::duration::from_json(&v).unwrap());
    let start_time = common("startTime", Duration::ZERO);
    let graceful_stop = common("gracefulStop", Duration::from_secs(30));
    let executor = ExecutorConfig::parse(executor.as_str().unwrap(), fields.clone()).unwrap();
    ScenarioSpec { name: "test".to_owned(), module: 0, function: 0, start_time, graceful_stop, executor }
}

/// The same test over one, two and three shards.
fn on_shards(test: impl Fn(usize)) {
    (1..=3).for_each(test);
}

/// Not a test of its own: keeps a value that is not `Send` in a virtual user, which is allowed.
#[expect(dead_code, reason = "it only has to compile")]
struct NotSend(Rc<()>);

impl VirtualUser for NotSend {
    async fn iterate(&mut self, _: &Iteration) -> IterationEnd {
        IterationEnd::Completed
    }
}
