//! The whole way of a number, from a shard's recorder to the summary, against the same numbers in a plain list.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::metrics::trend::EXACT_SAMPLES;
use crate::metrics::{
    Aggregator, HttpKey, HttpSample, MethodId, MetricId, Recorder, Registry, SystemTags, TagSetId, Trend,
};

const HOUR_NS: u64 = 3_600_000_000_000;
const SERIES: [&str; 3] = ["a", "b", "c"];
const MAX_SAMPLES: usize = 2_500;

/// One sample of everything, and where it falls.
#[derive(Clone, Debug)]
struct Sample {
    /// From 1 ns to 1 h, and 0.
    ns: u64,
    series: usize,
    shard: usize,
    /// The aggregator comes by after it.
    collected: bool,
}

/// Times that are hard on a histogram.
fn times() -> impl Strategy<Value = Vec<u64>> {
    let many = 1..MAX_SAMPLES;
    let of = move |each: BoxedStrategy<u64>| prop::collection::vec(each, many.clone());
    prop_oneof![
        // All equal.
        (1..=HOUR_NS, 1..MAX_SAMPLES).prop_map(|(ns, count)| vec![ns; count]),
        // Two heaps, four powers of ten apart.
        of(prop_oneof![9 => 900_000..1_100_000_u64, 1 => 9_900_000_000..10_100_000_000_u64].boxed()),
        // A tail so heavy that it has no mean: 3.6 ms to 1 h.
        of((1..=1_000_000_u64).prop_map(|share| HOUR_NS / share).boxed()),
        // Everything from 1 ns to 1 h, every power of two alike.
        of((0..42_u32, any::<u64>()).prop_map(|(e, rest)| (1 << e | rest & ((1 << e) - 1)).min(HOUR_NS)).boxed()),
        // The borders of buckets, where a millisecond is 1.0, and a nanosecond to either side.
        of((0..21_u32, 0..3_u64).prop_map(|(e, side)| (1_000_000 << e) + side - 1).boxed()),
        // The ends.
        of(prop::sample::select(vec![0, 1, 2, 999, 1_000, HOUR_NS - 1, HOUR_NS]).boxed()),
    ]
}

fn samples() -> impl Strategy<Value = (usize, Vec<Sample>)> {
    let places = prop::collection::vec((0..SERIES.len(), 0..8_usize, prop::bool::weighted(0.005)), MAX_SAMPLES);
    (1..=8_usize, times(), places).prop_map(|(shards, times, places)| {
        let sample = |(ns, (series, shard, collected))| Sample { ns, series, shard: shard % shards, collected };
        (shards, times.into_iter().zip(places).map(sample).collect())
    })
}

struct Metrics {
    counter: MetricId,
    gauge: MetricId,
    rate: MetricId,
    trend: MetricId,
}

fn ms(ns: u64) -> f64 {
    let time = Duration::from_nanos(ns);
    time.as_secs() as f64 * 1e3 + f64::from(time.subsec_nanos()) / 1e6
}

/// A request whose phases are parts of `ns`.
fn request(ns: u64) -> HttpSample {
    HttpSample {
        blocked: Duration::from_nanos(ns / 7),
        sending: Duration::from_nanos(ns / 3),
        waiting: Duration::from_nanos(ns - ns / 3),
        bytes_sent: ns % 1_000,
        bytes_received: ns / 1_000,
        ..HttpSample::default()
    }
}

