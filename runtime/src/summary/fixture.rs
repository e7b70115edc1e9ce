//! Runs whose summaries the outputs' tests render.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{RunInfo, ScenarioInfo, Summary, SummarySettings};
use crate::metrics::{
    Aggregator, Contains, HttpKey, HttpSample, Kind, MethodId, Recorder, Registry, SystemTags, TagSetId,
};
use crate::threshold::{Threshold, Windows};

pub(crate) struct Run {
    registry: Arc<Registry>,
    recorder: Arc<Mutex<Recorder>>,
    pub(crate) thresholds: Vec<Threshold>,
    pub(crate) info: RunInfo,
    pub(crate) settings: SummarySettings,
}

/// What one request of a fixture is like.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) error_code: u16,
    pub(crate) error: &'static str,
    pub(crate) waiting: Duration,
}

impl Answer {
    pub(crate) const fn ok(waiting: Duration) -> Self {
        Self { status: 200, error_code: 0, error: "", waiting }
    }
}

impl Run {
    fn new(max_series: usize) -> Self {
        let registry = Arc::new(Registry::new(max_series, SystemTags::default()));
        Self {
            recorder: Arc::new(Mutex::new(Recorder::new(Arc::clone(&registry)))),
            registry,
            thresholds: Vec::new(),
            info: RunInfo {
                name: "coupon 0.1.0".to_owned(),
                duration: Duration::from_secs(20),
                seed: 42,
                ..RunInfo::default()
            },
            settings: SummarySettings::default(),
        }
    }

    pub(crate) fn tags(&self, tags: &[(&str, &str)]) -> TagSetId {
        self.registry.intern(tags)
    }

    pub(crate) fn request(&self, base: TagSetId, method: MethodId, answer: &Answer) {
        let key = HttpKey {
            base,
            method,
            status: answer.status,
            error_code: answer.error_code,
            error: answer.error,
            protocol: if answer.status == 0 { "" } else { "HTTP/1.1" },
            tls_version: "",
            expected: (200..400).contains(&answer.status),
        };
        let sample = HttpSample {
            blocked: Duration::from_nanos(7_250),
            sending: Duration::from_micros(21),
            waiting: answer.waiting,
            receiving: Duration::from_micros(64),
            bytes_sent: 214,
            bytes_received: if answer.status == 0 { 0 } else { 181 },
            ..HttpSample::default()
        };
        self.recorder.lock().unwrap().http(&key, &sample);
    }

    pub(crate) fn add(&self, metric: &str, tags: TagSetId, value: f64) {
        self.recorder.lock().unwrap().add(self.registry.lookup(metric).unwrap(), tags, value);
    }

    pub(crate) fn threshold(&mut self, selector: &str, expression: &str) {
        self.thresholds.push(Threshold::parse(selector, expression).unwrap());
    }

    pub(crate) fn aggregator(&self) -> Aggregator {
        let mut aggregator = Aggregator::new(Arc::clone(&self.registry), vec![Arc::clone(&self.recorder)]);
        aggregator.collect();
        aggregator
    }

    pub(crate) fn summary(&self) -> Summary {
        let windows = Windows::default();
        Summary::new(self.aggregator().totals(), &self.thresholds, &windows, self.info.clone(), &self.settings)
    }
}

/// One scenario, one request, all well.
pub(crate) fn calm() -> Run {
    let mut run = Run::new(10_000);
    run.info.scenarios = vec![ScenarioInfo {
        name: "default".to_owned(),
        executor: "constant-vus".to_owned(),
        description: "5 looping VUs for 20s (gracefulStop: 30s)".to_owned(),
    }];
    run.threshold("http_req_duration", "p(95)<1500");
    run.threshold("http_req_failed", "rate<0.01");
    let base = run.tags(&[("scenario", "default")]);
    let request = run.tags(&[("scenario", "default"), ("name", "http://127.0.0.1:8080/api/v1/coupons/issue")]);
    let check = run.tags(&[("scenario", "default"), ("check", "status is 200")]);
    for number in 0..90u64 {
        let waiting = Duration::from_micros(119_000 + (number * 37 % 90) * 400);
        run.request(request, MethodId::POST, &Answer::ok(waiting));
        run.add("checks", check, 1.0);
        run.add("iterations", base, 1.0);
        run.add("iteration_duration", base, waiting.as_secs_f64() * 1e3 + 1_000.3);
    }
    run.add("vus", TagSetId::EMPTY, 5.0);
    run.add("vus_max", TagSetId::EMPTY, 5.0);
    run
}

