//! Brings the shards' books together.

use std::sync::{Arc, Mutex, PoisonError};

use super::recorder::Delta;
use super::totals::{Place, overflowed};
use super::{Recorder, Registry, Totals, http};

/// Fetches what is new from every recorder into the totals.
#[derive(Debug)]
pub struct Aggregator {
    registry: Arc<Registry>,
    sources: Vec<Source>,
    totals: Totals,
}

#[derive(Debug)]
struct Source {
    recorder: Arc<Mutex<Recorder>>,
    /// Exchanged with the recorder's at each collection.
    spare: Delta,
    http: Vec<Target<{ http::METRICS.len() }>>,
    single: Vec<Target<1>>,
}

/// Where a recorder's slot goes.
#[derive(Debug)]
struct Target<const N: usize> {
    places: [Place; N],
    /// Tags whose values an overflow has taken.
    overflowed: Vec<Arc<str>>,
}

impl Aggregator {
    /// An aggregator over these recorders, which must use the same registry.
    pub fn new(registry: Arc<Registry>, recorders: Vec<Arc<Mutex<Recorder>>>) -> Self {
        let sources = recorders
            .into_iter()
            .map(|recorder| Source { recorder, spare: Delta::default(), http: Vec::new(), single: Vec::new() })
            .collect();
        Self { totals: Totals::new(Arc::clone(&registry)), registry, sources }
    }

    /// Fetches everything that is new. No sample is lost or counted twice, whatever the recorders do meanwhile. A recorder's
    /// lock is held for as long as it takes to exchange two pointers, and to note series that are new.
    pub fn collect(&mut self) {
        for source in &mut self.sources {
            let (new_http, new_single) = {
                let mut recorder = source.recorder.lock().unwrap_or_else(PoisonError::into_inner);
                recorder.take(&mut source.spare);
                let slots = recorder.slots();
                (slots.http[source.http.len()..].to_vec(), slots.single[source.single.len()..].to_vec())
            };
            for tags in new_http {
                let target = Target {
                    places: http::METRICS.map(|metric| {
                        let kind = super::builtin::ALL[metric.index()].1;
                        self.totals.place(metric, kind, tags)
                    }),
                    overflowed: overflowed(&self.registry, tags),
                };
                source.http.push(target);
            }
            for (metric, kind, tags) in new_single {
                let target = Target {
                    places: [self.totals.place(metric, kind, tags)],
                    overflowed: overflowed(&self.registry, tags),
                };
                source.single.push(target);
            }
            source.merge_into(&mut self.totals);
        }
    }

    /// Everything collected so far.
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }
}

impl Source {
    /// Moves what was fetched into the totals.
    fn merge_into(&mut self, totals: &mut Totals) {
        let delta = &mut self.spare;
        for slot in &delta.http_dirty {
            let news = &mut delta.http[*slot as usize];
            let target = &self.http[*slot as usize];
            news.for_each(|number, aggregate| totals.merge(target.places[number], aggregate));
            target.overflowed.iter().for_each(|tag| totals.count_overflow(tag, news.requests()));
        }
        for slot in &delta.single_dirty {
            let news = &delta.single[*slot as usize];
            let target = &self.single[*slot as usize];
            totals.merge(target.places[0], news);
            target.overflowed.iter().for_each(|tag| totals.count_overflow(tag, news.samples()));
        }
        for (metric, samples) in &delta.refused {
            totals.count_refused(*metric, *samples);
        }
        delta.clear();
    }
}
