//! A trend taken apart, to be kept in a file and put together again without the least difference.

use super::super::histogram::{BUCKETS, Histogram, bucket_of};
use super::{EXACT_SAMPLES, Trend};

/// What a trend knows beside its values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sums {
    /// How many values there are.
    pub count: u64,
    /// Their sum, as it was rounded.
    pub sum: f64,
    /// What rounding took from the sum.
    pub lost: f64,
    /// The least value.
    pub min: f64,
    /// The greatest value.
    pub max: f64,
}

/// Values that are known by their bucket in a histogram.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buckets {
    /// How many values were 0.
    pub zeros: u64,
    /// The buckets that hold something, in ascending order, and how many values each. Bucket `b` holds the values from
    /// the number whose IEEE 754 bits are `(b + 1027072) << 42` to the one where the next bucket begins.
    pub counts: Vec<(u32, u64)>,
}

/// The values of a trend.
#[derive(Clone, Debug, PartialEq)]
pub enum Stored {
    /// All of them, at most [`EXACT_SAMPLES`].
    Exact(Vec<f64>),
    /// Within 0.1 %.
    Buckets(Buckets),
}

/// Parts that no trend was taken apart to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unfit(&'static str);

impl Trend {
    /// Whether the values are in a histogram, and no longer known one by one.
    pub const fn is_binned(&self) -> bool {
        self.binned
    }

    /// What is known beside the values.
    pub const fn sums(&self) -> Sums {
        Sums { count: self.count, sum: self.sum, lost: self.lost, min: self.min, max: self.max }
    }

    /// The values, as exact as they are known; in buckets if that will do.
    pub fn stored(&self, buckets_will_do: bool) -> Stored {
        if !self.binned && !buckets_will_do {
            return Stored::Exact(self.values.clone());
        }
        let mut buckets = Buckets::default();
        if self.binned {
            if let Some(histogram) = &self.histogram {
                buckets.zeros = histogram.zeros();
                buckets.counts.extend(histogram.buckets().map(|(bucket, count)| (narrow(bucket), count)));
            }
            return Stored::Buckets(buckets);
        }
        let mut found: Vec<u32> =
            self.values.iter().filter(|value| **value != 0.0).map(|value| narrow(bucket_of(*value))).collect();
        buckets.zeros = (self.values.len() - found.len()) as u64;
        found.sort_unstable();
        for bucket in found {
            match buckets.counts.last_mut() {
                Some((last, count)) if *last == bucket => *count += 1,
                _ => buckets.counts.push((bucket, 1)),
            }
        }
        Stored::Buckets(buckets)
    }

    /// The trend that was taken apart. Whatever the parts are, the trend can be merged and asked for everything.
    ///
    /// # Errors
    /// Parts that contradict each other, or that no trend has.
    pub fn restore(sums: Sums, stored: Stored) -> Result<Self, Unfit> {
        let mut trend = Self::new();
        if sums.count == 0 {
            return Err(Unfit("a trend without values"));
        }
        let fits = |value: f64| value.is_finite() && value >= 0.0;
        if !(fits(sums.min) && fits(sums.max) && sums.min <= sums.max && fits(sums.sum) && sums.lost.is_finite()) {
            return Err(Unfit("a trend's sums are no numbers that it can have"));
        }
        match stored {
            Stored::Exact(values) => {
                if values.len() as u64 != sums.count || values.len() > EXACT_SAMPLES {
                    return Err(Unfit("a trend has not as many values as it says"));
                }
                if !values.iter().all(|value| (sums.min..=sums.max).contains(value)) {
                    return Err(Unfit("a trend's value is beyond its least or greatest"));
                }
                trend.values = values;
            }
            Stored::Buckets(buckets) => {
                let mut histogram = Box::new(Histogram::new());
                let mut left = sums.count.checked_sub(buckets.zeros);
                histogram.add_zeros(buckets.zeros);
                for (bucket, count) in buckets.counts {
                    left = left.and_then(|left| left.checked_sub(count));
                    if bucket as usize >= BUCKETS || left.is_none() {
                        return Err(Unfit("a trend's buckets hold more values than it says, or do not exist"));
                    }
                    histogram.add(bucket as usize, count);
                }
                if left != Some(0) {
                    return Err(Unfit("a trend's buckets hold other than as many values as it says"));
                }
                trend.histogram = Some(histogram);
                trend.binned = true;
            }
        }
        Ok(Self { count: sums.count, sum: sums.sum, lost: sums.lost, min: sums.min, max: sums.max, ..trend })
    }

