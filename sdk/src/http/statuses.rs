//! Which statuses count as a success.

use std::ops::RangeInclusive;

use crate::host::http as host;

/// A status, or a range of statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Statuses {
    pub(crate) first: u16,
    pub(crate) last: u16,
}

impl From<u16> for Statuses {
    fn from(status: u16) -> Self {
        Self { first: status, last: status }
    }
}

impl From<RangeInclusive<u16>> for Statuses {
    fn from(range: RangeInclusive<u16>) -> Self {
        Self { first: *range.start(), last: *range.end() }
    }
}

/// Says which statuses count as a success for all requests of this virtual user from now on that say nothing themselves
/// ([`Request::expect_status`](super::Request::expect_status)). 200 to 399 do if nobody says anything; a scenario says it by its
/// option `expectedStatuses`.
///
/// ```no_run
/// use flashcrowd::prelude::*;
///
/// http::set_expected_statuses([200..=299, 404..=404]);
/// ```
///
/// # Panics
/// If a range is empty or has other numbers than 100 to 999.
pub fn set_expected_statuses<S: Into<Statuses>>(statuses: impl IntoIterator<Item = S>) {
    host::set_expected_statuses(&pairs(statuses.into_iter().map(Into::into)));
}

pub(super) fn pairs(statuses: impl IntoIterator<Item = Statuses>) -> Vec<(u16, u16)> {
    statuses.into_iter().map(|statuses| (statuses.first, statuses.last)).collect()
}
