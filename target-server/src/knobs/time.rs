//! Durations as they are typed: `250us`, `20ms`, `1.5s`, `1m30s`.

use std::time::Duration;

/// The longest duration that is accepted.
const MAX: Duration = Duration::from_secs(3_600);

/// A text that is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a duration; write a number and a unit (us, ms, s, m), up to 1 hour, such as 20ms or 1.5s")]
pub struct DurationError(String);

/// Reads a duration of at most an hour. `0` needs no unit, every other number does.
///
/// # Errors
/// [`DurationError`] when the text is something else.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let refuse = || DurationError(text.to_owned());
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    if rest.is_empty() {
        return Err(refuse());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(refuse)?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let unit_ns = match unit {
            "us" | "µs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            _ => return Err(refuse()),
        };
        let number: f64 = number.parse().map_err(|_| refuse())?;
        let nanoseconds = (number * unit_ns).round();
        if !nanoseconds.is_finite() || nanoseconds > MAX.as_nanos() as f64 {
            return Err(refuse());
        }
        total += Duration::from_nanos(nanoseconds as u64);
        rest = tail;
    }
    if total > MAX { Err(refuse()) } else { Ok(total) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        let cases = [
            ("0", 0),
            ("0s", 0),
            ("250us", 250_000),
            ("250µs", 250_000),
            ("20ms", 20_000_000),
            (".5ms", 500_000),
            ("1.5s", 1_500_000_000),
            ("1m30s", 90_000_000_000),
            ("60m", 3_600_000_000_000),
        ];
        for (text, nanoseconds) in cases {
            assert_eq!(parse_duration(text), Ok(Duration::from_nanos(nanoseconds)), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in ["", "20", "ms", "-1ms", "1h", "1.2.3s", "61m", "1m 2s", "1e3ms", "NaNs", "infs", ".s", "59m61s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,20}") {
            let _ = parse_duration(&text);
        }

        #[test]
        fn debug_form_is_read_back(microseconds in 0_u64..3_600_000_000) {
            let duration = Duration::from_micros(microseconds);
            prop_assert_eq!(parse_duration(&format!("{duration:?}")), Ok(duration));
        }
    }
}
