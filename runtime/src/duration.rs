//! Durations as k6 users write them: Go's (`1m30s`, `500ms`, `1.5h`, `µs`) and days (`1d12h`). A bare number means
//! milliseconds. Zero and longer only: nothing in a load test lasts a negative time.
//!
//! The greatest duration is that of Go, 2^63 - 1 nanoseconds, some 292 years.

use std::time::Duration;

use serde_json::Value;

use crate::field_error::FieldError;

/// The greatest duration that Go, and with it k6, can hold, in nanoseconds.
const GREATEST_NS: u128 = i64::MAX as u128;

/// Units and their lengths in nanoseconds. A longer name stands before the shorter one that it begins with.
const UNITS: [(&str, u128); 9] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),  // U+00B5, the micro sign
    ("\u{3bc}s", 1_000), // U+03BC, the Greek letter mu
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// Text or a number that is no duration, with what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value} {problem}")]
pub struct DurationError {
    /// What was written; text in quotes.
    pub value: String,
    /// What is wrong with it, and the remedy.
    pub problem: &'static str,
}

impl DurationError {
    /// The same error about the value at `path`.
    pub fn at(self, path: impl Into<String>) -> FieldError {
        FieldError::new(path, self.value, self.problem)
    }
}

const NOT_A_DURATION: &str = "is not a duration; write one such as 30s, 1m30s or 500ms, or a number of milliseconds";
const NO_UNIT: &str = "lacks a unit after a number; write one such as 30s, 1m30s or 500ms";
const UNKNOWN_UNIT: &str = "has an unknown unit; the units are d, h, m, s, ms, us and ns, as in 1m30s";
const NEGATIVE: &str = "is negative; give a duration of zero or more, such as 30s";
const TOO_LONG: &str = "is too long; the greatest duration is about 292 years";

/// Reads a duration: Go's units and days, or a bare number of milliseconds.
///
/// # Errors
/// Text that is no duration, is negative, or is longer than Go's greatest.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let fail = |problem| DurationError { value: format!("\"{text}\""), problem };
    let trimmed = text.trim();
    let (negative, unsigned) = match trimmed.as_bytes().first() {
        Some(b'-') => (true, &trimmed[1..]),
        Some(b'+') => (false, &trimmed[1..]),
        _ => (false, trimmed),
    };
    let nanoseconds = parse_unsigned(unsigned).map_err(fail)?;
    if negative && nanoseconds > 0 {
        return Err(fail(NEGATIVE));
    }
    from_nanoseconds(nanoseconds).ok_or_else(|| fail(TOO_LONG))
}

fn parse_unsigned(text: &str) -> Result<u128, &'static str> {
    if text.is_empty() {
        return Err(NOT_A_DURATION);
    }
    let mut rest = text;
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let number = Decimal::take(&mut rest).ok_or(NOT_A_DURATION)??;
        let unit_end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit_ns = match &rest[..unit_end] {
            "" if total == 0 && rest.is_empty() && text.len() == number.length => 1_000_000,
            "" => return Err(NO_UNIT),
            name => UNITS.iter().find(|(unit, _)| *unit == name).ok_or(UNKNOWN_UNIT)?.1,
        };
        rest = &rest[unit_end..];
        total = total.checked_add(number.times(unit_ns).ok_or(TOO_LONG)?).ok_or(TOO_LONG)?;
    }
    Ok(total)
}

/// A decimal number, kept as digits so that nothing is rounded before the unit is known.
struct Decimal {
    whole: u128,
    fraction: u128,
    fraction_scale: u128,
    /// In bytes of the text it was read from.
    length: usize,
}

impl Decimal {
    /// Digits of a fraction beyond this are below a nanosecond in every unit.
    const FRACTION_DIGITS: usize = 18;

    /// Takes a number such as `1`, `1.5`, `.5` or `1.` off the front; `None` if there is none.
    fn take(text: &mut &str) -> Option<Result<Self, &'static str>> {
        let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let whole_length = digits(text);
        let (whole, mut rest) = text.split_at(whole_length);
        let mut fraction = "";
        let mut dot = 0;
        if let Some(after_dot) = rest.strip_prefix('.') {
            dot = 1;
            (fraction, rest) = after_dot.split_at(digits(after_dot));
        }
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let length = whole.len() + dot + fraction.len();
        *text = rest;
        let fraction = &fraction[..fraction.len().min(Self::FRACTION_DIGITS)];
        let number = |digits: &str| {
            if digits.is_empty() { Some(0) } else { digits.parse().ok() }
        };
        let (Some(whole), Some(fraction_value)) = (number(whole), number(fraction)) else {
            return Some(Err(TOO_LONG));
        };
        let fraction_scale = fraction.chars().fold(1, |scale: u128, _| scale * 10);
        Some(Ok(Self { whole, fraction: fraction_value, fraction_scale, length }))
    }

    /// Nanoseconds, rounded down as Go does.
    fn times(&self, unit_ns: u128) -> Option<u128> {
        self.whole.checked_mul(unit_ns)?.checked_add(self.fraction * unit_ns / self.fraction_scale)
    }
}

