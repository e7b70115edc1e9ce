//! The results file: everything that is measured, written as the run goes, so that a run which is killed has a summary all
//! the same (`runtime report`). `docs/results-file.md` describes the format for everybody.
//!
//! The data's way: after each collection the [`Writer`] appends what the [`Window`](crate::metrics::Window) brought, in one
//! write. [`read`] makes the same totals of it again.

mod bytes;
mod decode;
mod encode;
mod frame;
mod place;
pub(crate) mod record;
mod recording;
mod writer;

#[cfg(test)]
mod tests;

pub use encode::Moment;
pub use frame::{Damage, DamageKind, MAGIC, MAJOR, MINOR, ReadError};
pub use place::{Destination, Folder, NoFolder};
pub(crate) use place::{is_being_written, utc};
pub use record::{End, Event, ModuleRecord, RunRecord, SummaryRecord, ThresholdRecord, What};
pub use recording::{Overview, Recording, overview, read};
pub use writer::Writer;
