//! What happened: metric descriptors, tags, and the numbers themselves.
//!
//! The data's way: a virtual user's host functions write samples into the [`Recorder`] of their shard; every
//! second the [`Aggregator`] takes what is new from every recorder into a [`Window`], and the window into the [`Totals`],
//! which thresholds and the summary read. Windows that were kept make the same totals again: [`Replay`]. The [`Registry`] gives names and tag sets small numbers, so that the hot path carries integers.
//!
//! Nothing here keeps a sample for ever: a trend is exact up to [`trend::EXACT_SAMPLES`] values and then a histogram with
//! a relative error below 0.1 %, and the number of series and of interned tag sets is limited.

mod aggregate;
mod aggregator;
mod descriptor;
mod handles;
mod histogram;
mod http;
mod recorder;
mod registry;
pub mod replay;
mod system_tags;
mod tags;
mod totals;
pub mod trend;
mod window;

#[cfg(test)]
mod tests;

pub use aggregate::Aggregate;
pub use aggregator::Aggregator;
pub use descriptor::{Contains, Descriptor, Kind, MetricId, builtin, is_valid_name};
pub use http::{HttpKey, HttpSample, MethodId};
pub use recorder::Recorder;
pub use registry::{RegisterError, Registry};
pub use replay::Replay;
pub use system_tags::{SystemTag, SystemTags, UnknownSystemTag};
pub use tags::{OVERFLOW_VALUE, TagPairs, TagSetId};
pub use totals::{Overflow, OverflowTag, SeriesId, Totals};
pub use trend::Trend;
pub use window::Window;

/// How many series (one metric with one tag set) are kept apart unless the options say otherwise.
pub const DEFAULT_MAX_SERIES: usize = 10_000;
