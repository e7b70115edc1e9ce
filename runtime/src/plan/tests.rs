use proptest::prelude::*;

use super::*;

fn module(functions: &[(&str, &[&str])]) -> ModuleInfo {
    let function = |(name, aliases): &(&str, &[&str])| FunctionInfo {
        name: (*name).to_owned(),
        aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
    };
    ModuleInfo { functions: functions.iter().map(function).collect() }
}

fn one_function() -> ModuleInfo {
    module(&[("default", &["issue_coupon"])])
}

fn resolve(json: Value, module: &ModuleInfo, load: f64, time: f64) -> Result<Plan, FieldError> {
    Plan::resolve(&Options::from_json(&json)?, module, Scale::new(load, time)?)
}

fn plan(json: Value) -> Plan {
    resolve(json, &one_function(), 1.0, 1.0).unwrap()
}

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

fn coupon() -> Value {
    json!({
        "scenarios": {
            "warmup": {
                "executor": "constant-arrival-rate", "rate": 100, "timeUnit": "1s", "duration": "1m", "preAllocatedVUs": 150,
                "maxVUs": 300, "startTime": "0s",
            },
            "concurrent_coupon_issuance": {
                "executor": "constant-arrival-rate", "rate": 400, "timeUnit": "1s", "duration": "5m", "preAllocatedVUs": 400,
                "maxVUs": 1000, "startTime": "1m", "exec": "issue_coupon", "tags": {"phase": "load"}, "env": {"MODE": "x"},
            },
        },
        "thresholds": {"http_req_duration": ["p(95)<3000"], "http_req_failed": ["rate<0.01"]},
        "rps": 100,
    })
}

#[test]
fn nothing_given_is_one_iteration_with_k6s_defaults() {
    let plan = plan(json!({}));
    assert_eq!(plan.scenarios.len(), 1);
    assert_eq!(
        plan.scenarios[0].spec.describe(),
        "1 iterations shared among 1 VUs (maxDuration: 10m0s, gracefulStop: 30s)"
    );
    assert_eq!((plan.initial_vus, plan.peak_vus), (1, 1));
    assert_eq!(plan.total_duration, seconds(630));
    assert_eq!((plan.modules[0].setup_timeout, plan.modules[0].teardown_timeout), (seconds(60), seconds(60)));
    assert_eq!(plan.summary_trend_stats, ["avg", "min", "med", "max", "p(90)", "p(95)"]);
    assert_eq!((plan.rps, plan.summary_time_unit), (None, None));
    assert!(plan.user_agent.starts_with("flashcrowd/"));
    assert_eq!(plan.system_tags, SystemTags::default());
    assert!(
        !plan.modules[0].no_setup
            && !plan.modules[0].no_teardown
            && !plan.discard_response_bodies
            && !plan.no_connection_reuse
    );
    assert!(plan.thresholds.is_empty() && plan.warnings.is_empty() && plan.scaled.is_empty());
}

#[test]
fn the_coupon_test_overlaps_for_its_graceful_stop() {
    let plan = plan(coupon());
    // Until 90 s both scenarios may hold their virtual users: 300 + 1000, and 150 + 400 of them planned.
    assert_eq!((plan.initial_vus, plan.peak_vus), (550, 1300));
    assert_eq!(plan.total_duration, seconds(60 + 300 + 30));
    let issuing = &plan.scenarios[1];
    assert_eq!((issuing.spec.function, issuing.exec.as_str()), (0, "default"));
    assert_eq!((issuing.env["MODE"].as_str(), issuing.tags["phase"].as_str()), ("x", "load"));
    assert_eq!(plan.thresholds.len(), 2);
    assert_eq!(plan.rps, Some(100));
}

#[test]
fn every_option_arrives() {
    let plan = plan(json!({
        "noSetup": true, "noTeardown": true, "discardResponseBodies": true, "noConnectionReuse": true, "noVUConnectionReuse": true,
        "minIterationDuration": "2s", "setupTimeout": "5s", "teardownTimeout": 7000, "userAgent": "me/1", "tags": {"a": "b"},
        "systemTags": ["status"], "summaryTrendStats": ["med"], "summaryTimeUnit": "us", "rps": 9,
        "thresholds": {"checks": ["rate>0.9"]},
    }));
    assert!(plan.modules[0].no_setup && plan.modules[0].no_teardown && plan.discard_response_bodies);
    assert!(plan.no_connection_reuse && plan.no_vu_connection_reuse);
    assert_eq!(
        (plan.min_iteration_duration, plan.modules[0].setup_timeout, plan.modules[0].teardown_timeout),
        (seconds(2), seconds(5), seconds(7))
    );
    assert_eq!((plan.user_agent.as_str(), plan.tags["a"].as_str(), plan.rps), ("me/1", "b", Some(9)));
    assert_eq!((plan.system_tags.names().count(), plan.summary_trend_stats.join(",").as_str()), (1, "med"));
    assert_eq!(plan.summary_time_unit, Some(TimeUnit::Microseconds));
    assert_eq!(plan.thresholds.len(), 1);
}

