//! The other side of the contract: the runtime where this is a module, a small stand-in where it is a native program.

#[cfg(target_family = "wasm")]
#[path = "host/wasm.rs"]
mod imports;
#[cfg(not(target_family = "wasm"))]
#[path = "host/native.rs"]
mod imports;

#[cfg(feature = "grpc")]
pub(crate) use imports::grpc;
pub(crate) use imports::{
    checks, data, env, events, execution, groups, http, log, metrics, random, shared, streaming, timer, websocket,
};
