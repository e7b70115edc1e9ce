//! Lengths of time in k6's writing.

use std::fmt::Write;
use std::time::Duration;

use serde_json::Value;

/// So many seconds.
#[must_use]
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// So many minutes.
#[must_use]
pub const fn mins(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

/// So many hours.
#[must_use]
pub const fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

/// So many milliseconds.
#[must_use]
pub const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A length of time in the options: a [`Duration`], or a text in k6's writing, such as `1m30s`, which the runtime reads.
///
/// ```
/// use flashcrowd::prelude::*;
///
/// assert_eq!(Options::new().duration(secs(90)), Options::new().duration("1m30s"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span(String);

impl From<&str> for Span {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Span {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        let mut rest = duration.as_nanos();
        let mut text = String::new();
        for (unit, nanoseconds) in [
            ("h", 3_600_000_000_000),
            ("m", 60_000_000_000),
            ("s", 1_000_000_000),
            ("ms", 1_000_000),
            ("us", 1_000),
            ("ns", 1),
        ] {
            let count = rest / nanoseconds;
            rest %= nanoseconds;
            if count > 0 {
                // Writing to a String cannot fail.
                let _ = write!(text, "{count}{unit}");
            }
        }
        Self(if text.is_empty() { "0s".to_owned() } else { text })
    }
}

impl From<Span> for Value {
    fn from(span: Span) -> Self {
        Self::String(span.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_k6_reads_them() {
        let text = |duration: Duration| Span::from(duration).0;
        assert_eq!(text(secs(0)), "0s");
        assert_eq!(text(secs(90)), "1m30s");
        assert_eq!(text(mins(1)), "1m");
        assert_eq!(text(hours(26)), "26h");
        assert_eq!(text(millis(500)), "500ms");
        assert_eq!(text(millis(1500)), "1s500ms");
        assert_eq!(text(Duration::new(3661, 1_002_003)), "1h1m1s1ms2us3ns");
    }
}
