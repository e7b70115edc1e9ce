//! A shard's own book of samples.

use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::aggregate::accepts;
use super::http::{HttpDelta, milliseconds};
use super::registry::Family;
use super::{Aggregate, HttpKey, HttpSample, Kind, MetricId, Registry, TagSetId};

/// Takes the samples of one shard; the [`Aggregator`](super::Aggregator) fetches them.
///
/// A sample costs one hash look-up of a few integers. Between two collections a series' samples are kept in full up to 512,
/// then in a histogram.
#[derive(Debug)]
pub struct Recorder {
    registry: Arc<Registry>,
    http: FxHashMap<HttpKey, u32>,
    single: FxHashMap<(MetricId, TagSetId), u32>,
    /// What each place of the delta stands for; grows only.
    slots: Slots,
    delta: Delta,
    /// From here on, new keys are looked up each time instead of being remembered: a bound for hostile modules.
    max_keys: usize,
}

/// What the places of a [`Delta`] stand for.
#[derive(Debug, Default)]
pub(super) struct Slots {
    pub(super) http: Vec<TagSetId>,
    pub(super) single: Vec<(MetricId, Kind, TagSetId)>,
    http_by_tags: FxHashMap<TagSetId, u32>,
    single_by_tags: FxHashMap<(MetricId, TagSetId), u32>,
}

/// What happened since the last collection. The lists may be shorter than the slots: the rest did not happen.
#[derive(Debug, Default)]
pub(super) struct Delta {
    pub(super) http: Vec<HttpDelta>,
    pub(super) http_dirty: Vec<u32>,
    pub(super) single: Vec<Aggregate>,
    pub(super) single_dirty: Vec<u32>,
    pub(super) refused: FxHashMap<MetricId, u64>,
}

impl Recorder {
    /// An empty book.
    pub fn new(registry: Arc<Registry>) -> Self {
        let max_keys = registry.max_series().saturating_mul(4).max(4_096);
        Self {
            registry,
            http: FxHashMap::default(),
            single: FxHashMap::default(),
            slots: Slots::default(),
            delta: Delta::default(),
            max_keys,
        }
    }

    /// Adds a sample. For a rate, anything but 0 is a pass; a trend or counter of time takes milliseconds.
    ///
    /// A value that the metric cannot hold (not finite, or below 0 for a counter or a trend) is refused and counted.
    #[inline]
    pub fn add(&mut self, metric: MetricId, tags: TagSetId, value: f64) {
        let slot = match self.single.get(&(metric, tags)) {
            Some(slot) => *slot,
            None => self.new_single(metric, tags),
        };
        let kind = self.slots.single[slot as usize].1;
        if !accepts(kind, value) {
            *self.delta.refused.entry(metric).or_default() += 1;
            return;
        }
        let order = if kind == Kind::Gauge { self.registry.next_gauge_order() } else { 0 };
        let place = slot as usize;
        if place >= self.delta.single.len() {
            self.delta.grow_single(&self.slots, place);
        }
        let aggregate = &mut self.delta.single[place];
        if aggregate.samples() == 0 {
            self.delta.single_dirty.push(slot);
        }
        aggregate.record(value, order);
    }

    /// Adds a sample of a time.
    #[inline]
    pub fn duration(&mut self, metric: MetricId, tags: TagSetId, time: Duration) {
        self.add(metric, tags, milliseconds(time));
    }

    /// Adds one request: a sample of `http_reqs`, `http_req_failed`, the seven `http_req_*` trends, `data_sent` and
    /// `data_received`.
    #[inline]
    pub fn http(&mut self, key: &HttpKey, sample: &HttpSample) {
        let slot = match self.http.get(key) {
            Some(slot) => *slot,
            None => self.new_http(key),
        };
        let place = slot as usize;
        if place >= self.delta.http.len() {
            self.delta.http.resize_with(place + 1, HttpDelta::default);
        }
        let delta = &mut self.delta.http[place];
        if delta.requests() == 0 {
            self.delta.http_dirty.push(slot);
        }
        delta.record(key.expected, sample);
    }

    /// What the recorder writes under.
    pub const fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Hands over what happened and starts on the empty `spare`. Constant time.
    pub(super) const fn take(&mut self, spare: &mut Delta) {
        std::mem::swap(&mut self.delta, spare);
    }

    pub(super) const fn slots(&self) -> &Slots {
        &self.slots
    }

    #[cold]
    fn new_single(&mut self, metric: MetricId, tags: TagSetId) -> u32 {
        let kept = self.registry.admit(Family::Single(metric), tags);
        let slots = &mut self.slots;
        let slot = *slots.single_by_tags.entry((metric, kept)).or_insert_with(|| {
            slots.single.push((metric, self.registry.descriptor(metric).kind, kept));
            last_place(slots.single.len())
        });
        if self.single.len() < self.max_keys {
            self.single.insert((metric, tags), slot);
        }
        slot
    }

    #[cold]
    fn new_http(&mut self, key: &HttpKey) -> u32 {
        let kept = self.registry.admit(Family::Http, key.tags(&self.registry));
        let slots = &mut self.slots;
        let slot = *slots.http_by_tags.entry(kept).or_insert_with(|| {
            slots.http.push(kept);
            last_place(slots.http.len())
        });
        if self.http.len() < self.max_keys {
            self.http.insert(*key, slot);
        }
        slot
    }
}

impl Delta {
    /// Forgets all samples and keeps the memory.
    pub(super) fn clear(&mut self) {
        for slot in self.http_dirty.drain(..) {
            self.http[slot as usize].clear();
        }
        for slot in self.single_dirty.drain(..) {
            self.single[slot as usize].clear();
        }
        self.refused.clear();
    }

    #[cold]
    fn grow_single(&mut self, slots: &Slots, place: usize) {
        let known = self.single.len();
        self.single.extend(slots.single[known..=place].iter().map(|(_, kind, _)| Aggregate::new(*kind)));
    }
}

/// The place of the last of so many.
fn last_place(len: usize) -> u32 {
    u32::try_from(len - 1).unwrap_or(u32::MAX)
}
