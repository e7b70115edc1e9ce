//! The way from recorders to totals as a whole.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const KINDS: [(&str, Kind); 4] =
    [("a_counter", Kind::Counter), ("a_gauge", Kind::Gauge), ("a_rate", Kind::Rate), ("a_trend", Kind::Trend)];

struct Bench {
    registry: Arc<Registry>,
    recorders: Vec<Arc<Mutex<Recorder>>>,
    aggregator: Aggregator,
    metrics: [MetricId; 4],
}

fn bench(shards: usize, max_series: usize) -> Bench {
    let registry = Arc::new(Registry::new(max_series, SystemTags::default()));
    let metrics = KINDS.map(|(name, kind)| registry.register(name, kind, Contains::Default).unwrap());
    let recorders: Vec<_> = (0..shards).map(|_| Arc::new(Mutex::new(Recorder::new(Arc::clone(&registry))))).collect();
    let aggregator = Aggregator::new(Arc::clone(&registry), recorders.clone());
    Bench { registry, recorders, aggregator, metrics }
}

fn key(base: TagSetId, status: u16) -> HttpKey {
    HttpKey {
        base,
        method: MethodId::GET,
        status,
        error_code: if status >= 400 { 1000 + status } else { 0 },
        error: "",
        protocol: "HTTP/1.1",
        tls_version: "",
        expected: status < 400,
    }
}

fn sample(milliseconds: u64) -> HttpSample {
    HttpSample {
        sending: Duration::from_millis(1),
        waiting: Duration::from_millis(milliseconds),
        receiving: Duration::from_millis(2),
        bytes_sent: 100,
        bytes_received: 1_000,
        ..HttpSample::default()
    }
}

/// What a person would see of an aggregate.
fn seen(aggregate: &Aggregate) -> Vec<f64> {
    match aggregate {
        Aggregate::Counter { sum, samples } => vec![*sum, *samples as f64],
        Aggregate::Gauge { last, min, max, samples, .. } => vec![*last, *min, *max, *samples as f64],
        Aggregate::Rate { passes, total } => vec![*passes as f64, *total as f64],
        Aggregate::Trend(trend) => {
            vec![trend.count() as f64, trend.sum(), trend.min(), trend.med(), trend.percentile(95.0), trend.max()]
        }
    }
}

fn close(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= a.abs().max(b.abs()) * 1e-9)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However samples are spread over shards and collections, the totals are those of one recorder collected once.
    #[test]
    fn shards_together_are_one_recorder(
        samples in prop::collection::vec((0usize..4, 0u8..3, 0.0f64..1_000.0, 0usize..3), 1..2_500),
        collect_every in 1usize..700,
    ) {
        let (mut spread, mut single) = (bench(3, 1_000), bench(1, 1_000));
        for (number, (metric, tag, value, shard)) in samples.iter().enumerate() {
            for (bench, shard) in [(&mut spread, *shard), (&mut single, 0)] {
                let tags = bench.registry.intern(&[("tag", &tag.to_string())]);
                bench.recorders[shard].lock().unwrap().add(bench.metrics[*metric], tags, *value);
            }
            if number % collect_every == 0 {
                spread.aggregator.collect();
            }
        }
        spread.aggregator.collect();
        single.aggregator.collect();
        for metric in spread.metrics {
            let (ours, theirs) = (spread.aggregator.totals(), single.aggregator.totals());
            match (ours.metric(metric), theirs.metric(metric)) {
                (None, None) => {}
                (Some(ours), Some(theirs)) => prop_assert!(close(&seen(ours), &seen(theirs)), "{ours:?} {theirs:?}"),
                other => prop_assert!(false, "{other:?}"),
            }
            for tag in ["0", "1", "2"] {
                let (ours, theirs) = (ours.select(metric, &[("tag", tag)]), theirs.select(metric, &[("tag", tag)]));
                match (&ours, &theirs) {
                    (None, None) => {}
                    (Some(ours), Some(theirs)) => prop_assert!(close(&seen(ours), &seen(theirs))),
                    other => prop_assert!(false, "{other:?}"),
                }
            }
        }
    }

    /// Whatever the limit, the totals are exact and every sample is in some series.
    #[test]
    fn an_overflow_keeps_the_totals(users in prop::collection::vec(0u16..2_000, 1..2_000), limit in 1usize..300) {
        let mut bench = bench(2, limit);
        for (number, user) in users.iter().enumerate() {
            let tags = bench.registry.intern(&[("scenario", "buy"), ("user", &user.to_string())]);
            let mut recorder = bench.recorders[number % 2].lock().unwrap();
            recorder.add(bench.metrics[0], tags, 2.0);
            recorder.http(&key(tags, 200), &sample(5));
        }
        bench.aggregator.collect();
        let totals = bench.aggregator.totals();
        prop_assert_eq!(seen(totals.metric(bench.metrics[0]).unwrap()), [users.len() as f64 * 2.0, users.len() as f64]);
        for metric in http::METRICS.into_iter().chain([bench.metrics[0]]) {
            let in_series: u64 = totals.series(metric).map(|(_, aggregate)| aggregate.samples()).sum();
            prop_assert_eq!(in_series, users.len() as u64);
        }
        let series: usize = bench.registry.metrics().iter().map(|(metric, _)| totals.series(*metric).count()).sum();
        prop_assert!(series <= limit + limit / 10 + 2 * 64 + 2 * 11, "{series} series at a limit of {limit}");
    }
}

