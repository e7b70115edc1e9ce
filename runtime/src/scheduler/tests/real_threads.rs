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
