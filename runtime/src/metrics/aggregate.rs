//! The value of one series, or of several together.

use super::{Kind, Trend};

/// What a metric's samples became.
#[derive(Clone, Debug)]
pub enum Aggregate {
    /// A sum.
    Counter {
        /// The sum of all samples.
        sum: f64,
        /// How many samples there were.
        samples: u64,
    },
    /// A value at a time.
    Gauge {
        /// The sample that came last.
        last: f64,
        /// The least sample.
        min: f64,
        /// The greatest sample.
        max: f64,
        /// How many samples there were.
        samples: u64,
        /// When the last sample came, in the order of all gauges' samples of the run.
        order: u64,
    },
    /// A share.
    Rate {
        /// Samples that were not 0.
        passes: u64,
        /// All samples.
        total: u64,
    },
    /// A distribution.
    Trend(Trend),
}

impl Aggregate {
    /// Without samples.
    pub const fn new(kind: Kind) -> Self {
        match kind {
            Kind::Counter => Self::Counter { sum: 0.0, samples: 0 },
            Kind::Gauge => Self::Gauge { last: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY, samples: 0, order: 0 },
            Kind::Rate => Self::Rate { passes: 0, total: 0 },
            Kind::Trend => Self::Trend(Trend::new()),
        }
    }

    /// The kind of metric that has such values.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Counter { .. } => Kind::Counter,
            Self::Gauge { .. } => Kind::Gauge,
            Self::Rate { .. } => Kind::Rate,
            Self::Trend(_) => Kind::Trend,
        }
    }

    /// How many samples there were.
    pub const fn samples(&self) -> u64 {
        match self {
            Self::Counter { samples, .. } | Self::Gauge { samples, .. } => *samples,
            Self::Rate { total, .. } => *total,
            Self::Trend(trend) => trend.count(),
        }
    }

    /// Adds a sample, which the kind must be able to hold (see [`accepts`]). `order` is only read by gauges: the greatest
    /// is the last.
    #[inline]
    pub(super) fn record(&mut self, value: f64, order: u64) {
        match self {
            Self::Counter { sum, samples } => {
                *sum += value;
                *samples += 1;
            }
            Self::Gauge { last, min, max, samples, order: latest } => {
                if *samples == 0 || order >= *latest {
                    *last = value;
                    *latest = order;
                }
                *min = min.min(value);
                *max = max.max(value);
                *samples += 1;
            }
            Self::Rate { passes, total } => {
                *passes += u64::from(value != 0.0);
                *total += 1;
            }
            Self::Trend(trend) => trend.record(value),
        }
    }

    /// Adds all samples of another aggregate of the same kind; one of another kind changes nothing.
    pub fn merge(&mut self, other: &Self) {
        debug_assert_eq!(self.kind(), other.kind());
        match (self, other) {
            (Self::Counter { sum, samples }, Self::Counter { sum: more, samples: further }) => {
                *sum += more;
                *samples += further;
            }
            (
                Self::Gauge { last, min, max, samples, order },
                Self::Gauge { last: their_last, min: their_min, max: their_max, samples: further, order: their_order },
            ) if *further > 0 => {
                if *samples == 0 || their_order >= order {
                    *last = *their_last;
                    *order = *their_order;
                }
                *min = min.min(*their_min);
                *max = max.max(*their_max);
                *samples += further;
            }
            (Self::Rate { passes, total }, Self::Rate { passes: more, total: further }) => {
                *passes += more;
                *total += further;
            }
            (Self::Trend(trend), Self::Trend(other)) => trend.merge(other),
            _ => {}
        }
    }

    /// Forgets all samples and keeps the memory.
    pub(super) fn clear(&mut self) {
        match self {
            Self::Trend(trend) => trend.clear(),
            other => *other = Self::new(other.kind()),
        }
    }
}

/// Whether a metric of this kind can hold the value: only finite ones, and none below 0 for counters (which never fall) and
/// trends.
#[inline]
pub(super) fn accepts(kind: Kind, value: f64) -> bool {
    match kind {
        Kind::Counter | Kind::Trend => value.is_finite() && value >= 0.0,
        Kind::Gauge | Kind::Rate => value.is_finite(),
    }
}
