//! The attributes of the [`flashcrowd`](https://docs.rs/flashcrowd) SDK. Use them through that crate:
//! `#[flashcrowd::scenario]`, `#[flashcrowd::options]`, `#[flashcrowd::setup]`, `#[flashcrowd::vu_init]`,
//! `#[flashcrowd::teardown]`, `#[flashcrowd::handle_summary]` and `flashcrowd::url!`.

mod attributes;
mod function;
mod url;

use proc_macro::TokenStream;

/// Marks a function as a scenario function: what a virtual user does in one iteration.
///
/// The function takes nothing, or the data that `#[setup]` returned (`&T`, or `T` for a fresh copy each time). It returns
/// nothing, or a `Result<(), E>` with any error type; an error ends the iteration and is counted in `iteration_errors`.
///
/// A module's only scenario function is called `default`, which is what a scenario runs unless it says `exec`. Where there are
/// several, each goes by its own name. `#[flashcrowd::scenario(name = "pay")]` gives another name.
#[proc_macro_attribute]
pub fn scenario(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attributes::scenario(arguments.into(), item.into()).into()
}

/// Marks the function that returns the test's `Options`. A module has at most one.
#[proc_macro_attribute]
pub fn options(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attributes::options(arguments.into(), item.into()).into()
}

/// Marks the function that runs once before the load. What it returns (any `Serialize` value, or a `Result` of one) is
/// handed to every virtual user. A module has at most one.
#[proc_macro_attribute]
pub fn setup(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attributes::setup(arguments.into(), item.into()).into()
}

/// Marks the function that runs once per virtual user, before its first iteration: the place for a log-in. It takes nothing, or what
/// `#[setup]` returned, and returns nothing, or a `Result<(), E>`. An error, or a panic, means that there can be no such virtual user. After an
/// iteration that ended by a panic it runs again, as what it left in statics is gone with the instance. A module has at most one.
#[proc_macro_attribute]
pub fn vu_init(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attributes::vu_init(arguments.into(), item.into()).into()
}

/// Marks the function that runs once after the load. It takes nothing, or what `#[setup]` returned. A module has at most one.
#[proc_macro_attribute]
pub fn teardown(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attributes::teardown(arguments.into(), item.into()).into()
}

/// Marks the function that turns the results (k6's `handleSummary` data) into a `Summary`: what to write where. A module
/// has at most one.
#[proc_macro_attribute]
pub fn handle_summary(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attributes::handle_summary(arguments.into(), item.into()).into()
}

/// Makes a URL from a template, and gives the template as `name` tag: a million ids are one series and not a million.
///
/// `url!("/users/{id}", id)` fills the placeholders in order; `url!("/users/{id}")` takes the variables of the same name.
/// Values are percent-encoded, except one that begins the template (`{base}/users`), which is taken as it is.
#[proc_macro]
pub fn url(input: TokenStream) -> TokenStream {
    url::expand(input.into()).into()
}
