//! Totals made again from windows that were kept.
//!
//! What was kept may be damaged or made up: nothing here trusts a number.

use std::sync::Arc;

use super::totals::Totals;
use super::{Aggregate, Contains, Kind, MetricId, RegisterError, Registry, SeriesId, SystemTags, TagSetId};

/// The most samples that a metric can have: beyond, counts would no longer be exact in JSON.
const MOST_SAMPLES: u64 = 1 << 53;
/// What a definition takes in memory, generously.
const DEFINITION_BYTES: u64 = 512;

/// Makes totals again: first what a window needs is defined, then the window is merged.
#[derive(Debug)]
pub struct Replay {
    registry: Arc<Registry>,
    totals: Totals,
    /// By their number in the file; likewise below.
    metrics: Vec<(MetricId, Kind)>,
    tags: Vec<TagSetId>,
    series: Vec<(SeriesId, Kind)>,
    heap_bytes: u64,
}

/// Why something cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// A metric that cannot be.
    #[error(transparent)]
    Metric(#[from] RegisterError),
    /// Something that was not defined before.
    #[error("{what} {number} was not defined before")]
    Undefined {
        /// What.
        what: &'static str,
        /// Its number.
        number: u64,
    },
    /// Values that the kind of metric cannot have.
    #[error("{0}")]
    Values(&'static str),
}

impl Replay {
    /// Nothing has happened. `max_series` is only told again in the summary.
    pub fn new(max_series: usize) -> Self {
        let registry = Arc::new(Registry::new(max_series, SystemTags::default()));
        Self {
            totals: Totals::new(Arc::clone(&registry)),
            registry,
            metrics: Vec::new(),
            tags: vec![TagSetId::EMPTY, TagSetId::LOST],
            series: Vec::new(),
            heap_bytes: 0,
        }
    }

    /// Defines the next metric.
    ///
    /// # Errors
    /// A metric that no run can have.
    pub fn metric(&mut self, name: &str, kind: Kind, contains: Contains) -> Result<(), ReplayError> {
        self.metrics.push((self.registry.register(name, kind, contains)?, kind));
        self.heap_bytes += DEFINITION_BYTES;
        Ok(())
    }

    /// Defines the next tag set; the first has the number 2.
    pub fn tags(&mut self, pairs: &[(&str, &str)]) {
        self.tags.push(self.registry.restore_tags(pairs));
        self.heap_bytes += DEFINITION_BYTES * (1 + pairs.len() as u64);
    }

    /// Defines the next series.
    ///
    /// # Errors
    /// A metric or a tag set that was not defined.
    pub fn series(&mut self, metric: u64, tags: u64) -> Result<(), ReplayError> {
        let (metric, kind) = self.known_metric(metric)?;
        let tags = *nth(&self.tags, tags).ok_or(ReplayError::Undefined { what: "tag set", number: tags })?;
        self.series.push((self.totals.place(metric, kind, tags), kind));
        self.heap_bytes += DEFINITION_BYTES;
        Ok(())
    }

    /// The kind of a series.
    ///
    /// # Errors
    /// A series that was not defined.
    pub fn kind(&self, series: u64) -> Result<Kind, ReplayError> {
        Ok(self.known_series(series)?.1)
    }

    /// The number of a series in the totals.
    ///
    /// # Errors
    /// A series that was not defined.
    pub fn series_id(&self, series: u64) -> Result<SeriesId, ReplayError> {
        Ok(self.known_series(series)?.0)
    }

    /// Adds news of a series.
    ///
    /// # Errors
    /// A series that was not defined; values that its metric cannot have.
    pub fn merge(&mut self, series: u64, news: &Aggregate) -> Result<(), ReplayError> {
        let (series, kind) = self.known_series(series)?;
        if news.kind() != kind {
            return Err(ReplayError::Values("values of another kind than the series has"));
        }
        check(news)?;
        let heap = |totals: &Totals| {
            let bytes = |aggregate: &Aggregate| match aggregate {
                Aggregate::Trend(trend) => trend.heap_bytes() as u64,
                _ => 0,
            };
            totals.both(series).map_or(0, |(series, whole)| bytes(series) + bytes(whole))
        };
        let samples = self.totals.both(series).map_or(0, |(_, whole)| whole.samples());
        if samples.checked_add(news.samples()).is_none_or(|samples| samples > MOST_SAMPLES) {
            return Err(ReplayError::Values("a metric has more samples than any run can make"));
        }
        let before = heap(&self.totals);
        self.totals.merge(series, news);
        self.heap_bytes += heap(&self.totals).saturating_sub(before);
        Ok(())
    }

    /// Counts samples that a metric could not hold.
    ///
    /// # Errors
    /// A metric that was not defined; too many.
    pub fn refused(&mut self, metric: u64, samples: u64) -> Result<(), ReplayError> {
        let (metric, _) = self.known_metric(metric)?;
        let before = self.totals.refused().find(|(known, _)| *known == metric).map_or(0, |(_, samples)| samples);
        within(before, samples)?;
        self.totals.count_refused(metric, samples);
        Ok(())
    }

    /// Counts samples under `(overflow)`.
    ///
    /// # Errors
    /// Too many.
    pub fn overflow(&mut self, tag: &str, samples: u64) -> Result<(), ReplayError> {
        let before = self.totals.overflow_of(tag);
        within(before, samples)?;
        self.totals.count_overflow(&Arc::from(tag), samples);
        self.heap_bytes += DEFINITION_BYTES;
        Ok(())
    }

    /// About how many bytes of memory all this takes.
    pub const fn heap_bytes(&self) -> u64 {
        self.heap_bytes
    }

    /// Everything so far.
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    fn known_metric(&self, number: u64) -> Result<(MetricId, Kind), ReplayError> {
        nth(&self.metrics, number).copied().ok_or(ReplayError::Undefined { what: "metric", number })
    }

    fn known_series(&self, number: u64) -> Result<(SeriesId, Kind), ReplayError> {
        nth(&self.series, number).copied().ok_or(ReplayError::Undefined { what: "series", number })
    }
}

fn nth<T>(list: &[T], number: u64) -> Option<&T> {
    list.get(usize::try_from(number).ok()?)
}

fn within(before: u64, more: u64) -> Result<(), ReplayError> {
    match before.checked_add(more) {
        Some(all) if all <= MOST_SAMPLES => Ok(()),
        _ => Err(ReplayError::Values("more samples were counted than any run can make")),
    }
}

/// Whether the news are such as a window has. A trend was looked at when it was put together.
fn check(news: &Aggregate) -> Result<(), ReplayError> {
    let fits = match news {
        Aggregate::Counter { sum, samples } => *samples > 0 && sum.is_finite() && *sum >= 0.0,
        Aggregate::Gauge { last, min, max, samples, .. } => {
            *samples > 0 && min.is_finite() && max.is_finite() && (*min..=*max).contains(last)
        }
        Aggregate::Rate { passes, total } => *total > 0 && passes <= total,
        Aggregate::Trend(_) => true,
    };
    if fits { Ok(()) } else { Err(ReplayError::Values("values that no metric of this kind has")) }
}
