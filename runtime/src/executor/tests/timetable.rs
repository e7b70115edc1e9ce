//! Steps, peaks and who holds what.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::executor::ExecutorConfig;
use crate::executor::common::stages::{Stage, counts, held};

fn spec(executor: &str, start_s: u64, stop_s: u64, options: Value) -> ScenarioSpec {
    let Value::Object(fields) = options else { panic!("not an object") };
    ScenarioSpec {
        name: executor.to_owned(),
        module: 0,
        function: 0,
        start_time: Duration::from_secs(start_s),
        graceful_stop: Duration::from_secs(stop_s),
        executor: ExecutorConfig::parse(executor, fields).unwrap(),
    }
}

fn seconds(steps: &[VuStep]) -> Vec<(u64, u32, u32)> {
    steps.iter().map(|step| (step.at.as_secs(), step.planned, step.max_unplanned)).collect()
}

/// Up and down and up again, with jumps: 4 to 6 in 2 s, to 1 in 5 s, to 5 in 4 s, to 1 in 4 s, a jump to 4, down to 1 and on.
fn ramp() -> Value {
    let stages: Vec<Value> = [(2, 6), (5, 1), (4, 5), (4, 1), (0, 4), (3, 4), (0, 1), (2, 1)]
        .iter()
        .map(|(length, target)| json!({ "duration": length * 1_000, "target": target }))
        .collect();
    json!({ "startVUs": 4, "stages": stages })
}

#[test]
fn a_ramp_changes_one_by_one_and_is_held_while_it_winds_down() {
    let stages = [(2, 6), (5, 1), (4, 5), (4, 1)]
        .map(|(length, target)| Stage { duration: Duration::from_secs(length), target });
    let raw: Vec<_> = counts(4, &stages).iter().map(|(at, number)| (at.as_secs(), *number)).collect();
    let by_hand = [
        (0, 4),
        (1, 5),
        (2, 6),
        (3, 5),
        (4, 4),
        (5, 3),
        (6, 2),
        (7, 1),
        (8, 2),
        (9, 3),
        (10, 4),
        (11, 5),
        (12, 4),
        (13, 3),
        (14, 2),
        (15, 1),
    ];
    assert_eq!(raw, by_hand);
    let hold = |seconds| {
        let held = held(&counts(4, &stages), Duration::from_secs(seconds));
        held.iter().map(|(at, number)| (at.as_secs(), *number)).collect::<Vec<_>>()
    };
    assert_eq!(hold(0), by_hand);
    // Held for 2 s: 6 until 5 s, then 5 until 6 s, and so on; from 8 s on the way up takes over.
    assert_eq!(
        hold(2),
        [
            (0, 4),
            (1, 5),
            (2, 6),
            (5, 5),
            (6, 4),
            (7, 3),
            (8, 2),
            (9, 3),
            (10, 4),
            (11, 5),
            (14, 4),
            (15, 3),
            (16, 2),
            (17, 1)
        ]
    );
    assert_eq!(hold(30), [(0, 4), (1, 5), (2, 6), (33, 5), (42, 4), (43, 3), (44, 2), (45, 1)]);
}

#[test]
fn steps_end_when_the_graceful_stop_is_over() {
    let long = spec("ramping-vus", 0, 30, ramp());
    assert_eq!(
        seconds(&long.steps()),
        [(0, 4, 0), (1, 5, 0), (2, 6, 0), (33, 5, 0), (42, 4, 0), (48, 1, 0), (50, 0, 0)]
    );
    let short = spec("ramping-vus", 0, 3, ramp());
    assert_eq!(seconds(&short.steps()), [(0, 4, 0), (1, 5, 0), (2, 6, 0), (23, 0, 0)]);
    let open = json!({ "rate": 5, "duration": "10s", "preAllocatedVUs": 5, "maxVUs": 12 });
    assert_eq!(seconds(&spec("constant-arrival-rate", 7, 4, open).steps()), [(0, 5, 7), (14, 0, 0)]);
    let counted = json!({ "vus": 5, "iterations": 50, "maxDuration": "1m" });
    assert_eq!(seconds(&spec("shared-iterations", 0, 30, counted).steps()), [(0, 5, 0), (90, 0, 0)]);
}