/// Records everything as a run does: over shards, with collections in between.
fn aggregated(shards: usize, samples: &[Sample]) -> (Aggregator, Metrics) {
    let registry = Arc::new(Registry::new(1_000, SystemTags::default()));
    let register = |name, kind| registry.register(name, kind, Contains::Default).unwrap();
    let metrics = Metrics {
        counter: register("a_counter", Kind::Counter),
        gauge: register("a_gauge", Kind::Gauge),
        rate: register("a_rate", Kind::Rate),
        trend: registry.register("a_trend", Kind::Trend, Contains::Time).unwrap(),
    };
    let tags: Vec<TagSetId> = SERIES.iter().map(|value| registry.intern(&[("series", value)])).collect();
    let recorders: Vec<_> = (0..shards).map(|_| Arc::new(Mutex::new(Recorder::new(Arc::clone(&registry))))).collect();
    let mut aggregator = Aggregator::new(Arc::clone(&registry), recorders.clone());
    for sample in samples {
        let (tags, ns) = (tags[sample.series], sample.ns);
        {
            let mut recorder = recorders[sample.shard].lock().unwrap();
            recorder.add(metrics.counter, tags, (ns / 1_000) as f64);
            recorder.add(metrics.gauge, tags, ms(ns));
            recorder.add(metrics.rate, tags, (ns % 2) as f64);
            recorder.duration(metrics.trend, tags, Duration::from_nanos(ns));
            let (status, expected) = if ns % 5 == 0 { (503, false) } else { (200, true) };
            let (error_code, error) = if expected { (0, "") } else { (1_503, "unavailable") };
            let (method, protocol) = (MethodId::POST, "HTTP/1.1");
            let key = HttpKey { base: tags, method, status, error_code, error, protocol, tls_version: "", expected };
            recorder.http(&key, &request(ns));
        }
        if sample.collected {
            aggregator.collect();
        }
    }
    aggregator.collect();
    (aggregator, metrics)
}

/// One histogram of all times.
fn one(times: impl Iterator<Item = u64>) -> Trend {
    let mut trend = Trend::new();
    times.for_each(|ns| trend.record(ms(ns)));
    trend
}

/// Bucket for bucket, and the numbers beside the buckets. Sums are held against whole nanoseconds.
fn same(aggregate: Option<&Aggregate>, times: &[u64]) -> Result<(), TestCaseError> {
    let Some(Aggregate::Trend(ours)) = aggregate else {
        prop_assert!(times.is_empty() && aggregate.is_none(), "{aggregate:?}");
        return Ok(());
    };
    let theirs = one(times.iter().copied());
    prop_assert_eq!(ours.count(), times.len() as u64);
    prop_assert_eq!((ours.min(), ours.max()), (theirs.min(), theirs.max()));
    prop_assert_eq!(ours.contents(), theirs.contents());
    let sum = times.iter().map(|ns| u128::from(*ns)).sum::<u128>() as f64 / 1e6;
    prop_assert!((ours.sum() - sum).abs() <= sum * 1e-15 * 4.0, "{} instead of {sum}", ours.sum());
    Ok(())
}

