//! ramping-vus.

use super::*;

/// How many iterations were under way at each of these moments, in milliseconds.
fn running_at(report: &Report, moments: &[u128]) -> Vec<usize> {
    let at = |moment: &u128| report.seen.iter().filter(|seen| seen.started <= *moment && *moment < seen.ended).count();
    moments.iter().map(at).collect()
}

#[test]
fn on_the_way_up_each_vu_joins_when_the_line_reaches_it() {
    on_shards(|shards| {
        let scenario = scenario!(
            "executor": "ramping-vus", "startVUs": 0,
            "stages": [{ "duration": "10s", "target": 5 }, { "duration": "1s", "target": 5 }]
        );
        let report = Test::new(vec![scenario], takes!(100_000)).shards(shards).run();
        let starts: Vec<_> = report.seen.iter().map(|seen| (seen.vu, seen.started)).collect();
        assert_eq!(starts, [(1, 2_000), (2, 4_000), (3, 6_000), (4, 8_000), (5, 10_000)]);
        assert_eq!((report.interrupted(), report.length()), (5, 41_000));
    });
}

#[test]
fn the_last_of_a_final_ramp_up_has_no_time_left() {
    let scenario = scenario!("executor": "ramping-vus", "startVUs": 1, "stages": [{ "duration": "4s", "target": 3 }]);
    let report = Test::new(vec![scenario], takes!(1_500)).shards(2).run();
    assert_eq!(report.starts(), [0, 1_500, 2_000, 3_000, 3_500]);
}

#[test]
fn on_the_way_down_the_last_comer_leaves_first_and_finishes_its_iteration() {
    on_shards(|shards| {
        let scenario = scenario!(
            "executor": "ramping-vus", "startVUs": 4, "gracefulRampDown": "30s",
            "stages": [{ "duration": "8s", "target": 0 }]
        );
        let report = Test::new(vec![scenario], takes!(500)).shards(shards).run();
        // The number becomes 3 at 2 s, 2 at 4 s, 1 at 6 s and 0 at 8 s.
        for (vu, last) in [(4, 1_500), (3, 3_500), (2, 5_500), (1, 7_500)] {
            assert_eq!(report.seen.iter().filter(|seen| seen.vu == vu).map(|seen| seen.started).max(), Some(last));
        }
        assert_eq!((report.interrupted(), report.length()), (0, 8_000));
    });
}

#[test]
fn a_graceful_ramp_down_that_is_over_interrupts() {
    on_shards(|shards| {
        let scenario = scenario!(
            "executor": "ramping-vus", "startVUs": 2, "gracefulRampDown": "3s", "gracefulStop": "20s",
            "stages": [{ "duration": "4s", "target": 0 }, { "duration": "10s", "target": 0 }]
        );
        let report = Test::new(vec![scenario], takes!(6_000)).shards(shards).run();
        // The second leaves at 2 s and is interrupted at 5 s; the first leaves at 4 s, and finishes at 6 s.
        let ends: Vec<_> = report.seen.iter().map(|seen| (seen.vu, seen.ended, seen.interrupted)).collect();
        assert_eq!(ends.len(), 2);
        assert!(ends.contains(&(2, 5_000, true)) && ends.contains(&(1, 6_000, false)), "{ends:?}");
        assert_eq!(report.length(), 6_000);
    });
}

#[test]
fn no_graceful_ramp_down_interrupts_at_once() {
    on_shards(|shards| {
        let scenario = scenario!(
            "executor": "ramping-vus", "startVUs": 3, "gracefulRampDown": "0s",
            "stages": [{ "duration": "3s", "target": 0 }]
        );
        let report = Test::new(vec![scenario], takes!(10_000)).shards(shards).run();
        let ends: Vec<_> = report.seen.iter().map(|seen| seen.ended).collect();
        assert_eq!(ends, [1_000, 2_000, 3_000]);
        assert_eq!((report.interrupted(), report.length()), (3, 3_000));
    });
}

#[test]
fn a_vu_that_is_needed_again_while_it_winds_down_goes_on() {
    on_shards(|shards| {
        let scenario = scenario!(
            "executor": "ramping-vus", "startVUs": 2, "gracefulRampDown": "10s",
            "stages": [
                { "duration": "5s", "target": 2 },
                { "duration": 0, "target": 1 },
                { "duration": "4s", "target": 1 },
                { "duration": 0, "target": 2 },
                { "duration": "11s", "target": 2 },
            ]
        );
        let report = Test::new(vec![scenario], takes!(12_000)).shards(shards).run();
        // Both begin at 0; the second is over the target from 5 to 9 s, is not interrupted, and begins again at 12 s.
        assert_eq!(report.starts(), [0, 0, 12_000, 12_000]);
        assert_eq!((report.interrupted(), report.made.len(), report.length()), (0, 2, 24_000));
    });
}

#[test]
fn jumps_and_plateaus() {
    on_shards(|shards| {
        let scenario = scenario!(
            "executor": "ramping-vus", "startVUs": 1, "gracefulRampDown": "0s",
            "stages": [
                { "duration": "2s", "target": 1 }, { "duration": "0s", "target": 6 }, { "duration": "2s", "target": 6 },
                { "duration": "0s", "target": 3 }, { "duration": "2s", "target": 3 }, { "duration": "2s", "target": 0 },
                { "duration": "2s", "target": 0 }, { "duration": "2s", "target": 4 },
            ]
        );
        let report = Test::new(vec![scenario], takes!(100)).shards(shards).run();
        let moments = [50, 1_950, 2_050, 3_950, 4_050, 5_950, 6_700, 7_500, 7_950, 9_950, 10_550, 11_050, 11_550];
        // At 10,500 ms the line of the last ramp reaches 1, at 11,000 ms 2, at 11,500 ms 3.
        assert_eq!(running_at(&report, &moments), [1, 1, 6, 6, 3, 3, 2, 1, 1, 0, 1, 2, 3]);
        assert_eq!(report.made.len(), 6);
    });
}

#[test]
fn at_the_end_graceful_stop_holds_for_those_still_looping() {
    on_shards(|shards| {
        let scenario = scenario!(
            "executor": "ramping-vus", "startVUs": 2, "gracefulRampDown": "1s", "gracefulStop": "5s",
            "stages": [{ "duration": "3s", "target": 2 }]
        );
        let report = Test::new(vec![scenario], |iteration| {
            (if iteration.vu_id == 1 { 7_000 } else { 9_000 }, IterationEnd::Completed)
        });
        let report = report.shards(shards).run();
        let ends: Vec<_> = report.seen.iter().map(|seen| (seen.ended, seen.interrupted)).collect();
        assert_eq!(ends, [(7_000, false), (8_000, true)]);
    });
}

#[test]
fn the_graceful_stop_limits_the_graceful_ramp_down() {
    let scenario = scenario!(
        "executor": "ramping-vus", "startVUs": 1, "gracefulRampDown": "30s", "gracefulStop": "2s",
        "stages": [{ "duration": "3s", "target": 0 }]
    );
    let report = Test::new(vec![scenario], takes!(60_000)).run();
    assert_eq!((report.interrupted(), report.length()), (1, 5_000));
}
