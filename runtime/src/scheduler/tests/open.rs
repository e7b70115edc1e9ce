//! constant-arrival-rate, ramping-arrival-rate.

use super::*;

#[test]
fn a_constant_rate_starts_from_zero_to_before_the_end() {
    on_shards(|shards| {
        let scenario =
            scenario!("executor": "constant-arrival-rate", "rate": 10, "duration": "2s", "preAllocatedVUs": 4);
        let report = Test::new(vec![scenario], takes!(50)).shards(shards).run();
        let expected: Vec<u128> = (0..20).map(|k| k * 100).collect();
        assert_eq!(report.starts(), expected);
        assert_eq!(report.dues(), expected.iter().map(|ms| ms * 1_000).collect::<Vec<_>>());
        assert_eq!((report.dropped(), report.length(), report.made.len()), (0, 2_000, 4));
    });
}

#[test]
fn due_times_are_exact_where_the_timer_is_not() {
    on_shards(|shards| {
        let scenario =
            scenario!("executor": "constant-arrival-rate", "rate": 3_000, "duration": "1s", "preAllocatedVUs": 50);
        let report = Test::new(vec![scenario], takes!(5)).shards(shards).run();
        let expected: Vec<u128> = (0..3_000).map(|k| k * 1_000_000 / 3_000).collect();
        assert_eq!(report.dues(), expected);
        assert_eq!(report.dropped(), 0);
        for seen in &report.seen {
            let late_us = (seen.started * 1_000) as i128 - seen.due_us.unwrap() as i128;
            assert!((0..=1_000).contains(&late_us), "started {late_us} us after it was due");
        }
    });
}

#[test]
fn less_than_one_iteration_per_second() {
    on_shards(|shards| {
        let scenario = scenario!(
            "executor": "constant-arrival-rate", "rate": 4, "timeUnit": "1m", "duration": "1m", "preAllocatedVUs": 1
        );
        let report = Test::new(vec![scenario], takes!(100)).shards(shards).run();
        assert_eq!(report.starts(), [0, 15_000, 30_000, 45_000]);
        // It lasts as long as it says, although nothing starts any more.
        assert_eq!((report.dropped(), report.length()), (0, 60_000));
    });
}

#[test]
fn a_single_vu_on_one_of_several_shards_serves_them_all() {
    on_shards(|shards| {
        let scenario =
            scenario!("executor": "constant-arrival-rate", "rate": 10, "duration": "3s", "preAllocatedVUs": 1);
        // Each iteration ends at the very moment at which the next is due.
        let report = Test::new(vec![scenario], takes!(100)).shards(shards).run();
        assert_eq!((report.seen.len(), report.dropped()), (30, 0));
        assert!(report.seen.iter().all(|seen| seen.vu == 1 && seen.shard == 0));
    });
}

#[test]
fn starts_that_find_nobody_free_are_dropped_at_once() {
    on_shards(|shards| {
        let scenario =
            scenario!("executor": "constant-arrival-rate", "rate": 10, "duration": "3s", "preAllocatedVUs": 2);
        let report = Test::new(vec![scenario], takes!(1_000)).shards(shards).run();
        // Two are taken at 0 and 100 ms, free again at 1,000 and 1,100 ms, and so on.
        assert_eq!(report.starts(), [0, 100, 1_000, 1_100, 2_000, 2_100]);
        assert_eq!(report.dropped(), 24);
        let times: Vec<_> = report.dropped.iter().take(3).map(|(_, _, at)| *at).collect();
        assert_eq!(times, [200, 300, 400]);
        assert_eq!(report.exhausted, [0], "said once");
    });
}

#[test]
fn dropping_makes_further_vus_up_to_the_limit() {
    on_shards(|shards| {
        let scenario = scenario!(
            "executor": "constant-arrival-rate", "rate": 10, "duration": "3s", "preAllocatedVUs": 1, "maxVUs": 4
        );
        // Making one takes 50 ms, so each is ready for the start after the dropped one.
        let report = Test::new(vec![scenario], takes!(10_000)).shards(shards).creation(50).run();
        // 0: the first; 100 dropped, 200 the second; 300 dropped, 400; 500 dropped, 600; then all are busy.
        assert_eq!(report.starts(), [0, 200, 400, 600]);
        assert_eq!(report.dropped(), 26);
        assert_eq!(report.made.len(), 4);
        assert_eq!(report.exhausted, [0]);
        assert_eq!(report.progress.initialised_vus.load(Relaxed), 4);
    });
}

#[test]
fn one_vu_is_made_at_a_time() {
    on_shards(|shards| {
        let scenario = scenario!(
            "executor": "constant-arrival-rate", "rate": 10, "duration": "3s", "preAllocatedVUs": 0, "maxVUs": 10
        );
        let report = Test::new(vec![scenario], takes!(10_000)).shards(shards).creation(950).run();
        // Wanted at 0, ready at 950; wanted again at 1,100, ready at 2,050; at 2,200, ready after the end.
        assert_eq!(report.starts(), [1_000, 2_100]);
        assert_eq!(report.exhausted, [] as [usize; 0]);
    });
}

#[test]
fn a_vu_that_cannot_be_made_under_load_is_reported_and_given_up() {
    struct Refusing;
    impl VuFactory for Refusing {
        type Vu = Stub;
        async fn create(&self, vu_id: u64) -> Result<Stub, VuError> {
            if vu_id > 1 { Err(VuError::Machine("no memory left".to_owned())) } else { Ok(Stub(takes!(10_000))) }
        }
    }
    paused(async {
        let scenario = scenario!(
            "executor": "constant-arrival-rate", "rate": 10, "duration": "1s", "preAllocatedVUs": 1, "maxVUs": 3
        );
        let witness = Witness::default();
        let seen_by = witness.clone();
        let schedule = Schedule::new(vec![scenario], 2, Placement::Local, StopToken::new());
        let build = move |shard| (Refusing, Watcher { shard, witness: seen_by.clone() });
        let running = schedule.prepare(build).await.unwrap().start();
        running.finish().await.unwrap();
        assert_eq!(*witness.failed.lock().unwrap(), ["no memory left", "no memory left"]);
        assert_eq!(*witness.exhausted.lock().unwrap(), [0]);
        assert_eq!(witness.dropped.lock().unwrap().len(), 9);
    });
}