/// All metrics of these samples, which are those of one series or of the run.
fn check(get: impl Fn(MetricId) -> Option<Aggregate>, metrics: &Metrics, times: &[u64]) -> Result<(), TestCaseError> {
    let whole = |ns: fn(u64) -> u64| times.iter().map(|time| ns(*time)).sum::<u64>();
    let samples = times.len() as u64;
    let counter = |metric, wanted: u64| {
        let found = get(metric);
        let right = match found {
            Some(Aggregate::Counter { sum, samples: found }) => sum == wanted as f64 && found == samples,
            None => samples == 0,
            _ => false,
        };
        prop_assert!(right, "{found:?} instead of {wanted} in {samples}");
        Ok(())
    };
    counter(metrics.counter, whole(|ns| ns / 1_000))?;
    counter(builtin::HTTP_REQS, samples)?;
    counter(builtin::DATA_SENT, whole(|ns| ns % 1_000))?;
    counter(builtin::DATA_RECEIVED, whole(|ns| ns / 1_000))?;
    for (metric, wanted) in
        [(metrics.rate, whole(|ns| ns % 2)), (builtin::HTTP_REQ_FAILED, whole(|ns| u64::from(ns % 5 == 0)))]
    {
        let found = get(metric);
        let right = match found {
            Some(Aggregate::Rate { passes, total }) => passes == wanted && total == samples,
            None => samples == 0,
            _ => false,
        };
        prop_assert!(right, "{found:?} instead of {wanted} of {samples}");
    }
    if let Some(Aggregate::Gauge { last, min, max, samples: found, .. }) = get(metrics.gauge) {
        let (least, greatest) = (times.iter().min().map(|ns| ms(*ns)), times.iter().max().map(|ns| ms(*ns)));
        prop_assert_eq!((Some(last), Some(min), Some(max)), (times.last().map(|ns| ms(*ns)), least, greatest));
        prop_assert_eq!(found, samples);
    } else {
        prop_assert_eq!(samples, 0);
    }
    for (metric, part) in [
        (metrics.trend, (|ns| ns) as fn(u64) -> u64),
        (builtin::HTTP_REQ_DURATION, |ns| ns),
        (builtin::HTTP_REQ_BLOCKED, |ns| ns / 7),
        (builtin::HTTP_REQ_CONNECTING, |_| 0),
        (builtin::HTTP_REQ_TLS_HANDSHAKING, |_| 0),
        (builtin::HTTP_REQ_SENDING, |ns| ns / 3),
        (builtin::HTTP_REQ_WAITING, |ns| ns - ns / 3),
        (builtin::HTTP_REQ_RECEIVING, |_| 0),
    ] {
        let parts: Vec<u64> = times.iter().map(|ns| part(*ns)).collect();
        same(get(metric).as_ref(), &parts)?;
    }
    Ok(())
}

/// k6's percentile of a sorted list.
fn percentile(sorted: &[u64], percent: f64) -> f64 {
    let rank = (sorted.len() - 1) as f64 * percent / 100.0;
    let (low, high) = (ms(sorted[rank.floor() as usize]), ms(sorted[rank.ceil() as usize]));
    low + (high - low) * rank.fract()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// However samples are spread over shards and collections: every bucket, count, sum and extreme is that of one list.
    #[test]
    fn shards_together_are_one_histogram_of_all_samples((shards, samples) in samples()) {
        let (aggregator, metrics) = aggregated(shards, &samples);
        let totals = aggregator.totals();
        let all: Vec<u64> = samples.iter().map(|sample| sample.ns).collect();
        check(|metric| totals.metric(metric).cloned(), &metrics, &all)?;
        for (number, name) in SERIES.iter().enumerate() {
            let of_series: Vec<u64> = samples.iter().filter(|s| s.series == number).map(|s| s.ns).collect();
            check(|metric| totals.select(metric, &[("series", name)]), &metrics, &of_series)?;
        }
    }

    /// What a person reads is what a sort says, within the histogram's precision.
    #[test]
    fn percentiles_of_the_summary_agree_with_a_sort((shards, samples) in samples()) {
        const PERCENTS: [f64; 12] = [0.0, 0.1, 1.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 100.0];
        let (aggregator, _) = aggregated(shards, &samples);
        let trend_stats = PERCENTS.map(TrendStat::Percentile).to_vec();
        let settings = SummarySettings { trend_stats, ..SummarySettings::default() };
        let summary = Summary::new(aggregator.totals(), &[], &Windows::default(), RunInfo::default(), &settings);
        let mut sorted: Vec<u64> = samples.iter().map(|sample| sample.ns).collect();
        sorted.sort_unstable();
        let precision = if sorted.len() <= EXACT_SAMPLES { 1e-12 } else { 0.001 };
        for name in ["a_trend", "http_req_duration"] {
            let MetricValue::Trend(stats) = &summary.metric(name).unwrap().value else { panic!("{name} is a trend") };
            prop_assert_eq!(stats.len(), PERCENTS.len());
            for (percent, (_, shown)) in PERCENTS.into_iter().zip(stats) {
                let wanted = percentile(&sorted, percent);
                prop_assert!((shown - wanted).abs() <= wanted * precision, "{name} p({percent}): {shown}, not {wanted}");
            }
        }
    }
}
