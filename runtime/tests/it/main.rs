//! The runtime from outside: real processes, real sockets, compiled modules.
//!
//! `cargo xtask test` builds the modules first; without them every test here fails and says so.

mod answering;
mod calls;
mod contract;
mod data;
mod docs;
mod exit_codes;
mod grpc;
mod inputs;
mod lifecycle;
mod live;
mod live_keys;
mod load;
mod modules;
mod new_crate;
mod omission;
mod report;
mod requests;
mod run_control;
mod scenarios;
mod sdk;
mod shapes;
mod stalling;
mod streams;
#[expect(dead_code, reason = "the fault suite uses the rest")]
mod support;
mod websocket;
