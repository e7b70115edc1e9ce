//! The file as a whole: what is written is read, and whatever else is read does no harm.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::encode::Known;
use super::record::kind;
use super::*;
use crate::metrics::{
    Aggregate, Aggregator, Contains, HttpKey, HttpSample, Kind, MethodId, Recorder, Registry, SystemTags, Totals,
};
use crate::output::{Format, Mode, Rendering};
use crate::problems::Problems;
use crate::summary::{Summary, fixture};
use crate::threshold::{NoDataPolicy, Windows};

fn run_record(max_series: u64) -> RunRecord {
    RunRecord {
        runtime: "0.1.0".to_owned(),
        module: ModuleRecord { name: "coupon".to_owned(), version: "0.1.0".to_owned(), sha256: "00".repeat(32) },
        modules: Vec::new(),
        started_unix_ms: 1_795_263_291_123,
        started: "2026-11-21T12:14:51.123Z".to_owned(),
        seed: u64::MAX,
        cores: 2,
        shards: 2,
        max_series,
        env: vec!["BASE_URL".to_owned()],
        scenarios: Vec::new(),
        thresholds: Vec::new(),
        summary: SummaryRecord {
            mode: Mode::Compact,
            trend_stats: vec!["avg".to_owned()],
            time_unit: None,
            no_data: NoDataPolicy::default(),
            fail_on_check: false,
            min_rate_achieved: None,
        },
        options: json!({}),
        scaled: Vec::new(),
    }
}

const END: End = End {
    at_us: 9_000_000,
    exit_code: 0,
    duration_ns: 8_000_000_001,
    stopped_early: None,
    aborted_by_threshold: false,
    marked_failed: None,
    interrupted_iterations: 3,
    dropped_log_lines: 0,
    starts: Vec::new(),
};

/// A file being written into memory.
struct Tape {
    bytes: Vec<u8>,
    known: Known,
    seconds: u64,
    /// Where each record begins, and where the last ends.
    edges: Vec<usize>,
}

impl Tape {
    fn new(max_series: u64) -> Self {
        let mut tape = Self { bytes: frame::header().to_vec(), known: Known::default(), seconds: 0, edges: Vec::new() };
        tape.json(kind::RUN, &run_record(max_series));
        tape
    }

    fn json(&mut self, kind: u8, record: &impl serde::Serialize) {
        self.edges.push(self.bytes.len());
        frame::append(&mut self.bytes, kind, &serde_json::to_vec(record).unwrap());
    }

    fn snapshot(&mut self, aggregator: &Aggregator, problems: &Problems) {
        self.seconds += 1;
        let moment = Moment { at_us: self.seconds * 1_000_000, load_us: self.seconds * 1_000_000, ..Moment::default() };
        self.edges.push(self.bytes.len());
        self.known.snapshot(&mut self.bytes, moment, aggregator.totals(), aggregator.window(), problems);
    }

    fn ended(mut self) -> Vec<u8> {
        self.json(kind::END, &END);
        self.bytes
    }
}

/// Everything that totals hold, to the last bit.
fn bits(totals: &Totals) -> BTreeMap<String, Vec<u64>> {
    let registry = totals.registry();
    let mut all = BTreeMap::new();
    for (metric, descriptor) in registry.metrics() {
        let whole = totals.metric(metric).map(|whole| (String::new(), whole.clone()));
        let series = totals.series(metric).map(|(tags, value)| (format!("{:?}", registry.tags(tags)), value.clone()));
        for (place, (tags, aggregate)) in whole.into_iter().chain(series).enumerate() {
            let numbers = match &aggregate {
                Aggregate::Counter { sum, samples } => vec![sum.to_bits(), *samples],
                Aggregate::Gauge { last, min, max, samples, order } => {
                    vec![last.to_bits(), min.to_bits(), max.to_bits(), *samples, *order]
                }
                Aggregate::Rate { passes, total } => vec![*passes, *total],
                Aggregate::Trend(trend) => {
                    let percentiles =
                        [0.0, 1.0, 50.0, 90.0, 95.0, 99.9, 100.0].map(|percent| trend.percentile(percent));
                    let numbers = [trend.sum(), trend.avg(), trend.min(), trend.max()];
                    let bits = numbers.into_iter().chain(percentiles).map(f64::to_bits);
                    bits.chain([trend.count(), u64::from(trend.is_binned())]).collect()
                }
            };
            all.insert(format!("{} {place:06} {tags}", descriptor.name), numbers);
        }
    }
    let refused = totals.refused().map(|(metric, count)| (format!("refused {}", metric.to_raw()), vec![count]));
    all.extend(refused);
    for tag in totals.overflow().into_iter().flat_map(|overflow| overflow.tags) {
        all.insert(format!("overflow {}", tag.name), vec![tag.samples]);
    }
    all
}

