//! Numbers as they cross into a module and come back: a module may send any number, so each is looked at.

use super::{MetricId, Registry, SeriesId, TagSetId};

impl MetricId {
    /// The number that a module holds.
    #[must_use]
    pub const fn to_raw(self) -> u32 {
        self.0
    }
}

impl TagSetId {
    /// The number that a module holds.
    #[must_use]
    pub const fn to_raw(self) -> u32 {
        self.0
    }
}

impl SeriesId {
    /// The number in a results file.
    #[must_use]
    pub const fn to_raw(self) -> u32 {
        self.0
    }
}

impl Registry {
    /// The metric with this number, if there is one.
    #[must_use]
    pub fn metric_from_raw(&self, raw: u32) -> Option<MetricId> {
        ((raw as usize) < self.metric_count()).then_some(MetricId(raw))
    }

    /// The tag set with this number, if there is one.
    #[must_use]
    pub fn tags_from_raw(&self, raw: u32) -> Option<TagSetId> {
        ((raw as usize) < self.tag_set_count()).then_some(TagSetId(raw))
    }
}
