//! Thresholds: a line with a selector, a line with an expression, then samples. What is read can be written and read again; nothing
//! that was measured makes the evaluation panic.
#![no_main]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use flashcrowd_runtime::metrics::{Aggregator, Contains, Kind, Recorder, Registry, SystemTags};
use flashcrowd_runtime::threshold::{NoDataPolicy, Threshold, first_to_abort};
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let mut parts = bytes.splitn(3, |byte| *byte == b'\n');
    let mut text = || std::str::from_utf8(parts.next()?).ok();
    let (Some(selector), Some(expression)) = (text(), text()) else { return Corpus::Reject };
    let samples = parts.next().unwrap_or_default();
    let Ok(threshold) = Threshold::parse(selector, expression) else { return Corpus::Keep };

    let written = (threshold.selector.to_string(), threshold.expression.to_string());
    let read = Threshold::parse(&written.0, &written.1).unwrap_or_else(|error| panic!("{error}: {written:?}"));
    assert_eq!((&read.selector, read.expression), (&threshold.selector, threshold.expression), "{written:?}");

    evaluate(&threshold, samples);
    Corpus::Keep
});

/// Evaluates on a metric of each kind, with samples under the tags that the selector asks for.
fn evaluate(threshold: &Threshold, samples: &[u8]) {
    for kind in [Kind::Counter, Kind::Gauge, Kind::Rate, Kind::Trend] {
        let registry = Arc::new(Registry::new(100, SystemTags::default()));
        let recorder = Arc::new(Mutex::new(Recorder::new(Arc::clone(&registry))));
        let mut aggregator = Aggregator::new(Arc::clone(&registry), vec![Arc::clone(&recorder)]);
        let name = &threshold.selector.metric;
        let Ok(metric) = registry.register(name, kind, Contains::Default) else { continue };
        let tags = registry.intern(&threshold.selector.pairs());
        let fits = threshold.validate(kind).is_ok();
        assert_eq!(threshold.check(&registry).is_ok(), fits);
        let (first, second) = samples.split_at(samples.len() / 2);
        for half in [first, second] {
            for value in half.chunks(size_of::<f64>()) {
                let mut bits = [0; size_of::<f64>()];
                bits[..value.len()].copy_from_slice(value);
                recorder.lock().expect("one thread").add(metric, tags, f64::from_le_bytes(bits));
            }
            aggregator.collect();
            for elapsed in [Duration::ZERO, Duration::from_nanos(1), Duration::from_secs(60), Duration::MAX] {
                let outcome = threshold.evaluate(aggregator.totals(), elapsed);
                let _ = outcome.fails(NoDataPolicy::FailUnknown);
                let aborting = [threshold.clone().aborting(Duration::from_secs(1))];
                let _ = first_to_abort(&aborting, aggregator.totals(), elapsed);
            }
        }
        let _ = threshold.probably_meant(&registry);
    }
}
