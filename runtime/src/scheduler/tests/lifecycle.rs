//! Beginnings and ends: initialisation, several scenarios, stops, defects.

use super::*;
use crate::shard::progress::Phase;

fn looping(vus: u32, duration: &str, start_time: &str) -> ScenarioSpec {
    scenario!("executor": "constant-vus", "vus": vus, "duration": duration, "startTime": start_time, "gracefulStop": "5s")
}

#[test]
fn scenarios_run_side_by_side_from_their_start_times() {
    on_shards(|shards| {
        let scenarios = vec![looping(2, "10s", "0s"), looping(3, "5s", "4s")];
        let report = Test::new(scenarios, takes!(5_000)).shards(shards).run();
        assert_eq!(report.of(0).iter().map(|seen| seen.started).collect::<Vec<_>>(), [0, 0, 5_000, 5_000]);
        assert_eq!(report.of(1).iter().map(|seen| seen.started).collect::<Vec<_>>(), [4_000; 3]);
        assert_eq!(report.made.len(), 5);
    });
}

#[test]
fn a_vu_that_one_scenario_gave_back_serves_the_next() {
    on_shards(|shards| {
        let scenarios = vec![looping(3, "10s", "0s"), looping(4, "10s", "15s"), looping(2, "10s", "20s")];
        let report = Test::new(scenarios, takes!(2_000)).shards(shards).run();
        assert_eq!(report.made.len(), 6, "as many as hold at once, from 20 s on");
        let of_second: Vec<_> = report.of(1).iter().take(4).map(|seen| seen.vu).collect();
        assert_eq!(of_second, [1, 2, 3, 4]);
    });
}

#[test]
fn a_vu_interrupted_at_the_end_of_one_scenario_begins_the_next_at_once() {
    on_shards(|shards| {
        let scenarios = vec![looping(2, "5s", "0s"), looping(2, "5s", "10s")];
        let report = Test::new(scenarios, takes!(60_000)).shards(shards).run();
        let all: Vec<_> = report.seen.iter().map(|seen| (seen.started, seen.ended, seen.interrupted)).collect();
        assert_eq!(all, [(0, 10_000, true), (0, 10_000, true), (10_000, 20_000, true), (10_000, 20_000, true)]);
        assert_eq!(report.made, [1, 2]);
    });
}

#[test]
fn open_and_closed_models_share_their_vus() {
    on_shards(|shards| {
        let open = scenario!(
            "executor": "constant-arrival-rate", "rate": 2, "duration": "5s", "preAllocatedVUs": 2, "startTime": "10s"
        );
        let report = Test::new(vec![looping(2, "5s", "0s"), open], takes!(1_000)).shards(shards).run();
        assert_eq!(report.made, [1, 2]);
        let starts: Vec<_> = report.of(1).iter().map(|seen| seen.started).collect();
        assert_eq!(starts, (0..10).map(|k| 10_000 + k * 500).collect::<Vec<_>>());
        assert_eq!(report.dropped(), 0);
    });
}

#[test]
fn a_graceful_stop_lets_iterations_finish_and_begins_none() {
    on_shards(|shards| {
        let scenarios = vec![looping(2, "1h", "0s"), looping(2, "1h", "10s")];
        let report = Test::new(scenarios, takes!(3_000)).shards(shards).stop(4_000, |token| {
            token.graceful(StopReason::Threshold("p(95)<1".to_owned()));
        });
        let report = report.run();
        assert_eq!(report.starts(), [0, 0, 3_000, 3_000]);
        assert_eq!((report.interrupted(), report.length()), (0, 6_000));
        assert_eq!(report.end.stopped, Some(StopReason::Threshold("p(95)<1".to_owned())));
    });
}

#[test]
fn a_graceful_stop_interrupts_when_the_grace_is_over_each_scenario_its_own() {
    on_shards(|shards| {
        let mut quick = looping(1, "1h", "0s");
        quick.graceful_stop = Duration::from_secs(1);
        let report = Test::new(vec![looping(2, "1h", "0s"), quick], takes!(60_000)).shards(shards);
        let report = report.stop(4_000, |token| token.graceful(StopReason::Signal)).run();
        let ends: Vec<_> = report.seen.iter().map(|seen| (seen.scenario, seen.ended, seen.interrupted)).collect();
        assert_eq!(ends.len(), 3);
        assert_eq!(ends.iter().filter(|end| **end == (0, 9_000, true)).count(), 2, "{ends:?}");
        assert!(ends.contains(&(1, 5_000, true)), "{ends:?}");
    });
}