    /// Bytes held on the heap.
    pub fn heap_bytes(&self) -> usize {
        size_of::<f64>() * self.values.capacity()
            + self.histogram.as_ref().map_or(0, |histogram| histogram.heap_bytes())
    }
}

/// A bucket's number, which is far below 2^32.
fn narrow(bucket: usize) -> u32 {
    u32::try_from(bucket).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Everything that a summary may ask for, to the last bit.
    fn asked(trend: &Trend) -> Vec<u64> {
        let percentiles = [0.0, 1.0, 25.0, 50.0, 90.0, 99.0, 99.99, 100.0].map(|percent| trend.percentile(percent));
        let numbers = [trend.sum(), trend.min(), trend.max(), trend.avg()];
        numbers.into_iter().chain(percentiles).map(f64::to_bits).chain([trend.count()]).collect()
    }

    proptest! {
        #[test]
        fn parts_make_the_same_trend(
            windows in prop::collection::vec(
                prop::collection::vec(prop_oneof![Just(0.0), 0.001f64..60_000.0, 1e-9f64..1e-3], 1..700), 1..5),
        ) {
            let (mut live, mut again) = (Trend::new(), Trend::new());
            for values in windows {
                let mut window = Trend::new();
                values.iter().for_each(|value| window.record(*value));
                live.merge(&window);
                let restored = Trend::restore(window.sums(), window.stored(live.is_binned())).unwrap();
                again.merge(&restored);
                prop_assert_eq!(asked(&live), asked(&again));
            }
        }
    }

    #[test]
    fn the_documented_edge_of_a_bucket_is_its_edge() {
        for bucket in [0u64, 1, 5_000, 40_000] {
            let edge = f64::from_bits((bucket + 1_027_072) << 42);
            assert_eq!(bucket_of(edge) as u64, bucket);
            assert_eq!(bucket_of(f64::from_bits(edge.to_bits() - 1)) as u64, bucket.saturating_sub(1));
        }
    }

    #[test]
    fn parts_of_no_trend_are_refused() {
        let sums = Sums { count: 2, sum: 3.0, lost: 0.0, min: 1.0, max: 2.0 };
        let exact = |values: &[f64]| Stored::Exact(values.to_vec());
        let buckets = |zeros, counts: &[(u32, u64)]| Stored::Buckets(Buckets { zeros, counts: counts.to_vec() });
        Trend::restore(sums, exact(&[1.0, 2.0])).unwrap();
        Trend::restore(sums, buckets(1, &[(7, 1)])).unwrap();
        for (sums, stored) in [
            (Sums { count: 0, ..sums }, exact(&[])),
            (Sums { min: 3.0, ..sums }, exact(&[1.0, 2.0])),
            (Sums { max: f64::NAN, ..sums }, exact(&[1.0, 2.0])),
            (Sums { sum: -1.0, ..sums }, exact(&[1.0, 2.0])),
            (Sums { lost: f64::INFINITY, ..sums }, exact(&[1.0, 2.0])),
            (sums, exact(&[1.0])),
            (sums, exact(&[1.0, f64::NAN])),
            (sums, exact(&[1.0, 9.0])),
            (sums, buckets(1, &[(7, 2)])),
            (sums, buckets(3, &[])),
            (sums, buckets(1, &[])),
            (sums, buckets(0, &[(7, u64::MAX), (8, 3)])),
            (sums, buckets(1, &[(u32::MAX, 1)])),
        ] {
            assert!(Trend::restore(sums, stored.clone()).is_err(), "{sums:?} {stored:?}");
        }
    }
}
