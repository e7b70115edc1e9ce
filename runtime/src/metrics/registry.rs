//! The one place that gives metrics, tag sets and series their numbers, and that limits how many there are.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::descriptor::is_valid_name;
use super::http::{MethodId, Methods};
use super::tags::{Interner, Limits, normalise};
use super::{Contains, Descriptor, Kind, MetricId, SystemTags, TagPairs, TagSetId, builtin};

/// Metrics beyond the built-in ones that a module may register.
const MAX_CUSTOM_METRICS: usize = 1_000;
/// Bytes of tag names and values that a run keeps.
const MAX_TAG_BYTES: usize = 64 << 20;

/// Metrics, tag sets and series of one run; shared by all threads.
///
/// Its locks are taken when something new appears, not per sample.
#[derive(Debug)]
pub struct Registry {
    metrics: RwLock<Metrics>,
    tags: RwLock<Interner>,
    series: Mutex<Series>,
    methods: RwLock<Methods>,
    system_tags: SystemTags,
    max_series: usize,
    gauge_order: AtomicU64,
}

#[derive(Debug, Default)]
struct Metrics {
    all: Vec<Descriptor>,
    by_name: HashMap<Arc<str>, MetricId>,
}

#[derive(Debug, Default)]
struct Series {
    known: HashSet<(Family, TagSetId)>,
    count: usize,
}

/// Series that always come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Family {
    /// What [`HttpSample`](super::HttpSample) becomes.
    Http,
    Single(MetricId),
}

impl Family {
    const fn series(self) -> usize {
        match self {
            Self::Http => super::http::METRICS.len(),
            Self::Single(_) => 1,
        }
    }
}

/// Why a metric cannot be registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// The name breaks the rule.
    #[error(
        "metric `{name}`: not a valid name; use 2 to 129 ASCII letters, digits and underscores, the first not a digit"
    )]
    Name {
        /// What was given.
        name: String,
    },
    /// The name stands for another metric.
    #[error(
        "metric `{name}`: is a {existing} of {existing_contains} values already and cannot be a {wanted} of \
         {wanted_contains} values too; use another name"
    )]
    Taken {
        /// The name.
        name: String,
        /// What it is.
        existing: Kind,
        /// What its values are.
        existing_contains: Contains,
        /// What was asked for.
        wanted: Kind,
        /// What the values should be.
        wanted_contains: Contains,
    },
    /// The limit is reached.
    #[error(
        "metric `{name}`: there are {MAX_CUSTOM_METRICS} metrics already; tell values apart by tags, not by metric names"
    )]
    TooMany {
        /// The name.
        name: String,
    },
}

impl Registry {
    /// A registry with the built-in metrics. `max_series` limits how many series are kept apart;
    /// [`DEFAULT_MAX_SERIES`](super::DEFAULT_MAX_SERIES) is k6's habit of warning turned into a bound.
    pub fn new(max_series: usize, system_tags: SystemTags) -> Self {
        let mut metrics = Metrics::default();
        for (name, kind, contains) in builtin::ALL {
            metrics.add(name, *kind, *contains);
        }
        let limits = Limits { sets: max_series.saturating_mul(2).max(1_024), bytes: MAX_TAG_BYTES };
        Self {
            metrics: RwLock::new(metrics),
            tags: RwLock::new(Interner::new(limits)),
            series: Mutex::default(),
            methods: RwLock::default(),
            system_tags,
            max_series,
            gauge_order: AtomicU64::new(0),
        }
    }

    /// The number of the metric with this name, made if there is none yet.
    ///
    /// # Errors
    /// An invalid name, a name that stands for something else, or too many metrics.
    pub fn register(&self, name: &str, kind: Kind, contains: Contains) -> Result<MetricId, RegisterError> {
        let mut metrics = self.metrics.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = metrics.by_name.get(name) {
            let existing = &metrics.all[id.index()];
            if (existing.kind, existing.contains) == (kind, contains) {
                return Ok(*id);
            }
            return Err(RegisterError::Taken {
                name: name.to_owned(),
                existing: existing.kind,
                existing_contains: existing.contains,
                wanted: kind,
                wanted_contains: contains,
            });
        }
        if !is_valid_name(name) {
            return Err(RegisterError::Name { name: name.to_owned() });
        }
        if metrics.all.len() >= builtin::ALL.len() + MAX_CUSTOM_METRICS {
            return Err(RegisterError::TooMany { name: name.to_owned() });
        }
        Ok(metrics.add(name, kind, contains))
    }

