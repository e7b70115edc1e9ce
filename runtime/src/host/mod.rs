//! The runtime's side of the contract: one file per interface of `wit/`, each working on an instance's [`VuState`].

mod answers;
pub mod bindings;
mod checks;
pub mod context;
pub(crate) mod cpu;
mod data;
mod env;
mod events;
mod execution;
pub(crate) mod flight;
mod groups;
pub(crate) mod grpc;
pub(crate) mod http;
mod journey;
pub(crate) mod limits;
mod log;
mod metrics;
mod random;
mod series_cache;
pub(crate) mod sessions;
mod shared;
mod state;
mod stdio;
pub(crate) mod streaming;
pub(crate) mod streams;
mod timer;
pub(crate) mod websocket;

pub use state::{Departure, Position, VuState};

use wasmtime::component::{HasSelf, Linker};

/// Offers the contract, and WASI with nothing behind it, to a module.
///
/// # Errors
/// When wasmtime refuses a definition, which would be a mistake in this program.
pub fn add_to_linker(linker: &mut Linker<VuState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    bindings::Scenario::add_to_linker::<_, HasSelf<_>>(linker, |state| state)
}
