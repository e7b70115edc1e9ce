//! The same shards on threads of their own, with a real clock: counts only, no times.

use super::*;

async fn on_threads(scenarios: Vec<ScenarioSpec>, shards: usize) -> (Witness, Arc<Progress>, Ended) {
    let schedule = Schedule::new(scenarios, shards, Placement::Threads, StopToken::new());
    let progress = schedule.progress();
    let witness = Witness::default();
    let seen_by = witness.clone();
    let build = move |shard| {
        let factory = Factory { behaviour: takes!(0), creation_ms: 0, made: Arc::default() };
        (factory, Watcher { shard, witness: seen_by.clone() })
    };
    let running = schedule.prepare(build).await.unwrap().start();
    let ended = running.finish().await.unwrap();
    (witness, progress, ended)
}

#[tokio::test]
async fn every_iteration_runs_once_whatever_the_threads_do() {
    let scenarios = vec![
        scenario!("executor": "shared-iterations", "vus": 20, "iterations": 10_000),
        scenario!("executor": "per-vu-iterations", "vus": 5, "iterations": 100),
        scenario!("executor": "constant-arrival-rate", "rate": 500, "duration": "1s", "preAllocatedVUs": 20, "maxVUs": 40),
    ];
    let (witness, progress, ended) = on_threads(scenarios, 3).await;
    assert_eq!(ended.stopped, None);
    let ended = witness.ended.lock().unwrap();
    for (scenario, expected) in [(0, 10_000), (1, 500)] {
        let mut numbers: Vec<_> = ended
            .iter()
            .filter(|(_, ended)| ended.iteration.scenario == scenario)
            .map(|(_, ended)| ended.iteration.number_in_scenario)
            .collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..expected).collect::<Vec<_>>());
    }
    let open = &progress.scenarios[2];
    assert_eq!(open.started.load(Relaxed) + open.dropped.load(Relaxed), 500, "started or dropped, none lost");
    assert!(ended.iter().all(|(shard, ended)| (ended.iteration.vu_id as usize - 1) % 3 == *shard));
}

/// Keeps its thread, as no virtual user should: everything comes late.
struct Blocking;

impl VirtualUser for Blocking {
    async fn iterate(&mut self, _: &Iteration) -> IterationEnd {
        std::thread::sleep(Duration::from_millis(3));
        IterationEnd::Completed
    }
}

struct BlockingFactory;

impl VuFactory for BlockingFactory {
    type Vu = Blocking;
    async fn create(&self, _: u64) -> Result<Blocking, VuError> {
        Ok(Blocking)
    }
}

#[tokio::test]
async fn starts_that_come_too_late_are_dropped_and_not_lost() {
    let scenario = scenario!(
        "executor": "constant-arrival-rate", "rate": 2_000, "duration": "1s", "preAllocatedVUs": 10, "gracefulStop": "0s"
    );
    let schedule = Schedule::new(vec![scenario], 2, Placement::Threads, StopToken::new());
    let progress = schedule.progress();
    let build = |shard| (BlockingFactory, Watcher { shard, witness: Witness::default() });
    schedule.prepare(build).await.unwrap().start().finish().await.unwrap();
    let live = &progress.scenarios[0];
    let (started, dropped) = (live.started.load(Relaxed), live.dropped.load(Relaxed));
    assert_eq!(started + dropped, 2_000, "{started} started, {dropped} dropped");
    assert!(dropped > 0);
}
