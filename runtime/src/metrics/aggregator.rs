//! Brings the shards' books together.

use std::sync::{Arc, Mutex, PoisonError};

use super::recorder::Delta;
use super::totals::overflowed;
use super::{Recorder, Registry, SeriesId, Totals, Window, http};

/// Fetches what is new from every recorder into the totals, by way of a [`Window`].
#[derive(Debug)]
pub struct Aggregator {
    registry: Arc<Registry>,
    sources: Vec<Source>,
    window: Window,
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
    series: [SeriesId; N],
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
        Self { totals: Totals::new(Arc::clone(&registry)), registry, sources, window: Window::default() }
    }

    /// Fetches everything that is new. No sample is lost or counted twice, whatever the recorders do meanwhile. A recorder's
    /// lock is held for as long as it takes to exchange two pointers, and to note series that are new.
    pub fn collect(&mut self) {
        self.window.clear();
        for source in &mut self.sources {
            let (new_http, new_single) = {
                let mut recorder = source.recorder.lock().unwrap_or_else(PoisonError::into_inner);
                recorder.take(&mut source.spare);
                let slots = recorder.slots();
                (slots.http[source.http.len()..].to_vec(), slots.single[source.single.len()..].to_vec())
            };
            for tags in new_http {
                let target = Target {
                    series: http::METRICS.map(|metric| {
                        let kind = super::builtin::ALL[metric.index()].1;
                        let series = self.totals.place(metric, kind, tags);
                        self.window.make_room(series, kind);
                        series
                    }),
                    overflowed: overflowed(&self.registry, tags),
                };
                source.http.push(target);
            }
            for (metric, kind, tags) in new_single {
                let series = self.totals.place(metric, kind, tags);
                self.window.make_room(series, kind);
                let target = Target { series: [series], overflowed: overflowed(&self.registry, tags) };
                source.single.push(target);
            }
            source.merge_into(&mut self.window);
        }
        self.totals.take_in(&self.window);
    }

    /// What the last collection brought.
    pub const fn window(&self) -> &Window {
        &self.window
    }

    /// Everything collected so far.
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }
}

impl Source {
    /// Moves what was fetched into the window.
    fn merge_into(&mut self, window: &mut Window) {
        let delta = &mut self.spare;
        for slot in &delta.http_dirty {
            let news = &mut delta.http[*slot as usize];
            let target = &self.http[*slot as usize];
            news.for_each(|number, aggregate| window.merge(target.series[number], aggregate));
            target.overflowed.iter().for_each(|tag| window.count_overflow(tag, news.requests()));
        }
        for slot in &delta.single_dirty {
            let news = &delta.single[*slot as usize];
            let target = &self.single[*slot as usize];
            window.merge(target.series[0], news);
            target.overflowed.iter().for_each(|tag| window.count_overflow(tag, news.samples()));
        }
        for (metric, samples) in &delta.refused {
            window.count_refused(*metric, *samples);
        }
        delta.clear();
    }
}
