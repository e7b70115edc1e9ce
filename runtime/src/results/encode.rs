//! Writes what a window brought: definitions of what is new, then the snapshot.

use std::collections::{BTreeMap, HashMap};

use rustc_hash::FxHashMap;

use super::bytes::Encoder;
use super::frame;
use super::record::kind;
use crate::metrics::trend::Stored;
use crate::metrics::{Aggregate, Kind, SeriesId, TagSetId, Totals, Trend, Window};
use crate::problems::Problems;

/// What a snapshot says beside its window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Microseconds since the file was begun.
    pub at_us: u64,
    /// Microseconds since the load began; 0 before, and no longer growing after its end.
    pub load_us: u64,
    /// Iterations interrupted so far.
    pub interrupted_iterations: u64,
    /// Log lines thinned out so far.
    pub dropped_log_lines: u64,
}

/// What the file defines already.
#[derive(Debug, Default)]
pub(super) struct Known {
    metrics: usize,
    series: usize,
    tags: FxHashMap<TagSetId, u64>,
    messages: [HashMap<String, Message>; 3],
    next_message: u64,
}

#[derive(Debug)]
struct Message {
    number: u64,
    count: u64,
}

/// What the problems say that the file does not.
#[derive(Debug, Default)]
struct Said {
    /// New messages, by kind.
    new: Vec<(usize, String)>,
    /// How often each came again, by number.
    counts: Vec<(u64, u64)>,
}

/// Kinds of messages, in the order of their numbers, which begin with 1.
pub(super) const MESSAGES: [&str; 3] = ["iteration error", "refused host", "warning"];

impl Known {
    /// Appends the records of one snapshot.
    pub(super) fn snapshot(
        &mut self,
        out: &mut Vec<u8>,
        moment: Moment,
        totals: &Totals,
        window: &Window,
        problems: &Problems,
    ) {
        let said = self.messages(problems);
        self.definitions(out, totals, &said.new);
        let mut payload = Encoder::default();
        for number in [moment.at_us, moment.load_us, moment.interrupted_iterations, moment.dropped_log_lines] {
            payload.number(number);
        }
        payload.number(window.series().len() as u64);
        for (series, news) in window.series() {
            payload.number(u64::from(series.to_raw()));
            aggregate(&mut payload, totals, series, news);
        }
        payload.number(window.refused().len() as u64);
        for (metric, samples) in window.refused() {
            payload.number(u64::from(metric.to_raw()));
            payload.number(samples);
        }
        payload.number(window.overflow().len() as u64);
        for (tag, samples) in window.overflow() {
            payload.text(tag);
            payload.number(samples);
        }
        payload.number(said.counts.len() as u64);
        for (number, count) in said.counts {
            payload.number(number);
            payload.number(count);
        }
        frame::append(out, kind::SNAPSHOT, &payload.0);
    }

    /// What the totals know and the file does not.
    fn definitions(&mut self, out: &mut Vec<u8>, totals: &Totals, messages: &[(usize, String)]) {
        let registry = totals.registry();
        let metrics: Vec<_> = registry.metrics().into_iter().skip(self.metrics).collect();
        let series: Vec<_> = totals.series_from(self.series).collect();
        if metrics.is_empty() && series.is_empty() && messages.is_empty() {
            return;
        }
        self.metrics += metrics.len();
        self.series += series.len();
        let mut payload = Encoder::default();
        payload.number(metrics.len() as u64);
        for (_, descriptor) in &metrics {
            payload.text(&descriptor.name);
            payload.byte(kind_number(descriptor.kind));
            payload.byte(contains_number(descriptor.contains));
        }
        let mut new_tags = Vec::new();
        for (_, tags) in &series {
            // 0 is no tags, and 1 what lost its tags: both need no definition.
            let next = self.tags.len() as u64 + 2;
            if tags.to_raw() > 1 && !self.tags.contains_key(tags) {
                self.tags.insert(*tags, next);
                new_tags.push(*tags);
            }
        }
        payload.number(new_tags.len() as u64);
        for tags in new_tags {
            let pairs = registry.tags(tags);
            payload.number(pairs.len() as u64);
            for (name, value) in pairs.iter() {
                payload.text(name);
                payload.text(value);
            }
        }
        payload.number(series.len() as u64);
        for (metric, tags) in &series {
            payload.number(u64::from(metric.to_raw()));
            payload.number(self.tags.get(tags).copied().unwrap_or_else(|| u64::from(tags.to_raw())));
        }
        payload.number(messages.len() as u64);
        for (kind, message) in messages {
            payload.byte(*kind as u8 + 1);
            payload.text(message);
        }
        frame::append(out, kind::DEFINITIONS, &payload.0);
    }

