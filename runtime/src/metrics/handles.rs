//! Numbers as they cross into a module and come back: a module may send any number, so each is looked at.

use super::{MetricId, Registry, TagSetId};

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
