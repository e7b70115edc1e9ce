//! A high-dynamic-range histogram that only holds the parts which are used.
//!
//! Buckets are those of an HDR histogram with 3 significant digits: every power of two is cut into 1,024 equal parts, so
//! that a bucket is at most 1/1024 of its value wide. Here the parts are read straight from the number's IEEE 754
//! representation (the exponent and the first 10 bits of the fraction), so that no unit has to be chosen: one layout holds
//! nanoseconds and hours. The counters are allocated in runs of 128 where a value first falls. A latency series thus takes
//! some 10 to 40 KB, where one contiguous array from 1 microsecond to 60 seconds takes 139 KB: there can be thousands.

/// Buckets per power of two: 3 significant digits.
const PARTS_BITS: u32 = 10;
/// How much of the fraction does not count.
const SHIFT: u32 = f64::MANTISSA_DIGITS - 1 - PARTS_BITS;
/// The least power of two with buckets of its own; what is smaller (and not 0) falls into the first one. About a
/// nanosecond where values are milliseconds.
const MIN_EXPONENT: i32 = -20;
/// How many powers of two have buckets: up to 2^44, which is 500 years of milliseconds or 17 TB of bytes.
const OCTAVES: usize = 64;
/// The bucket number of 2^[`MIN_EXPONENT`] before the offset is taken away.
const OFFSET: u64 = ((1023 + MIN_EXPONENT) as u64) << PARTS_BITS;
/// How many buckets there are.
pub(super) const BUCKETS: usize = OCTAVES << PARTS_BITS;
/// Counters allocated at once: an eighth of a power of two, 1 KiB.
const RUN: usize = 128;
const RUNS: usize = BUCKETS / RUN;
const ABSENT: u16 = u16::MAX;

/// Counts of values that are finite and not negative.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    zeros: u64,
    /// Where the counters of each run are in `runs`.
    places: [u16; RUNS],
    runs: Vec<[u64; RUN]>,
}

impl Histogram {
    pub(super) const fn new() -> Self {
        Self { zeros: 0, places: [ABSENT; RUNS], runs: Vec::new() }
    }

    #[inline]
    pub(super) fn record(&mut self, value: f64) {
        if value == 0.0 {
            self.zeros += 1;
        } else {
            let bucket = bucket_of(value);
            self.run(bucket / RUN)[bucket % RUN] += 1;
        }
    }

    /// Adds another histogram's counts.
    pub(super) fn merge(&mut self, other: &Self) {
        self.zeros += other.zeros;
        for (run, place) in other.places.iter().enumerate().filter(|(_, place)| **place != ABSENT) {
            let theirs = &other.runs[usize::from(*place)];
            for (mine, theirs) in self.run(run).iter_mut().zip(theirs) {
                *mine += theirs;
            }
        }
    }

    /// Sets every count to 0 and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.zeros = 0;
        for run in &mut self.runs {
            run.fill(0);
        }
    }

    /// The values at two ranks (0 is the least value), `low <= high`, as found in their buckets.
    pub(super) fn values_at(&self, low: u64, high: u64) -> (f64, f64) {
        let mut seen = self.zeros;
        let mut at_low = (low < seen).then_some(0.0);
        if high < seen {
            return (0.0, 0.0);
        }
        let mut last = 0.0;
        for (run, place) in self.places.iter().enumerate().filter(|(_, place)| **place != ABSENT) {
            for (slot, count) in self.runs[usize::from(*place)].iter().enumerate().filter(|(_, count)| **count > 0) {
                seen += count;
                last = representative(run * RUN + slot);
                if at_low.is_none() && low < seen {
                    at_low = Some(last);
                }
                if high < seen {
                    return (at_low.unwrap_or(last), last);
                }
            }
        }
        (at_low.unwrap_or(last), last)
    }

    /// Every count that is not 0, by the least value of its bucket.
    #[cfg(test)]
    pub(super) fn counts(&self) -> Vec<(f64, u64)> {
        let zeros = Some((0.0, self.zeros)).filter(|(_, count)| *count > 0);
        zeros.into_iter().chain(self.buckets().map(|(bucket, count)| (lower_edge(bucket), count))).collect()
    }

    /// How many values were 0.
    pub(super) const fn zeros(&self) -> u64 {
        self.zeros
    }

    /// The buckets that hold something, and how many values each, in ascending order.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (usize, u64)> {
        let held = self.places.iter().enumerate().filter(|(_, place)| **place != ABSENT);
        held.flat_map(|(run, place)| {
            let counts = self.runs[usize::from(*place)].iter().enumerate().filter(|(_, count)| **count > 0);
            counts.map(move |(slot, count)| (run * RUN + slot, *count))
        })
    }

    /// Adds values that are known by their bucket, which is below [`BUCKETS`].
    pub(super) fn add(&mut self, bucket: usize, count: u64) {
        self.run(bucket / RUN)[bucket % RUN] += count;
    }

    /// Adds values of 0.
    pub(super) const fn add_zeros(&mut self, count: u64) {
        self.zeros += count;
    }

    /// Bytes held on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of::<Self>() + self.runs.capacity() * size_of::<[u64; RUN]>()
    }

    #[inline]
    fn run(&mut self, run: usize) -> &mut [u64; RUN] {
        if self.places[run] == ABSENT {
            self.places[run] = u16::try_from(self.runs.len()).unwrap_or(ABSENT);
            self.runs.push([0; RUN]);
        }
        &mut self.runs[usize::from(self.places[run])]
    }
}

