//! A scenario's functions called as the runtime would call them, for a scenario's own `cargo test`. Only outside the runtime.
//!
//! ```standalone_crate
//! use flashcrowd::prelude::*;
//!
//! #[flashcrowd::options]
//! fn options() -> Options {
//!     Options::new().scenario("rush", ConstantVus::new(10).duration(mins(1)).exec("buy"))
//! }
//!
//! #[flashcrowd::scenario]
//! fn buy() -> Result<(), String> {
//!     let response = http::post("http://shop.test/orders").send();
//!     if response.ok() { Ok(()) } else { Err("not bought".to_owned()) }
//! }
//!
//! // A test of the crate's own: `describe` panics if, say, `exec` names no function.
//! # fn main() {
//! let module = flashcrowd::testing::describe();
//! assert_eq!(module["options"]["scenarios"]["rush"]["exec"], "buy");
//! // Requests are not sent here.
//! assert_eq!(flashcrowd::testing::run("buy"), Err("not bought".to_owned()));
//! # }
//! ```

use serde_json::Value;

use crate::{IntoSummary, Summary, host, lifecycle};

/// What the module says about itself, as `runtime inspect --json` shows it.
///
/// # Panics
/// If it cannot be a test: there is no scenario function, two have one name, or an `exec` names none.
#[must_use]
pub fn describe() -> Value {
    serde_json::from_str(&lifecycle::describe()).expect("the description is JSON")
}

/// Runs `setup`. The scenario functions and `teardown` that this thread runs later get what it returns.
///
/// # Errors
/// What `setup` returns as an error.
pub fn setup() -> Result<(), String> {
    lifecycle::setup().map(host::execution::keep_setup_data)
}

/// Runs `vu_init`.
///
/// # Errors
/// What it returns as an error.
pub fn vu_init() -> Result<(), String> {
    lifecycle::vu_init()
}

/// Runs one iteration of the scenario function of this name.
///
/// # Errors
/// What it returns as an error.
///
/// # Panics
/// If there is none of this name.
pub fn run(function: &str) -> Result<(), String> {
    let module = describe();
    let is_it = |candidate: &Value| {
        candidate["name"] == function
            || candidate["aliases"].as_array().is_some_and(|aliases| aliases.iter().any(|alias| alias == function))
    };
    let index = module["functions"].as_array().and_then(|functions| functions.iter().position(is_it));
    match index.and_then(|index| u32::try_from(index).ok()) {
        Some(index) => lifecycle::run(index),
        None => panic!("no scenario function is named {function:?}; there is {}", module["functions"]),
    }
}

/// Runs `teardown`.
///
/// # Errors
/// What it returns as an error.
pub fn teardown() -> Result<(), String> {
    lifecycle::teardown()
}

/// Runs `handle_summary` over these results. `None` stands for the usual summary.
///
/// # Errors
/// What it returns as an error.
pub fn handle_summary(data: &Value) -> Result<Option<Summary>, String> {
    Ok(lifecycle::handle_summary(&data.to_string())?.and_then(IntoSummary::into_summary))
}
