//! Options: what is read, what is refused, how it is described and scaled.

pub(crate) mod exact;

use serde_json::json;

use super::*;

fn parse(executor: &str, options: &str) -> Result<ExecutorConfig, String> {
    let Value::Object(fields) = serde_json::from_str(options).unwrap() else { panic!("not an object") };
    ExecutorConfig::parse(executor, fields).map_err(|error| error.within("scenarios.warmup").to_string())
}

fn scenario(executor: ExecutorConfig) -> ScenarioSpec {
    let graceful_stop = Duration::from_secs(30);
    ScenarioSpec {
        name: "warmup".to_owned(),
        module: 0,
        function: 0,
        start_time: Duration::ZERO,
        graceful_stop,
        executor,
    }
}

const RIGHT: [(&str, &str); 13] = [
    ("shared-iterations", r#"{}"#),
    ("shared-iterations", r#"{"vus": 10, "iterations": 100, "maxDuration": "1h"}"#),
    ("per-vu-iterations", r#"{"vus": 5, "iterations": 10}"#),
    ("constant-vus", r#"{"vus": 10.0, "duration": 60000}"#),
    ("constant-vus", r#"{"vus": null, "duration": "1.5h"}"#),
    (
        "ramping-vus",
        r#"{"startVUs": 0, "stages": [{"duration": "30s", "target": 50}, {"duration": "30s", "target": 0}], "gracefulRampDown": "0s"}"#,
    ),
    ("constant-arrival-rate", r#"{"rate": 400, "duration": "5m", "preAllocatedVUs": 400, "maxVUs": 1000}"#),
    ("constant-arrival-rate", r#"{"rate": 90, "timeUnit": "1m", "duration": "5m", "preAllocatedVUs": 2}"#),
    ("ramping-arrival-rate", r#"{"stages": [{"duration": "1m", "target": 300}], "preAllocatedVUs": 50}"#),
    (
        "ramping-arrival-rate",
        r#"{"startRate": 300, "timeUnit": "1m", "stages": [{"duration": 0, "target": 600}, {"duration": "2m", "target": 600}], "preAllocatedVUs": 0, "maxVUs": 7}"#,
    ),
    ("externally-controlled", r#"{"vus": 10, "maxVUs": 50, "duration": "10m"}"#),
    ("externally-controlled", r#"{"maxVUs": 20, "duration": 0}"#),
    ("externally-controlled", r#"{"rate": 90, "timeUnit": "1m", "preAllocatedVUs": 10, "maxVUs": 20}"#),
];

#[test]
fn executors_are_described_as_k6_users_know_them() {
    let lines: Vec<_> = RIGHT
        .iter()
        .map(|(executor, options)| format!("{executor}: {}", scenario(parse(executor, options).unwrap()).describe()))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    shared-iterations: 1 iterations shared among 1 VUs (maxDuration: 10m0s, gracefulStop: 30s)
    shared-iterations: 100 iterations shared among 10 VUs (maxDuration: 1h0m0s, gracefulStop: 30s)
    per-vu-iterations: 10 iterations for each of 5 VUs (maxDuration: 10m0s, gracefulStop: 30s)
    constant-vus: 10 looping VUs for 1m0s (gracefulStop: 30s)
    constant-vus: 1 looping VUs for 1h30m0s (gracefulStop: 30s)
    ramping-vus: Up to 50 looping VUs for 1m0s over 2 stages (gracefulRampDown: 0s, gracefulStop: 30s)
    constant-arrival-rate: 400.00 iterations/s for 5m0s (maxVUs: 400-1000, gracefulStop: 30s)
    constant-arrival-rate: 1.50 iterations/s for 5m0s (maxVUs: 2, gracefulStop: 30s)
    ramping-arrival-rate: Up to 300.00 iterations/s for 1m0s over 1 stages (maxVUs: 50, gracefulStop: 30s)
    ramping-arrival-rate: Up to 10.00 iterations/s for 2m0s over 2 stages (maxVUs: 0-7, gracefulStop: 30s)
    externally-controlled: 10 looping VUs at first, controlled from outside, for 10m0s (maxVUs: 50, gracefulStop: 30s)
    externally-controlled: 0 looping VUs at first, controlled from outside, until stopped (maxVUs: 20, gracefulStop: 30s)
    externally-controlled: 1.50 iterations/s at first, controlled from outside, until stopped (maxVUs: 10-20, gracefulStop: 30s)
    "#);
    let mut late = scenario(parse(RIGHT[3].0, RIGHT[3].1).unwrap());
    late.start_time = Duration::from_secs(90);
    assert_eq!(late.describe(), "10 looping VUs for 1m0s (startTime: 1m30s, gracefulStop: 30s)");
    assert_eq!(late.executor.describe(), "10 looping VUs for 1m0s");
}

#[test]
fn wrong_options_are_refused_with_a_remedy() {
    let wrong = [
        ("constant-vu", r#"{}"#),
        ("externally-driven", r#"{}"#),
        ("constant-vus", r#"{}"#),
        ("constant-vus", r#"{"vus": 0, "duration": "1s"}"#),
        ("constant-vus", r#"{"vus": -1, "duration": "1s"}"#),
        ("constant-vus", r#"{"vus": 1.5, "duration": "1s"}"#),
        ("constant-vus", r#"{"vus": "ten", "duration": "1s"}"#),
        ("constant-vus", r#"{"vus": 5000000000, "duration": "1s"}"#),
        ("constant-vus", r#"{"duration": "999ms"}"#),
        ("constant-vus", r#"{"duration": "soon"}"#),
        ("constant-vus", r#"{"duration": "1s", "iterations": 5}"#),
        ("shared-iterations", r#"{"vus": 10, "iterations": 5}"#),
        ("shared-iterations", r#"{"vus": 10}"#),
        ("per-vu-iterations", r#"{"iterations": 0}"#),
        ("per-vu-iterations", r#"{"maxDuration": "10ms"}"#),
        ("ramping-vus", r#"{}"#),
        ("ramping-vus", r#"{"stages": []}"#),
        ("ramping-vus", r#"{"stages": [{"duration": "1s"}]}"#),
        ("ramping-vus", r#"{"stages": [{"duration": "1s", "target": 1}, {"target": 1}]}"#),
        ("ramping-vus", r#"{"stages": [{"duration": "1s", "target": -1}]}"#),
        ("ramping-vus", r#"{"stages": [{"duration": "1s", "targets": 1}]}"#),
        ("ramping-vus", r#"{"stages": ["1s:10"]}"#),
        ("ramping-vus", r#"{"startVUs": 0, "stages": [{"duration": "1s", "target": 0}]}"#),
        ("ramping-vus", r#"{"startVus": 0, "stages": [{"duration": "1s", "target": 1}]}"#),
        ("constant-arrival-rate", r#"{"duration": "1s", "preAllocatedVUs": 1}"#),
        ("constant-arrival-rate", r#"{"rate": -5, "duration": "1s", "preAllocatedVUs": 1}"#),
        ("constant-arrival-rate", r#"{"rate": 0, "duration": "1s", "preAllocatedVUs": 1}"#),
        ("constant-arrival-rate", r#"{"rate": 1, "preAllocatedVUs": 1}"#),
        ("constant-arrival-rate", r#"{"rate": 1, "duration": "1s"}"#),
        ("constant-arrival-rate", r#"{"rate": 1, "duration": "1s", "preAllocatedVUs": 5, "maxVUs": 4}"#),
        ("constant-arrival-rate", r#"{"rate": 1, "duration": "1s", "preAllocatedVUs": 0}"#),
        ("constant-arrival-rate", r#"{"rate": 1, "duration": "1s", "preAllocatedVUs": 1, "timeUnit": 0}"#),
        ("ramping-arrival-rate", r#"{"preAllocatedVUs": 1}"#),
        ("externally-controlled", r#"{}"#),
        ("externally-controlled", r#"{"vus": 0}"#),
        ("externally-controlled", r#"{"vus": 5, "maxVUs": 4}"#),
        ("externally-controlled", r#"{"vus": 5, "duration": "500ms"}"#),
        ("externally-controlled", r#"{"vus": 5, "timeUnit": "1s"}"#),
        ("externally-controlled", r#"{"vus": 5, "rate": 5, "preAllocatedVUs": 1}"#),
        ("externally-controlled", r#"{"rate": 5}"#),
    ];
    let lines: Vec<_> = wrong.iter().map(|(executor, options)| parse(executor, options).unwrap_err()).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
        scenarios.warmup.executor: "constant-vu" is no executor; did you mean `constant-vus`?
        scenarios.warmup.executor: "externally-driven" is no executor; did you mean `externally-controlled`?
        scenarios.warmup.duration: is missing; give for how long to run, such as 30s
        scenarios.warmup.vus: 0 is too small; give a whole number of 1 or more
        scenarios.warmup.vus: -1 is too small; give a whole number of 1 or more
        scenarios.warmup.vus: 1.5 is not a whole number; give one of 1 or more
        scenarios.warmup.vus: "ten" is not a whole number; give one of 1 or more
        scenarios.warmup.vus: 5000000000 is too large; give a whole number of at most 4294967295
        scenarios.warmup.duration: "999ms" is too short; give at least 1s
        scenarios.warmup.duration: "soon" is not a duration; write one such as 30s, 1m30s or 500ms, or a number of milliseconds
        scenarios.warmup.iterations: unknown key; known are `vus`, `duration`
        scenarios.warmup.iterations: 5 is less than vus (10); give at least one iteration for each virtual user
        scenarios.warmup.iterations: 1 is less than vus (10); give at least one iteration for each virtual user
        scenarios.warmup.iterations: 0 is too small; give a whole number of 1 or more
        scenarios.warmup.maxDuration: "10ms" is too short; give at least 1s
        scenarios.warmup.stages: is missing; give a list such as [{"duration": "30s", "target": 10}]
        scenarios.warmup.stages: [] has no stage; give a list such as [{"duration": "30s", "target": 10}]
        scenarios.warmup.stages[0].target: is missing; give the number of virtual users at the stage's end
        scenarios.warmup.stages[1].duration: is missing; give the stage's length, such as 30s, or 0s to jump
        scenarios.warmup.stages[0].target: -1 is too small; give a whole number of 0 or more
        scenarios.warmup.stages[0].targets: unknown key; did you mean `target`?
        scenarios.warmup.stages[0]: "1s:10" is not a stage; give {"duration": "30s", "target": 10}
        scenarios.warmup.stages: never reach a virtual user; give a target or startVUs above 0
        scenarios.warmup.startVus: unknown key; did you mean `startVUs`?
        scenarios.warmup.rate: is missing; give the number of iterations started per timeUnit
        scenarios.warmup.rate: -5 is too small; give a whole number of 1 or more
        scenarios.warmup.rate: 0 is too small; give a whole number of 1 or more
        scenarios.warmup.duration: is missing; give for how long to run, such as 30s
        scenarios.warmup.preAllocatedVUs: is missing; give how many virtual users to make before the load: about rate times the length of an iteration
        scenarios.warmup.maxVUs: 4 is less than preAllocatedVUs (5); give that or more
        scenarios.warmup.maxVUs: 0 leaves nobody to run an iteration; give 1 or more
        scenarios.warmup.timeUnit: 0 is too short; give at least 1ns
        scenarios.warmup.stages: is missing; give a list such as [{"duration": "30s", "target": 10}]
        scenarios.warmup.vus: is missing; give how many virtual users loop, or rate for an open model
        scenarios.warmup.vus: 0 leaves nobody to call upon; give maxVUs as well
        scenarios.warmup.maxVUs: 4 is less than vus (5); give that or more
        scenarios.warmup.duration: "500ms" is too short; give at least 1s
        scenarios.warmup.rate: is missing; give it with timeUnit, or leave timeUnit out
        scenarios.warmup.vus: 5 stands beside rate; keep vus for looping virtual users, or rate for an open model
        scenarios.warmup.preAllocatedVUs: is missing; give how many virtual users to make before the load: about rate times the length of an iteration
        "#);
}

#[test]
fn the_names_and_kinds_are_k6s() {
    assert_eq!(
        ExecutorConfig::NAMES,
        [
            "shared-iterations",
            "per-vu-iterations",
            "constant-vus",
            "ramping-vus",
            "constant-arrival-rate",
            "ramping-arrival-rate",
            "externally-controlled"
        ]
    );
    for (executor, options) in RIGHT {
        let config = parse(executor, options).unwrap();
        assert_eq!(config.name(), executor);
        assert_eq!(config.is_open_model(), executor.ends_with("arrival-rate") || options.contains("rate"));
    }
    let totals = RIGHT.map(|(executor, options)| parse(executor, options).unwrap().total_iterations());
    assert_eq!(totals, [Some(1), Some(100), Some(50), None, None, None, None, None, None, None, None, None, None]);
}

#[test]
fn scaling_shrinks_load_and_time() {
    let lines = RIGHT.map(|(executor, options)| parse(executor, options).unwrap().scale(0.1, 0.5).describe());
    insta::assert_snapshot!(lines.join("\n"), @"
    1 iterations shared among 1 VUs (maxDuration: 10m0s)
    5 iterations shared among 1 VUs (maxDuration: 1h0m0s)
    5 iterations for each of 1 VUs (maxDuration: 10m0s)
    1 looping VUs for 30s
    1 looping VUs for 45m0s
    Up to 5 looping VUs for 30s over 2 stages (gracefulRampDown: 0s)
    40.00 iterations/s for 2m30s (maxVUs: 40-100)
    0.15 iterations/s for 2m30s (maxVUs: 1)
    Up to 30.00 iterations/s for 30s over 1 stages (maxVUs: 5)
    Up to 1.00 iterations/s for 1m0s over 2 stages (maxVUs: 0-1)
    1 looping VUs at first, controlled from outside, for 5m0s (maxVUs: 5)
    0 looping VUs at first, controlled from outside, until stopped (maxVUs: 2)
    0.15 iterations/s at first, controlled from outside, until stopped (maxVUs: 1-2)
    ");
    for (executor, options) in RIGHT {
        let config = parse(executor, options).unwrap();
        assert_eq!(config.scale(1.0, 1.0), config);
        let tiny = config.scale(1e-9, 1e-9);
        assert!(peak_vus(&[scenario(tiny)]) >= 1, "somebody is left of {executor}");
    }
    // 400/s times 0.3 is 120/s exactly, whatever the unit.
    let Model::Open { pacer } = parse(RIGHT[6].0, RIGHT[6].1).unwrap().scale(0.3, 1.0).model() else { panic!("open") };
    assert!(pacer.starts().abs_diff(120 * 300) <= 1);
    assert!(pacer.due(120 * 200).unwrap().abs_diff(Duration::from_secs(200)) < Duration::from_micros(1));
}

#[test]
fn an_unknown_option_names_the_nearest() {
    let mut fields = Map::new();
    fields.insert("preAllocatedVus".to_owned(), json!(1));
    let error = ExecutorConfig::parse("constant-arrival-rate", fields).unwrap_err();
    assert_eq!(error.to_string(), "preAllocatedVus: unknown key; did you mean `preAllocatedVUs`?");
}
