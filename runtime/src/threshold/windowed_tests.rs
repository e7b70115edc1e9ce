//! What thresholds with a window see.

use std::sync::{Arc, Mutex};

use super::*;
use crate::metrics::{Aggregator, Contains, Kind, Recorder, SystemTags, TagSetId};

const SECOND: u64 = 1_000_000;

/// A load that is collected once a second.
struct Load {
    registry: Arc<Registry>,
    recorder: Arc<Mutex<Recorder>>,
    aggregator: Aggregator,
    windows: Windows,
    thresholds: Vec<Threshold>,
    now_us: u64,
}

impl Load {
    fn new(thresholds: &[(&str, &str, u64)]) -> Self {
        let registry = Arc::new(Registry::new(100, SystemTags::default()));
        registry.register("answer_time", Kind::Trend, Contains::Time).unwrap();
        registry.register("answers", Kind::Counter, Contains::Default).unwrap();
        registry.register("people", Kind::Gauge, Contains::Default).unwrap();
        let recorder = Arc::new(Mutex::new(Recorder::new(Arc::clone(&registry))));
        let aggregator = Aggregator::new(Arc::clone(&registry), vec![Arc::clone(&recorder)]);
        let thresholds: Vec<_> = thresholds
            .iter()
            .map(|(selector, text, seconds)| {
                Threshold::parse(selector, text).unwrap().over(Duration::from_secs(*seconds)).aborting(Duration::ZERO)
            })
            .collect();
        Self { windows: Windows::new(&thresholds), registry, recorder, aggregator, thresholds, now_us: 0 }
    }

    /// A second in which these samples came.
    fn second(&mut self, samples: &[(&str, f64)]) {
        // Collections are never quite on time.
        self.now_us += SECOND + 1_234;
        for (metric, value) in samples {
            let metric = self.registry.lookup(metric).unwrap();
            self.recorder.lock().unwrap().add(metric, TagSetId::EMPTY, *value);
        }
        self.collect(self.now_us);
    }

    fn collect(&mut self, load_us: u64) {
        self.aggregator.collect();
        let totals = self.aggregator.totals();
        for (series, news) in self.aggregator.window().series() {
            if self.windows.want(totals, series) {
                self.windows.add(totals, series, &totals.as_recorded(series, news));
            }
        }
        self.windows.close(&self.registry, load_us);
    }

    /// Verdict, rounded value and number of windows of the first threshold.
    fn found(&mut self) -> (Verdict, i64, u64) {
        self.windows.finish(&self.registry);
        let judged = self.windows.judged(0).unwrap();
        let outcome = judged.outcome().unwrap();
        (outcome.verdict, outcome.value.unwrap().round() as i64, judged.windows)
    }

    fn aborts(&self) -> bool {
        self.windows.first_to_abort(&self.thresholds, Duration::from_micros(self.now_us)).is_some()
    }
}

#[test]
fn a_bad_moment_that_the_whole_run_hides_is_found() {
    let mut load = Load::new(&[("answer_time", "avg<100", 4)]);
    for second in 0..20 {
        load.second(&[("answer_time", if (8..12).contains(&second) { 400.0 } else { 10.0 })]);
    }
    let totals = load.aggregator.totals();
    assert_eq!(load.thresholds[0].evaluate(totals, Duration::from_secs(20)).verdict, Verdict::Passed);
    assert_eq!(load.found(), (Verdict::Crossed, 400, 9));
    let judged = load.windows.judged(0).unwrap();
    assert_eq!(judged.crossed, 3, "those that hold one bad second at least have a mean above 100: {judged:?}");
    let worst = judged.worst.unwrap();
    assert_eq!((worst.from_us / SECOND, worst.until_us / SECOND), (8, 12));
}

#[test]
fn what_was_bad_is_over_for_the_load_and_not_for_the_verdict() {
    let mut load = Load::new(&[("answer_time", "avg<100", 2)]);
    let mut aborts = Vec::new();
    for second in 0..8 {
        load.second(&[("answer_time", if second < 3 { 400.0 } else { 10.0 })]);
        aborts.push(load.aborts());
    }
    assert_eq!(aborts, [false, true, true, true, true, false, false, false]);
    assert_eq!(load.found(), (Verdict::Crossed, 400, 4));
}

#[test]
fn a_load_that_is_shorter_than_the_window_is_one_window() {
    let mut load = Load::new(&[("answer_time", "avg<100", 60)]);
    (0..5).for_each(|_| load.second(&[("answer_time", 250.0)]));
    assert!(!load.aborts());
    assert_eq!(load.found(), (Verdict::Crossed, 250, 1));
}

