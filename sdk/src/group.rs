//! Named sections of an iteration.

use crate::host;

/// Runs `section` as a group: its samples carry the group's path (`::outer::inner`) in their `group` tag, and its time is
/// a sample of `group_duration`. Gives back what the section returns.
///
/// ```
/// use flashcrowd::prelude::*;
///
/// let total = group("checkout", || {
///     let items = group("basket", || 3);
///     items * 20
/// });
/// assert_eq!(total, 60);
/// ```
///
/// # Panics
/// If the name contains `::`, which separates groups.
#[track_caller]
pub fn group<R>(name: &str, section: impl FnOnce() -> R) -> R {
    assert!(
        !name.contains("::"),
        "the group name {name:?} contains `::`, which separates groups; nest `group` calls instead"
    );
    host::groups::enter(name);
    let returned = section();
    host::groups::leave();
    returned
}
