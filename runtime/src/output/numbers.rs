//! Numbers, times, sizes and shares as k6 users know them.

use std::str::FromStr;

use crate::field_error::FieldError;
use crate::metrics::Contains;

/// A unit for all times of a summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
}

impl TimeUnit {
    /// As `--summary-time-unit` takes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Microseconds => "us",
        }
    }
}

impl FromStr for TimeUnit {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        [Self::Seconds, Self::Milliseconds, Self::Microseconds]
            .into_iter()
            .find(|unit| unit.as_str() == text)
            .ok_or_else(|| FieldError::new("summaryTimeUnit", format!("\"{text}\""), "is unknown; use s, ms or us"))
    }
}

/// A metric's value in its unit.
pub fn value(value: f64, contains: Contains, unit: Option<TimeUnit>) -> String {
    match contains {
        Contains::Default => number(value),
        Contains::Time => time(value, unit),
        Contains::Data => data(value),
    }
}

/// A plain number: up to six decimals, none of them a trailing zero.
pub fn number(value: f64) -> String {
    trim_zeros(format!("{value:.6}"))
}

/// A time of so many milliseconds, in the unit that fits it, or in the one asked for.
pub fn time(milliseconds: f64, unit: Option<TimeUnit>) -> String {
    match unit {
        Some(TimeUnit::Seconds) => format!("{:.2}s", milliseconds / 1e3),
        Some(TimeUnit::Milliseconds) => format!("{milliseconds:.2}ms"),
        Some(TimeUnit::Microseconds) => format!("{:.2}µs", milliseconds * 1e3),
        None => fitting_time(milliseconds),
    }
}

fn fitting_time(milliseconds: f64) -> String {
    const SECOND: f64 = 1e3;
    const MINUTE: f64 = 60.0 * SECOND;
    if milliseconds == 0.0 {
        return "0s".to_owned();
    }
    if milliseconds < 0.001 {
        return format!("{}ns", (milliseconds * 1e6).trunc());
    }
    if milliseconds < 1.0 {
        return format!("{}µs", cut(milliseconds * 1e3));
    }
    if milliseconds < SECOND {
        return format!("{}ms", cut(milliseconds));
    }
    if milliseconds < MINUTE {
        return format!("{}s", cut(milliseconds / SECOND));
    }
    let seconds = (milliseconds / SECOND).trunc();
    let (hours, minutes, seconds) = ((seconds / 3600.0).trunc(), (seconds / 60.0).trunc() % 60.0, seconds % 60.0);
    if hours >= 1.0 { format!("{hours}h{minutes}m{seconds}s") } else { format!("{minutes}m{seconds}s") }
}

/// A size in bytes, by thousands.
pub fn data(bytes: f64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 10.0 {
        return format!("{} B", number(bytes));
    }
    let (mut value, mut unit) = (bytes, 0);
    // Half a step below the next unit already rounds up to it.
    while value >= 999.5 && unit < UNITS.len() - 1 {
        value /= 1e3;
        unit += 1;
    }
    let decimals = usize::from(value < 9.95 && unit > 0);
    format!("{value:.decimals$} {}", UNITS[unit])
}

/// A share as a percentage, cut after two decimals: 99.999 % must not look like all.
pub fn percent(share: f64) -> String {
    // The small addition undoes what binary fractions take from decimals such as 0.29.
    format!("{:.2}%", (share * 1e4 + 1e-9).trunc() / 1e2)
}

/// Up to two decimals, cut and not rounded.
fn cut(value: f64) -> String {
    trim_zeros(format!("{:.2}", (value * 1e2 + 1e-9).trunc() / 1e2))
}

fn trim_zeros(text: String) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (milliseconds, shown) in [
            (0.0, "0s"),
            (0.000_25, "250ns"),
            (0.007, "7µs"),
            (0.128_469, "128.46µs"),
            (1.0, "1ms"),
            (1.239, "1.23ms"),
            (148.219, "148.21ms"),
            (999.999, "999.99ms"),
            (1_140.0, "1.14s"),
            (59_999.0, "59.99s"),
            (60_000.0, "1m0s"),
            (123_456.0, "2m3s"),
            (3_723_000.0, "1h2m3s"),
        ] {
            assert_eq!(time(milliseconds, None), shown);
        }
        assert_eq!(time(148.219, Some(TimeUnit::Seconds)), "0.15s");
        assert_eq!(time(148.219, Some(TimeUnit::Milliseconds)), "148.22ms");
        assert_eq!(time(148.219, Some(TimeUnit::Microseconds)), "148219.00µs");
    }

    #[test]
    fn sizes() {
        for (bytes, shown) in [
            (0.0, "0 B"),
            (9.0, "9 B"),
            (718.0, "718 B"),
            (999.6, "1.0 kB"),
            (4_910.0, "4.9 kB"),
            (45_120.0, "45 kB"),
            (519_000.0, "519 kB"),
            (1_300_000.0, "1.3 MB"),
            (2.5e18, "2.5 EB"),
        ] {
            assert_eq!(data(bytes), shown);
        }
    }

    #[test]
    fn numbers_and_shares() {
        assert_eq!(number(13.122_179_04), "13.122179");
        assert_eq!(number(120.0), "120");
        assert_eq!(number(1_000_000.0), "1000000");
        for (share, shown) in
            [(0.0, "0.00%"), (1.0, "100.00%"), (0.99999, "99.99%"), (0.9912, "99.12%"), (0.29, "29.00%")]
        {
            assert_eq!(percent(share), shown);
        }
        assert_eq!(value(4_910.0, Contains::Data, None), "4.9 kB");
    }

    #[test]
    fn units_are_those_of_the_option() {
        assert_eq!("us".parse(), Ok(TimeUnit::Microseconds));
        insta::assert_snapshot!("min".parse::<TimeUnit>().unwrap_err(), @r#"summaryTimeUnit: "min" is unknown; use s, ms or us"#);
    }
}
