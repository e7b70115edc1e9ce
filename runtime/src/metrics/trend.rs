//! A distribution: exact while it is small, a histogram afterwards.

mod stored;

use super::histogram::Histogram;

pub use stored::{Buckets, Stored, Sums, Unfit};

/// Up to so many values a trend keeps every one, and its percentiles are exact.
pub const EXACT_SAMPLES: usize = 512;

/// The distribution of a trend's values, which are finite and not negative.
///
/// Count, sum, least and greatest value are exact always. A percentile is the linear interpolation between the two nearest
/// ranks, as k6 computes it: exact up to [`EXACT_SAMPLES`] values, then within 0.1 % of the value.
#[derive(Clone, Debug)]
pub struct Trend {
    count: u64,
    sum: f64,
    /// What rounding took from the sum: Neumaier's improvement of Kahan's summation.
    lost: f64,
    min: f64,
    max: f64,
    /// Every value, in the order of arrival, until `binned`.
    values: Vec<f64>,
    /// Whether the histogram holds the values. An emptied trend keeps its histogram's memory.
    binned: bool,
    histogram: Option<Box<Histogram>>,
}

impl Trend {
    /// A trend without values.
    pub const fn new() -> Self {
        Self {
            count: 0,
            sum: 0.0,
            lost: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            values: Vec::new(),
            binned: false,
            histogram: None,
        }
    }

    /// Adds a value, which must be finite and not negative.
    #[inline]
    pub fn record(&mut self, value: f64) {
        debug_assert!(value.is_finite() && value >= 0.0, "{value} must be refused before it comes here");
        self.count += 1;
        self.add_to_sum(value);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        if !self.binned {
            if self.values.len() < EXACT_SAMPLES {
                self.values.push(value);
                return;
            }
            self.bin();
        }
        if let Some(histogram) = &mut self.histogram {
            histogram.record(value);
        }
    }

    /// Adds all values of another trend.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        self.count += other.count;
        self.add_to_sum(other.sum);
        self.lost += other.lost;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        if !self.binned {
            if !other.binned && self.values.len() + other.values.len() <= EXACT_SAMPLES {
                self.values.extend_from_slice(&other.values);
                return;
            }
            self.bin();
        }
        if let Some(histogram) = &mut self.histogram {
            match &other.histogram {
                Some(theirs) if other.binned => histogram.merge(theirs),
                _ => other.values.iter().for_each(|value| histogram.record(*value)),
            }
        }
    }

    /// Forgets all values and keeps the memory for the next ones.
    pub fn clear(&mut self) {
        self.count = 0;
        self.sum = 0.0;
        self.lost = 0.0;
        self.min = f64::INFINITY;
        self.max = f64::NEG_INFINITY;
        self.values.clear();
        if self.binned
            && let Some(histogram) = &mut self.histogram
        {
            histogram.clear();
        }
        self.binned = false;
    }

    /// How many values there are.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The sum of all values, as if it had been rounded once.
    pub const fn sum(&self) -> f64 {
        self.sum + self.lost
    }

    /// The least value, exact; 0 without values.
    pub const fn min(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.min }
    }

    /// The greatest value, exact; 0 without values.
    pub const fn max(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.max }
    }

    /// The mean; 0 without values.
    pub fn avg(&self) -> f64 {
        if self.count == 0 { 0.0 } else { (self.sum() / self.count as f64).clamp(self.min, self.max) }
    }

    /// The median: `percentile(50)`.
    pub fn med(&self) -> f64 {
        self.percentile(50.0)
    }

    /// The value below which `percent` (0 to 100, anything beyond is taken as the nearer end) of all values lie; 0 without
    /// values.
    pub fn percentile(&self, percent: f64) -> f64 {
        if self.count == 0 {
            return 0.0;
        }
        let rank = (self.count - 1) as f64 * (percent / 100.0).clamp(0.0, 1.0);
        let (low, high) = (rank.floor(), rank.ceil());
        let (at_low, at_high) = if self.binned {
            self.histogram.as_ref().map_or((0.0, 0.0), |histogram| histogram.values_at(low as u64, high as u64))
        } else {
            let mut sorted = self.values.clone();
            sorted.sort_unstable_by(f64::total_cmp);
            (sorted[low as usize], sorted[high as usize])
        };
        // Each end is known exactly, whatever its bucket says.
        let exact = |value: f64, rank: f64| {
            if rank == 0.0 {
                self.min
            } else if rank as u64 == self.count - 1 {
                self.max
            } else {
                value.clamp(self.min, self.max)
            }
        };
        let (at_low, at_high) = (exact(at_low, low), exact(at_high, high));
        at_low + (at_high - at_low) * (rank - low)
    }

    /// All that is known of the values: whether they are binned, and each value or the least of its bucket with its count, in
    /// rising order.
    #[cfg(test)]
    pub(crate) fn contents(&self) -> (bool, Vec<(f64, u64)>) {
        if self.binned {
            return (true, self.histogram.as_ref().map_or_else(Vec::new, |histogram| histogram.counts()));
        }
        let mut sorted = self.values.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        (false, sorted.into_iter().map(|value| (value, 1)).collect())
    }

    #[inline]
    fn add_to_sum(&mut self, value: f64) {
        let sum = self.sum + value;
        // The lesser of the two is the one that loses digits.
        self.lost += if self.sum >= value { (self.sum - sum) + value } else { (value - sum) + self.sum };
        self.sum = sum;
    }

    /// Moves the values into the histogram.
    fn bin(&mut self) {
        let histogram = self.histogram.get_or_insert_with(|| Box::new(Histogram::new()));
        self.values.iter().for_each(|value| histogram.record(*value));
        self.values = Vec::new();
        self.binned = true;
    }
}

