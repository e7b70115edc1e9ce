//! A hand on the wheel: pauses at awkward moments, and load that somebody changes while it runs.

use super::*;
use crate::executor::{ScaleError, Setting};
use crate::shard::progress::Phase;

const HOUR_MS: u64 = 3_600_000;

/// These times, later by a pause of so long if they are not before it.
fn shifted(times: &[u128], at: u128, by: u128) -> Vec<u128> {
    times.iter().map(|time| if *time < at { *time } else { time + by }).collect()
}

/// No iteration began while the load was paused.
fn assert_nothing_began(report: &Report, from: u128, to: u128) {
    let began: Vec<_> = report.seen.iter().filter(|seen| seen.started > from && seen.started < to).collect();
    assert!(began.is_empty(), "{began:?}");
}

#[test]
fn looping_vus_finish_what_they_began_and_wait() {
    on_shards(|shards| {
        let scenario = scenario!("executor": "constant-vus", "vus": 2, "duration": "10s");
        let report = Test::new(vec![scenario], takes!(3_000)).shards(shards).pause(4_000, 20_000).run();
        // What began at 3 s ends at 6 s, in the pause; at 24 s the load is 4 s old.
        assert_eq!(report.starts(), [0, 0, 3_000, 3_000, 24_000, 24_000, 27_000, 27_000]);
        assert_eq!((report.interrupted(), report.length(), report.end.lasted.as_millis()), (0, 30_000, 10_000));
    });
}

#[test]
fn a_pause_gives_counted_iterations_their_whole_time() {
    on_shards(|shards| {
        for (executor, iterations) in [("shared-iterations", 10), ("per-vu-iterations", 5)] {
            let scenario = scenario!("executor": executor, "vus": 2, "iterations": iterations, "maxDuration": "10s");
            let report = Test::new(vec![scenario], takes!(4_000)).shards(shards).pause(2_000, 20_000).run();
            assert_eq!(report.starts(), [0, 0, 22_000, 22_000, 26_000, 26_000], "{executor}");
            assert_eq!((report.dropped(), report.length()), (4, 30_000), "as many as without a pause");
        }
    });
}

#[test]
fn counted_iterations_are_as_many_as_without_a_pause() {
    on_shards(|shards| {
        for (executor, iterations) in [("shared-iterations", 12), ("per-vu-iterations", 4)] {
            let scenario = scenario!("executor": executor, "vus": 3, "iterations": iterations);
            let report = Test::new(vec![scenario], takes!(1_000)).shards(shards);
            // Longer than the 10 minutes that iterations may take.
            let report = report.pause(1_500, HOUR_MS).pause(2 * HOUR_MS, 1_000).run();
            assert_eq!((report.seen.len(), report.dropped(), report.interrupted()), (12, 0, 0), "{executor}");
        }
    });
}

#[test]
fn a_ramp_stands_still() {
    on_shards(|shards| {
        let stages = serde_json::json!([{ "duration": "4s", "target": 3 }, { "duration": "4s", "target": 1 }]);
        let scenario = scenario!("executor": "ramping-vus", "startVUs": 1, "stages": stages);
        // On the way up, and on the way down.
        let report = Test::new(vec![scenario], takes!(100)).shards(shards).pause(3_000, 10_000).pause(17_000, 5_000);
        let report = report.run();
        let first = |vu: u64| report.seen.iter().find(|seen| seen.vu == vu).map(|seen| seen.started);
        assert_eq!([1, 2, 3].map(first), [Some(0), Some(2_000), Some(14_000)]);
        let last = |vu: u64| report.seen.iter().rfind(|seen| seen.vu == vu).map(|seen| seen.started);
        // The line reaches 2 after 6 s of load, 1 at its end, 8 s.
        assert_eq!([1, 2, 3].map(last), [Some(22_900), Some(22_900), Some(15_900)]);
        assert_nothing_began(&report, 3_000, 13_000);
        assert_nothing_began(&report, 17_000, 22_000);
        assert_eq!(report.end.lasted.as_millis(), 8_000);
    });
}

