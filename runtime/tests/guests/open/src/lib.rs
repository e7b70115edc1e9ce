//! One request and nothing else: for tests of the open model, whose rate the options give.

use flashcrowd::prelude::*;

#[flashcrowd::options]
fn options() -> Options {
    Options::new().env_var(EnvVar::required("BASE_URL").help("the full URL"))
}

#[flashcrowd::scenario]
fn iterate() {
    http::get(env("BASE_URL")).send();
}