fn from_nanoseconds(nanoseconds: u128) -> Option<Duration> {
    if nanoseconds > GREATEST_NS {
        return None;
    }
    u64::try_from(nanoseconds).ok().map(Duration::from_nanos)
}

/// Reads a duration from JSON: text as [`parse`] takes it, or a number of milliseconds.
///
/// # Errors
/// As [`parse`]; also a value that is neither text nor a number.
pub fn from_json(value: &Value) -> Result<Duration, DurationError> {
    let fail = |problem| DurationError { value: value.to_string(), problem };
    match value {
        Value::String(text) => parse(text),
        Value::Number(number) => {
            if let Some(milliseconds) = number.as_u64() {
                return from_nanoseconds(u128::from(milliseconds) * 1_000_000).ok_or_else(|| fail(TOO_LONG));
            }
            let milliseconds = number.as_f64().ok_or_else(|| fail(NOT_A_DURATION))?;
            if milliseconds < 0.0 {
                return Err(fail(NEGATIVE));
            }
            Duration::try_from_secs_f64(milliseconds / 1_000.0)
                .ok()
                .filter(|duration| duration.as_nanos() <= GREATEST_NS)
                .ok_or_else(|| fail(TOO_LONG))
        }
        _ => Err(fail(NOT_A_DURATION)),
    }
}

/// Writes a duration as Go, and with it k6, does: `1m30s`, `5m0s`, `1h0m0s`, `1.5s`, `500ms`, `0s`.
pub fn format(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    let (unit, unit_ns) = match nanoseconds {
        0 => return "0s".to_owned(),
        1..1_000 => ("ns", 1),
        1_000..1_000_000 => ("µs", 1_000),
        1_000_000..1_000_000_000 => ("ms", 1_000_000),
        _ => return format_seconds(nanoseconds),
    };
    format!("{}{unit}", decimal(nanoseconds, unit_ns))
}