#[test]
fn a_second_stop_interrupts_at_once() {
    on_shards(|shards| {
        let report = Test::new(vec![looping(2, "1h", "0s")], takes!(60_000)).shards(shards);
        let report = report
            .stop(4_000, |token| token.graceful(StopReason::Signal))
            .stop(4_500, |token| token.immediate(StopReason::Aborted("later".to_owned())))
            .run();
        assert_eq!((report.interrupted(), report.length()), (2, 4_500));
        assert_eq!(report.end.stopped, Some(StopReason::Signal));
    });
}

#[test]
fn an_open_model_stops_starting_and_drops_nothing() {
    on_shards(|shards| {
        let scenario = scenario!(
            "executor": "constant-arrival-rate", "rate": 10, "duration": "1h", "preAllocatedVUs": 6, "maxVUs": 9
        );
        let report = Test::new(vec![scenario], takes!(500)).shards(shards);
        let report = report.stop(2_050, |token| token.graceful(StopReason::Signal)).run();
        assert_eq!((report.seen.len(), report.dropped(), report.interrupted(), report.length()), (21, 0, 0, 2_500));
    });
}

#[test]
fn an_immediate_stop_ends_an_open_model() {
    on_shards(|shards| {
        let scenario = scenario!("executor": "ramping-arrival-rate", "stages": [{ "duration": "1h", "target": 3_600 }], "preAllocatedVUs": 6);
        let report = Test::new(vec![scenario], takes!(60_000)).shards(shards);
        let report = report.stop(5_000, |token| token.immediate(StopReason::Signal)).run();
        assert_eq!(report.length(), 5_000);
        assert_eq!(report.interrupted(), report.seen.len());
    });
}

#[test]
fn a_stop_before_any_scenario_began_ends_the_load() {
    on_shards(|shards| {
        let scenarios = vec![
            looping(2, "10s", "1h"),
            scenario!("executor": "constant-arrival-rate", "rate": 1, "duration": "9s", "preAllocatedVUs": 0, "maxVUs": 2, "startTime": "30m"),
            scenario!("executor": "ramping-vus", "stages": [{ "duration": "9s", "target": 2 }], "startTime": "30m"),
        ];
        let report = Test::new(scenarios, takes!(1_000)).shards(shards);
        let report = report.stop(1_000, |token| token.graceful(StopReason::Signal)).run();
        assert_eq!((report.seen.len(), report.length(), report.dropped()), (0, 1_000, 0));
    });
}

#[test]
fn what_a_stop_leaves_of_counted_iterations_is_not_dropped() {
    on_shards(|shards| {
        let shared = scenario!("executor": "shared-iterations", "vus": 2, "iterations": 50);
        let each = scenario!("executor": "per-vu-iterations", "vus": 2, "iterations": 5);
        let report = Test::new(vec![shared, each], takes!(1_000)).shards(shards);
        let report = report.stop(1_500, |token| token.graceful(StopReason::Signal)).run();
        let dropped = |scenario: usize| report.progress.scenarios[scenario].dropped.load(Relaxed);
        assert_eq!((dropped(0), dropped(1), report.length()), (0, 0, 2_000));
    });
}

#[test]
fn every_shard_waits_for_the_last_vu() {
    // 40 virtual users on two shards, 16 at once on each: two rounds of 100 ms, and then all begin together.
    let report = Test::new(vec![looping(40, "1s", "0s")], takes!(1_000)).shards(2).creation(100).run();
    assert_eq!(report.starts(), [0; 40]);
    assert_eq!(report.made.len(), 40);
}

/// Cannot make one virtual user, and breaks at another.
#[derive(Clone, Copy)]
struct Failing {
    refused: u64,
    panics: u64,
}