    /// The number of the metric with this name, if there is one.
    pub fn lookup(&self, name: &str) -> Option<MetricId> {
        self.metrics.read().unwrap_or_else(PoisonError::into_inner).by_name.get(name).copied()
    }

    /// What the metric is.
    ///
    /// # Panics
    /// If the number comes from another registry.
    pub fn descriptor(&self, metric: MetricId) -> Descriptor {
        self.metrics.read().unwrap_or_else(PoisonError::into_inner).all[metric.index()].clone()
    }

    /// All metrics, in the order in which they were registered, built-in ones first.
    pub fn metrics(&self) -> Vec<(MetricId, Descriptor)> {
        let metrics = self.metrics.read().unwrap_or_else(PoisonError::into_inner);
        (0u32..).map(MetricId).zip(metrics.all.iter().cloned()).collect()
    }

    /// The number of a set of tags. Of equal names the later wins; a tag with an empty value is left out.
    pub fn intern(&self, tags: &[(&str, &str)]) -> TagSetId {
        self.intern_sorted(&normalise(tags.iter().copied()))
    }

    /// The number of a set that had one in another registry: limits were kept there.
    pub(super) fn restore_tags(&self, tags: &[(&str, &str)]) -> TagSetId {
        let sorted = normalise(tags.iter().copied());
        let mut interner = self.tags.write().unwrap_or_else(PoisonError::into_inner);
        interner.find(&sorted).unwrap_or_else(|| interner.add(&sorted))
    }

    /// The number of a set with further tags. A tag given here wins over that of `base`; an empty value takes the tag away.
    pub fn extend(&self, base: TagSetId, tags: &[(&str, &str)]) -> TagSetId {
        if tags.is_empty() {
            return base;
        }
        let pairs = self.tags(base);
        self.intern_sorted(&normalise(
            pairs.iter().map(|(name, value)| (&**name, &**value)).chain(tags.iter().copied()),
        ))
    }

    /// The names and values of a set, sorted by name.
    ///
    /// # Panics
    /// If the number comes from another registry.
    pub fn tags(&self, id: TagSetId) -> TagPairs {
        self.tags.read().unwrap_or_else(PoisonError::into_inner).pairs(id)
    }

    /// The number of an HTTP method, for [`HttpKey`](super::HttpKey). The usual ones have constants.
    pub fn method(&self, name: &str) -> MethodId {
        if let Some(id) = self.methods.read().unwrap_or_else(PoisonError::into_inner).find(name) {
            return id;
        }
        self.methods.write().unwrap_or_else(PoisonError::into_inner).intern(name)
    }

    /// Which system tags this run keeps.
    pub const fn system_tags(&self) -> SystemTags {
        self.system_tags
    }

    /// How many series are kept apart at most.
    pub const fn max_series(&self) -> usize {
        self.max_series
    }

    pub(super) fn metric_count(&self) -> usize {
        self.metrics.read().unwrap_or_else(PoisonError::into_inner).all.len()
    }

    pub(super) fn tag_set_count(&self) -> usize {
        self.tags.read().unwrap_or_else(PoisonError::into_inner).count()
    }

    pub(super) fn method_name(&self, id: MethodId) -> Arc<str> {
        self.methods.read().unwrap_or_else(PoisonError::into_inner).name(id)
    }

    /// How many different values a tag has had.
    pub(super) fn values_of(&self, tag: &str) -> usize {
        self.tags.read().unwrap_or_else(PoisonError::into_inner).values_of(tag)
    }