#[test]
fn no_thresholds_means_none() {
    let plan = plan(json!({"thresholds": {"checks": ["rate>0.9"]}, "noThresholds": true}));
    assert!(plan.no_thresholds && plan.thresholds.is_empty());
}

#[test]
fn a_function_is_found_by_name_before_alias() {
    let functions = module(&[("browse", &["pay"]), ("pay", &["default"])]);
    let plan = resolve(
        json!({"scenarios": {
            "a": {"executor": "constant-vus", "duration": "1s", "exec": "pay"},
            "b": {"executor": "constant-vus", "duration": "1s"},
        }}),
        &functions,
        1.0,
        1.0,
    )
    .unwrap();
    assert_eq!(plan.scenarios.iter().map(|scenario| scenario.spec.function).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn errors_name_the_path_the_value_and_the_remedy() {
    let several = module(&[("browse", &[]), ("issue_coupon", &[])]);
    let scenario =
        |exec: &str| json!({"scenarios": {"a": {"executor": "constant-vus", "duration": "1s", "exec": exec}}});
    let cases = [
        resolve(scenario("issueCoupon"), &several, 1.0, 1.0),
        resolve(scenario("zzz"), &several, 1.0, 1.0),
        resolve(json!({}), &several, 1.0, 1.0),
        resolve(json!({}), &ModuleInfo::default(), 1.0, 1.0),
        resolve(json!({"vus": 2_000_000, "duration": "1s"}), &one_function(), 1.0, 1.0),
        resolve(json!({"vus": 10, "duration": "1s"}), &one_function(), 200_000.0, 1.0),
        resolve(json!({"stages": [{"duration": "1s", "target": 4_294_967_295_u32}]}), &one_function(), 1.0, 1.0),
        resolve(json!({}), &one_function(), 0.0, 1.0),
        resolve(json!({}), &one_function(), 1.0, f64::INFINITY),
        resolve(json!({}), &one_function(), f64::NAN, 1.0),
        resolve(json!({}), &one_function(), 1.0, -1.0),
    ];
    let errors: Vec<String> = cases.into_iter().map(|case| case.unwrap_err().to_string()).collect();
    insta::assert_snapshot!(errors.join("\n"), @r#"
    scenarios.a.exec: "issueCoupon" is no scenario function of this module; did you mean `issue_coupon`?
    scenarios.a.exec: "zzz" is no scenario function of this module; known are `browse`, `issue_coupon`
    scenarios.default.exec: "default" is no scenario function of this module; known are `browse`, `issue_coupon`
    scenarios.default.exec: "default" is no scenario function of this module; there is none to choose from
    scenarios.default.vus: 2000000 virtual users are more than one process can hold; give at most 1000000
    scenarios.default.vus: 10 virtual users, scaled by 200000, are more than one process can hold; give at most 1000000
    scenarios.default.stages[0].target: 4294967295 virtual users are more than one process can hold; give at most 1000000
    --scale-load: 0 is no factor; give a number above 0, such as 0.1 for a tenth
    --scale-time: inf is no factor; give a number above 0, such as 0.1 for a tenth
    --scale-load: NaN is no factor; give a number above 0, such as 0.1 for a tenth
    --scale-time: -1 is no factor; give a number above 0, such as 0.1 for a tenth
    "#);
}

#[test]
fn vus_beside_scenarios_are_warned_of() {
    let options = Options::from_json(&coupon()).unwrap().overlay(Options::from_json(&json!({"vus": 10})).unwrap());
    let plan = Plan::resolve(&options, &one_function(), Scale::default()).unwrap();
    insta::assert_snapshot!(plan.warnings.join("\n"), @"vus: 10 has no effect beside scenarios, which have their own; give a duration or iterations with it to replace them, or use --scale-load");
}

#[test]
fn scaling_says_what_it_changed() {
    let mut json = coupon();
    json["scenarios"]["warmup"]["startTime"] = json!("10s");
    let plan = resolve(json, &one_function(), 0.1, 0.05).unwrap();
    insta::assert_snapshot!(plan.scaled.join("\n"), @"
    warmup: 100.00 iterations/s for 1m0s (maxVUs: 150-300, startTime: 10s, gracefulStop: 30s) -> 10.00 iterations/s for 3s (maxVUs: 15-30, startTime: 500ms, gracefulStop: 30s)
    concurrent_coupon_issuance: 400.00 iterations/s for 5m0s (maxVUs: 400-1000, startTime: 1m0s, gracefulStop: 30s) -> 40.00 iterations/s for 15s (maxVUs: 40-100, startTime: 3s, gracefulStop: 30s)
    rps: 100 -> 10
    ");
    assert_eq!(plan.scenarios[1].spec.start_time, seconds(3));
    assert_eq!(plan.scenarios[1].spec.graceful_stop, seconds(30));
    assert_eq!(plan.total_duration, seconds(3 + 15 + 30));
    assert_eq!(plan.rps, Some(10));
    assert_eq!(resolve(json!({"rps": 2}), &one_function(), 0.001, 1.0).unwrap().rps, Some(1));
}

#[test]
fn requirements_are_k6s_options_with_two_more() {
    let json = json!({"vus": 5, "stages": [{"duration": "10s", "target": 20}], "tags": {"team": "shop"}, "thresholds": {"checks": "rate>0.9"}});
    insta::assert_json_snapshot!(plan(json).requirements_json(), @r#"
    {
      "tags": {
        "team": "shop"
      },
      "thresholds": {
        "checks": "rate>0.9"
      },
      "scenarios": {
        "default": {
          "executor": "ramping-vus",
          "startTime": "0s",
          "gracefulStop": "30s",
          "exec": "default",
          "env": {},
          "tags": {},
          "startVUs": 5,
          "stages": [
            {
              "duration": "10s",
              "target": 20
            }
          ]
        }
      },
      "totalDuration": "40s",
      "maxVUs": 20
    }
    "#);
    let scaled = resolve(json!({"vus": 50, "duration": "1m"}), &one_function(), 0.1, 0.1).unwrap().requirements_json();
    insta::assert_json_snapshot!(scaled, @r#"
    {
      "scenarios": {
        "default": {
          "executor": "constant-vus",
          "startTime": "0s",
          "gracefulStop": "30s",
          "exec": "default",
          "env": {},
          "tags": {},
          "vus": 50,
          "duration": "1m"
        }
      },
      "totalDuration": "36s",
      "maxVUs": 5,
      "scale": {
        "load": 0.1,
        "time": 0.1
      },
      "scaled": [
        "default: 50 looping VUs for 1m0s (gracefulStop: 30s) -> 5 looping VUs for 6s (gracefulStop: 30s)"
      ]
    }
    "#);
}

proptest! {
    #[test]
    fn scaling_keeps_at_least_one_of_everything(vus in 1u64..1000, iterations in 1u64..1000, load in 0.001..10.0, time in 0.001..10.0) {
        let iterations = iterations.max(vus);
        let json = json!({"scenarios": {
            "shared": {"executor": "shared-iterations", "vus": vus, "iterations": iterations},
            "looping": {"executor": "constant-vus", "vus": vus, "duration": "10s"},
            "open": {"executor": "constant-arrival-rate", "rate": vus, "duration": "10s", "preAllocatedVUs": vus},
        }, "rps": vus});
        let plan = resolve(json, &one_function(), load, time).unwrap();
        prop_assert!(plan.initial_vus >= 3 && plan.peak_vus >= plan.initial_vus);
        prop_assert!(plan.rps.unwrap() >= 1);
        prop_assert!(plan.total_duration > seconds(30));
    }

    #[test]
    fn a_plan_is_the_same_whichever_layer_said_it(vus in 1u32..500, seconds in 1u32..500) {
        let whole = plan(json!({"vus": vus, "duration": format!("{seconds}s")}));
        let layers = [json!({"vus": 9999}), json!({"duration": format!("{seconds}s")}), json!({"vus": vus})];
        let merged = Options::merged(layers.map(|json| Options::from_json(&json).unwrap()));
        let layered = Plan::resolve(&merged, &one_function(), Scale::default()).unwrap();
        prop_assert_eq!(layered.specs(), whole.specs());
        prop_assert_eq!(layered.requirements_json(), whole.requirements_json());
    }
}

/// Found by fuzzing: the options that a module brings could make the runtime plan until the machine's memory was full.
#[test]
fn virtual_users_that_come_again_and_again_are_limited_too() {
    let up_and_down = |times: usize| -> Vec<Value> {
        (0..times).map(|time| json!({"duration": "1s", "target": if time % 2 == 0 { 1_000_000 } else { 0 }})).collect()
    };
    let ramps = resolve(json!({"stages": up_and_down(9)}), &one_function(), 1.0, 1.0);
    let loops = (0..5)
        .map(|number| (format!("s{number}"), json!({"executor": "constant-vus", "vus": 1_000_000, "duration": "1s"})))
        .collect::<Map<_, _>>();
    let many = resolve(json!({"scenarios": loops}), &one_function(), 1.0, 1.0);
    insta::assert_snapshot!([ramps, many].map(|plan| plan.unwrap_err().to_string()).join("\n"), @r#"
    scenarios.default: 5000000 virtual users come in the scenarios up to this one, where one that goes and comes again counts twice; give stages or scenarios with at most 4000000 in all
    scenarios.s4: 5000000 virtual users come in the scenarios up to this one, where one that goes and comes again counts twice; give stages or scenarios with at most 4000000 in all
    "#);
}

fn two_modules(only: &[&str]) -> Result<Plan, FieldError> {
    let shop = json!({"scenarios": coupon()["scenarios"], "tags": {"team": "a"}, "setupTimeout": "5s"});
    let till = json!({"vus": 2, "duration": "30s"});
    let shared = json!({"thresholds": {
        "http_reqs": ["count>1"], "checks{scenario:shop.warmup}": ["rate>0.9"], "checks{scenario:till.default}": ["rate>0.8"],
        "http_reqs{module:shop}": ["count>2"], "http_reqs{module:till}": ["count>3"],
    }});
    let [shop, till, shared] = [shop, till, shared].map(|json| Options::from_json(&json).unwrap());
    let info = one_function();
    let part = |name, options| Part { name: Some(name), options, info: &info };
    let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
    Plan::of_parts(&[part("shop", &shop), part("till", &till)], &shared, Scale::default(), &only)
}

#[test]
fn scenarios_of_several_modules_have_their_modules_names() {
    let plan = two_modules(&[]).unwrap();
    let names: Vec<_> =
        plan.scenarios.iter().map(|s| (s.spec.name.as_str(), s.own_name.as_str(), s.spec.module)).collect();
    let expected = [
        ("shop.warmup", "warmup", 0),
        ("shop.concurrent_coupon_issuance", "concurrent_coupon_issuance", 0),
        ("till.default", "default", 1),
    ];
    assert_eq!(names, expected);
    assert_eq!(plan.peak_vus, 1_300 + 2);
    assert_eq!((plan.modules[0].setup_timeout, plan.modules[1].setup_timeout), (seconds(5), seconds(60)));
    assert_eq!((plan.modules[0].tags["team"].as_str(), plan.modules[1].tags.len()), ("a", 0));
    // A module sees its own part, under the names that it gave.
    assert!(plan.modules[0].options["scenarios"]["warmup"].is_object());
    assert!(plan.modules[0].options["scenarios"]["till.default"].is_null());
    assert!(plan.options_json()["scenarios"]["till.default"].is_object());
}

#[test]
fn a_scenario_that_is_chosen_begins_at_once_and_the_others_are_left_out() {
    let plan = two_modules(&["shop.concurrent_coupon_issuance"]).unwrap();
    let [scenario] = &plan.scenarios[..] else { panic!("{:?}", plan.scenarios) };
    assert_eq!(
        (scenario.spec.name.as_str(), scenario.spec.start_time),
        ("shop.concurrent_coupon_issuance", seconds(0))
    );
    assert_eq!((plan.modules[0].runs, plan.modules[1].runs), (true, false));
    let kept: Vec<_> = plan.thresholds.iter().map(|threshold| threshold.selector_text.as_str()).collect();
    assert_eq!(kept, ["http_reqs", "http_reqs{module:shop}"]);
    assert_eq!(
        plan.notes,
        [
            "--scenario: all begins 1m0s earlier than in the whole test",
            "--scenario: the threshold checks{scenario:shop.warmup}: rate>0.9 is left out with the scenario that it selects",
            "--scenario: the threshold checks{scenario:till.default}: rate>0.8 is left out with the scenario that it selects",
            "--scenario: the threshold http_reqs{module:till}: count>3 is left out with its module, of which nothing runs",
        ]
    );
    assert_eq!(
        two_modules(&["shop.warmpu"]).unwrap_err().to_string(),
        "--scenario: \"shop.warmpu\" is no scenario of this test; did you mean `shop.warmup`?"
    );
}

#[test]
fn an_error_names_the_module() {
    let own = Options::from_json(&json!({"vus": 2, "iterations": 1})).unwrap();
    let info = one_function();
    let parts = ["shop", "till"].map(|name| Part { name: Some(name), options: &own, info: &info });
    let error = Plan::of_parts(&parts, &Options::default(), Scale::default(), &[]).unwrap_err();
    assert!(error.to_string().starts_with("module `shop`: "), "{error}");
}
