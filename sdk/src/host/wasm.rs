//! The bindings to the contract, generated from `wit/`.
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
    world: "scenario",
    ownership: Borrowing { duplicate_if_necessary: true },
});

pub use exports::flashcrowd::scenario::lifecycle::Guest;
pub use self::flashcrowd::scenario::{checks, env, execution, groups, http, log, metrics, random, timer};

export!(Module with_types_in self);

pub use crate::lifecycle::Module;