/// Two scenarios of an open model, groups, checks that fail, a custom metric of each kind, and everything that can go
/// wrong.
pub(crate) fn stormy() -> Run {
    let mut run = Run::new(10_000);
    run.info.duration = Duration::from_millis(95_400);
    run.info.scenarios = ["warmup", "concurrent_coupon_issuance"]
        .map(|name| ScenarioInfo {
            name: name.to_owned(),
            executor: "constant-arrival-rate".to_owned(),
            description: "100.00 iterations/s for 1m0s (maxVUs: 150-300, gracefulStop: 30s)".to_owned(),
        })
        .to_vec();
    run.info.interrupted_iterations = 23;
    run.info.iteration_errors = BTreeMap::from([
        ("panicked at src/lib.rs:12:5: called `Option::unwrap()` on a `None` value".to_owned(), 31),
        ("unexpected end of JSON".to_owned(), 9),
    ]);
    run.info.refused_hosts = BTreeMap::from([("api.example.com:443".to_owned(), 17)]);
    run.info.warnings = BTreeMap::from([("the file `coupons.csv` has no rows".to_owned(), 1)]);
    run.info.dropped_log_lines = 1_204;
    run.info.setup_data = Some(br#"{"couponId":3}"#.to_vec());
    run.info.stopped_early = Some("a signal (Ctrl-C)".to_owned());
    for (name, kind, contains) in [
        ("coupons_issued", Kind::Counter, Contains::Default),
        ("queue_position", Kind::Gauge, Contains::Default),
        ("sold_out", Kind::Rate, Contains::Default),
        ("db_wait", Kind::Trend, Contains::Time),
        ("payload_size", Kind::Trend, Contains::Data),
        ("basket_items", Kind::Trend, Contains::Default),
    ] {
        run.registry.register(name, kind, contains).unwrap();
    }
    run.threshold("http_req_duration", "p(95)<500");
    run.threshold("http_req_duration", "p(99.9) < 3000");
    run.threshold("http_req_duration{scenario:warmup}", "p(95)<500");
    run.threshold("http_req_duration{name:/coupons/{id}}", "max<1");
    run.threshold("http_req_failed", "rate<0.01");
    run.threshold("checks", "rate>0.99");
    run.threshold("coupon_issued", "count>100");
    run.threshold("dropped_iterations", "count<1");
    run.threshold("iteration_errors", "count==0");
    run.threshold("vus", "value<1000");
    for (scenario, rounds, base_ms) in [("warmup", 300u64, 20), ("concurrent_coupon_issuance", 1_200, 180)] {
        storm(&run, scenario, rounds, base_ms);
    }
    for vus in [12.0, 300.0, 0.0] {
        run.add("vus", TagSetId::EMPTY, vus);
    }
    run.add("vus_max", TagSetId::EMPTY, 300.0);
    run.add("db_wait", TagSetId::EMPTY, f64::NAN);
    run
}

fn storm(run: &Run, scenario: &str, rounds: u64, base_ms: u64) {
    let group = "::buy::issue";
    let base = run.tags(&[("scenario", scenario)]);
    let grouped = run.tags(&[("scenario", scenario), ("group", group)]);
    let issue = run.tags(&[("scenario", scenario), ("group", group), ("name", "/coupons/{id}/issue")]);
    let list = run.tags(&[("scenario", scenario), ("name", "/coupons")]);
    let status = run.tags(&[("scenario", scenario), ("group", group), ("check", "status is 200")]);
    let body = run.tags(&[("scenario", scenario), ("group", group), ("check", "has a code")]);
    for number in 0..rounds {
        let waiting = Duration::from_millis(base_ms + number * 7919 % (base_ms * 4));
        let answer = match number % 50 {
            7 => Answer { status: 503, error_code: 1503, error: "", waiting },
            11 if number > 700 => {
                Answer { status: 0, error_code: 1212, error: "connection refused", waiting: Duration::ZERO }
            }
            _ => Answer::ok(waiting),
        };
        run.request(issue, MethodId::POST, &answer);
        if number % 4 == 0 {
            run.request(list, MethodId::GET, &Answer::ok(Duration::from_millis(3)));
        }
        let ok = answer.status == 200;
        run.add("checks", status, f64::from(u8::from(ok)));
        run.add("checks", body, 1.0);
        run.add("group_duration", grouped, waiting.as_secs_f64() * 1e3);
        run.add("coupons_issued", base, f64::from(u8::from(ok)));
        run.add("sold_out", base, f64::from(u8::from(number % 10 == 0)));
        run.add("db_wait", base, 0.25);
        run.add("payload_size", base, 1_234.0 + number as f64);
        run.add("basket_items", base, (number % 9) as f64);
        run.add("queue_position", base, 5_000.0 - number as f64);
        run.add("iterations", base, 1.0);
        run.add("iteration_duration", base, waiting.as_secs_f64() * 1e3 + 1_000.0);
        run.add("iteration_start_lag", base, (number % 100) as f64 / 4.0);
        run.add("iteration_duration_from_due", base, waiting.as_secs_f64() * 1e3 + 1_010.0);
        if number % 30 == 3 {
            run.add("iteration_errors", base, 1.0);
        }
    }
    run.add("dropped_iterations", base, rounds as f64 / 10.0);
}

/// A module whose URLs and tags differ from call to call.
pub(crate) fn overflowing() -> Run {
    let run = Run::new(500);
    for user in 0..2_000 {
        let url = format!("http://127.0.0.1:8080/points/{user}");
        let tags = run.tags(&[("scenario", "default"), ("name", &url), ("url", &url)]);
        run.request(tags, MethodId::GET, &Answer::ok(Duration::from_millis(5)));
        let tags = run.tags(&[("scenario", "default"), ("user", &user.to_string())]);
        run.add("iterations", tags, 1.0);
    }
    run
}
