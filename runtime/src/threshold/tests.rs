//! What thresholds mean.

use std::sync::{Arc, Mutex};

use super::*;
use crate::metrics::{Aggregator, Contains, HttpKey, HttpSample, MethodId, Recorder, SystemTags, TagSetId, builtin};

const TEN_SECONDS: Duration = Duration::from_secs(10);

/// 100 requests in `warmup` of 1 to 100 ms, 4 of them failed with 503; 50 coupons issued; 7 people waiting.
fn measured() -> Aggregator {
    let registry = Arc::new(Registry::new(1_000, SystemTags::default()));
    let issued = registry.register("coupons_issued", Kind::Counter, Contains::Default).unwrap();
    let waiting = registry.register("waiting_people", Kind::Gauge, Contains::Default).unwrap();
    registry.register("never_used", Kind::Trend, Contains::Time).unwrap();
    let base = registry.intern(&[("scenario", "warmup"), ("group", "::a::b"), ("name", "/coupons/{id}, all")]);
    let mut recorder = Recorder::new(Arc::clone(&registry));
    for number in 1..=100 {
        let failed = number % 25 == 0;
        recorder.http(
            &HttpKey {
                base,
                method: MethodId::POST,
                status: if failed { 503 } else { 200 },
                error_code: if failed { 1503 } else { 0 },
                error: "",
                protocol: "HTTP/1.1",
                tls_version: "",
                expected: !failed,
            },
            &HttpSample { waiting: Duration::from_millis(number), ..HttpSample::default() },
        );
    }
    recorder.add(issued, TagSetId::EMPTY, 50.0);
    recorder.add(waiting, TagSetId::EMPTY, 12.0);
    recorder.add(waiting, TagSetId::EMPTY, 7.0);
    recorder.add(builtin::CHECKS, TagSetId::EMPTY, 1.0);
    let mut aggregator = Aggregator::new(registry, vec![Arc::new(Mutex::new(recorder))]);
    aggregator.collect();
    aggregator
}

fn outcome(aggregator: &Aggregator, selector: &str, expression: &str) -> Outcome {
    let threshold = Threshold::parse(selector, expression).unwrap();
    let known = threshold.check(aggregator.totals().registry()).unwrap();
    let outcome = threshold.evaluate(aggregator.totals(), TEN_SECONDS);
    assert_eq!(known, outcome.verdict != Verdict::NoData { unknown_metric: true });
    outcome
}

#[test]
fn every_aggregation_has_its_value() {
    let aggregator = measured();
    for (selector, expression, value) in [
        ("http_req_duration", "avg<=50.5", 50.5),
        ("http_req_duration", "min==1", 1.0),
        ("http_req_duration", "max===100", 100.0),
        ("http_req_duration", "med<51", 50.5),
        ("http_req_duration", "p(95)<96", 95.05),
        ("http_req_duration", "p(99.9)>99", 99.901),
        ("http_req_duration{status:503}", "min>=25", 25.0),
        ("http_req_duration{group:::a::b,expected_response:false}", "max<=100", 100.0),
        ("http_req_duration{name:\"/coupons/{id}, all\"}", "max<=100", 100.0),
        ("http_req_failed", "rate<0.05", 0.04),
        ("http_req_failed{scenario:warmup}", "rate!=0", 0.04),
        ("coupons_issued", "count==50", 50.0),
        ("coupons_issued", "rate==5", 5.0),
        ("waiting_people", "value==7", 7.0),
    ] {
        let outcome = outcome(&aggregator, selector, expression);
        assert_eq!(outcome.verdict, Verdict::Passed, "{selector} {expression}: {outcome:?}");
        assert!((outcome.value.unwrap() - value).abs() < 1e-9, "{selector} {expression}: {outcome:?}");
        assert!(!outcome.fails(NoDataPolicy::default()));
    }
    let crossed = outcome(&aggregator, "http_req_duration", "p(95)<95");
    assert_eq!(crossed.verdict, Verdict::Crossed);
    assert!(crossed.fails(NoDataPolicy::Pass));
}

