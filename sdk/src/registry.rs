//! What the attributes marked, found again at run time.
#![expect(missing_docs, reason = "for the macros' output only")]

use std::fmt;
use std::sync::OnceLock;

use crate::options::Options;

/// Where something stands in the source.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct At {
    pub file: &'static str,
    pub line: u32,
    pub column: u32,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What Cargo says about the crate that the scenario stands in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Package {
    pub name: &'static str,
    pub version: &'static str,
    pub description: &'static str,
    /// As Cargo gives them: separated by `:`.
    pub authors: &'static str,
}

#[doc(hidden)]
#[macro_export]
macro_rules! __at {
    () => {
        $crate::__private::At { file: ::core::file!(), line: ::core::line!(), column: ::core::column!() }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __package {
    () => {
        $crate::__private::Package {
            name: $crate::__or_empty!("CARGO_PKG_NAME"),
            version: $crate::__or_empty!("CARGO_PKG_VERSION"),
            description: $crate::__or_empty!("CARGO_PKG_DESCRIPTION"),
            authors: $crate::__or_empty!("CARGO_PKG_AUTHORS"),
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __or_empty {
    ($name:literal) => {
        match ::core::option_env!($name) {
            ::core::option::Option::Some(value) => value,
            ::core::option::Option::None => "",
        }
    };
}

pub struct ScenarioFunction {
    pub name: &'static str,
    /// Whether the attribute gave the name.
    pub renamed: bool,
    pub at: At,
    pub package: Package,
    pub run: fn() -> Result<(), String>,
}

pub struct OptionsFunction {
    pub at: At,
    pub package: Package,
    pub make: fn() -> Options,
}

pub struct SetupFunction {
    pub at: At,
    pub run: fn() -> Result<Option<Vec<u8>>, String>,
}

pub struct VuInitFunction {
    pub at: At,
    pub run: fn() -> Result<(), String>,
}

pub struct TeardownFunction {
    pub at: At,
    pub run: fn() -> Result<(), String>,
}

/// What `handle_summary` asks to be written: destinations and contents.
pub(crate) type Files = Option<Vec<(String, Vec<u8>)>>;

pub struct HandleSummaryFunction {
    pub at: At,
    pub run: fn(&str) -> Result<Files, String>,
}

inventory::collect!(ScenarioFunction);
inventory::collect!(OptionsFunction);
inventory::collect!(SetupFunction);
inventory::collect!(VuInitFunction);
inventory::collect!(TeardownFunction);
inventory::collect!(HandleSummaryFunction);

/// The scenario functions in the order of the source, which is the order of `describe` and of `run`'s index.
pub(crate) fn scenarios() -> &'static [&'static ScenarioFunction] {
    static SCENARIOS: OnceLock<Vec<&'static ScenarioFunction>> = OnceLock::new();
    SCENARIOS.get_or_init(|| {
        let mut functions: Vec<_> = inventory::iter::<ScenarioFunction>.into_iter().collect();
        functions.sort_by_key(|function| function.at);
        functions
    })
}

pub(crate) fn options() -> Option<&'static OptionsFunction> {
    only("options", inventory::iter::<OptionsFunction>.into_iter().map(|found| (found.at, found)))
}

pub(crate) fn setup() -> Option<&'static SetupFunction> {
    only("setup", inventory::iter::<SetupFunction>.into_iter().map(|found| (found.at, found)))
}

pub(crate) fn vu_init() -> Option<&'static VuInitFunction> {
    only("vu_init", inventory::iter::<VuInitFunction>.into_iter().map(|found| (found.at, found)))
}

pub(crate) fn teardown() -> Option<&'static TeardownFunction> {
    only("teardown", inventory::iter::<TeardownFunction>.into_iter().map(|found| (found.at, found)))
}

pub(crate) fn handle_summary() -> Option<&'static HandleSummaryFunction> {
    only("handle_summary", inventory::iter::<HandleSummaryFunction>.into_iter().map(|found| (found.at, found)))
}

/// The only function with this attribute.
///
/// # Panics
/// If there are several. Within one Rust module the compiler has refused that already.
fn only<T>(attribute: &str, found: impl Iterator<Item = (At, T)>) -> Option<T> {
    let mut found: Vec<_> = found.collect();
    found.sort_by_key(|(at, _)| *at);
    assert!(
        found.len() <= 1,
        "a module has at most one #[flashcrowd::{attribute}] function, but these are marked: {}; keep one",
        found.iter().map(|(at, _)| at.to_string()).collect::<Vec<_>>().join(", ")
    );
    found.pop().map(|(_, function)| function)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(file: &'static str, line: u32) -> At {
        At { file, line, column: 1 }
    }

    #[test]
    fn none_and_one_are_fine() {
        assert_eq!(only::<u8>("setup", [].into_iter()), None);
        assert_eq!(only("setup", [(at("src/lib.rs", 3), 'a')].into_iter()), Some('a'));
    }

    #[test]
    #[should_panic(
        expected = "at most one #[flashcrowd::setup] function, but these are marked: src/a.rs:9, src/b.rs:1; keep one"
    )]
    fn two_are_named() {
        only("setup", [(at("src/b.rs", 1), ()), (at("src/a.rs", 9), ())].into_iter());
    }
}
