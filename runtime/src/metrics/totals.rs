//! The whole run so far.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::tags::OVERFLOW_VALUE;
use super::{Aggregate, Kind, MetricId, Registry, TagSetId, Window};

/// Every metric's value, as a whole and by series.
#[derive(Debug)]
pub struct Totals {
    registry: Arc<Registry>,
    metrics: Vec<Option<PerMetric>>,
    /// By the series' number.
    places: Vec<Place>,
    refused: BTreeMap<MetricId, u64>,
    overflow: BTreeMap<Arc<str>, u64>,
}

#[derive(Debug)]
struct PerMetric {
    whole: Aggregate,
    series: Vec<(TagSetId, Aggregate)>,
    by_tags: FxHashMap<TagSetId, SeriesId>,
}

/// The number of a series, from 0 in the order in which they appeared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesId(pub(super) u32);

/// Where a series stands in the totals.
#[derive(Clone, Copy, Debug)]
struct Place {
    metric: MetricId,
    index: usize,
}

/// What could not be kept apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overflow {
    /// How many series are kept apart at most.
    pub limit: usize,
    /// The tags to blame, most samples first.
    pub tags: Vec<OverflowTag>,
}

/// A tag with too many values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverflowTag {
    /// The tag's name; empty where a sample lost all its tags because even their names were too many.
    pub name: Arc<str>,
    /// How many of its values the run has kept apart.
    pub values: usize,
    /// Samples that stand under `(overflow)` instead of the tag's value; a request counts once.
    pub samples: u64,
}

impl Totals {
    pub(super) const fn new(registry: Arc<Registry>) -> Self {
        Self { registry, metrics: Vec::new(), places: Vec::new(), refused: BTreeMap::new(), overflow: BTreeMap::new() }
    }

    /// The registry whose numbers are used here.
    pub const fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// A metric as a whole; `None` without samples.
    pub fn metric(&self, metric: MetricId) -> Option<&Aggregate> {
        Some(&self.per_metric(metric)?.whole).filter(|whole| whole.samples() > 0)
    }

    /// All of a metric's series whose tags have these values, together; `None` without samples. A tag that a series does not
    /// have counts as empty.
    pub fn select(&self, metric: MetricId, tags: &[(&str, &str)]) -> Option<Aggregate> {
        let mut together: Option<Aggregate> = None;
        for (id, aggregate) in self.series(metric) {
            let pairs = self.registry.tags(id);
            let value = |name: &str| pairs.iter().find(|pair| *pair.0 == *name).map_or("", |pair| &pair.1);
            if tags.iter().all(|(name, wanted)| value(name) == *wanted) {
                together.get_or_insert_with(|| Aggregate::new(aggregate.kind())).merge(aggregate);
            }
        }
        together
    }

    /// A metric's series that have samples, in the order in which they appeared.
    pub fn series(&self, metric: MetricId) -> impl Iterator<Item = (TagSetId, &Aggregate)> {
        let series = self.per_metric(metric).into_iter().flat_map(|per| &per.series);
        series.map(|(tags, aggregate)| (*tags, aggregate)).filter(|(_, aggregate)| aggregate.samples() > 0)
    }

    /// Samples that metrics could not hold: not finite, or below 0 for a counter or a trend.
    pub fn refused(&self) -> impl Iterator<Item = (MetricId, u64)> {
        self.refused.iter().map(|(metric, count)| (*metric, *count))
    }

    /// Samples that stand under `(overflow)` because of this tag.
    pub(super) fn overflow_of(&self, tag: &str) -> u64 {
        self.overflow.get(tag).copied().unwrap_or(0)
    }

    /// What could not be kept apart, if anything.
    pub fn overflow(&self) -> Option<Overflow> {
        if self.overflow.is_empty() {
            return None;
        }
        let mut tags: Vec<_> = self
            .overflow
            .iter()
            .map(|(name, samples)| OverflowTag {
                name: Arc::clone(name),
                values: self.registry.values_of(name),
                samples: *samples,
            })
            .collect();
        tags.sort_by_key(|tag| std::cmp::Reverse(tag.samples));
        Some(Overflow { limit: self.registry.max_series(), tags })
    }