#[test]
fn a_ramp_starts_where_its_integral_reaches_whole_numbers() {
    on_shards(|shards| {
        // From 0 to 10/s in 5 s: 25 iterations, number n due at sqrt(n) s.
        let scenario = scenario!(
            "executor": "ramping-arrival-rate", "preAllocatedVUs": 10,
            "stages": [{ "duration": "5s", "target": 10 }]
        );
        let report = Test::new(vec![scenario], takes!(10)).shards(shards).run();
        let expected: Vec<u128> = (1..=25_u32).map(|n| (f64::from(n).sqrt() * 1e6).floor() as u128).collect();
        assert_eq!(report.dues(), expected);
        assert_eq!(report.dropped(), 0);
    });
}

#[test]
fn stages_of_rate_zero_and_of_no_length() {
    on_shards(|shards| {
        let scenario = scenario!(
            "executor": "ramping-arrival-rate", "preAllocatedVUs": 3, "startRate": 2,
            "stages": [
                { "duration": "2s", "target": 2 },
                { "duration": "0s", "target": 0 },
                { "duration": "10s", "target": 0 },
                { "duration": 0, "target": 4 },
                { "duration": "1s", "target": 4 },
            ]
        );
        let report = Test::new(vec![scenario], takes!(10)).shards(shards).run();
        assert_eq!(report.starts(), [500, 1_000, 1_500, 2_000, 12_250, 12_500, 12_750, 13_000]);
    });
}

#[test]
fn iterations_under_way_at_the_end_have_their_graceful_stop() {
    on_shards(|shards| {
        let scenario = scenario!(
            "executor": "constant-arrival-rate", "rate": 1, "duration": "4s", "preAllocatedVUs": 4, "gracefulStop": "3s"
        );
        let report = Test::new(vec![scenario], takes!(5_500)).shards(shards).run();
        let ends: Vec<_> = report.seen.iter().map(|seen| (seen.started, seen.ended, seen.interrupted)).collect();
        assert_eq!(ends, [(0, 5_500, false), (1_000, 6_500, false), (2_000, 7_000, true), (3_000, 7_000, true)]);
        assert_eq!(report.length(), 7_000);
    });
}

#[test]
fn an_iteration_that_takes_no_time_serves_every_start() {
    // The paused clock gives out five starts in each millisecond.
    let scenario =
        || scenario!("executor": "constant-arrival-rate", "rate": 5_000, "duration": "1s", "preAllocatedVUs": 1);
    let report = Test::new(vec![scenario()], takes!(0)).run();
    assert_eq!((report.seen.len(), report.dropped()), (5_000, 0));
    on_shards(|shards| {
        let report = Test::new(vec![scenario()], takes!(0)).shards(shards).run();
        assert_eq!(report.seen.len() as u64 + report.dropped(), 5_000, "started or dropped, none lost");
    });
}

#[test]
fn starts_that_are_late_are_made_up_for() {
    // One iteration keeps its shard's thread busy for 20 steps of the clock: simulated by a clock that jumps.
    let scenario = scenario!("executor": "constant-arrival-rate", "rate": 100, "duration": "1s", "preAllocatedVUs": 40);
    let report = paused(async {
        let jump = async {
            tokio::time::sleep(Duration::from_millis(305)).await;
            tokio::time::advance(Duration::from_millis(200)).await;
        };
        let (report, ()) = tokio::join!(Test::new(vec![scenario], takes!(1)).shards(2).go(), jump);
        report
    });
    assert_eq!((report.seen.len(), report.dropped()), (100, 0));
    assert_eq!(report.dues(), (0..100).map(|k| k * 10_000).collect::<Vec<u128>>());
    let late = report.seen.iter().filter(|seen| seen.started * 1_000 > seen.due_us.unwrap() + 1_000).count();
    assert!((15..=20).contains(&late), "{late} were late");
}

#[test]
fn starts_that_come_too_late_to_run_are_dropped_and_not_lost() {
    on_shards(|shards| {
        let scenario = scenario!(
            "executor": "constant-arrival-rate", "rate": 100, "duration": "1s", "preAllocatedVUs": 40, "gracefulStop": "0s"
        );
        let report = paused(async {
            // From 900 ms after the load's beginning the clock jumps beyond the scenario's end.
            let jump = async {
                tokio::time::sleep(Duration::from_millis(905)).await;
                tokio::time::advance(Duration::from_millis(500)).await;
            };
            let (report, ()) = tokio::join!(Test::new(vec![scenario], takes!(1)).shards(shards).go(), jump);
            report
        });
        assert_eq!(report.seen.len() as u64 + report.dropped(), 100);
    });
}

#[test]
fn starts_of_the_last_millisecond_are_not_lost() {
    on_shards(|shards| {
        // The paused clock wakes for them at the very moment at which the virtual users are called off.
        let scenario = scenario!(
            "executor": "constant-arrival-rate", "rate": 3_000, "duration": "1s", "preAllocatedVUs": 60, "gracefulStop": "0s"
        );
        let report = Test::new(vec![scenario], takes!(10)).shards(shards).run();
        assert_eq!(report.seen.len() as u64 + report.dropped(), 3_000);
    });
}
