//! What several rounds say together.

use serde::Serialize;

/// The median of several values, with the least and the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// `None` without any finite value.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<_> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median =
            if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) };
        Some(Self { median, min, max })
    }

    /// `1.23 (1.20 to 1.31)`, or the median alone where all are the same to so many digits.
    pub(crate) fn shown(&self, digits: usize) -> String {
        let [median, min, max] = [self.median, self.min, self.max].map(|value| fixed(value, digits));
        if min == max { median } else { format!("{median} ({min} to {max})") }
    }
}

/// `a` divided by `b` round by round: noise that lasts longer than a round is in both.
pub(crate) fn ratio(a: &[Option<f64>], b: &[Option<f64>]) -> Option<Spread> {
    Spread::of(a.iter().zip(b).filter_map(|(a, b)| Some((*a)? / (*b)?)))
}

/// `12,345.6` with so many digits after the point.
pub(crate) fn fixed(value: f64, digits: usize) -> String {
    let text = format!("{:.digits$}", value.abs());
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut grouped = String::new();
    for (at, digit) in whole.char_indices() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if value < 0.0 && text.chars().any(|c| c.is_ascii_digit() && c != '0') { "-" } else { "" };
    rest.map_or_else(|| format!("{sign}{grouped}"), |rest| format!("{sign}{grouped}.{rest}"))
}

/// The value below which so large a part of all values lies; each value comes with how often it was measured.
pub(crate) fn quantile(counts: &[(f64, u64)], part: f64) -> Option<f64> {
    let mut counts = counts.to_vec();
    counts.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let all: u64 = counts.iter().map(|(_, count)| count).sum();
    let rank = (all as f64 * part).ceil().max(1.0) as u64;
    let mut seen = 0;
    counts
        .iter()
        .find(|(_, count)| {
            seen += count;
            seen >= rank
        })
        .map(|(value, _)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_two() {
        let spread = |values: &[f64]| Spread::of(values.iter().copied()).map(|s| (s.median, s.min, s.max));
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some((2.0, 1.0, 3.0)));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 10.0]), Some((3.0, 1.0, 10.0)));
        assert_eq!(spread(&[f64::NAN, 5.0]), Some((5.0, 5.0, 5.0)));
        assert_eq!(spread(&[]), None);
    }

    #[test]
    fn a_ratio_is_taken_within_a_round() {
        // The machine was half as fast in the second round, and one side was not measured in the third.
        let (a, b) = ([Some(20.0), Some(40.0), Some(1.0)], [Some(10.0), Some(20.0), None]);
        assert_eq!(ratio(&a, &b), Some(Spread { median: 2.0, min: 2.0, max: 2.0 }));
    }

    #[test]
    fn numbers_are_grouped() {
        let texts = [(0.0, 0), (999.0, 0), (1000.0, 0), (1_234_567.891, 2), (-1234.5, 1), (-0.001, 1)];
        assert_eq!(
            texts.map(|(value, digits)| fixed(value, digits)),
            ["0", "999", "1,000", "1,234,567.89", "-1,234.5", "0.0"]
        );
    }

    #[test]
    fn a_spread_without_width_is_one_number() {
        assert_eq!(Spread { median: 1.0, min: 1.001, max: 0.999 }.shown(2), "1.00");
        assert_eq!(Spread { median: 1.5, min: 1.0, max: 2.0 }.shown(1), "1.5 (1.0 to 2.0)");
    }

    #[test]
    fn a_quantile_counts_how_often_each_value_was_measured() {
        let counts = [(3.0, 1), (1.0, 98), (2.0, 1)];
        assert_eq!([0.5, 0.98, 0.99, 1.0].map(|part| quantile(&counts, part)), [1.0, 1.0, 2.0, 3.0].map(Some));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
