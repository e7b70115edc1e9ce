//! Write load-test scenarios for Flashcrowd in Rust.
//!
//! A scenario is a library crate that is compiled to a WebAssembly component. Attributes say what its functions are:
//!
//! ```
//! use flashcrowd::prelude::*;
//!
//! #[derive(Serialize)]
//! #[serde(rename_all = "camelCase")]
//! struct Issue { user_id: u32, coupon_id: u32 }
//!
//! #[flashcrowd::options]
//! fn options() -> Options {
//!     Options::new()
//!         .scenario("warmup", ConstantArrivalRate::per_second(100).duration(mins(1))
//!             .pre_allocated_vus(150).max_vus(300))
//!         .scenario("concurrent_coupon_issuance", ConstantArrivalRate::per_second(400).duration(mins(5))
//!             .pre_allocated_vus(400).max_vus(1000).start_time(mins(1)))
//!         .threshold("http_req_duration", "p(95)<3000")
//!         .threshold("http_req_failed", "rate<0.01")
//! }
//!
//! #[flashcrowd::scenario]
//! fn issue_coupon() {
//!     let issue = Issue { user_id: random::range(1..=10_000), coupon_id: 3 };
//!     let response = http::post(env("BASE_URL")).json(&issue).send();
//!     check!(response, "status is 200" => |r| r.status() == 200);
//!     sleep(random::range(1.0..3.0));
//! }
//! # fn main() {}
//! ```
//!
//! Its `Cargo.toml` has `crate-type = ["cdylib"]`, and depends on `flashcrowd` and (for `#[derive(Serialize)]`) on `serde`.
//! `cargo build --release --target wasm32-wasip2` builds it; `runtime run` runs it.
//!
//! # The functions of a module
//!
//! | attribute | the function |
//! |---|---|
//! | [`scenario`] | what a virtual user does in one iteration |
//! | [`options`](macro@options) | the test's [`Options`] |
//! | [`setup`] | runs once before the load; its data goes to every virtual user |
//! | [`vu_init`] | runs once per virtual user, before its first iteration |
//! | [`teardown`] | runs once after the load |
//! | [`handle_summary`] | makes files out of the results |
//!
//! ```
//! use flashcrowd::prelude::*;
//!
//! #[derive(Serialize, Deserialize)]
//! struct Shop { token: String }
//!
//! #[flashcrowd::setup]
//! fn log_in() -> Result<Shop, http::JsonError> {
//!     http::post("/login").form([("user", "ann")]).send().json()
//! }
//!
//! #[flashcrowd::scenario]
//! fn buy(shop: &Shop) -> Result<(), http::JsonError> {
//!     let response = http::post(url!("/items/{id}/orders", random::range(1..=100)))
//!         .header("Authorization", &shop.token)
//!         .send();
//!     let order: serde_json::Value = response.json()?;
//!     check!(order, "has a number" => |o| o["number"].is_u64());
//!     Ok(())
//! }
//!
//! #[flashcrowd::teardown]
//! fn log_out(shop: &Shop) {
//!     http::post("/logout").header("Authorization", &shop.token).send();
//! }
//! # fn main() {}
//! ```
//!
//! # An iteration that fails
//!
//! A `panic!`, an `Err` and [`fail`] end the iteration. It is counted in `iteration_errors`, and its reason is logged once
//! per distinct message. The virtual user goes on with its next iteration; after a panic or [`fail`] on a fresh instance.
//!
//! # What lives how long
//!
//! Each virtual user has an instance of the module of its own. State in a `static` or a `thread_local!` lives as long as that, from what
//! [`vu_init`] put there to the last iteration.
//!
//! # Outside the runtime
//!
//! The crate also compiles for the machine at hand, so that `cargo test` can test a scenario's own logic. There, checks and
//! metrics go nowhere, `sleep` sleeps, environment variables are the process's, and requests are not sent: they are answered
//! with status 0 and an error that says so. [`testing`] calls a scenario's functions there.
//!
//! # Misuse that does not compile
//!
//! A function that waits is a plain function:
//!
//! ```compile_fail
//! #[flashcrowd::scenario]
//! async fn pay() {}
//! ```
//!
//! There is one function for the options:
//!
//! ```compile_fail
//! # use flashcrowd::Options;
//! #[flashcrowd::options]
//! fn options() -> Options { Options::new() }
//!
//! #[flashcrowd::options]
//! fn more_options() -> Options { Options::new() }
//! ```
//!
//! Two functions cannot go by one name:
//!
//! ```compile_fail
//! #[flashcrowd::scenario(name = "pay")]
//! fn pay_by_card() {}
//!
//! #[flashcrowd::scenario(name = "pay")]
//! fn pay_by_points() {}
//! ```
//!
//! Names have letters, digits, `_` and `-`:
//!
//! ```compile_fail
//! #[flashcrowd::scenario(name = "pay by card")]
//! fn pay_by_card() {}
//! ```
//!
//! Setup's data is everybody's, so nobody can change it:
//!
//! ```compile_fail
//! #[flashcrowd::scenario]
//! fn pay(users: &mut Vec<u32>) {}
//! ```
//!
//! A scenario returns nothing or a `Result<(), E>`:
//!
//! ```compile_fail
//! #[flashcrowd::scenario]
//! fn pay() -> u32 { 5 }
//! ```

// The macros' output names this crate, also in this crate's own tests.
#[cfg(test)]
extern crate self as flashcrowd;