fn format_seconds(nanoseconds: u128) -> String {
    const MINUTE_NS: u128 = 60_000_000_000;
    let seconds = decimal(nanoseconds % MINUTE_NS, 1_000_000_000);
    let minutes = nanoseconds / MINUTE_NS;
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// `value / scale` with as many decimals as it needs; `scale` is a power of ten.
fn decimal(value: u128, scale: u128) -> String {
    let (whole, fraction) = (value / scale, value % scale);
    if fraction == 0 {
        return whole.to_string();
    }
    let width = scale.ilog10() as usize;
    let digits = format!("{fraction:0width$}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

/// For serde fields: writes what [`format()`] gives, reads what [`from_json`] takes.
pub mod text {
    use std::time::Duration;

    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes a duration as text.
    ///
    /// # Errors
    /// Those of the serialiser.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::format(*duration))
    }

    /// Reads a duration from text or from a number of milliseconds.
    ///
    /// # Errors
    /// A value that is no duration.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        super::from_json(&value).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn reads_what_k6_users_write() {
        for (text, expected) in [
            ("1m30s", MS(90_000)),
            ("500ms", MS(500)),
            ("1.5h", MS(5_400_000)),
            ("1d12h", MS(129_600_000)),
            ("2d", MS(172_800_000)),
            ("1h0m0.5s", MS(3_600_500)),
            (".5s", MS(500)),
            ("1.s", MS(1_000)),
            ("+3s", MS(3_000)),
            ("7us", Duration::from_micros(7)),
            ("7\u{b5}s", Duration::from_micros(7)),
            ("7\u{3bc}s", Duration::from_micros(7)),
            ("9ns", Duration::from_nanos(9)),
            ("0", Duration::ZERO),
            ("-0s", Duration::ZERO),
            ("1500", MS(1_500)),
            ("0.25", Duration::from_micros(250)),
            (" 10s ", MS(10_000)),
            ("0.3333333333333333333333333s", Duration::from_nanos(333_333_333)),
            ("9223372036854775807ns", Duration::from_nanos(i64::MAX as u64)),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn reads_numbers_as_milliseconds() {
        assert_eq!(from_json(&json!(1_500)), Ok(MS(1_500)));
        assert_eq!(from_json(&json!(0.5)), Ok(Duration::from_micros(500)));
        assert_eq!(from_json(&json!("90s")), Ok(MS(90_000)));
    }

    #[test]
    fn formats_as_go_does() {
        for (duration, expected) in [
            (Duration::ZERO, "0s"),
            (Duration::from_nanos(1), "1ns"),
            (Duration::from_nanos(1_500), "1.5µs"),
            (MS(500), "500ms"),
            (Duration::from_micros(1_010), "1.01ms"),
            (MS(1_500), "1.5s"),
            (MS(60_000), "1m0s"),
            (MS(90_000), "1m30s"),
            (MS(300_000), "5m0s"),
            (MS(3_600_000), "1h0m0s"),
            (MS(129_600_000), "36h0m0s"),
            (MS(3_600_005), "1h0m0.005s"),
        ] {
            assert_eq!(format(duration), expected);
        }
    }

    #[test]
    fn errors_name_the_value_and_the_remedy() {
        let texts = [
            "",
            "abc",
            "5 minutes",
            "10x",
            "1m30",
            "-5s",
            "3000000h",
            "99999999999999999999999999999999999999999s",
            "1..5s",
            "s",
            "1m-3s",
        ];
        let errors: Vec<String> = texts.iter().map(|text| parse(text).unwrap_err().to_string()).collect();
        insta::assert_snapshot!(errors.join("\n"), @r#"
        "" is not a duration; write one such as 30s, 1m30s or 500ms, or a number of milliseconds
        "abc" is not a duration; write one such as 30s, 1m30s or 500ms, or a number of milliseconds
        "5 minutes" has an unknown unit; the units are d, h, m, s, ms, us and ns, as in 1m30s
        "10x" has an unknown unit; the units are d, h, m, s, ms, us and ns, as in 1m30s
        "1m30" lacks a unit after a number; write one such as 30s, 1m30s or 500ms
        "-5s" is negative; give a duration of zero or more, such as 30s
        "3000000h" is too long; the greatest duration is about 292 years
        "99999999999999999999999999999999999999999s" is too long; the greatest duration is about 292 years
        "1..5s" lacks a unit after a number; write one such as 30s, 1m30s or 500ms
        "s" is not a duration; write one such as 30s, 1m30s or 500ms, or a number of milliseconds
        "1m-3s" has an unknown unit; the units are d, h, m, s, ms, us and ns, as in 1m30s
        "#);
        let values = [json!(-1), json!(null), json!(true), json!(["1s"]), json!(1e300), json!(u64::MAX)];
        let errors: Vec<String> = values.iter().map(|value| from_json(value).unwrap_err().to_string()).collect();
        insta::assert_snapshot!(errors.join("\n"), @r#"
        -1 is negative; give a duration of zero or more, such as 30s
        null is not a duration; write one such as 30s, 1m30s or 500ms, or a number of milliseconds
        true is not a duration; write one such as 30s, 1m30s or 500ms, or a number of milliseconds
        ["1s"] is not a duration; write one such as 30s, 1m30s or 500ms, or a number of milliseconds
        1e+300 is too long; the greatest duration is about 292 years
        18446744073709551615 is too long; the greatest duration is about 292 years
        "#);
    }

    #[test]
    fn serde_fields_read_and_write_text() {
        #[derive(serde::Serialize, serde::Deserialize)]
        struct Fields {
            #[serde(with = "super::text")]
            pause: Duration,
        }
        let fields: Fields = serde_json::from_value(json!({"pause": 90_000})).unwrap();
        assert_eq!(serde_json::to_value(&fields).unwrap(), json!({"pause": "1m30s"}));
        assert!(serde_json::from_value::<Fields>(json!({"pause": "soon"})).is_err());
    }

    proptest! {
        #[test]
        fn what_is_formatted_reads_back_the_same(nanoseconds in 0..=i64::MAX as u64) {
            let duration = Duration::from_nanos(nanoseconds);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }

        #[test]
        fn parts_add_up(days in 0u64..1_000, hours in 0u64..1_000, minutes in 0u64..1_000, milliseconds in 0u64..100_000) {
            let text = format!("{days}d{hours}h{minutes}m{milliseconds}ms");
            let expected = ((days * 24 + hours) * 60 + minutes) * 60_000 + milliseconds;
            prop_assert_eq!(parse(&text), Ok(MS(expected)));
        }

        #[test]
        fn a_bare_number_is_milliseconds_as_text_and_as_json(milliseconds in 0u64..1_000_000_000_000) {
            prop_assert_eq!(parse(&milliseconds.to_string()), Ok(MS(milliseconds)));
            prop_assert_eq!(from_json(&json!(milliseconds)), Ok(MS(milliseconds)));
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = parse(&text);
        }

        #[test]
        fn nearly_durations_never_panic(text in "[-+]?([0-9]{0,40}\\.?[0-9]{0,40}(ns|us|µs|ms|s|m|h|d|x)?){0,4}") {
            if let Ok(duration) = parse(&text) {
                prop_assert!(duration.as_nanos() <= GREATEST_NS);
            }
        }
    }
}
