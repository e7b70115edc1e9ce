//! A hand on the wheel of a run: its HTTP API, keys in the terminal, and the commands that ask the API.

pub mod access;
pub mod client;
mod k6;
pub mod keys;
pub mod live;
pub mod server;
pub mod status;

pub use access::{Access, DEFAULT_ADDRESS};
pub use live::{Desk, Live, Stage};