#[test]
fn what_is_due_moves_by_the_pause_and_nothing_is_dropped() {
    let rates = [
        scenario!("executor": "constant-arrival-rate", "rate": 10, "duration": "4s", "preAllocatedVUs": 3),
        scenario!(
            "executor": "ramping-arrival-rate", "startRate": 4, "preAllocatedVUs": 3,
            "stages": [{ "duration": "2s", "target": 16 }, { "duration": "2s", "target": 0 }]
        ),
        scenario!("executor": "externally-controlled", "rate": 12, "preAllocatedVUs": 3, "duration": "4s"),
    ];
    for scenario in rates {
        on_shards(|shards| {
            let plain = Test::new(vec![scenario.clone()], takes!(50)).shards(shards).run();
            for pauses in
                [vec![(1, 700)], vec![(1_050, 5_000)], vec![(3_999, HOUR_MS)], vec![(510, 1_000), (1_910, 77_000)]]
            {
                let mut test = Test::new(vec![scenario.clone()], takes!(50)).shards(shards);
                let (mut dues, mut paused) = (plain.dues(), 0);
                for (at, length) in pauses {
                    test = test.pause(at, length);
                    dues = shifted(&dues, u128::from(at) * 1_000, u128::from(length) * 1_000);
                    paused += u128::from(length);
                }
                let report = test.run();
                assert_eq!(report.dues(), dues);
                assert_eq!((report.dropped(), report.length()), (plain.dropped(), plain.length() + paused));
                assert_eq!(report.end.lasted, plain.end.lasted);
                // Within the paused clock's own millisecond.
                assert!(report.seen.iter().all(|seen| seen.started * 1_000 <= seen.due_us.unwrap() + 1_000));
            }
        });
    }
}

#[test]
fn what_waits_to_begin_waits_as_long_as_it_must() {
    on_shards(|shards| {
        let scenarios = vec![
            scenario!("executor": "constant-vus", "vus": 2, "duration": "2s"),
            scenario!("executor": "constant-arrival-rate", "rate": 2, "duration": "2s", "preAllocatedVUs": 2, "startTime": "3s"),
            scenario!("executor": "constant-vus", "vus": 2, "duration": "2s", "startTime": "1s"),
        ];
        // Before the load; then between two beginnings.
        let test = Test::new(scenarios, takes!(1_000)).shards(shards);
        let test = test.steer(0, |helm| assert!(helm.pause())).steer(10_000, |helm| {
            assert_eq!(helm.progress().phase(0, Instant::now()), Phase::Running);
            assert_eq!(helm.progress().phase(2, Instant::now()), Phase::Waiting);
            assert!(helm.resume());
        });
        let report = test.pause(12_500, 100_000).run();
        let starts = |scenario| report.of(scenario).iter().map(|seen| seen.started).collect::<Vec<_>>();
        assert_eq!(starts(0), [10_000, 10_000, 11_000, 11_000]);
        // Half a second of it is left when the load goes on.
        assert_eq!(starts(2), [11_000, 11_000, 12_000, 12_000, 112_500, 112_500]);
        assert_eq!(starts(1), [113_000, 113_500, 114_000, 114_500]);
        assert_eq!(report.end.lasted.as_millis(), 5_500);
    });
}

#[test]
fn graceful_stop_stands_still_too() {
    on_shards(|shards| {
        let scenario = scenario!("executor": "constant-vus", "vus": 3, "duration": "10s", "gracefulStop": "4s");
        let report = Test::new(vec![scenario], |iteration| {
            ([12_000, 20_000, 60_000][iteration.vu_id as usize - 1], IterationEnd::Completed)
        });
        let report = report.shards(shards).pause(11_000, 10_000).run();
        let ends: Vec<_> = report.seen.iter().map(|seen| (seen.vu, seen.ended, seen.interrupted)).collect();
        assert_eq!(ends, [(1, 12_000, false), (2, 20_000, false), (3, 24_000, true)]);
    });
}

#[test]
fn a_stop_ends_a_run_that_is_paused() {
    on_shards(|shards| {
        let scenarios = vec![
            scenario!("executor": "constant-vus", "vus": 2, "duration": "1h", "gracefulStop": "5s"),
            scenario!("executor": "constant-arrival-rate", "rate": 1, "duration": "1h", "preAllocatedVUs": 2, "gracefulStop": "5s"),
            scenario!("executor": "externally-controlled", "vus": 1, "maxVUs": 3, "gracefulStop": "5s"),
        ];
        let test = Test::new(scenarios, takes!(60_000)).shards(shards).steer(2_500, |helm| assert!(helm.pause()));
        let report = test.stop(4_000, |token| token.graceful(StopReason::Signal)).run();
        assert_eq!((report.length(), report.end.lasted.as_millis()), (9_000, 2_500));
        // The open model dropped one before the pause, and nothing because of it.
        assert_eq!((report.seen.len(), report.interrupted(), report.dropped()), (5, 5, 1));
    });
}