/// A run of two shards; every number is a sample. Gives the totals and the file, with where its records begin.
fn recorded(samples: &[(u8, u16, f64)], collect_every: usize, max_series: usize) -> (Aggregator, Tape) {
    let registry = Arc::new(Registry::new(max_series, SystemTags::default()));
    let recorders = [(); 2].map(|()| Arc::new(Mutex::new(Recorder::new(Arc::clone(&registry)))));
    let mut aggregator = Aggregator::new(Arc::clone(&registry), recorders.to_vec());
    let mut tape = Tape::new(max_series as u64);
    let problems = Problems::default();
    let kinds = [Kind::Counter, Kind::Gauge, Kind::Rate, Kind::Trend];
    for (number, (choice, tag, value)) in samples.iter().enumerate() {
        let tags = registry.intern(&[("scenario", "buy"), ("user", &tag.to_string())]);
        let mut recorder = recorders[number % 2].lock().unwrap();
        if *choice < 4 {
            let name = format!("custom_{choice}");
            let metric = registry.register(&name, kinds[usize::from(*choice)], Contains::Time).unwrap();
            recorder.add(metric, tags, *value);
        } else {
            let key = HttpKey {
                base: tags,
                method: MethodId::POST,
                status: 200 + u16::from(*choice),
                error_code: 0,
                error: "",
                protocol: "HTTP/1.1",
                tls_version: "",
                expected: *choice != 5,
            };
            let waiting = Duration::from_secs_f64(value.abs().min(1e6) / 1e3);
            recorder.http(&key, &HttpSample { waiting, bytes_sent: 7, ..HttpSample::default() });
        }
        drop(recorder);
        problems.iteration_failed(&format!("failure {}", tag % 3));
        if number % collect_every == 0 {
            aggregator.collect();
            tape.snapshot(&aggregator, &problems);
        }
    }
    aggregator.collect();
    tape.snapshot(&aggregator, &problems);
    (aggregator, tape)
}

fn samples(most: usize) -> impl Strategy<Value = Vec<(u8, u16, f64)>> {
    let value =
        prop_oneof![8 => 0.0f64..10_000.0, 2 => 0.0001f64..1.0, 1 => Just(0.0), 1 => Just(-1.0), 1 => Just(f64::NAN)];
    prop::collection::vec((0u8..7, prop_oneof![4 => 0u16..4, 1 => 0u16..600], value), 1..most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_file_makes_the_same_totals(
        samples in samples(4_000), collect_every in 1usize..900, limit in prop_oneof![Just(10_000usize), 30usize..300],
    ) {
        let (aggregator, tape) = recorded(&samples, collect_every, limit);
        let recording = read(&*tape.ended()).unwrap();
        prop_assert_eq!(recording.damage.as_ref(), None);
        prop_assert_eq!(recording.end.as_ref(), Some(&END));
        prop_assert_eq!(bits(recording.totals()), bits(aggregator.totals()));
        let errors: u64 = recording.info(false).iteration_errors.values().sum();
        prop_assert_eq!(errors, samples.len() as u64);
    }

    /// Wherever the file is cut, what it has is a beginning of the run, and a torn record is said to be torn.
    #[test]
    fn a_cut_file_is_a_prefix(samples in samples(300), collect_every in 1usize..60, cut in 0.0f64..1.0) {
        let (_, tape) = recorded(&samples, collect_every, 1_000);
        let edges: Vec<usize> = tape.edges.iter().copied().chain([tape.bytes.len()]).collect();
        let whole = tape.bytes;
        let cut = (cut * whole.len() as f64) as usize;
        let Ok(recording) = read(&whole[..cut]) else {
            prop_assert!(cut < edges[1], "only a file without its first record cannot be read");
            return Ok(());
        };
        let kept = recording.damage.as_ref().map_or(cut, |damage| damage.offset as usize);
        prop_assert!(kept <= cut && recording.end.is_none());
        match &recording.damage {
            None => prop_assert!(true),
            Some(Damage { kind: DamageKind::Torn(bytes), offset }) => prop_assert_eq!(offset + bytes, cut as u64),
            Some(other) => prop_assert!(false, "{other:?}"),
        }
        // The same file without its tail is whole, and says the same.
        let prefix = read(&whole[..kept]).unwrap();
        prop_assert_eq!(prefix.damage.as_ref(), None);
        prop_assert_eq!(bits(prefix.totals()), bits(recording.totals()));
    }

    #[test]
    fn any_changed_byte_is_noticed(samples in samples(200), collect_every in 1usize..60, at in 0.0f64..1.0, flip in 1u8..=255) {
        let mut bytes = recorded(&samples, collect_every, 1_000).1.ended();
        let at = (at * bytes.len() as f64) as usize;
        bytes[at] ^= flip;
        let (Ok(recording), false) = (read(&*bytes), at < frame::HEADER) else { return Ok(()) };
        let damage = recording.damage.expect("a changed byte is damage");
        prop_assert!(damage.offset as usize <= at, "{damage} but byte {at} was changed");
        prop_assert!(matches!(damage.kind, DamageKind::Corrupt(_)), "{damage}");
    }

    #[test]
    fn random_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = read(&*bytes);
        // Behind a good beginning, in a frame whose checksums are right.
        for kind in 0..7 {
            let mut file = Tape::new(100).bytes;
            frame::append(&mut file, kind, &bytes);
            let recording = read(&*file).unwrap();
            let _ = Format::Text.render(&summary(&recording), &Rendering::default());
        }
    }

    /// Records that are nearly right: each byte of a good file changed, its checksum mended.
    #[test]
    fn plausible_lies_do_no_harm(samples in samples(60), at in 0.0f64..1.0, byte: u8, more in prop::option::of(0.0f64..1.0)) {
        let (_, tape) = recorded(&samples, 20, 1_000);
        let mut file = Vec::new();
        file.extend_from_slice(&tape.bytes[..tape.edges[1]]);
        let mut frames = frame::Frames::open(&*tape.bytes).unwrap();
        while let Ok(Some(frame)) = frames.next() {
            let (kind, mut payload) = (frame.kind, frame.payload.to_vec());
            if kind != kind::RUN && !payload.is_empty() {
                for at in [Some(at), more].into_iter().flatten() {
                    let at = (at * payload.len() as f64) as usize;
                    payload[at] = byte;
                }
                frame::append(&mut file, kind, &payload);
            }
            frames.accept();
        }
        let recording = read(&*file).unwrap();
        let summary = summary(&recording);
        let _ = Format::Text.render(&summary, &Rendering { mode: Mode::Full, ..Rendering::default() });
        let _ = Format::Export.render(&summary, &Rendering::default());
    }
}

