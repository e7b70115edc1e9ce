//! Recording samples, merging them, judging them.

use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flashcrowd_runtime::metrics::{
    Aggregator, HttpKey, HttpSample, MethodId, Recorder, Registry, SystemTags, TagSetId, builtin,
};
use flashcrowd_runtime::threshold::Threshold;

/// Requests of different names, in [`merge`] and [`thresholds`].
const NAMES: usize = 50;

fn registry() -> Arc<Registry> {
    Arc::new(Registry::new(10_000, SystemTags::default()))
}

fn key(base: TagSetId) -> HttpKey {
    let (status, error_code, error, protocol) = (200, 0, "", "HTTP/1.1");
    HttpKey { base, method: MethodId::POST, status, error_code, error, protocol, tls_version: "", expected: true }
}

/// Times between 1 ms and 9 ms, never in order.
fn time(number: u64) -> Duration {
    Duration::from_micros(1_000 + number * 7_919 % 8_000)
}

fn sample(number: u64) -> HttpSample {
    HttpSample {
        blocked: Duration::from_nanos(700),
        sending: Duration::from_micros(9),
        waiting: time(number),
        receiving: Duration::from_micros(40),
        bytes_sent: 214,
        bytes_received: 181,
        ..HttpSample::default()
    }
}

pub(crate) fn record_http(times: u64) {
    let registry = registry();
    let keys = ["/a", "/b", "/c"].map(|name| key(registry.intern(&[("scenario", "buy"), ("name", name)])));
    let mut recorder = Recorder::new(registry);
    for number in 0..times {
        recorder.http(black_box(&keys[(number % 3) as usize]), black_box(&sample(number)));
    }
    black_box(recorder);
}

pub(crate) fn record_trend(times: u64) {
    let registry = registry();
    let tags = registry.intern(&[("scenario", "buy")]);
    let mut recorder = Recorder::new(registry);
    for number in 0..times {
        recorder.duration(builtin::ITERATION_DURATION, black_box(tags), black_box(time(number)));
    }
    black_box(recorder);
}

pub(crate) fn record_counter(times: u64) {
    let registry = registry();
    let tags = registry.intern(&[("scenario", "buy")]);
    let mut recorder = Recorder::new(registry);
    for _ in 0..times {
        recorder.add(builtin::ITERATIONS, black_box(tags), black_box(1.0));
    }
    black_box(recorder);
}

/// A shard's book and who reads it.
struct Shard {
    registry: Arc<Registry>,
    recorder: Arc<Mutex<Recorder>>,
    aggregator: Aggregator,
}

impl Shard {
    fn new() -> Self {
        let registry = registry();
        let recorder = Arc::new(Mutex::new(Recorder::new(Arc::clone(&registry))));
        let aggregator = Aggregator::new(Arc::clone(&registry), vec![Arc::clone(&recorder)]);
        Self { registry, recorder, aggregator }
    }

    /// What half a second brings: requests of many names, most of them a few times and one of them often, and their iterations.
    fn fill(&self) {
        let mut recorder = self.recorder.lock().unwrap();
        let names: Vec<String> = (0..NAMES).map(|number| format!("/items/{number}")).collect();
        let tags = names.iter().map(|name| self.registry.intern(&[("scenario", "buy"), ("name", name)]));
        for (number, tags) in tags.enumerate() {
            let requests = if number == 0 { 2_000 } else { 20 };
            for request in 0..requests {
                recorder.http(&key(tags), &sample(request));
                recorder.add(builtin::ITERATIONS, tags, 1.0);
                recorder.duration(builtin::ITERATION_DURATION, tags, time(request));
            }
        }
    }
}

/// As many shards whatever `times` says: only how many of them are collected differs.
pub(crate) fn merge(times: u64) {
    const SHARDS: usize = 9;
    let mut shards: Vec<_> = (0..SHARDS).map(|_| Shard::new()).collect();
    for shard in &mut shards {
        // Series that are new are a rare thing.
        shard.fill();
        shard.aggregator.collect();
        shard.fill();
    }
    shards.iter_mut().take(usize::try_from(times).unwrap()).for_each(|shard| shard.aggregator.collect());
    black_box(shards);
}

pub(crate) fn thresholds(times: u64) {
    let mut shard = Shard::new();
    shard.fill();
    shard.aggregator.collect();
    let thresholds = [
        ("http_req_duration", "p(95)<3000"),
        ("http_req_duration{name:/items/7}", "p(99)<100"),
        ("http_req_failed", "rate<0.01"),
        ("iteration_duration", "avg<500"),
        ("http_reqs", "count>10"),
    ]
    .map(|(selector, expression)| Threshold::parse(selector, expression).unwrap());
    for _ in 0..times {
        for threshold in black_box(&thresholds) {
            black_box(threshold.evaluate(shard.aggregator.totals(), Duration::from_secs(10)));
        }
    }
}