impl Default for Trend {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[f64]) -> Trend {
        let mut trend = Trend::new();
        values.iter().for_each(|value| trend.record(*value));
        trend
    }

    /// k6's definition, on a sorted copy.
    fn exact(values: &[f64], percent: f64) -> f64 {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let rank = (sorted.len() - 1) as f64 * percent / 100.0;
        let low = sorted[rank.floor() as usize];
        low + (sorted[rank.ceil() as usize] - low) * rank.fract()
    }

    #[test]
    fn percentiles_interpolate_between_ranks() {
        let trend = of(&[10.0, 20.0, 30.0, 40.0]);
        assert_eq!(trend.med(), 25.0);
        assert_eq!(trend.percentile(0.0), 10.0);
        assert_eq!(trend.percentile(100.0), 40.0);
        assert!((trend.percentile(90.0) - 37.0).abs() < 1e-9);
        assert_eq!(trend.avg(), 25.0);
    }

    #[test]
    fn without_values_everything_is_zero() {
        let trend = Trend::new();
        assert_eq!(
            (trend.count(), trend.min(), trend.max(), trend.avg(), trend.percentile(95.0)),
            (0, 0.0, 0.0, 0.0, 0.0)
        );
    }

    #[test]
    fn many_equal_values_have_that_value_as_every_percentile() {
        let trend = of(&vec![3.3; 5_000]);
        for percent in [0.0, 1.0, 50.0, 99.99, 100.0] {
            assert_eq!(trend.percentile(percent), 3.3);
        }
    }

    #[test]
    fn rounding_does_not_add_up() {
        let trend = of(&vec![0.1; 1_000_000]);
        assert_eq!(trend.sum(), 100_000.0);
        assert_eq!(trend.avg(), 0.1);
        let mut merged = Trend::new();
        (0..1_000).for_each(|_| merged.merge(&of(&vec![0.1; 1_000])));
        assert_eq!(merged.sum(), 100_000.0);
    }

    #[test]
    fn a_cleared_trend_starts_again_exactly() {
        let mut trend = of(&vec![7.0; 5_000]);
        trend.clear();
        trend.record(0.123_456);
        assert_eq!((trend.count(), trend.med(), trend.max()), (1, 0.123_456, 0.123_456));
        // Binned again: nothing of the first round may be left in the buckets.
        (0..1_000).for_each(|_| trend.record(1.0));
        assert_eq!(trend.count(), 1_001);
        assert_eq!(trend.percentile(99.0), 1.0);
    }

    proptest! {
        #[test]
        fn percentiles_agree_with_a_sort(
            values in prop::collection::vec(prop_oneof![Just(0.0), 0.001f64..60_000.0, 0.5f64..2.0], 1..3_000),
            percent in 0.0f64..100.0,
        ) {
            let trend = of(&values);
            let (ours, theirs) = (trend.percentile(percent), exact(&values, percent));
            if values.len() <= EXACT_SAMPLES {
                prop_assert!((ours - theirs).abs() <= theirs * 1e-12, "{ours} against {theirs}");
            } else {
                prop_assert!((ours - theirs).abs() <= theirs * 0.001, "{ours} against {theirs}");
            }
        }

        #[test]
        fn merging_parts_is_recording_all(parts in prop::collection::vec(prop::collection::vec(0.0f64..5_000.0, 0..900), 1..5)) {
            let all = of(&parts.concat());
            let mut merged = Trend::new();
            for part in &parts {
                merged.merge(&of(part));
            }
            prop_assert_eq!(merged.count(), all.count());
            prop_assert_eq!((merged.min(), merged.max()), (all.min(), all.max()));
            prop_assert!((merged.sum() - all.sum()).abs() <= all.sum() * 1e-12);
            for percent in [0.0, 10.0, 50.0, 90.0, 99.9, 100.0] {
                prop_assert_eq!(merged.percentile(percent), all.percentile(percent));
            }
        }
    }
}