fn summary(recording: &Recording) -> Summary {
    let settings = crate::summary::SummarySettings { full: true, ..Default::default() };
    Summary::new(recording.totals(), &[], recording.windows(), recording.info(false), &settings)
}

#[test]
fn the_summary_of_the_file_is_that_of_the_run() {
    for (run, limit) in [(fixture::calm(), 10_000), (fixture::stormy(), 10_000), (fixture::overflowing(), 500)] {
        let aggregator = run.aggregator();
        let mut tape = Tape::new(limit);
        tape.snapshot(&aggregator, &Problems::default());
        let recording = read(&*tape.ended()).unwrap();
        let live =
            Summary::new(aggregator.totals(), &run.thresholds, &Windows::default(), run.info.clone(), &run.settings);
        let again =
            Summary::new(recording.totals(), &run.thresholds, &Windows::default(), run.info.clone(), &run.settings);
        for format in Format::ALL {
            let rendering = Rendering { mode: Mode::Full, ..Rendering::default() };
            assert_eq!(format.render(&live, &rendering), format.render(&again, &rendering));
        }
    }
}

#[test]
fn messages_are_counted_by_what_is_new() {
    let registry = Arc::new(Registry::new(100, SystemTags::default()));
    let mut aggregator = Aggregator::new(registry, Vec::new());
    let problems = Problems::default();
    let mut tape = Tape::new(100);
    for round in 0..3 {
        problems.iteration_failed("panicked");
        problems.host_refused("example.com:443");
        if round > 0 {
            problems.warn("odd");
        }
        aggregator.collect();
        tape.snapshot(&aggregator, &problems);
    }
    let length = tape.bytes.len();
    aggregator.collect();
    tape.snapshot(&aggregator, &problems);
    assert!(tape.bytes.len() - length < 30, "a second without news takes {} bytes", tape.bytes.len() - length);
    let info = read(&*tape.bytes).unwrap().info(false);
    assert_eq!(info.iteration_errors, BTreeMap::from([("panicked".to_owned(), 3)]));
    assert_eq!(info.refused_hosts, BTreeMap::from([("example.com:443".to_owned(), 3)]));
    assert_eq!(info.warnings, BTreeMap::from([("odd".to_owned(), 2)]));
    assert_eq!(info.stopped_early.as_deref(), Some("the run was cut off"));
}