#[test]
fn scenarios_add_up_where_they_overlap() {
    let constant = |vus, start| spec("constant-vus", start, 30, json!({ "vus": vus, "duration": "1m" }));
    // Each holds for 90 s. One that begins at the moment at which another ends does not add to it.
    assert_eq!(peak_vus(&[constant(10, 0), constant(20, 89)]), 30);
    assert_eq!(peak_vus(&[constant(10, 0), constant(20, 90)]), 20);
    assert_eq!(
        seconds(&requirements(&[constant(10, 0), constant(20, 89)])),
        [(0, 10, 0), (89, 30, 0), (90, 20, 0), (179, 0, 0)]
    );
    let open = json!({ "rate": 400, "duration": "5m", "preAllocatedVUs": 400, "maxVUs": 1000 });
    let warm_up = json!({ "rate": 100, "duration": "1m", "preAllocatedVUs": 150, "maxVUs": 300 });
    // A warm-up of a minute, and the main load from then on: its graceful stop overlaps.
    let both = [spec("constant-arrival-rate", 0, 30, warm_up), spec("constant-arrival-rate", 60, 30, open)];
    assert_eq!(seconds(&requirements(&both)), [(0, 150, 150), (60, 550, 750), (90, 400, 600), (390, 0, 0)]);
    assert_eq!((peak_vus(&both), initial_vus(&both)), (1_300, 550));
    assert_eq!((peak_vus(&[]), initial_vus(&[])), (0, 0));
}

#[test]
fn modules_do_not_share_virtual_users() {
    let constant = |vus, start, module| {
        let options = json!({ "vus": vus, "duration": "1m" });
        ScenarioSpec { module, ..spec("constant-vus", start, 30, options) }
    };
    // One after the other they could do with 20, were they instances of one module.
    let scenarios = [constant(10, 0, 0), constant(20, 90, 1), constant(5, 180, 0)];
    assert_eq!((peak_vus(&scenarios), initial_vus(&scenarios)), (30, 30));
    let timetable = Timetable::new(&scenarios);
    let modules: Vec<usize> = timetable.lines.iter().map(|line| line.module).collect();
    assert_eq!(modules, [vec![0; 10], vec![1; 20]].concat());
}

#[test]
fn those_made_on_demand_do_not_displace_those_made_before() {
    let open = |pre, max, start| {
        let options = json!({ "rate": 1, "duration": "10s", "preAllocatedVUs": pre, "maxVUs": max });
        spec("constant-arrival-rate", start, 0, options)
    };
    // k6 makes 2 beforehand and has 5 at most: the later scenario takes over those of the earlier.
    let scenarios = [open(2, 5, 0), open(1, 5, 10), open(2, 2, 20)];
    assert_eq!((peak_vus(&scenarios), initial_vus(&scenarios)), (5, 2));
    // The one on demand could do with the first's, but the last will want that ready-made.
    let scenarios = [open(1, 1, 0), open(0, 1, 10), open(1, 1, 15)];
    assert_eq!((peak_vus(&scenarios), initial_vus(&scenarios)), (2, 1));
}

fn any_scenario() -> impl Strategy<Value = ScenarioSpec> {
    let common = || (0..40_u64, 0..20_u64);
    let constant = (common(), 1..6_u32, 1..30_u64).prop_map(|((start, stop), vus, length)| {
        spec("constant-vus", start, stop, json!({ "vus": vus, "duration": length * 1_000 }))
    });
    let stage =
        (0..10_u64, 0..8_u64).prop_map(|(length, target)| json!({ "duration": length * 1_000, "target": target }));
    let ramp = (common(), 1..6_u32, prop::collection::vec(stage, 1..6), 0..15_u64).prop_map(
        |((start, stop), vus, stages, hold)| {
            let options = json!({ "startVUs": vus, "stages": stages, "gracefulRampDown": hold * 1_000 });
            spec("ramping-vus", start, stop, options)
        },
    );
    let open = (common(), 0..5_u32, 1..5_u32, 1..30_u64).prop_map(|((start, stop), pre, more, length)| {
        let options = json!({ "rate": 1, "duration": length * 1_000, "preAllocatedVUs": pre, "maxVUs": pre + more });
        spec("constant-arrival-rate", start, stop, options)
    });
    (prop_oneof![constant, ramp, open], 0..3_usize).prop_map(|(spec, module)| ScenarioSpec { module, ..spec })
}