impl VuFactory for Failing {
    type Vu = Stub;
    async fn create(&self, vu_id: u64) -> Result<Stub, VuError> {
        assert_ne!(vu_id, self.panics, "a defect");
        if vu_id == self.refused {
            Err(VuError::Machine("the pool is exhausted".to_owned()))
        } else {
            Ok(Stub(takes!(1)))
        }
    }
}

async fn prepare(failing: Failing, token: &StopToken, placement: Placement) -> Result<Prepared, ScheduleError> {
    let schedule = Schedule::new(vec![looping(10, "1s", "0s")], 3, placement, token.clone());
    schedule.prepare(move |shard| (failing, Watcher { shard, witness: Witness::default() })).await
}

#[test]
fn a_vu_that_cannot_be_made_is_named_and_nothing_starts() {
    let failing = Failing { refused: 7, panics: 0 };
    let error = paused(prepare(failing, &StopToken::new(), Placement::Local)).unwrap_err();
    assert_eq!(error.to_string(), "virtual user 7 of 10 cannot be initialised: the pool is exhausted");
}

#[test]
fn a_stop_during_initialisation_is_an_end() {
    let token = StopToken::new();
    token.graceful(StopReason::Signal);
    let error = paused(prepare(Failing { refused: 0, panics: 0 }, &token, Placement::Local)).unwrap_err();
    assert_eq!(error, ScheduleError::Stopped(StopReason::Signal));
}

#[tokio::test]
async fn a_panic_during_initialisation_is_an_error() {
    let failing = Failing { refused: 0, panics: 5 };
    let error = prepare(failing, &StopToken::new(), Placement::Threads).await.unwrap_err();
    let text = "worker thread 1 panicked: ";
    assert!(error.to_string().starts_with(text) && error.to_string().contains("a defect"), "{error}");
}

#[tokio::test]
async fn a_panic_while_a_shard_is_built_is_an_error() {
    let schedule = Schedule::new(vec![looping(2, "1s", "0s")], 2, Placement::Threads, StopToken::new());
    let build = |shard: usize| {
        assert_eq!(shard, 0, "no parts");
        (Failing { refused: 0, panics: 0 }, Watcher { shard, witness: Witness::default() })
    };
    let error = schedule.prepare(build).await.unwrap_err();
    assert!(matches!(&error, ScheduleError::Shard(ShardError::Panicked { shard: 1, .. })), "{error}");
}

/// Panics in its third iteration.
struct Panicking(u32);

impl VirtualUser for Panicking {
    async fn iterate(&mut self, _: &Iteration) -> IterationEnd {
        tokio::time::sleep(Duration::from_millis(10)).await;
        self.0 += 1;
        assert!(self.0 < 3, "a defect");
        IterationEnd::Completed
    }
}

struct PanicFactory;

impl VuFactory for PanicFactory {
    type Vu = Panicking;
    async fn create(&self, _: u64) -> Result<Panicking, VuError> {
        Ok(Panicking(0))
    }
}

async fn panic_under_load(placement: Placement) -> ScheduleError {
    let open = scenario!("executor": "constant-arrival-rate", "rate": 100, "duration": "1h", "preAllocatedVUs": 2);
    let schedule = Schedule::new(vec![open, looping(2, "1h", "30m")], 2, placement, StopToken::new());
    let build = |shard| (PanicFactory, Watcher { shard, witness: Witness::default() });
    schedule.prepare(build).await.unwrap().start().finish().await.unwrap_err()
}