    /// The tags under which the family's samples with these tags are kept: the same ones, or what an overflow leaves.
    pub(super) fn admit(&self, family: Family, tags: TagSetId) -> TagSetId {
        let mut series = self.series();
        if series.known.contains(&(family, tags)) {
            return tags;
        }
        let room = |series: &Series, limit: usize| series.count + family.series() <= limit;
        let outer = matches!(tags, TagSetId::EMPTY | TagSetId::LOST);
        if outer || room(&series, self.max_series) {
            series.insert(family, tags);
            return tags;
        }
        // Room for what comes of the overflow, and for metrics that are not to blame for it.
        let reserve = |depth: usize| self.max_series + self.max_series / 10 + 64 * (depth + 1);
        let pairs = self.tags(tags);
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
        let mut interner = self.tags.write().unwrap_or_else(PoisonError::into_inner);
        let left = interner
            .collapse(&pairs, |id, depth| series.known.contains(&(family, id)) || room(&series, reserve(depth)));
        series.insert(family, left);
        left
    }

    /// A number greater than all before.
    pub(super) fn next_gauge_order(&self) -> u64 {
        self.gauge_order.fetch_add(1, Ordering::Relaxed)
    }

    fn intern_sorted(&self, tags: &[(&str, &str)]) -> TagSetId {
        if let Some(id) = self.tags.read().unwrap_or_else(PoisonError::into_inner).find(tags) {
            return id;
        }
        self.tags.write().unwrap_or_else(PoisonError::into_inner).intern(tags)
    }

    fn series(&self) -> MutexGuard<'_, Series> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Metrics {
    fn add(&mut self, name: &str, kind: Kind, contains: Contains) -> MetricId {
        let id = MetricId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        let name: Arc<str> = Arc::from(name);
        self.by_name.insert(Arc::clone(&name), id);
        self.all.push(Descriptor { name, kind, contains });
        id
    }
}

impl Series {
    fn insert(&mut self, family: Family, tags: TagSetId) {
        if self.known.insert((family, tags)) {
            self.count += family.series();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> Registry {
        Registry::new(100, SystemTags::default())
    }

    #[test]
    fn the_same_metric_has_one_number() {
        let registry = registry();
        let first = registry.register("coupons_issued", Kind::Counter, Contains::Default).unwrap();
        assert_eq!(registry.register("coupons_issued", Kind::Counter, Contains::Default), Ok(first));
        assert_eq!(registry.lookup("coupons_issued"), Some(first));
        assert_eq!(&*registry.descriptor(first).name, "coupons_issued");
        assert_eq!(registry.lookup("http_reqs"), Some(builtin::HTTP_REQS));
    }

    #[test]
    fn errors_name_the_metric_and_the_remedy() {
        let registry = registry();
        insta::assert_snapshot!(registry.register("a-b", Kind::Counter, Contains::Default).unwrap_err(), @"metric `a-b`: not a valid name; use 2 to 129 ASCII letters, digits and underscores, the first not a digit");
        insta::assert_snapshot!(registry.register("http_reqs", Kind::Trend, Contains::Time).unwrap_err(), @"metric `http_reqs`: is a counter of default values already and cannot be a trend of time values too; use another name");
        for number in 0..MAX_CUSTOM_METRICS {
            registry.register(&format!("metric_{number}"), Kind::Counter, Contains::Default).unwrap();
        }
        insta::assert_snapshot!(registry.register("one_more", Kind::Counter, Contains::Default).unwrap_err(), @"metric `one_more`: there are 1000 metrics already; tell values apart by tags, not by metric names");
    }

    #[test]
    fn extending_a_set_lets_the_later_win() {
        let registry = registry();
        let base = registry.intern(&[("scenario", "buy"), ("team", "a")]);
        let more = registry.extend(base, &[("team", "b"), ("name", "/x")]);
        assert_eq!(more, registry.intern(&[("name", "/x"), ("scenario", "buy"), ("team", "b")]));
        assert_eq!(registry.extend(more, &[("team", ""), ("name", "")]), registry.intern(&[("scenario", "buy")]));
        assert_eq!(registry.extend(base, &[]), base);
        assert_eq!(registry.intern(&[]), TagSetId::EMPTY);
    }
}