mod check;
pub mod data;
mod describe;
mod env;
pub mod exec;
mod fail;
mod group;
#[cfg(feature = "grpc")]
pub mod grpc;
#[cfg(doctest)]
mod guides;
mod host;
pub mod http;
mod lifecycle;
mod logger;
pub mod metrics;
mod options;
pub mod random;
mod registry;
mod result;
mod setup_data;
pub mod shared;
mod summary;
mod tags;
pub mod test;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod text;
mod timer;
pub mod websocket;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use check::{Check, check};
pub use env::{env, env_or, env_parse};
pub use fail::fail;
/// ```
/// use flashcrowd::prelude::*;
///
/// #[flashcrowd::handle_summary]
/// fn summary(data: serde_json::Value) -> Summary {
///     Summary::new().json("summary.json", &data)
/// }
/// # fn main() {}
/// ```
pub use flashcrowd_macros::handle_summary;
/// ```
/// use flashcrowd::prelude::*;
///
/// #[flashcrowd::options]
/// fn options() -> Options {
///     Options::new().vus(10).duration(mins(1)).threshold("http_req_failed", "rate<0.01")
/// }
/// # fn main() {}
/// ```
pub use flashcrowd_macros::options;
/// ```
/// use flashcrowd::prelude::*;
///
/// #[flashcrowd::scenario]
/// fn browse() {
///     http::get("/").send();
///     sleep(1);
/// }
///
/// #[flashcrowd::scenario(name = "pay-by-card")]
/// fn pay() -> Result<(), http::JsonError> {
///     let receipt: serde_json::Value = http::post("/payments").send().json()?;
///     check!(receipt, "is paid" => |r| r["paid"] == true);
///     Ok(())
/// }
/// # fn main() {}
/// ```
pub use flashcrowd_macros::scenario;
/// ```
/// use flashcrowd::prelude::*;
///
/// #[flashcrowd::setup]
/// fn users() -> Vec<String> {
///     (1..=100).map(|number| format!("user-{number}")).collect()
/// }
///
/// #[flashcrowd::scenario]
/// fn greet(users: &[String]) {
///     http::get("/greeting").query("name", random::choose(users)).send();
/// }
/// # fn main() {}
/// ```
pub use flashcrowd_macros::setup;
/// ```
/// use flashcrowd::prelude::*;
///
/// #[flashcrowd::teardown]
/// fn audit() {
///     if http::get("/audit").send().status() != 200 {
///         test::fail("more was sold than there was");
///     }
/// }
/// # fn main() {}
/// ```
pub use flashcrowd_macros::teardown;
/// ```
/// use flashcrowd::prelude::*;
///
/// let id = "a b";
/// let url = url!("/users/{id}");
/// assert_eq!(url.as_str(), "/users/a%20b");
///
/// let base = "http://127.0.0.1:8080";
/// let url = url!("{base}/users/{id}/orders/{order}", base, 7, 3 + 4);
/// assert_eq!(url.as_str(), "http://127.0.0.1:8080/users/7/orders/7");
/// ```
///
/// Each placeholder needs a value:
///
/// ```compile_fail
/// flashcrowd::url!("/users/{id}/orders/{order}", 7);
/// ```
pub use flashcrowd_macros::url;
/// ```
/// use std::cell::RefCell;
///
/// use flashcrowd::prelude::*;
///
/// thread_local! {
///     static TOKEN: RefCell<String> = RefCell::default();
/// }
///
/// #[flashcrowd::vu_init]
/// fn log_in() -> Result<(), String> {
///     let answer = http::post("/login").form([("user", format!("user-{}", exec::vu()))]).send();
///     if answer.status() != 200 {
///         return Err(format!("no log-in: status {}", answer.status()));
///     }
///     TOKEN.set(answer.text().into_owned());
///     Ok(())
/// }
///
/// #[flashcrowd::scenario]
/// fn buy() {
///     http::post("/orders").header("Authorization", TOKEN.with_borrow(String::clone)).send();
/// }
/// # fn main() {}
/// ```
pub use flashcrowd_macros::vu_init;
pub use group::group;
pub use log;
pub use metrics::{Counter, Gauge, Rate, Trend};
pub use options::{
    ConstantArrivalRate, ConstantVus, DataTable, EnvVar, ExternallyControlled, Options, PerVuIterations,
    RampingArrivalRate, RampingVus, Scenario, SharedIterations, Span, Stage, Threshold, hours, millis, mins, secs,
    stage,
};
pub use summary::{IntoSummary, Summary};
pub use text::{Bytes, Sample, Seconds, Text};
pub use timer::{pacing, sleep, think_time};

/// All that a scenario usually needs: `use flashcrowd::prelude::*;`.
pub mod prelude {
    pub use std::time::Duration;

    pub use serde::{Deserialize, Serialize};
    pub use serde_json::{self, json};

    pub use crate::http::{self, Response};
    pub use crate::{
        Check, ConstantArrivalRate, ConstantVus, Counter, DataTable, EnvVar, ExternallyControlled, Gauge, Options,
        PerVuIterations, RampingArrivalRate, RampingVus, Rate, SharedIterations, Summary, Threshold, Trend, check,
        data, env, env_or, env_parse, exec, fail, group, hours, log, millis, mins, pacing, random, secs, shared, sleep,
        stage, test, think_time, url, websocket,
    };
}

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
