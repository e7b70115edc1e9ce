//! Three iterations that take no time, and at least 200 ms all the same.

use flashcrowd::prelude::*;

#[flashcrowd::options]
fn options() -> Options {
    Options::new().iterations(3).min_iteration_duration(millis(200))
}

#[flashcrowd::scenario]
fn iterate() {
    check("the pause is over", exec::scenario_elapsed() >= millis(200) * exec::iteration() as u32);
}
