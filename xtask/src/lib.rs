//! What the project's tasks and its tests share: running other programs, and starting real servers.

pub mod certificates;
pub mod services;
pub mod shell;