#[test]
fn a_snapshot_holds_what_changed_and_no_more() {
    const SERIES: u64 = 10_000;
    let registry = Arc::new(Registry::new(100_000, SystemTags::default()));
    let metric = registry.register("db_wait", Kind::Trend, Contains::Time).unwrap();
    let recorder = Arc::new(Mutex::new(Recorder::new(Arc::clone(&registry))));
    let mut aggregator = Aggregator::new(Arc::clone(&registry), vec![Arc::clone(&recorder)]);
    let (mut tape, problems) = (Tape::new(100_000), Problems::default());
    let mut second = |news: &mut dyn Iterator<Item = u64>| {
        for user in news {
            recorder.lock().unwrap().add(metric, registry.intern(&[("user", &user.to_string())]), user as f64);
        }
        let before = tape.bytes.len();
        aggregator.collect();
        tape.snapshot(&aggregator, &problems);
        tape.bytes.len() - before
    };
    assert!(second(&mut (0..SERIES)) > 10 * SERIES as usize);
    assert!(second(&mut [7, 7, 7].into_iter()) < 120, "one series of ten thousand");
    // Many values of a series are kept in a histogram: whole milliseconds side by side take a byte each, whatever their number.
    second(&mut std::iter::repeat_n(3, 1_000));
    let dense = second(&mut std::iter::repeat_n(7, 60_000));
    assert!(dense < 120, "{dense}");
}

#[test]
fn what_a_later_version_adds_is_skipped_and_what_it_changes_is_refused() {
    let mut tape = Tape::new(100);
    frame::append(&mut tape.bytes, 200, b"something new");
    tape.json(kind::END, &json!({"at_us": 1, "exit_code": 0, "duration_ns": 5, "stopped_early": null,
        "aborted_by_threshold": false, "marked_failed": null, "interrupted_iterations": 0, "dropped_log_lines": 0, "more": 1}));
    let recording = read(&*tape.bytes).unwrap();
    assert_eq!((recording.skipped, recording.damage.as_ref()), (1, None));
    assert_eq!(recording.duration(), Duration::from_nanos(5));

    let mut later = tape.bytes;
    later[8] = 2;
    let sum = crc32fast::hash(&later[..12]).to_le_bytes();
    later[12..16].copy_from_slice(&sum);
    let error = read(&*later).unwrap_err().to_string();
    assert_eq!(
        error,
        "is written in version 2 of the format, and this runtime reads version 1; use a runtime of that time"
    );
}

#[test]
fn what_is_no_results_file_is_said() {
    let error = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
    assert!(error(b"").contains("holds nothing"));
    assert!(error(b"{\"metrics\": {}}").contains("is not a results file"));
    assert!(error(&frame::header()).contains("holds nothing"));
    assert!(error(&frame::header()[..11]).contains("holds nothing"));
    let mut damaged = frame::header();
    damaged[9] ^= 1;
    assert!(error(&damaged).contains("damaged in its header"));
}

/// A histogram takes a kilobyte where its file takes four bytes: a file of such bytes only must not fill the memory, be they in records of
/// their own or all in one.
#[test]
fn memory_is_bounded_by_the_size_of_the_file() {
    const SERIES: u64 = 600;
    for snapshots in [SERIES, 1] {
        let mut bytes = Tape::new(100).bytes;
        let mut definitions = bytes::Encoder::default();
        definitions.number(1);
        definitions.text("wide");
        definitions.byte(3);
        definitions.byte(0);
        definitions.number(SERIES);
        for series in 0..SERIES {
            definitions.number(1);
            definitions.text("n");
            definitions.text(&series.to_string());
        }
        definitions.number(SERIES);
        (0..SERIES).for_each(|series| [0, series + 2].into_iter().for_each(|number| definitions.number(number)));
        definitions.number(0);
        frame::append(&mut bytes, kind::DEFINITIONS, &definitions.0);
        let of_each = SERIES / snapshots;
        for number in 0..snapshots {
            let mut snapshot = bytes::Encoder::default();
            [0, 0, 0, 0, of_each].into_iter().for_each(|number| snapshot.number(number));
            (number * of_each..(number + 1) * of_each).for_each(|series| wide_trend(&mut snapshot, series));
            [0, 0, 0].into_iter().for_each(|number| snapshot.number(number));
            frame::append(&mut bytes, kind::SNAPSHOT, &snapshot.0);
        }
        let recording = read(&*bytes).unwrap();
        let taken = recording.books_bytes();
        assert!(taken < (66 << 20) + 128 * bytes.len() as u64, "{taken} bytes of memory for {snapshots} snapshots");
        let damage = recording.damage.expect("600 series of half a megabyte are too much for a file of a megabyte");
        assert!(damage.to_string().contains("memory"), "{damage}");
    }
}

/// A value in every part of a histogram.
fn wide_trend(snapshot: &mut bytes::Encoder, series: u64) {
    [series, 512].into_iter().for_each(|number| snapshot.number(number));
    [512.0, 0.0, 1.0, 1.0].into_iter().for_each(|value| snapshot.float(value));
    snapshot.byte(1);
    snapshot.number(0);
    snapshot.number(512);
    for run in 0..512 {
        snapshot.number(1 << 1 | 1);
        snapshot.number(if run == 0 { 0 } else { 127 });
    }
}
