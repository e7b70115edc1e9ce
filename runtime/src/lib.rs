//! The load-test runtime as a library: `ARCHITECTURE.md` follows the data through it.

pub mod duration;
pub mod engine;
pub mod field_error;
#[path = "/tmp/grants_stub.rs"]
pub mod grants;
pub mod host;
pub mod http;
pub mod log;
pub mod metrics;
pub mod module;
pub mod problems;
pub mod stop;
pub mod vu;