proptest! {
    #[test]
    fn everybody_gets_what_is_needed_and_nobody_two_things_at_once(scenarios in prop::collection::vec(any_scenario(), 1..6)) {
        let timetable = Timetable::new(&scenarios);
        prop_assert_eq!(timetable.lines.len(), peak_vus(&scenarios) as usize);
        prop_assert!(timetable.initial_vus() <= peak_vus(&scenarios));
        let most_planned = requirements(&scenarios).iter().map(|step| step.planned).max().unwrap_or(0);
        prop_assert!(timetable.initial_vus() >= most_planned);
        for line in &timetable.lines {
            prop_assert!(line.holdings.windows(2).all(|pair| pair[0].until <= pair[1].from));
            prop_assert!(line.holdings.iter().all(|holding| scenarios[holding.scenario].module == line.module));
            for holding in &line.holdings {
                prop_assert!(holding.from < holding.until);
                prop_assert!(holding.windows.iter().all(|window| window.from < window.to));
                prop_assert!(holding.windows.windows(2).all(|pair| pair[0].to < pair[1].from));
            }
        }
        // At every moment as many are held, and loop, as the steps say; seen between all changes.
        for half_second in 0..240_u64 {
            let at = Duration::from_millis(half_second * 500 + 250);
            for (index, scenario) in scenarios.iter().enumerate() {
                let of_it = || timetable.lines.iter().flat_map(|line| &line.holdings).filter(move |holding| holding.scenario == index);
                let held = of_it().filter(|holding| holding.from <= at && at < holding.until).count();
                let inside = at.checked_sub(scenario.start_time);
                let needed = inside.and_then(|at| scenario.steps().into_iter().rfind(|step| step.at <= at));
                prop_assert_eq!(held as u32, needed.map_or(0, |step| step.planned + step.max_unplanned));
                if let Model::Closed { looping, .. } = scenario.executor.model() {
                    let loops = of_it().flat_map(|holding| &holding.windows).filter(|window| window.from <= at && at < window.to).count();
                    let regular = inside.filter(|at| *at < scenario.executor.regular_duration());
                    let wanted = regular.and_then(|at| looping.iter().rfind(|(since, _)| *since <= at).map(|(_, number)| *number));
                    prop_assert_eq!(loops as u32, wanted.unwrap_or(0));
                }
            }
        }
    }

    #[test]
    fn what_is_held_is_the_greatest_of_the_last_while(
        start in 0..10_u32,
        stages in prop::collection::vec((0..20_u64, 0..10_u64), 1..8),
        hold in 0..40_u64,
    ) {
        let stages: Vec<_> = stages.into_iter().map(|(length, target)| Stage { duration: Duration::from_secs(length), target }).collect();
        let raw = counts(start, &stages);
        let hold = Duration::from_secs(hold);
        let held = held(&raw, hold);
        prop_assert!(held.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 != pair[1].1));
        let value = |steps: &[(Duration, u32)], at: Duration| steps.iter().rfind(|(since, _)| *since <= at).map_or(0, |(_, number)| *number);
        for half_second in 0..400_u64 {
            let at = Duration::from_millis(half_second * 500 + 251);
            let since = at.saturating_sub(hold);
            let greatest = raw.iter().filter(|(t, _)| *t > since && *t <= at).map(|(_, number)| *number).chain([value(&raw, since)]).max();
            prop_assert_eq!(Some(value(&held, at)), greatest, "at {:?}", at);
        }
    }
}
