//! constant-vus, shared-iterations, per-vu-iterations.

use super::*;

#[test]
fn constant_vus_loop_until_the_duration_ends_and_finish_what_they_began() {
    on_shards(|shards| {
        let scenario = scenario!("executor": "constant-vus", "vus": 5, "duration": "10s");
        let report = Test::new(vec![scenario], takes!(3_000)).shards(shards).run();
        let expected: Vec<u128> = [0, 3_000, 6_000, 9_000].iter().flat_map(|at| [*at; 5]).collect();
        assert_eq!(report.starts(), expected);
        assert_eq!((report.interrupted(), report.dropped(), report.length()), (0, 0, 12_000));
        assert_eq!(report.made, [1, 2, 3, 4, 5]);
    });
}

#[test]
fn an_iteration_that_would_begin_at_the_very_end_does_not() {
    on_shards(|shards| {
        let scenario = scenario!("executor": "constant-vus", "vus": 2, "duration": "10s");
        let report = Test::new(vec![scenario], takes!(5_000)).shards(shards).run();
        assert_eq!(report.starts(), [0, 0, 5_000, 5_000]);
        assert_eq!(report.length(), 10_000);
    });
}

#[test]
fn graceful_stop_interrupts_what_does_not_finish_in_it() {
    on_shards(|shards| {
        let scenario = scenario!("executor": "constant-vus", "vus": 3, "duration": "10s", "gracefulStop": "4s");
        let report = Test::new(vec![scenario], |iteration| {
            (if iteration.vu_id == 2 { 20_000 } else { 12_000 }, IterationEnd::Completed)
        });
        let report = report.shards(shards).run();
        let ends: Vec<_> = report.seen.iter().map(|seen| (seen.vu, seen.ended, seen.interrupted)).collect();
        assert_eq!(ends, [(1, 12_000, false), (3, 12_000, false), (2, 14_000, true)]);
        assert_eq!(report.length(), 14_000);
    });
}

#[test]
fn no_graceful_stop_interrupts_at_once_but_counts_what_ends_at_that_moment() {
    on_shards(|shards| {
        let scenario = scenario!("executor": "constant-vus", "vus": 2, "duration": "10s", "gracefulStop": "0s");
        let report = Test::new(vec![scenario], |iteration| {
            (if iteration.vu_id == 1 { 10_000 } else { 10_001 }, IterationEnd::Completed)
        });
        let report = report.shards(shards).run();
        let ends: Vec<_> = report.seen.iter().map(|seen| (seen.vu, seen.ended, seen.interrupted)).collect();
        assert_eq!(ends, [(1, 10_000, false), (2, 10_000, true)]);
    });
}

#[test]
fn shared_iterations_go_to_whoever_is_free() {
    on_shards(|shards| {
        let scenario = scenario!("executor": "shared-iterations", "vus": 4, "iterations": 10);
        let report = Test::new(vec![scenario], |iteration| {
            (if iteration.vu_id == 1 { 1_000 } else { 2_500 }, IterationEnd::Completed)
        });
        let report = report.shards(shards).run();
        assert_eq!(report.seen.len(), 10);
        let by_first = report.seen.iter().filter(|seen| seen.vu == 1).count();
        // In 4 s the fast one takes iterations at 0, 1, 2 and 3 s; the others at 0 and 2.5 s.
        assert_eq!(by_first, 4);
        assert_eq!((report.dropped(), report.length()), (0, 5_000));
    });
}

#[test]
fn fewer_iterations_and_fewer_vus_than_shards() {
    for (vus, iterations) in [(1, 1), (1, 3), (2, 2)] {
        let scenario = scenario!("executor": "shared-iterations", "vus": vus, "iterations": iterations);
        let report = Test::new(vec![scenario], takes!(100)).shards(3).run();
        assert_eq!(report.seen.len(), iterations);
        assert_eq!(report.made.len(), vus);
    }
}

#[test]
fn shared_iterations_that_find_no_time_are_dropped() {
    on_shards(|shards| {
        let scenario = scenario!("executor": "shared-iterations", "vus": 2, "iterations": 100, "maxDuration": "10s", "gracefulStop": "1s");
        let report = Test::new(vec![scenario], takes!(4_000)).shards(shards).run();
        assert_eq!(report.starts(), [0, 0, 4_000, 4_000, 8_000, 8_000]);
        assert_eq!(report.interrupted(), 2);
        assert_eq!(report.dropped, [(0, 94, 11_000)]);
    });
}

#[test]
fn each_vu_runs_its_own_iterations() {
    on_shards(|shards| {
        let scenario = scenario!("executor": "per-vu-iterations", "vus": 4, "iterations": 3);
        let report = Test::new(vec![scenario], |iteration| (iteration.vu_id * 1_000, IterationEnd::Completed));
        let report = report.shards(shards).run();
        for vu in 1..=4 {
            let of_vu: Vec<_> = report.seen.iter().filter(|seen| seen.vu == vu).map(|seen| seen.started).collect();
            let ms = u128::from(vu) * 1_000;
            assert_eq!(of_vu, [0, ms, 2 * ms]);
        }
        assert_eq!((report.dropped(), report.length()), (0, 12_000));
    });
}

#[test]
fn per_vu_iterations_that_find_no_time_are_dropped() {
    on_shards(|shards| {
        let scenario = scenario!("executor": "per-vu-iterations", "vus": 2, "iterations": 5, "maxDuration": "10s");
        let report = Test::new(vec![scenario], |iteration| (iteration.vu_id * 3_000, IterationEnd::Completed));
        let report = report.shards(shards).run();
        // VU 1 begins at 0, 3, 6, 9 s, VU 2 at 0 and 6 s.
        assert_eq!(report.seen.len(), 6);
        assert_eq!((report.dropped(), report.interrupted(), report.length()), (4, 0, 12_000));
    });
}

#[test]
fn failed_iterations_are_counted_apart_and_the_vu_goes_on() {
    let scenario = scenario!("executor": "per-vu-iterations", "vus": 2, "iterations": 4);
    let report = Test::new(vec![scenario], |iteration| {
        (10, if iteration.number_in_scenario % 2 == 0 { IterationEnd::Failed } else { IterationEnd::Completed })
    });
    let report = report.shards(2).run();
    let live = &report.progress.scenarios[0];
    assert_eq!((live.completed.load(Relaxed), live.failed.load(Relaxed)), (4, 4));
}

#[test]
fn iterations_that_never_wait_leave_room_for_others() {
    // Each would run its 100,000 iterations before the other begins, if it could.
    let scenario = scenario!("executor": "per-vu-iterations", "vus": 2, "iterations": 100_000);
    let report = Test::new(vec![scenario], takes!(0)).run();
    assert_eq!(report.seen.len(), 200_000);
    for vu in [1, 2] {
        let first = report.seen.iter().filter(|seen| seen.vu == vu).map(|seen| seen.number).min().unwrap();
        assert!(first < 1_000, "VU {vu} began after {first} iterations of the other");
    }
}
