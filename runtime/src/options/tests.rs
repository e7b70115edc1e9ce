use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::executor::ExecutorConfig;

fn options(json: Value) -> Options {
    Options::from_json(&json).unwrap()
}

fn error(json: Value) -> String {
    Options::from_json(&json).unwrap_err().to_string()
}

fn environment(variables: &[(&str, &str)]) -> Result<Options, FieldError> {
    Options::from_environment(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

/// Each scenario as its executor tells it.
fn load(options: &Options) -> Vec<String> {
    options
        .scenarios()
        .unwrap()
        .iter()
        .map(|scenario| format!("{}: {}", scenario.name, scenario.executor.describe()))
        .collect()
}

/// The options of the coupon test of the seeds, as its authors wrote them.
fn coupon() -> Value {
    json!({
        "scenarios": {
            "warmup": {
                "executor": "constant-arrival-rate", "rate": 100, "timeUnit": "1s", "duration": "1m", "preAllocatedVUs": 150,
                "maxVUs": 300, "startTime": "0s",
            },
            "concurrent_coupon_issuance": {
                "executor": "constant-arrival-rate", "rate": 400, "timeUnit": "1s", "duration": "5m", "preAllocatedVUs": 400,
                "maxVUs": 1000, "startTime": "1m",
            },
        },
        "thresholds": {"http_req_duration": ["p(95)<3000"], "http_req_failed": ["rate<0.01"]},
    })
}

#[test]
fn a_k6_options_object_means_the_same_here() {
    let scenarios = options(coupon()).scenarios().unwrap();
    assert_eq!(scenarios[1].start_time.as_secs(), 60);
    assert_eq!(scenarios[1].graceful_stop.as_secs(), 30);
    assert_eq!(scenarios[1].exec, "default");
    let ExecutorConfig::ConstantArrivalRate(config) = &scenarios[1].executor else { panic!("{:?}", scenarios[1]) };
    assert_eq!((config.rate, config.duration.as_secs()), (400, 300));
    assert_eq!((config.vus.pre_allocated, config.vus.max), (400, 1000));
}

#[test]
fn shortcuts_stand_for_scenarios() {
    let cases = [
        json!({}),
        json!({"vus": 5}),
        json!({"iterations": 10}),
        json!({"vus": 5, "iterations": 10}),
        json!({"vus": 5, "iterations": 10, "duration": "90s"}),
        json!({"duration": "30s"}),
        json!({"vus": 50, "duration": "1m", "rps": 100}),
        json!({"duration": 1500}),
        json!({"stages": [{"duration": "1m", "target": 100}]}),
        json!({"vus": 25, "stages": [{"duration": "1m", "target": 50}, {"duration": "3m", "target": 0}]}),
        json!({"vus": null, "duration": null, "stages": [], "scenarios": {}}),
    ];
    let told: Vec<String> =
        cases.iter().map(|case| format!("{case}\n  {}", load(&options(case.clone())).join("\n  "))).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    {}
      default: 1 iterations shared among 1 VUs (maxDuration: 10m0s)
    {"vus":5}
      default: 5 iterations shared among 5 VUs (maxDuration: 10m0s)
    {"iterations":10}
      default: 10 iterations shared among 1 VUs (maxDuration: 10m0s)
    {"vus":5,"iterations":10}
      default: 10 iterations shared among 5 VUs (maxDuration: 10m0s)
    {"vus":5,"iterations":10,"duration":"90s"}
      default: 10 iterations shared among 5 VUs (maxDuration: 1m30s)
    {"duration":"30s"}
      default: 1 looping VUs for 30s
    {"vus":50,"duration":"1m","rps":100}
      default: 50 looping VUs for 1m0s
    {"duration":1500}
      default: 1 looping VUs for 1.5s
    {"stages":[{"duration":"1m","target":100}]}
      default: Up to 100 looping VUs for 1m0s over 1 stages (gracefulRampDown: 30s)
    {"vus":25,"stages":[{"duration":"1m","target":50},{"duration":"3m","target":0}]}
      default: Up to 50 looping VUs for 4m0s over 2 stages (gracefulRampDown: 30s)
    {"vus":null,"duration":null,"stages":[],"scenarios":{}}
      default: 1 iterations shared among 1 VUs (maxDuration: 10m0s)
    "#);
}

#[test]
fn a_scenario_has_all_that_executors_share() {
    let scenarios = options(json!({"scenarios": {"pay": {
        "executor": "constant-vus", "vus": 2, "duration": "5s", "startTime": "1m", "gracefulStop": "0s", "exec": "payment",
        "env": {"MODE": "fast"}, "tags": {"team": "shop"}, "options": {},
    }}}))
    .scenarios()
    .unwrap();
    let pay = &scenarios[0];
    assert_eq!((pay.name.as_str(), pay.exec.as_str()), ("pay", "payment"));
    assert_eq!((pay.start_time.as_secs(), pay.graceful_stop.as_secs()), (60, 0));
    assert_eq!((pay.env["MODE"].as_str(), pay.tags["team"].as_str()), ("fast", "shop"));
}

#[test]
fn errors_name_the_key_the_value_and_the_remedy() {
    let cases = [
        json!([]),
        json!({"vuz": 5}),
        json!({"VUs": 5}),
        json!({"thresold": {}}),
        json!({"somethingElse": 1}),
        json!({"vus": 0}),
        json!({"vus": -5}),
        json!({"vus": "5"}),
        json!({"vus": 1.5}),
        json!({"duration": "5 minutes"}),
        json!({"duration": "0s"}),
        json!({"duration": "500ms"}),
        json!({"iterations": 2, "vus": 5}),
        json!({"stages": {"duration": "1m", "target": 1}}),
        json!({"stages": [{"duration": "1m", "target": -1}]}),
        json!({"stages": [{"duration": "1m", "goal": 1}]}),
        json!({"duration": "1m", "stages": [{"duration": "1m", "target": 1}]}),
        json!({"iterations": 1, "scenarios": {"a": {"executor": "constant-vus", "duration": "1s"}}}),
        json!({"rps": -1}),
        json!({"tags": {"team": 1}}),
        json!({"tags": ["team"]}),
        json!({"userAgent": "a\nb"}),
        json!({"noSetup": "yes"}),
        json!({"setupTimeout": 0}),
        json!({"systemTags": ["statsu"]}),
        json!({"summaryTrendStats": ["avg", "p(101)"]}),
        json!({"summaryTrendStats": "avg,mean"}),
        json!({"summaryTimeUnit": "min"}),
    ];
    let errors: Vec<String> = cases
        .iter()
        .map(|case| match Options::from_json(case).and_then(|options| options.scenarios()) {
            Err(error) => error.to_string(),
            Ok(scenarios) => panic!("{case} should be wrong, and is {scenarios:?}"),
        })
        .collect();
    insta::assert_snapshot!(errors.join("\n"), @r#"
    options: [] is not an object; write {"vus": 10, "duration": "30s"}
    vuz: unknown key; did you mean `vus`?
    VUs: unknown key; did you mean `vus`?
    thresold: unknown key; did you mean `thresholds`?
    somethingElse: unknown key; docs/options.md lists the options
    vus: 0 is not a positive whole number; give 1 or more
    vus: -5 is not a positive whole number; give 1 or more
    vus: "5" is not a positive whole number; give 1 or more
    vus: 1.5 is not a positive whole number; give 1 or more
    duration: "5 minutes" has an unknown unit; the units are d, h, m, s, ms, us and ns, as in 1m30s
    duration: "0s" is no time at all; give a duration such as 30s
    duration: "500ms" is too short; give at least 1s
    iterations: 2 is less than vus (5); give at least one iteration for each virtual user
    stages: {"duration":"1m","target":1} is not a list of stages; give a list such as [{"duration": "30s", "target": 10}]
    stages[0].target: -1 is too small; give a whole number of 0 or more
    stages[0].goal: unknown key; known are `duration`, `target`
    stages: stands beside duration, and either says how the load runs; keep one of them
    scenarios: stands beside iterations, and either says how the load runs; keep one of them
    rps: -1 is not a whole number; give 0 or more
    tags.team: 1 is not text; put it in quotes
    tags: ["team"] is not an object; write {"name": "value"}
    userAgent: "a\nb" has characters that an HTTP header cannot hold; use printable ASCII
    noSetup: "yes" is neither true nor false; give one of them
    setupTimeout: 0 is no time at all; give a duration such as 30s
    systemTags: `statsu` is not a system tag; use names out of: proto, subproto, status, method, url, name, group, check, error, error_code, tls_version, scenario, service, expected_response, vu, iter, ip
    summaryTrendStats: "p(101)" is unknown; use avg, min, med, max, count, or p(N) with N from 0 to 100
    summaryTrendStats: "mean" is unknown; use avg, min, med, max, count, or p(N) with N from 0 to 100
    summaryTimeUnit: "min" is unknown; use s, ms or us
    "#);
}

#[test]
fn errors_in_scenarios_name_the_whole_path() {
    let cases = [
        json!({"a b": {"executor": "constant-vus", "duration": "1s"}}),
        json!({"": {"executor": "constant-vus", "duration": "1s"}}),
        json!({"a": 5}),
        json!({"a": {"vus": 5}}),
        json!({"a": {"executor": 5}}),
        json!({"a": {"executor": "constant-vu", "duration": "1s"}}),
        json!({"a": {"executor": "externally-driven", "vus": 1}}),
        json!({"a": {"executor": "constant-vus"}}),
        json!({"a": {"executor": "constant-vus", "duration": "1s", "rate": 5}}),
        json!({"a": {"executor": "constant-vus", "duration": "1s", "startTIme": "5s"}}),
        json!({"a": {"executor": "constant-vus", "duration": "1s", "startTime": "soon"}}),
        json!({"a": {"executor": "constant-vus", "duration": "1s", "gracefulStop": -1}}),
        json!({"a": {"executor": "constant-vus", "duration": "1s", "env": {"A": 1}}}),
        json!({"a": {"executor": "constant-vus", "duration": "1s", "exec": 1}}),
        json!({"a": {"executor": "constant-vus", "duration": "1s", "options": {"browser": {"type": "chromium"}}}}),
        json!({"a": {"executor": "constant-arrival-rate", "rate": -5, "duration": "1m", "preAllocatedVUs": 1}}),
        json!({"a": {"executor": "constant-arrival-rate", "rate": 5, "duration": "1m"}}),
    ];
    let errors: Vec<String> = cases.iter().map(|case| error(json!({"scenarios": case}))).collect();
    insta::assert_snapshot!(errors.join("\n"), @r#"
    scenarios.a b: is no name for a scenario; use letters, digits, `_` and `-` only
    scenarios.: is no name for a scenario; use letters, digits, `_` and `-` only
    scenarios.a: 5 is not an object; write {"executor": "constant-vus", "vus": 10, "duration": "30s"}
    scenarios.a.executor: is missing; give one such as "constant-vus" or "constant-arrival-rate"
    scenarios.a.executor: 5 is not text; put it in quotes
    scenarios.a.executor: "constant-vu" is no executor; did you mean `constant-vus`?
    scenarios.a.executor: "externally-driven" is no executor; did you mean `externally-controlled`?
    scenarios.a.duration: is missing; give for how long to run, such as 30s
    scenarios.a.rate: unknown key; known are `vus`, `duration`
    scenarios.a.startTIme: unknown key; did you mean `startTime`?
    scenarios.a.startTime: "soon" is not a duration; write one such as 30s, 1m30s or 500ms, or a number of milliseconds
    scenarios.a.gracefulStop: -1 is negative; give a duration of zero or more, such as 30s
    scenarios.a.env.A: 1 is not text; put it in quotes
    scenarios.a.exec: 1 is not text; put it in quotes
    scenarios.a.options.browser: {"type":"chromium"} is not supported by this version; leave it out: there is no browser
    scenarios.a.rate: -5 is too small; give a whole number of 1 or more
    scenarios.a.preAllocatedVUs: is missing; give how many virtual users to make before the load: about rate times the length of an iteration
    "#);
}

#[test]
fn errors_in_thresholds_name_metric_and_place() {
    let cases = [
        json!([]),
        json!({"http_req_duration": 5}),
        json!({"http_req_duration": "p95<500"}),
        json!({"http_req_duration": ["p(95)<500", "avg<"]}),
        json!({"http_req_duration": ["p(95)<500", 5]}),
        json!({"http_req_duration": [{"treshold": "p(95)<500"}]}),
        json!({"http_req_duration": [{"abortOnFail": true}]}),
        json!({"http_req_duration": ["avg<5", {"threshold": "p(95)<500", "abortOnFail": "yes"}]}),
        json!({"http_req_duration": [{"threshold": "p(95)<500", "delayAbortEval": "later"}]}),
        json!({"http_req_duration": [{"threshold": "p(95)<500", "window": "1s"}]}),
        json!({"http req": ["p(95)<500"]}),
        json!({"http_reqs{status:200": ["count>5"]}),
    ];
    let errors: Vec<String> = cases.iter().map(|case| error(json!({"thresholds": case}))).collect();
    insta::assert_snapshot!(errors.join("\n"), @r#"
    thresholds: [] is not an object; write {"http_req_duration": ["p(95)<500"]}
    thresholds.http_req_duration: 5 is not a threshold; write "p(95)<500" or {"threshold": "p(95)<500"}
    thresholds.http_req_duration: "p95<500" is wrong at character 1: `p95` is not an aggregation; use avg, min, max, med or p(N) for a trend, count or rate for a counter, rate for a rate, value for a gauge
    thresholds.http_req_duration: "avg<" is wrong at character 5: the number is missing; end with one, such as 500 (times are milliseconds)
    thresholds.http_req_duration[1]: 5 is not a threshold; write "p(95)<500" or {"threshold": "p(95)<500"}
    thresholds.http_req_duration.treshold: unknown key; did you mean `threshold`?
    thresholds.http_req_duration.threshold: is missing; give an expression such as "p(95)<500"
    thresholds.http_req_duration[1].abortOnFail: "yes" is neither true nor false; give one of them
    thresholds.http_req_duration.delayAbortEval: "later" is not a duration; write one such as 30s, 1m30s or 500ms, or a number of milliseconds
    thresholds.http_req_duration.window: "1s" is no window; give one from 2s to 1h0m0s
    thresholds: "http req" is wrong at character 1: `http req` is not a metric's name; write a metric such as http_req_duration, or http_req_duration{scenario:warmup,status:200}
    thresholds: "http_reqs{status:200" is wrong at character 21: `}` is missing at the end; write a metric such as http_req_duration, or http_req_duration{scenario:warmup,status:200}
    "#);
}

#[test]
fn thresholds_with_a_window_are_counted() {
    let windowed = |count: usize| json!({"thresholds": {"checks": vec![json!({"threshold": "rate>0.9", "window": "10s"}); count]}});
    let parsed = parse_thresholds(&windowed(2)["thresholds"]).unwrap();
    assert_eq!(parsed[1].window, Some(std::time::Duration::from_secs(10)));
    insta::assert_snapshot!(error(windowed(21)), @"thresholds.checks: has one threshold with a window too many; give 20 at most");
}

#[test]
fn thresholds_have_a_short_and_a_long_form() {
    let thresholds = json!({
        "http_req_failed": "rate<0.01",
        "http_req_duration": ["p(95)<500", {"threshold": "p(99)<900", "abortOnFail": true, "delayAbortEval": "10s"}],
        "checks": [{"threshold": "rate>0.9", "abortOnFail": false, "delayAbortEval": null}],
        "iterations": null,
    });
    let parsed = parse_thresholds(&thresholds).unwrap();
    let told: Vec<_> = parsed
        .iter()
        .map(|one| {
            (
                one.selector_text.as_str(),
                one.expression_text.as_str(),
                one.abort_on_fail,
                one.delay_abort_eval.as_secs(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("http_req_failed", "rate<0.01", false, 0),
            ("http_req_duration", "p(95)<500", false, 0),
            ("http_req_duration", "p(99)<900", true, 10),
            ("checks", "rate>0.9", false, 0),
        ]
    );
}

#[test]
fn what_this_version_does_not_do_is_never_ignored() {
    let cases = [
        json!({"executionSegment": "0:1/2"}),
        json!({"ext": {"loadimpact": {"projectID": 1}}}),
        json!({"cloud": {"projectID": 1}}),
        json!({"executionSegmentSequence": "0,1/2,1"}),
    ];
    let errors: Vec<String> = cases.iter().map(|case| error(case.clone())).collect();
    insta::assert_snapshot!(errors.join("\n"), @r#"
    executionSegment: "0:1/2" is not supported by this version; leave it out, and use --scale-load for a smaller load
    ext: {"loadimpact":{"projectID":1}} is not supported by this version; leave it out: the test runs on this machine
    cloud: {"projectID":1} is not supported by this version; leave it out: the test runs on this machine
    executionSegmentSequence: "0,1/2,1" is not supported by this version; leave it out
    "#);
    for option in known::OPTIONS.iter().filter(|option| !option.is_supported()) {
        let odd = json!({ option.name: {"some": "thing"} });
        assert!(
            error(odd)
                .starts_with(&format!("{}: {{\"some\":\"thing\"}} is not supported by this version; ", option.name))
        );
    }
}

#[test]
fn expected_statuses_are_statuses_or_ranges() {
    let scenario = |statuses: serde_json::Value| json!({"scenarios": {"a": {"executor": "shared-iterations", "expectedStatuses": statuses}}});
    let read = options(scenario(json!([404, "200-299", {"min": 301, "max": 302}, "418"])));
    let expected = read.scenarios().unwrap()[0].expected_statuses.clone().unwrap();
    let all: Vec<u16> = (300..600).filter(|status| crate::http::Statuses::expect(Some(&expected), *status)).collect();
    assert_eq!(all, [301, 302, 404, 418]);
    let wrong = [json!(404), json!(["4xx"]), json!([[200]]), json!([{"min": 200}]), json!(["299-200"]), json!([70000])];
    let errors: Vec<String> = wrong.into_iter().map(|statuses| error(scenario(statuses))).collect();
    insta::assert_snapshot!(errors.join("\n"), @r#"
    scenarios.a.expectedStatuses: 404 is not a list; write [200, "300-399"]
    scenarios.a.expectedStatuses[0]: "4xx" is neither a status nor a range of statuses; write 404 or "200-299"
    scenarios.a.expectedStatuses[0]: [200] is neither a status nor a range of statuses; write 404 or "200-299"
    scenarios.a.expectedStatuses[0]: {"min":200} is neither a status nor a range of statuses; write 404 or "200-299"
    scenarios.a.expectedStatuses: 299-200 is no range of statuses; give first and last, from 100 to 999
    scenarios.a.expectedStatuses[0]: 70000 is neither a status nor a range of statuses; write 404 or "200-299"
    "#);
}

#[test]
fn what_changes_nothing_is_taken_and_leaves_nothing() {
    let harmless = json!({
        "ext": {}, "paused": null, "tags": null,
    });
    assert_eq!(options(harmless), Options::default());
}

#[test]
fn a_higher_layer_replaces_how_the_load_runs() {
    let module = || options(coupon());
    let flags = options(json!({"vus": 10, "duration": "20s"}));
    assert_eq!(load(&module().overlay(flags)), ["default: 10 looping VUs for 20s"]);
    let stages = options(json!({"stages": [{"duration": "5s", "target": 3}]}));
    assert_eq!(
        load(&module().overlay(stages)),
        ["default: Up to 3 looping VUs for 5s over 1 stages (gracefulRampDown: 30s)"]
    );
    assert_eq!(load(&options(json!({"duration": "1m"})).overlay(module())).len(), 2);
}

#[test]
fn vus_alone_only_changes_the_number() {
    let lower = options(json!({"vus": 5, "duration": "1m"}));
    assert_eq!(load(&lower.clone().overlay(options(json!({"vus": 7})))), ["default: 7 looping VUs for 1m0s"]);
    // k6: `K6_ITERATIONS=10 k6 run --vus 5` is 5 virtual users for 10 iterations.
    let iterations = options(json!({"iterations": 10}));
    assert_eq!(
        load(&iterations.overlay(options(json!({"vus": 5})))),
        load(&options(json!({"vus": 5, "iterations": 10})))
    );
    // The number stays when a higher layer only says how long.
    assert_eq!(load(&lower.overlay(options(json!({"duration": "2m"})))), ["default: 5 looping VUs for 2m0s"]);
}

#[test]
fn tags_and_thresholds_are_replaced_whole() {
    let lower = options(json!({"tags": {"a": "1"}, "thresholds": {"checks": ["rate>0.9"]}, "rps": 5}));
    let upper = options(json!({"tags": {"b": "2"}, "thresholds": {"http_reqs": ["count>1"]}}));
    let merged = lower.overlay(upper);
    assert_eq!(merged.to_json(), json!({"tags": {"b": "2"}, "thresholds": {"http_reqs": ["count>1"]}, "rps": 5}));
}

#[test]
fn variables_of_ours_win_over_k6s() {
    let read = environment(&[
        ("FLASHCROWD_VUS", "7"),
        ("K6_VUS", "5"),
        ("K6_DURATION", "1m"),
        ("FLASHCROWD_RPS", ""),
        ("K6_RPS", "100"),
        ("K6_NO_SETUP", "t"),
        ("K6_NO_TEARDOWN", "0"),
        ("K6_TAGS", "team:shop, day:1"),
        ("K6_SYSTEM_TAGS", "status,name"),
        ("K6_SUMMARY_TREND_STATS", "avg,p(99.9)"),
        ("K6_THRESHOLDS", "{\"checks\": [\"rate>0.9\"]}"),
        ("K6_USER_AGENT", "me/1"),
        ("K6_CLOUD_TOKEN", "secret"),
        ("K6_OUT", "json"),
        ("FLASHCROWD_SUMMARY_MODE", "full"),
        ("PATH", "/bin"),
    ])
    .unwrap();
    assert_eq!(
        read.to_json(),
        json!({
            "thresholds": {"checks": ["rate>0.9"]}, "vus": 7, "duration": "1m", "tags": {"team": "shop", "day": "1"}, "rps": 100,
            "userAgent": "me/1", "noSetup": true, "noTeardown": false, "systemTags": ["status", "name"],
            "summaryTrendStats": ["avg", "p(99.9)"],
        })
    );
    let stages = environment(&[("K6_STAGES", "30s:10, 1m:0")]).unwrap();
    assert_eq!(stages.to_json()["stages"], json!([{"duration": "30s", "target": 10}, {"duration": "1m", "target": 0}]));
}

#[test]
fn errors_name_the_variable() {
    let cases: [&[(&str, &str)]; 13] = [
        &[("K6_VUS", "many")],
        &[("FLASHCROWD_VUS", "0"), ("K6_VUS", "5")],
        &[("K6_DURATION", "soon")],
        &[("K6_STAGES", "30s")],
        &[("K6_STAGES", "30s:10,x:5")],
        &[("K6_NO_SETUP", "yes")],
        &[("K6_TAGS", "team")],
        &[("K6_THRESHOLDS", "p(95)<5")],
        &[("FLASHCROWD_SCENARIOS", "{\"a\": {\"executor\": \"constant-vus\"}}")],
        &[("K6_BATCH", "0")],
        &[("K6_DURATION", "5s"), ("FLASHCROWD_ITERATIONS", "5"), ("K6_STAGES", "5s:1")],
        &[("FLASHCROWD_VUZ", "5")],
        &[("FLASHCROWD_QQ", "5")],
    ];
    let errors: Vec<String> = cases.iter().map(|case| environment(case).unwrap_err().to_string()).collect();
    insta::assert_snapshot!(errors.join("\n"), @r#"
    K6_VUS: "many" is not a positive whole number; give 1 or more
    FLASHCROWD_VUS: 0 is not a positive whole number; give 1 or more
    K6_DURATION: "soon" is not a duration; write one such as 30s, 1m30s or 500ms, or a number of milliseconds
    K6_STAGES: "30s" is not a stage; write duration:target, such as 30s:100
    K6_STAGES: "x" is not a duration; write one such as 30s, 1m30s or 500ms, or a number of milliseconds
    K6_NO_SETUP: "yes" is neither true nor false; give one of them
    K6_TAGS: "team" lacks a colon; write name:value, with commas between several
    K6_THRESHOLDS: "p(95)<5" is not JSON (expected value at line 1 column 1); write an object
    FLASHCROWD_SCENARIOS.a.duration: is missing; give for how long to run, such as 30s
    K6_BATCH: 0 is not a positive whole number; give 1 or more
    K6_STAGES: stands beside K6_DURATION, and either says how the load runs; keep one of them
    FLASHCROWD_VUZ: unknown variable; did you mean `FLASHCROWD_VUS`?
    FLASHCROWD_QQ: unknown variable; did you mean `FLASHCROWD_VUS`?
    "#);
}

#[test]
fn errors_name_the_config_file() {
    let texts = ["{", "[]", "{\"vus\": 0}", "{\"scenarios\": {\"a\": {}}}"];
    let errors: Vec<String> =
        texts.iter().map(|text| Options::from_json_text(text, "load.json").unwrap_err().to_string()).collect();
    insta::assert_snapshot!(errors.join("\n"), @r#"
    load.json: is not JSON (EOF while parsing an object at line 1 column 1); write a k6 options object
    load.json: options: [] is not an object; write {"vus": 10, "duration": "30s"}
    load.json: vus: 0 is not a positive whole number; give 1 or more
    load.json: scenarios.a.executor: is missing; give one such as "constant-vus" or "constant-arrival-rate"
    "#);
}

fn any_layer() -> impl Strategy<Value = Options> {
    let execution = prop_oneof![
        Just(json!({})),
        (1u32..9).prop_map(|seconds| json!({"duration": format!("{seconds}s")})),
        (9u32..99).prop_map(|number| json!({"iterations": number})),
        (0u32..9).prop_map(|target| json!({"stages": [{"duration": "5s", "target": target + 1}]})),
        (1u32..9)
            .prop_map(|vus| json!({"scenarios": {"a": {"executor": "constant-vus", "vus": vus, "duration": "3s"}}})),
    ];
    (execution, proptest::option::of(1u32..9), proptest::option::of(0u32..9)).prop_map(|(mut json, vus, rps)| {
        json["vus"] = json!(vus);
        json["rps"] = json!(rps);
        options(json)
    })
}

proptest! {
    #[test]
    fn merging_is_associative(a in any_layer(), b in any_layer(), c in any_layer()) {
        let left = a.clone().overlay(b.clone()).overlay(c.clone());
        prop_assert_eq!(&left, &a.clone().overlay(b.clone().overlay(c.clone())));
        prop_assert_eq!(left, Options::merged([a, b, c]));
    }

    #[test]
    fn whatever_is_merged_has_one_way_to_run(a in any_layer(), b in any_layer()) {
        let merged = a.clone().overlay(b.clone());
        prop_assert!(merged.check_conflicts(str::to_owned).is_ok());
        prop_assert_eq!(merged.clone().overlay(Options::default()), merged.clone());
        if let Some(rps) = b.get("rps") {
            prop_assert_eq!(merged.get("rps"), Some(rps));
        }
        prop_assert!(merged.scenarios().is_ok());
    }

    #[test]
    fn no_text_panics(text in "\\PC*") {
        let _ = Options::from_json_text(&text, "x.json");
        for option in known::OPTIONS {
            let _ = environment(&[(&format!("K6_{}", option.env), &text)]);
        }
    }
}
