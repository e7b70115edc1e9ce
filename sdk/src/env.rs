//! The environment that the person running the test granted. Brought in by [`crate::env`] and its like.

use std::fmt::Display;
use std::str::FromStr;

use crate::host;

/// The value of an environment variable: what was passed with `-e NAME=VALUE`, what the options give to the scenario, or
/// the default that the options declare with [`EnvVar`](crate::EnvVar).
///
/// ```no_run
/// use flashcrowd::prelude::*;
///
/// let response = http::get(env("BASE_URL")).send();
/// ```
///
/// # Panics
/// If there is no such variable. The message says how to pass it.
#[must_use]
#[track_caller]
pub fn env(name: &str) -> String {
    match host::env::get(name) {
        Some(value) => value,
        None => panic!("the environment variable {name} is not set; pass it with -e {name}=VALUE"),
    }
}

/// The value of an environment variable, or `default` where there is none.
///
/// ```
/// use flashcrowd::prelude::*;
///
/// assert_eq!(env_or("COUPON_THAT_IS_NOT_SET", "3"), "3");
/// ```
#[must_use]
pub fn env_or(name: &str, default: &str) -> String {
    host::env::get(name).unwrap_or_else(|| default.to_owned())
}

/// The value of an environment variable as a number or whatever else it is parsed into; `None` where there is no such
/// variable.
///
/// ```
/// use flashcrowd::prelude::*;
///
/// let coupon: u32 = env_parse("COUPON_THAT_IS_NOT_SET").unwrap_or(3);
/// assert_eq!(coupon, 3);
/// ```
///
/// # Panics
/// If the value cannot be parsed. The message names the variable, the value and what was expected.
#[must_use]
#[track_caller]
pub fn env_parse<T: FromStr<Err: Display>>(name: &str) -> Option<T> {
    let value = host::env::get(name)?;
    match value.parse() {
        Ok(parsed) => Some(parsed),
        Err(error) => panic!(
            "the environment variable {name} is {value:?}, which is not a {}: {error}; pass another with -e {name}=VALUE",
            std::any::type_name::<T>()
        ),
    }
}
