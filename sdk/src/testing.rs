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

use serde::Serialize;
use serde_json::{Map, Value};

use crate::host::data::Row;
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

/// Makes a table for [`data::table`](crate::data::table) on this thread, of values that become JSON objects, as `--data NAME=FILE.json`
/// would. A table of this name that was there is replaced.
///
/// ```
/// use flashcrowd::prelude::*;
///
/// flashcrowd::testing::table("users", [json!({"id": 1}), json!({"id": 2})]);
/// assert_eq!(data::table("users").len(), 2);
/// ```
///
/// # Panics
/// If there is no row, or one is no JSON object.
pub fn table<T: Serialize>(name: &str, rows: impl IntoIterator<Item = T>) {
    let objects = rows.into_iter().map(|row| match serde_json::to_value(row) {
        Ok(Value::Object(object)) => object,
        Ok(other) => panic!("a row of the table `{name}` is {other}, which is no object"),
        Err(error) => panic!("a row of the table `{name}` cannot be written as JSON: {error}"),
    });
    let objects: Vec<Map<String, Value>> = objects.collect();
    let first = objects.first().unwrap_or_else(|| panic!("the table `{name}` has no row; give it one at least"));
    let columns = first.keys().cloned().collect();
    let rows = objects.into_iter().map(|object| Row::Object(Value::Object(object).to_string())).collect();
    host::data::keep(name, columns, rows);
}

/// Makes a table for [`data::table`](crate::data::table) on this thread, of the text of a CSV file. A table of this name that was there
/// is replaced.
///
/// ```
/// use flashcrowd::prelude::*;
///
/// flashcrowd::testing::csv_table("users", "id,name\n1,ann\n2,bob\n");
/// assert_eq!(data::table("users").next::<(u32, String)>(), (1, "ann".to_owned()));
/// ```
///
/// # Panics
/// If it is no CSV, or has no row.
pub fn csv_table(name: &str, text: &str) {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let words = |record: &csv::StringRecord| record.iter().map(ToOwned::to_owned).collect::<Vec<String>>();
    let columns = reader.headers().map(words);
    let rows: Result<Vec<Row>, csv::Error> =
        reader.records().map(|record| record.map(|record| Row::Values(words(&record)))).collect();
    match (columns, rows) {
        (Ok(columns), Ok(rows)) if !rows.is_empty() => host::data::keep(name, columns, rows),
        (Err(error), _) | (_, Err(error)) => panic!("the table `{name}` is no CSV: {error}"),
        _ => panic!("the table `{name}` has no row; give it one at least"),
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
