//! `flashcrowd:scenario/metrics`.

use super::bindings::flashcrowd::scenario::metrics;
use super::limits::short;
use super::state::VuState;
use crate::metrics::{Contains, Kind, TagSetId};

/// Tags in a set.
const MAX_TAGS: usize = 64;

impl metrics::Host for VuState {
    fn register(
        &mut self,
        name: String,
        kind: metrics::Kind,
        contains: metrics::Contains,
    ) -> wasmtime::Result<Result<u32, String>> {
        short("a metric's name", &name)?;
        let kind = match kind {
            metrics::Kind::Counter => Kind::Counter,
            metrics::Kind::Gauge => Kind::Gauge,
            metrics::Kind::Rate => Kind::Rate,
            metrics::Kind::Trend => Kind::Trend,
        };
        let contains = match contains {
            metrics::Contains::Default => Contains::Default,
            metrics::Contains::Time => Contains::Time,
            metrics::Contains::Data => Contains::Data,
        };
        let registered = self.test().registry.register(&name, kind, contains);
        Ok(registered.map(crate::metrics::MetricId::to_raw).map_err(|error| error.to_string()))
    }

    fn intern_tags(&mut self, tags: Vec<(String, String)>) -> wasmtime::Result<u32> {
        if tags.len() > MAX_TAGS {
            wasmtime::bail!("{} tags in one set; {MAX_TAGS} is the most that a sample has", tags.len());
        }
        for (name, value) in &tags {
            short("a tag's name", name)?;
            short("a tag's value", value)?;
        }
        let tags: Vec<(&str, &str)> = tags.iter().map(|(name, value)| (&**name, &**value)).collect();
        Ok(self.test().registry.intern(&tags).to_raw())
    }

    fn add(&mut self, metric: u32, value: f64, tags: u32) -> wasmtime::Result<()> {
        let Some(metric) = self.test().registry.metric_from_raw(metric) else {
            wasmtime::bail!("metric handle {metric} was never registered");
        };
        let own = self.tag_set(tags)?;
        let base = self.tags;
        let tags = self.shard.cached(|cache, registry| cache.merge(registry, base, own));
        self.shard.record(|recorder| recorder.add(metric, tags, value));
        Ok(())
    }
}

impl VuState {
    /// The tag set behind a module's handle.
    pub(super) fn tag_set(&self, handle: u32) -> wasmtime::Result<TagSetId> {
        match self.test().registry.tags_from_raw(handle) {
            Some(tags) => Ok(tags),
            None => wasmtime::bail!("tag handle {handle} was never interned"),
        }
    }
}