#[test]
fn a_panic_under_load_is_an_error_and_not_a_hang() {
    let error = paused(panic_under_load(Placement::Local));
    assert!(
        matches!(&error, ScheduleError::Shard(ShardError::Panicked { message, .. }) if message == "a defect"),
        "{error}"
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(panic_under_load(Placement::Threads));
    assert!(
        matches!(&error, ScheduleError::Shard(ShardError::Panicked { message, .. }) if message == "a defect"),
        "{error}"
    );
}

#[test]
fn phases_and_shares_follow_the_clock() {
    paused(async {
        let token = StopToken::new();
        let scenarios = vec![
            looping(1, "10s", "10s"),
            scenario!("executor": "shared-iterations", "vus": 1, "iterations": 4, "startTime": "1s"),
        ];
        let schedule = Schedule::new(scenarios, 2, Placement::Local, token);
        let progress = schedule.progress();
        let build = |shard| {
            let factory = Factory { behaviour: takes!(4_000), creation_ms: 0, made: Arc::default() };
            (factory, Watcher { shard, witness: Witness::default() })
        };
        assert_eq!(progress.phase(0, Instant::now()), Phase::Waiting);
        let running = schedule.prepare(build).await.unwrap().start();
        let began = running.started();
        let watch = async {
            let mut seen = Vec::new();
            for second in [0, 6, 15, 21, 23] {
                tokio::time::sleep_until(began + Duration::from_millis(second * 1_000 + 500)).await;
                let now = Instant::now();
                let state = |scenario| (progress.phase(scenario, now), (progress.share(scenario, now) * 100.0).round());
                seen.push((second, state(0), state(1), progress.active_vus(now)));
            }
            seen
        };
        let (end, seen) = tokio::join!(running.finish(), watch);
        end.unwrap();
        assert_eq!(
            seen,
            [
                (0, (Phase::Waiting, 0.0), (Phase::Waiting, 0.0), 0),
                (6, (Phase::Waiting, 0.0), (Phase::Running, 25.0), 1),
                (15, (Phase::Running, 55.0), (Phase::Running, 75.0), 2),
                (21, (Phase::GracefulStop, 100.0), (Phase::Done, 100.0), 1),
                (23, (Phase::Done, 100.0), (Phase::Done, 100.0), 0),
            ]
        );
    });
}

/// Is got ready for 10 ms, runs for 20 ms, and waits for 70 ms before it would run again.
struct Waiting(Actual);

impl VirtualUser for Waiting {
    async fn iterate(&mut self, _: &Iteration) -> IterationEnd {
        let ms = Duration::from_millis;
        tokio::time::sleep(ms(10)).await;
        self.0.began = Some(Instant::now());
        tokio::time::sleep(ms(20)).await;
        self.0.ended = Some((Instant::now(), IterationEnd::Failed));
        tokio::time::sleep(ms(70)).await;
        IterationEnd::Failed
    }

    fn actual(&mut self) -> Actual {
        std::mem::take(&mut self.0)
    }
}

struct WaitingFactory;

impl VuFactory for WaitingFactory {
    type Vu = Waiting;
    async fn create(&self, _: u64) -> Result<Waiting, VuError> {
        Ok(Waiting(Actual::default()))
    }
}

/// What a virtual user waits for before and after an iteration is not the iteration's, not even when the wait is cut short: metrics and live
/// counters agree.
#[test]
fn an_iteration_is_over_before_the_pause_that_follows_it() {
    paused(async {
        let mut looping = looping(1, "1s", "0s");
        looping.graceful_stop = Duration::ZERO;
        let stop_in_the_pause = Duration::from_millis(250);
        let token = StopToken::new();
        let schedule = Schedule::new(vec![looping], 1, Placement::Local, token.clone());
        let (progress, witness) = (schedule.progress(), Witness::default());
        let seen_by = witness.clone();
        let build = move |shard| (WaitingFactory, Watcher { shard, witness: seen_by.clone() });
        let running = schedule.prepare(build).await.unwrap().start();
        let began = running.started();
        let stop = async {
            tokio::time::sleep_until(began + stop_in_the_pause).await;
            token.graceful(StopReason::Signal);
        };
        let (end, ()) = tokio::join!(running.finish(), stop);
        end.unwrap();
        let ms = |at: Instant| (at - began).as_millis();
        let ended = witness.ended.lock().unwrap();
        let seen: Vec<_> = ended.iter().map(|(_, i)| (ms(i.started), ms(i.ended), i.outcome)).collect();
        assert_eq!(seen, [(10, 30, Outcome::Failed), (110, 130, Outcome::Failed), (210, 230, Outcome::Failed)]);
        let live = &progress.scenarios[0];
        assert_eq!((live.failed.load(Relaxed), live.interrupted.load(Relaxed)), (3, 0));
    });
}
