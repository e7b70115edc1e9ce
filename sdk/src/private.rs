//! What the macros' output calls. Not part of the public interface: it changes without notice.

pub use inventory;

pub use crate::http::UrlWriter;
pub use crate::registry::{
    At, HandleSummaryFunction, OptionsFunction, Package, ScenarioFunction, SetupFunction, TeardownFunction,
    VuInitFunction,
};
pub use crate::result::{Outcome, error_text, fallible};
pub use crate::setup_data::{encode_data, owned_data, with_data};
pub use crate::summary::{into_files, summary_data};
pub use crate::{__at as at, __package as package};

/// Runs a check's condition; here so that the closure's argument needs no type.
pub fn condition<T: ?Sized>(value: &T, condition: impl FnOnce(&T) -> bool) -> bool {
    condition(value)
}

/// The handle of a set of tags.
pub fn intern_tags(tags: &[(&str, &str)]) -> u32 {
    crate::tags::intern(tags)
}