#[test]
fn a_rate_is_that_of_the_window_and_silence_is_a_rate_of_nothing() {
    let mut load = Load::new(&[("answers", "rate>50", 4)]);
    for _ in 0..6 {
        load.second(&[("answers", 100.0)]);
    }
    assert!(!load.aborts());
    (0..6).for_each(|_| load.second(&[]));
    assert!(!load.aborts(), "a window without any sample ends nothing");
    assert_eq!(load.found(), (Verdict::Crossed, 0, 5));
}

#[test]
fn nothing_is_judged_before_there_were_samples_for_as_long_as_the_window() {
    let mut load = Load::new(&[("answers", "rate>50", 4)]);
    (0..5).for_each(|_| load.second(&[]));
    // The first second is only partly one of the scenario's.
    load.second(&[("answers", 1.0)]);
    (0..6).for_each(|_| load.second(&[("answers", 100.0)]));
    assert_eq!(load.found(), (Verdict::Passed, 100, 2));
}

#[test]
fn windows_without_values_say_nothing() {
    let mut load = Load::new(&[("answer_time", "avg<100", 2), ("people", "value<5", 2)]);
    load.second(&[("answer_time", 10.0)]);
    (0..7).for_each(|_| load.second(&[]));
    assert_eq!(load.found(), (Verdict::Passed, 10, 1));
    assert_eq!(load.windows.judged(1).unwrap(), Judged::default(), "no sample, no window");
}

#[test]
fn what_comes_before_and_after_the_load_is_in_no_window() {
    let mut load = Load::new(&[("answer_time", "max<100", 2)]);
    let time = load.registry.lookup("answer_time").unwrap();
    let outlier = |load: &mut Load, load_us: u64| {
        load.recorder.lock().unwrap().add(time, TagSetId::EMPTY, 9_000.0);
        load.collect(load_us);
    };
    outlier(&mut load, 0);
    (0..4).for_each(|_| load.second(&[("answer_time", 10.0)]));
    let ended = load.now_us - 500;
    outlier(&mut load, ended);
    outlier(&mut load, ended);
    assert_eq!(load.found(), (Verdict::Passed, 10, 2));
}

#[test]
fn a_pause_has_no_time_and_loses_nothing() {
    let mut load = Load::new(&[("answers", "count<100", 4)]);
    (0..3).for_each(|_| load.second(&[("answers", 1.0)]));
    let answers = load.registry.lookup("answers").unwrap();
    for _ in 0..3 {
        load.recorder.lock().unwrap().add(answers, TagSetId::EMPTY, 100.0);
        load.collect(load.now_us);
    }
    (0..3).for_each(|_| load.second(&[("answers", 1.0)]));
    assert_eq!(load.found(), (Verdict::Crossed, 304, 2));
}

#[test]
fn a_window_takes_no_more_slots_than_there_are_and_only_of_what_it_selects() {
    let mut load = Load::new(&[("answer_time", "max<100", 3_600), ("answer_time", "avg<100", 3_600)]);
    for _ in 0..4_000 {
        load.second(&[("answer_time", 10.0), ("answers", 1.0)]);
    }
    assert_eq!(load.windows.views.len(), 1, "the same selector and the same window are one");
    assert!(load.windows.views[0].slots.len() as u64 <= MOST_SLOTS + 1, "{}", load.windows.views[0].slots.len());
    assert_eq!(load.windows.members.iter().flatten().filter(|views| !views.is_empty()).count(), 1);
    let bytes = load.windows.heap_bytes();
    (0..2_000).for_each(|_| load.second(&[("answer_time", 10.0)]));
    assert!(load.windows.heap_bytes() <= bytes + bytes / 10, "{} after {bytes}", load.windows.heap_bytes());
    let (verdict, value, windows) = load.found();
    assert_eq!((verdict, value), (Verdict::Passed, 10));
    assert!(windows > 1_100, "{windows}");
}

#[test]
fn worst_is_what_is_furthest_from_holding() {
    for (text, values, worst) in [
        ("value<5", [1.0, 3.0, 2.0], 3),
        ("value>=2", [9.0, 4.0, 6.0], 4),
        ("value==2", [2.0, 7.0, 8.0], 7),
        ("value!=7", [2.0, 7.0, 8.0], 7),
    ] {
        let mut load = Load::new(&[("people", text, 2)]);
        for value in values {
            load.second(&[("people", value)]);
            load.second(&[("people", value)]);
        }
        assert_eq!(load.found().1, worst, "{text}");
    }
}