    fn per_metric(&self, metric: MetricId) -> Option<&PerMetric> {
        self.metrics.get(metric.index())?.as_ref()
    }

    /// All series from this number on, with and without samples.
    pub fn series_from(&self, first: usize) -> impl Iterator<Item = (MetricId, TagSetId)> {
        let places = self.places.get(first..).unwrap_or_default();
        places.iter().filter_map(|place| Some((place.metric, self.per_metric(place.metric)?.series[place.index].0)))
    }

    /// The metric and the tags of a series.
    pub fn identity(&self, series: SeriesId) -> Option<(MetricId, TagSetId)> {
        let place = self.places.get(series.0 as usize)?;
        Some((place.metric, self.per_metric(place.metric)?.series[place.index].0))
    }

    /// Whether a series is one of this metric's, and its tags have these values.
    pub fn selects(&self, series: SeriesId, metric: &str, tags: &[(String, String)]) -> bool {
        let Some((id, tags_id)) = self.identity(series) else { return false };
        let pairs = self.registry.tags(tags_id);
        let value = |name: &str| pairs.iter().find(|pair| *pair.0 == *name).map_or("", |pair| &pair.1);
        *self.registry.descriptor(id).name == *metric && tags.iter().all(|(name, wanted)| value(name) == wanted)
    }

    /// A series and its whole metric.
    pub(super) fn both(&self, series: SeriesId) -> Option<(&Aggregate, &Aggregate)> {
        let place = self.places.get(series.0 as usize)?;
        let per = self.per_metric(place.metric)?;
        Some((&per.series[place.index].1, &per.whole))
    }

    /// The number of a series, which is made if it is new.
    pub(super) fn place(&mut self, metric: MetricId, kind: Kind, tags: TagSetId) -> SeriesId {
        if metric.index() >= self.metrics.len() {
            self.metrics.resize_with(metric.index() + 1, || None);
        }
        let per = self.metrics[metric.index()].get_or_insert_with(|| PerMetric {
            whole: Aggregate::new(kind),
            series: Vec::new(),
            by_tags: FxHashMap::default(),
        });
        *per.by_tags.entry(tags).or_insert_with(|| {
            self.places.push(Place { metric, index: per.series.len() });
            per.series.push((tags, Aggregate::new(kind)));
            SeriesId(u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX))
        })
    }

    /// Adds news to a series and to its metric.
    pub(super) fn merge(&mut self, series: SeriesId, news: &Aggregate) {
        let Some(place) = self.places.get(series.0 as usize) else { return };
        if let Some(per) = &mut self.metrics[place.metric.index()] {
            per.whole.merge(news);
            per.series[place.index].1.merge(news);
        }
    }

    /// Adds all that a window has.
    pub(super) fn take_in(&mut self, window: &Window) {
        window.series().for_each(|(series, news)| self.merge(series, news));
        window.refused().for_each(|(metric, samples)| self.count_refused(metric, samples));
        window.overflow().for_each(|(tag, samples)| self.count_overflow(tag, samples));
    }

    pub(super) fn count_refused(&mut self, metric: MetricId, samples: u64) {
        *self.refused.entry(metric).or_default() += samples;
    }

    pub(super) fn count_overflow(&mut self, tag: &Arc<str>, samples: u64) {
        *self.overflow.entry(Arc::clone(tag)).or_default() += samples;
    }
}

/// The tags of a set whose values an overflow has taken; one with an empty name if it took the whole set.
pub(super) fn overflowed(registry: &Registry, tags: TagSetId) -> Vec<Arc<str>> {
    if tags == TagSetId::LOST {
        return vec![Arc::from("")];
    }
    registry
        .tags(tags)
        .iter()
        .filter(|(_, value)| **value == *OVERFLOW_VALUE)
        .map(|(name, _)| Arc::clone(name))
        .collect()
}
