//! Sleeps for an hour in every iteration, so that an open model needs further virtual users, none of which can be initialised.

use flashcrowd::prelude::*;

#[flashcrowd::options]
fn options() -> Options {
    Options::new().env_var(EnvVar::with_default("INIT_AFTER", 1).help("the last virtual user that can be initialised"))
}

#[flashcrowd::vu_init]
fn init() -> Result<(), String> {
    if exec::vu() > env_parse("INIT_AFTER").unwrap_or(1) {
        Err(format!("no room for VU {}", exec::vu()))
    } else {
        Ok(())
    }
}

#[flashcrowd::scenario]
fn iterate() {
    sleep(hours(1));
}