#[test]
fn one_request_is_a_sample_of_eleven_metrics() {
    let mut bench = bench(1, 1_000);
    let base = bench.registry.intern(&[("scenario", "buy"), ("name", "/coupons/{id}")]);
    {
        let mut recorder = bench.recorders[0].lock().unwrap();
        (0..3).for_each(|_| recorder.http(&key(base, 200), &sample(7)));
        recorder.http(&key(base, 503), &sample(97));
    }
    bench.aggregator.collect();
    let totals = bench.aggregator.totals();
    let whole: BTreeMap<_, _> = http::METRICS
        .iter()
        .map(|metric| (bench.registry.descriptor(*metric).name, seen(totals.metric(*metric).unwrap())))
        .collect();
    assert_eq!(whole["http_reqs"], [4.0, 4.0]);
    assert_eq!(whole["http_req_failed"], [1.0, 4.0]);
    assert_eq!(whole["data_sent"], [400.0, 4.0]);
    assert_eq!(whole["data_received"], [4_000.0, 4.0]);
    assert_eq!(whole["http_req_duration"][..4], [4.0, 130.0, 10.0, 10.0], "sending + waiting + receiving");
    assert_eq!(whole["http_req_waiting"][..4], [4.0, 118.0, 7.0, 7.0]);
    assert_eq!(whole["http_req_blocked"], [4.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let failed = totals.select(builtin::HTTP_REQS, &[("status", "503"), ("error_code", "1503")]).unwrap();
    assert_eq!(failed.samples(), 1);
    let expected =
        totals.select(builtin::HTTP_REQS, &[("expected_response", "true"), ("name", "/coupons/{id}")]).unwrap();
    assert_eq!(expected.samples(), 3);
    let without_error = totals.select(builtin::HTTP_REQS, &[("error_code", "")]).unwrap();
    assert_eq!(without_error.samples(), 3, "a tag that is not there counts as empty");
    assert!(totals.select(builtin::HTTP_REQS, &[("status", "404")]).is_none());
    let (tags, _) = totals.series(builtin::HTTP_REQS).next().unwrap();
    let tags: Vec<_> = bench.registry.tags(tags).iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        tags,
        ["expected_response=true", "method=GET", "name=/coupons/{id}", "proto=HTTP/1.1", "scenario=buy", "status=200"]
    );
}

#[test]
fn system_tags_that_are_off_join_the_series() {
    let registry = Arc::new(Registry::new(1_000, SystemTags::from_names(["method"]).unwrap()));
    let recorder = Arc::new(Mutex::new(Recorder::new(Arc::clone(&registry))));
    let mut aggregator = Aggregator::new(Arc::clone(&registry), vec![Arc::clone(&recorder)]);
    for status in [200, 201, 503] {
        recorder.lock().unwrap().http(&key(TagSetId::EMPTY, status), &sample(1));
    }
    aggregator.collect();
    assert_eq!(aggregator.totals().series(builtin::HTTP_REQS).count(), 1);
    assert_eq!(seen(aggregator.totals().metric(builtin::HTTP_REQ_FAILED).unwrap()), [1.0, 3.0]);
}

#[test]
fn what_a_metric_cannot_hold_is_refused_and_counted() {
    let mut bench = bench(1, 100);
    let [counter, gauge, rate, trend] = bench.metrics;
    {
        let mut recorder = bench.recorders[0].lock().unwrap();
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0] {
            for metric in bench.metrics {
                recorder.add(metric, TagSetId::EMPTY, value);
            }
        }
        recorder.add(trend, TagSetId::EMPTY, 5.0);
    }
    bench.aggregator.collect();
    let totals = bench.aggregator.totals();
    let refused: BTreeMap<_, _> = totals.refused().collect();
    assert_eq!(refused, BTreeMap::from([(counter, 4), (gauge, 3), (rate, 3), (trend, 4)]));
    assert!(totals.metric(counter).is_none(), "no sample is no value");
    assert_eq!(totals.series(counter).count(), 0);
    assert_eq!(seen(totals.metric(gauge).unwrap()), [-1.0, -1.0, -1.0, 1.0]);
    assert_eq!(seen(totals.metric(rate).unwrap()), [1.0, 1.0]);
    assert_eq!(seen(totals.metric(trend).unwrap())[..2], [1.0, 5.0]);
}