    /// There are never more than some hundred messages.
    fn messages(&mut self, problems: &Problems) -> Said {
        let mut said = Said::default();
        let all: [BTreeMap<String, u64>; 3] =
            [problems.iteration_errors(), problems.refused_hosts(), problems.warnings()];
        for (kind, messages) in all.into_iter().enumerate() {
            for (message, count) in messages {
                let known = self.messages[kind].entry(message).or_insert_with_key(|message| {
                    said.new.push((kind, message.clone()));
                    self.next_message += 1;
                    Message { number: self.next_message - 1, count: 0 }
                });
                if count > known.count {
                    said.counts.push((known.number, count - known.count));
                    known.count = count;
                }
            }
        }
        said
    }
}

fn aggregate(out: &mut Encoder, totals: &Totals, series: SeriesId, news: &Aggregate) {
    match news {
        Aggregate::Counter { sum, samples } => {
            out.float(*sum);
            out.number(*samples);
        }
        Aggregate::Gauge { last, min, max, samples, order } => {
            [*last, *min, *max].into_iter().for_each(|value| out.float(value));
            out.number(*samples);
            out.number(*order);
        }
        Aggregate::Rate { passes, total } => {
            out.number(*passes);
            out.number(*total);
        }
        Aggregate::Trend(trend) => distribution(out, trend, totals.stored(series, trend)),
    }
}

fn distribution(out: &mut Encoder, trend: &Trend, stored: Stored) {
    let sums = trend.sums();
    out.number(sums.count);
    [sums.sum, sums.lost, sums.min, sums.max].into_iter().for_each(|value| out.float(value));
    match stored {
        Stored::Exact(values) => {
            out.byte(EXACT);
            values.into_iter().for_each(|value| out.float(value));
        }
        Stored::Buckets(buckets) => {
            out.byte(BUCKETS);
            out.number(buckets.zeros);
            out.number(buckets.counts.len() as u64);
            let mut next = 0;
            for (bucket, count) in buckets.counts {
                // Most buckets follow upon each other, and most counts are small: a byte for both.
                let follows = next == bucket;
                out.number(count << 1 | u64::from(!follows));
                if !follows {
                    out.number(u64::from(bucket - next));
                }
                next = bucket + 1;
            }
        }
    }
}

/// How a trend's values follow.
pub(super) const EXACT: u8 = 0;
/// See [`EXACT`].
pub(super) const BUCKETS: u8 = 1;

/// The order is the format's.
pub(super) const KINDS: [Kind; 4] = [Kind::Counter, Kind::Gauge, Kind::Rate, Kind::Trend];
/// The order is the format's.
pub(super) const CONTAINS: [crate::metrics::Contains; 3] =
    [crate::metrics::Contains::Default, crate::metrics::Contains::Time, crate::metrics::Contains::Data];

fn kind_number(kind: Kind) -> u8 {
    place(&KINDS, kind)
}

fn contains_number(contains: crate::metrics::Contains) -> u8 {
    place(&CONTAINS, contains)
}

fn place<T: PartialEq>(all: &[T], one: T) -> u8 {
    all.iter().position(|other| *other == one).map_or(u8::MAX, |place| place as u8)
}
