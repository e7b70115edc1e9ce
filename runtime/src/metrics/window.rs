//! What one collection brought: the news of all shards together.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::trend::Stored;
use super::{Aggregate, Kind, MetricId, SeriesId, Totals, Trend};

/// What happened between two collections, by series.
///
/// Totals take in whole windows only, in the order of [`Window::series`]: whoever keeps the windows can make the same totals
/// again, to the last bit.
#[derive(Debug, Default)]
pub struct Window {
    /// By the series' number; those that are not `dirty` are empty and keep their memory.
    series: Vec<Aggregate>,
    dirty: Vec<SeriesId>,
    refused: BTreeMap<MetricId, u64>,
    overflow: BTreeMap<Arc<str>, u64>,
}

impl Window {
    /// The series that have news, in the order in which the totals took them in.
    pub fn series(&self) -> impl ExactSizeIterator<Item = (SeriesId, &Aggregate)> {
        self.dirty.iter().map(|series| (*series, &self.series[series.0 as usize]))
    }

    /// Samples that metrics could not hold.
    pub fn refused(&self) -> impl ExactSizeIterator<Item = (MetricId, u64)> {
        self.refused.iter().map(|(metric, samples)| (*metric, *samples))
    }

    /// Samples that stand under `(overflow)`, by the tag to blame.
    pub fn overflow(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, u64)> {
        self.overflow.iter().map(|(tag, samples)| (tag, *samples))
    }

    pub(super) fn clear(&mut self) {
        for series in self.dirty.drain(..) {
            self.series[series.0 as usize].clear();
        }
        self.refused.clear();
        self.overflow.clear();
    }

    /// Series are told of in the order of their numbers.
    pub(super) fn make_room(&mut self, series: SeriesId, kind: Kind) {
        if series.0 as usize == self.series.len() {
            self.series.push(Aggregate::new(kind));
        }
    }

    pub(super) fn merge(&mut self, series: SeriesId, news: &Aggregate) {
        if news.samples() == 0 {
            return;
        }
        let aggregate = &mut self.series[series.0 as usize];
        if aggregate.samples() == 0 {
            self.dirty.push(series);
        }
        aggregate.merge(news);
    }

    pub(super) fn count_refused(&mut self, metric: MetricId, samples: u64) {
        *self.refused.entry(metric).or_default() += samples;
    }

    pub(super) fn count_overflow(&mut self, tag: &Arc<str>, samples: u64) {
        *self.overflow.entry(Arc::clone(tag)).or_default() += samples;
    }
}

impl Totals {
    /// A window's news of a series, which these totals have taken in, as whoever records and reads them again knows them.
    pub fn as_recorded(&self, series: SeriesId, news: &Aggregate) -> Aggregate {
        match news {
            Aggregate::Trend(trend) => {
                let restored = Trend::restore(trend.sums(), self.stored(series, trend));
                Aggregate::Trend(restored.unwrap_or_else(|_| trend.clone()))
            }
            other => other.clone(),
        }
    }

    /// The values of a window's trend, which these totals have taken in, as exact as the totals still know them.
    pub fn stored(&self, series: SeriesId, trend: &Trend) -> Stored {
        let binned = |aggregate: &Aggregate| matches!(aggregate, Aggregate::Trend(trend) if trend.is_binned());
        trend.stored(self.both(series).is_some_and(|(series, whole)| binned(series) && binned(whole)))
    }
}
