use super::*;

#[test]
fn the_coupon_test_of_the_design_is_k6s_json() {
    let options = Options::new()
        .scenario("warmup", ConstantArrivalRate::per_second(100).duration(mins(1)).pre_allocated_vus(150).max_vus(300))
        .scenario(
            "concurrent_coupon_issuance",
            ConstantArrivalRate::per_second(400)
                .duration(mins(5))
                .pre_allocated_vus(400)
                .max_vus(1000)
                .start_time(mins(1)),
        )
        .threshold("http_req_duration", "p(95)<3000")
        .threshold("http_req_failed", "rate<0.01");
    assert_eq!(
        options.to_json(),
        json!({
            "scenarios": {
                "warmup": {
                    "executor": "constant-arrival-rate", "rate": 100, "timeUnit": "1s", "duration": "1m",
                    "preAllocatedVUs": 150, "maxVUs": 300,
                },
                "concurrent_coupon_issuance": {
                    "executor": "constant-arrival-rate", "rate": 400, "timeUnit": "1s", "duration": "5m",
                    "preAllocatedVUs": 400, "maxVUs": 1000, "startTime": "1m",
                },
            },
            "thresholds": {"http_req_duration": ["p(95)<3000"], "http_req_failed": ["rate<0.01"]},
        })
    );
}

#[test]
fn every_executor_has_all_its_options() {
    let json = |scenario: Scenario| scenario.into_json();
    assert_eq!(
        json(SharedIterations::new(100).vus(10).max_duration(mins(2)).exec("buy").into()),
        json!({"executor": "shared-iterations", "vus": 10, "iterations": 100, "maxDuration": "2m", "exec": "buy"})
    );
    assert_eq!(
        json(PerVuIterations::new(3).vus(10).max_duration("90s").graceful_stop(secs(0)).into()),
        json!({"executor": "per-vu-iterations", "vus": 10, "iterations": 3, "maxDuration": "90s", "gracefulStop": "0s"})
    );
    assert_eq!(
        json(ConstantVus::new(5).duration(secs(30)).env("COUPON", "3").env("USER", "1").tag("team", "shop").into()),
        json!({
            "executor": "constant-vus", "vus": 5, "duration": "30s",
            "env": {"COUPON": "3", "USER": "1"}, "tags": {"team": "shop"},
        })
    );
    assert_eq!(
        json(
            RampingVus::new().start_vus(0).stage(secs(10), 10).stage(secs(10), 100).graceful_ramp_down(secs(5)).into()
        ),
        json!({
            "executor": "ramping-vus", "startVUs": 0, "gracefulRampDown": "5s",
            "stages": [{"duration": "10s", "target": 10}, {"duration": "10s", "target": 100}],
        })
    );
    assert_eq!(
        json(ConstantArrivalRate::per_minute(30).duration(hours(1)).pre_allocated_vus(5).into()),
        json!({"executor": "constant-arrival-rate", "rate": 30, "timeUnit": "1m", "duration": "1h", "preAllocatedVUs": 5})
    );
    assert_eq!(
        json(
            RampingArrivalRate::per_second()
                .start_rate(1)
                .pre_allocated_vus(2)
                .max_vus(3)
                .stages([stage(millis(500), 9)])
                .into()
        ),
        json!({
            "executor": "ramping-arrival-rate", "startRate": 1, "timeUnit": "1s", "preAllocatedVUs": 2, "maxVUs": 3,
            "stages": [{"duration": "500ms", "target": 9}],
        })
    );
}

#[test]
fn what_somebody_controls_has_virtual_users_or_a_rate() {
    let json = |scenario: Scenario| scenario.into_json();
    assert_eq!(
        json(ExternallyControlled::new(10).max_vus(200).into()),
        json!({"executor": "externally-controlled", "vus": 10, "maxVUs": 200})
    );
    assert_eq!(
        json(ExternallyControlled::per_minute(90).pre_allocated_vus(5).duration(mins(2)).into()),
        json!({"executor": "externally-controlled", "rate": 90, "timeUnit": "1m", "preAllocatedVUs": 5, "duration": "2m"})
    );
}

#[test]
fn thresholds_of_one_metric_make_a_list() {
    let options = Options::new()
        .threshold("http_req_duration", "p(95)<500")
        .threshold("http_req_duration", Threshold::new("p(99)<900").window(secs(10)))
        .threshold_abort("http_req_failed", "rate<0.1");
    assert_eq!(
        options.to_json(),
        json!({"thresholds": {
            "http_req_duration": ["p(95)<500", {"threshold": "p(99)<900", "window": "10s"}],
            "http_req_failed": [{"threshold": "rate<0.1", "abortOnFail": true}],
        }})
    );
}

#[test]
fn the_other_options_have_k6s_names() {
    let options = Options::new()
        .iterations(5)
        .discard_response_bodies(true)
        .insecure_skip_tls_verify(true)
        .max_redirects(0)
        .no_connection_reuse(true)
        .no_vu_connection_reuse(true)
        .no_cookies_reset(true)
        .user_agent("shop/1")
        .host("shop.test", "127.0.0.1:8080")
        .block_hostnames(["*.ads.test"])
        .dns("5m", "random", "preferIPv4")
        .batch(10)
        .batch_per_host(3)
        .throw(true)
        .min_iteration_duration(secs(1))
        .setup_timeout(secs(10))
        .teardown_timeout(secs(20))
        .tag("team", "shop")
        .system_tags(["status", "name"])
        .summary_trend_stats(["avg", "p(99)"])
        .summary_time_unit("ms");
    assert_eq!(
        options.to_json(),
        json!({
            "iterations": 5, "discardResponseBodies": true, "insecureSkipTLSVerify": true, "maxRedirects": 0,
            "noConnectionReuse": true, "noVUConnectionReuse": true, "noCookiesReset": true, "userAgent": "shop/1",
            "hosts": {"shop.test": "127.0.0.1:8080"}, "blockHostnames": ["*.ads.test"],
            "dns": {"ttl": "5m", "select": "random", "policy": "preferIPv4"}, "batch": 10, "batchPerHost": 3, "throw": true,
            "minIterationDuration": "1s", "setupTimeout": "10s", "teardownTimeout": "20s", "tags": {"team": "shop"},
            "systemTags": ["status", "name"], "summaryTrendStats": ["avg", "p(99)"], "summaryTimeUnit": "ms",
        })
    );
}

#[test]
#[should_panic(expected = "there are two scenarios named \"a\"")]
fn a_scenario_name_stands_once() {
    let _ = Options::new().scenario("a", ConstantVus::new(1)).scenario("a", ConstantVus::new(2));
}

#[test]
#[should_panic(expected = "the environment variable A is declared twice")]
fn an_environment_variable_is_declared_once() {
    let _ = Options::new().env_var(EnvVar::required("A")).env_var(EnvVar::optional("A"));
}
