//! What the executors have in common: reading options, stages, who runs what when, and the two ways of running.

pub mod closed;
pub mod drive;
pub mod fields;
pub mod helm;
pub mod iterate;
pub mod open;
pub mod stages;
pub mod steering;
pub mod timetable;