/// The bucket of a finite value above 0.
#[inline]
pub(super) fn bucket_of(value: f64) -> usize {
    let number = (value.to_bits() >> SHIFT).saturating_sub(OFFSET);
    usize::try_from(number).unwrap_or(usize::MAX).min(BUCKETS - 1)
}

/// The least value of a bucket; that of the next bucket is the end of this one.
fn lower_edge(bucket: usize) -> f64 {
    f64::from_bits((bucket as u64 + OFFSET) << SHIFT)
}

/// The number with the fewest significant digits in a bucket (nearest to its middle where there are several): what 3 digits
/// can say. Whole numbers below 2,048 and their like thus come out as they went in.
fn representative(bucket: usize) -> f64 {
    let (low, end) = (lower_edge(bucket), lower_edge(bucket + 1));
    let middle = low + (end - low) / 2.0;
    let magnitude = middle.log10().floor() as i32;
    for digits in 1..=5 {
        let places = digits - 1 - magnitude;
        let scale = 10f64.powi(places.abs());
        // Dividing by a power of ten rather than multiplying by its inverse keeps decimals exact.
        let at = |round: fn(f64) -> f64, value: f64| {
            if places >= 0 { round(value * scale) / scale } else { round(value / scale) * scale }
        };
        let candidates = [at(f64::round, middle), at(f64::ceil, low)];
        if let Some(found) = candidates.into_iter().find(|value| *value >= low && *value < end) {
            return found;
        }
    }
    middle
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whole_numbers_and_round_decimals_come_out_as_they_went_in() {
        for value in (1..2048).map(f64::from).chain([0.5, 0.25, 12.5, 0.001, 3000.0, 60_000.0]) {
            assert_eq!(representative(bucket_of(value)), value);
        }
    }

    #[test]
    fn extremes_fall_into_the_outer_buckets() {
        assert_eq!(bucket_of(f64::MIN_POSITIVE), 0);
        assert_eq!(bucket_of(f64::MAX), BUCKETS - 1);
    }

    #[test]
    fn memory_follows_the_spread_and_not_the_count() {
        let mut histogram = Histogram::new();
        for round in 0..1_000u32 {
            for value in 100..800 {
                histogram.record(f64::from(value) + f64::from(round) / 1_000.0);
            }
        }
        assert_eq!(histogram.runs.len(), 25, "three powers of two and what is left of the first");
        assert!(histogram.heap_bytes() < 40_000, "{}", histogram.heap_bytes());
    }

    proptest! {
        #[test]
        fn a_bucket_holds_its_value_within_a_thousandth(value in 1e-6f64..1e13) {
            let bucket = bucket_of(value);
            prop_assert!(lower_edge(bucket) <= value && value < lower_edge(bucket + 1));
            let shown = representative(bucket);
            prop_assert!((shown - value).abs() <= value / 1000.0, "{value} is shown as {shown}");
            prop_assert_eq!(bucket_of(shown), bucket);
        }

        #[test]
        fn agrees_with_the_reference_hdr_histogram(values in prop::collection::vec(1u64..60_000_000, 1..400), rank in 0.0f64..1.0) {
            let mut reference = hdrhistogram::Histogram::<u64>::new(3).unwrap();
            let mut ours = Histogram::new();
            for value in &values {
                reference.record(*value).unwrap();
                ours.record(*value as f64);
            }
            let rank = (rank * values.len() as f64) as u64;
            let expected = reference.value_at_quantile((rank as f64 + 0.5) / values.len() as f64) as f64;
            let (value, _) = ours.values_at(rank, rank);
            prop_assert!((value - expected).abs() <= expected * 0.002, "{value} against {expected}");
        }
    }
}
