//! The load-test runtime as a library: `ARCHITECTURE.md` follows the data through it.

pub mod display;
pub mod duration;
pub mod engine;
pub mod exit;
pub mod field_error;
pub mod grants;
pub mod host;
pub mod http;
pub mod log;
pub mod metrics;
pub mod module;
pub mod problems;
pub mod shard;
pub mod stop;
pub mod threshold;
pub mod vu;
pub mod worker;