#[test]
fn without_data() {
    let aggregator = measured();
    let unknown = Verdict::NoData { unknown_metric: true };
    let known = Verdict::NoData { unknown_metric: false };
    // Selector, expression, verdict, and whether the run fails by default, with `fail`, with `pass`.
    for (selector, expression, verdict, fails) in [
        ("htp_req_duration", "p(95)<1", unknown, [true, true, false]),
        ("never_used", "p(95)<1", known, [false, true, false]),
        ("http_req_duration{status:404}", "p(95)<1", known, [false, true, false]),
        ("iteration_start_lag", "p(99)<2", known, [false, true, false]),
        ("checks{check:nothing}", "rate>0.9", known, [false, true, false]),
        ("dropped_iterations", "count<1", Verdict::Passed, [false, false, false]),
        ("iteration_errors", "rate==0", Verdict::Passed, [false, false, false]),
        ("iterations", "count>100", Verdict::Crossed, [true, true, true]),
        ("http_reqs{status:404}", "count<1", known, [false, true, false]),
        ("http_reqs{name:/never/called}", "count>0", Verdict::Crossed, [true, true, true]),
    ] {
        let outcome = outcome(&aggregator, selector, expression);
        assert_eq!(outcome.verdict, verdict, "{selector} {expression}");
        let policies = [NoDataPolicy::FailUnknown, NoDataPolicy::Fail, NoDataPolicy::Pass];
        assert_eq!(policies.map(|policy| outcome.fails(policy)), fails, "{selector} {expression}");
    }
    let threshold = Threshold::parse("htp_req_duration", "p(95)<1").unwrap();
    assert_eq!(threshold.probably_meant(aggregator.totals().registry()).as_deref(), Some("http_req_duration"));
}

#[test]
fn crossing_ends_the_load_only_when_asked_and_not_before_the_delay() {
    let aggregator = measured();
    let crossed = || Threshold::parse("http_req_failed", "rate<0.01").unwrap();
    let aborts =
        |threshold: &Threshold, elapsed| threshold.aborts(&threshold.evaluate(aggregator.totals(), elapsed), elapsed);
    assert!(!aborts(&crossed(), TEN_SECONDS));
    let delayed = crossed().aborting(TEN_SECONDS);
    assert!(!aborts(&delayed, TEN_SECONDS - Duration::from_millis(1)));
    assert!(aborts(&delayed, TEN_SECONDS));
    let holds = Threshold::parse("http_req_failed", "rate<0.5").unwrap().aborting(Duration::ZERO);
    assert!(!aborts(&holds, TEN_SECONDS));
    let not_begun = Threshold::parse("iterations", "count>100").unwrap().aborting(Duration::ZERO);
    assert!(!aborts(&not_begun, TEN_SECONDS), "nothing has been counted yet");
    let unknown = Threshold::parse("no_such_metric", "count>100").unwrap().aborting(Duration::ZERO);
    assert!(!aborts(&unknown, TEN_SECONDS));

    let all = [crossed(), holds, delayed.clone()];
    assert_eq!(first_to_abort(&all, aggregator.totals(), Duration::from_secs(2)), None);
    assert_eq!(first_to_abort(&all, aggregator.totals(), TEN_SECONDS), Some(&delayed));
}

#[test]
fn errors_name_the_metric_the_value_and_the_remedy() {
    let registry = Registry::new(100, SystemTags::default());
    let parse = |selector, expression| Threshold::parse(selector, expression).unwrap_err().to_string();
    let check = |selector, expression| {
        Threshold::parse(selector, expression).unwrap().check(&registry).unwrap_err().to_string()
    };
    let report = [
        parse("http_req_duration", "p95<500"),
        parse("http_req_duration{scenario:warmup}", "p(95)<fast"),
        parse("http_req_duration{}", "p(95)<1"),
        parse("http req", "p(95)<1"),
        check("http_req_failed", "p(95)<1"),
        check("http_reqs", "avg<1"),
        check("vus", "max<100"),
        check("http_req_duration{status:200}", "count>1"),
        "maybe".parse::<NoDataPolicy>().unwrap_err().to_string(),
    ]
    .join("\n");
    insta::assert_snapshot!(report);
}

#[test]
fn a_metric_of_the_wrong_kind_fails_even_when_it_appears_late() {
    let registry = Arc::new(Registry::new(100, SystemTags::default()));
    let threshold = Threshold::parse("late_metric", "p(95)<1").unwrap();
    assert_eq!(threshold.check(&registry), Ok(false));
    registry.register("late_metric", Kind::Counter, Contains::Default).unwrap();
    assert!(threshold.check(&registry).is_err());
    let aggregator = Aggregator::new(registry, vec![]);
    let outcome = threshold.evaluate(aggregator.totals(), TEN_SECONDS);
    assert_eq!(outcome.verdict, Verdict::Unfit(Kind::Counter));
    assert!(outcome.fails(NoDataPolicy::Pass));
}