#[test]
fn the_last_gauge_is_the_last_over_all_shards() {
    let mut bench = bench(2, 100);
    let gauge = bench.metrics[1];
    let add = |shard: usize, value| bench.recorders[shard].lock().unwrap().add(gauge, TagSetId::EMPTY, value);
    add(1, 10.0);
    add(0, 30.0);
    add(1, 20.0);
    bench.aggregator.collect();
    assert_eq!(seen(bench.aggregator.totals().metric(gauge).unwrap())[..3], [20.0, 10.0, 30.0]);
}

#[test]
fn an_overflow_names_the_tag_and_counts_the_samples() {
    let mut bench = bench(1, 500);
    for user in 0..5_000 {
        let tags = bench.registry.intern(&[("scenario", "buy"), ("user", &user.to_string())]);
        bench.recorders[0].lock().unwrap().add(bench.metrics[0], tags, 1.0);
    }
    let late = bench.registry.intern(&[("check", "status is 200"), ("scenario", "buy")]);
    bench.recorders[0].lock().unwrap().add(builtin::CHECKS, late, 1.0);
    bench.aggregator.collect();
    let totals = bench.aggregator.totals();
    let overflow = totals.overflow().unwrap();
    assert_eq!(overflow.limit, 500);
    assert_eq!(overflow.tags.len(), 1);
    assert_eq!(&*overflow.tags[0].name, "user");
    assert_eq!(overflow.tags[0].samples, 4_500);
    let together = totals.select(bench.metrics[0], &[("scenario", "buy"), ("user", OVERFLOW_VALUE)]).unwrap();
    assert_eq!(seen(&together), [4_500.0, 4_500.0]);
    assert!(totals.select(builtin::CHECKS, &[("check", "status is 200")]).is_some(), "others keep their tags");
}

#[test]
fn nothing_is_lost_while_collections_run() {
    const PER_THREAD: u64 = 200_000;
    let mut bench = bench(2, 100);
    let (counter, trend) = (bench.metrics[0], bench.metrics[3]);
    let threads: Vec<_> = bench
        .recorders
        .iter()
        .cloned()
        .map(|recorder| {
            std::thread::spawn(move || {
                for number in 0..PER_THREAD {
                    let mut recorder = recorder.lock().unwrap();
                    recorder.add(counter, TagSetId::EMPTY, 1.0);
                    recorder.add(trend, TagSetId::EMPTY, number as f64);
                    recorder.http(&key(TagSetId::EMPTY, 200 + (number % 5) as u16), &sample(number % 100));
                }
            })
        })
        .collect();
    while threads.iter().any(|thread| !thread.is_finished()) {
        bench.aggregator.collect();
        std::thread::yield_now();
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    bench.aggregator.collect();
    let totals = bench.aggregator.totals();
    assert_eq!(seen(totals.metric(counter).unwrap()), [2.0 * PER_THREAD as f64; 2]);
    let trend = seen(totals.metric(trend).unwrap());
    assert_eq!(trend[..2], [2.0 * PER_THREAD as f64, (PER_THREAD * (PER_THREAD - 1)) as f64]);
    assert_eq!(totals.metric(builtin::HTTP_REQ_WAITING).unwrap().samples(), 2 * PER_THREAD);
    assert_eq!(totals.series(builtin::HTTP_REQS).count(), 5);
}
