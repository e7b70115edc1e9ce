//! The bindings to the contract, generated from `wit/`, and the module as the runtime sees it.
#![allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::allow_attributes_without_reason,
    clippy::use_self,
    clippy::all,
    reason = "generated code"
)]

wit_bindgen::generate!({
    path: "wit",
    world: "full-scenario",
    ownership: Borrowing { duplicate_if_necessary: true },
});

#[cfg(feature = "grpc")]
pub(crate) use self::flashcrowd::scenario::grpc;
pub(crate) use self::flashcrowd::scenario::{
    checks, data, env, events, execution, groups, http, log, metrics, random, shared, streaming, timer, websocket,
};

struct Module;

impl exports::flashcrowd::scenario::lifecycle::Guest for Module {
    fn describe() -> String {
        crate::lifecycle::describe()
    }

    fn setup() -> Result<Option<Vec<u8>>, String> {
        crate::lifecycle::setup()
    }

    fn run(function: u32) -> Result<(), String> {
        crate::lifecycle::run(function)
    }

    fn teardown() -> Result<(), String> {
        crate::lifecycle::teardown()
    }

    fn handle_summary(data: String) -> Result<crate::registry::Files, String> {
        crate::lifecycle::handle_summary(&data)
    }
}

impl exports::flashcrowd::scenario::vu_lifecycle::Guest for Module {
    fn vu_init() -> Result<(), String> {
        crate::lifecycle::vu_init()
    }
}

export!(Module with_types_in self);
