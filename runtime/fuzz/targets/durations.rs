//! Durations as text and as JSON: what is read is within Go's range, and can be written and read again.
#![no_main]

use std::time::Duration;

use flashcrowd_runtime::duration;
use flashcrowd_runtime::options::read;
use libfuzzer_sys::{Corpus, fuzz_target};

/// Go's greatest, 2^63 - 1 nanoseconds.
const GREATEST: Duration = Duration::from_nanos(i64::MAX as u64);

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(bytes) else { return Corpus::Reject };
    if let Ok(read) = duration::parse(text) {
        round_trip(read);
        let json = serde_json::Value::String(text.to_owned());
        assert_eq!(duration::from_json(&json), Ok(read));
    }
    if let Ok(json) = serde_json::from_str::<serde_json::Value>(text)
        && let Ok(read) = duration::from_json(&json)
    {
        round_trip(read);
    }
    if let Ok(stage) = read::stage_text(text) {
        duration::from_json(&stage["duration"]).expect("a stage's duration was read before");
    }
    Corpus::Keep
});

fn round_trip(read: Duration) {
    assert!(read <= GREATEST, "{read:?}");
    let written = duration::format(read);
    assert_eq!(duration::parse(&written), Ok(read), "{written}");
}