#[test]
fn as_many_vus_loop_as_somebody_wants() {
    on_shards(|shards| {
        let scenario = scenario!("executor": "externally-controlled", "vus": 2, "maxVUs": 4, "duration": "10s");
        let test = Test::new(vec![scenario], takes!(1_000)).shards(shards);
        let test = test.steer(0, |helm| {
            assert_eq!(helm.setting(0), Some(Setting::Vus { vus: 2, max_vus: 4 }));
            assert_eq!(helm.set_vus("test", 5), Err(ScaleError::TooMany { vus: 5, max: 4 }));
            assert!(helm.set_rate("test", 5).is_err());
            assert!(helm.set_vus("tset", 1).unwrap_err().to_string().contains("did you mean `test`?"));
        });
        let test = test.steer(3_000, |helm| {
            let scaled = helm.set_vus("test", 4).unwrap();
            assert_eq!(scaled.to_string(), "test: 2 VUs -> 4 VUs");
        });
        let test = test.steer(6_500, |helm| drop(helm.set_vus("test", 0).unwrap()));
        let test = test.steer(8_200, |helm| assert_eq!(helm.step(true).len(), 1));
        let report = test.run();
        assert_eq!(report.made.len(), 4, "all are made before the load");
        let count = |from: u128, to: u128| report.seen.iter().filter(|seen| (from..to).contains(&seen.started)).count();
        assert_eq!((count(0, 3_000), count(3_000, 6_500), count(6_500, 8_200)), (6, 16, 0));
        let last: Vec<_> = report.starts().into_iter().filter(|start| *start > 6_500).collect();
        assert_eq!(last, [8_200, 9_200]);
        assert_eq!((report.interrupted(), report.length()), (0, 10_200));
    });
}

fn active(helm: &Helm) -> u32 {
    helm.progress().scenarios[0].active_vus.load(Relaxed)
}

#[test]
fn only_those_who_are_wanted_are_active_also_in_a_pause() {
    on_shards(|shards| {
        let scenario = scenario!("executor": "externally-controlled", "vus": 2, "maxVUs": 6, "duration": "10s");
        let test = Test::new(vec![scenario], takes!(1_000)).shards(shards);
        let test = test.steer(500, |helm| assert_eq!(active(helm), 2)).pause(1_500, 10_000);
        let test = test.steer(4_000, |helm| assert_eq!(active(helm), 2));
        let test = test.steer(5_000, |helm| drop(helm.set_vus("test", 3).unwrap()));
        let test = test.steer(6_000, |helm| assert_eq!(active(helm), 3));
        let test = test.steer(13_100, |helm| assert_eq!(active(helm), 3));
        assert_eq!(test.run().interrupted(), 0);
    });
}

#[test]
fn a_rate_changes_without_a_burst_and_without_a_gap() {
    on_shards(|shards| {
        let scenario = scenario!(
            "executor": "externally-controlled", "rate": 10, "duration": "4s", "preAllocatedVUs": 4, "startTime": "1s"
        );
        let test = Test::new(vec![scenario], takes!(10)).shards(shards);
        // Half a start has passed at 2,050 ms; the other half takes twice as little time.
        let test = test.steer(2_050, |helm| {
            assert_eq!(helm.set_rate("test", 20).unwrap().to_string(), "test: 10 iterations/s -> 20 iterations/s");
        });
        let test = test.steer(3_070, |helm| drop(helm.set_rate("test", 0).unwrap()));
        let test = test.steer(4_000, |helm| drop(helm.set_rate("test", 5).unwrap()));
        let report = test.run();
        let slow = (0..=10).map(|k| 1_000_000 + k * 100_000);
        let fast = (0..20).map(|k| 2_075_000 + k * 50_000);
        // Nine tenths of a start had passed when nothing was to start any more; the last tenth takes its time when something is again.
        let last = (0..5).map(|k| 4_020_000 + k * 200_000);
        assert_eq!(report.dues(), slow.chain(fast).chain(last).collect::<Vec<_>>());
        assert_eq!((report.dropped(), report.length()), (0, 5_000));
    });
}

#[test]
fn what_has_no_end_lasts_until_it_is_stopped() {
    on_shards(|shards| {
        let scenarios = vec![
            scenario!("executor": "externally-controlled", "vus": 2, "duration": 0),
            scenario!("executor": "externally-controlled", "rate": 1, "preAllocatedVUs": 1),
        ];
        let test = Test::new(scenarios, takes!(500)).shards(shards).pause(10_001, HOUR_MS);
        let report =
            test.stop(2 * HOUR_MS - 250, |token| token.graceful(StopReason::Scenario("enough".to_owned()))).run();
        let lasted = u128::from(HOUR_MS);
        assert_eq!(report.end.lasted.as_millis(), lasted + 1);
        // What was under way when the pause began took none of the load's time.
        assert_eq!(report.of(0).len() as u128, 2 * (lasted / 500 + 1));
        assert_eq!((report.of(1).len() as u128, report.dropped()), (lasted / 1_000, 0));
    });
}

#[test]
fn only_what_is_left_to_somebody_outside_can_be_changed() {
    let scenario = scenario!("executor": "constant-vus", "vus": 2, "duration": "10s");
    let test = Test::new(vec![scenario], takes!(1_000)).steer(2_500, |helm| {
        assert_eq!(helm.setting(0), None);
        assert!(helm.step(true).is_empty());
        let error = helm.set_vus("test", 1).unwrap_err().to_string();
        assert!(error.contains("constant-vus") && error.contains("externally-controlled"), "{error}");
    });
    assert_eq!(test.run().seen.len(), 20);
}
