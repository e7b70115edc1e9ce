//! Marks the whole test as failed (exit code 110), and goes on to the end.

use flashcrowd::prelude::*;

#[flashcrowd::options]
fn options() -> Options {
    Options::new().iterations(5)
}

#[flashcrowd::scenario]
fn iterate() {
    if exec::scenario_iteration() == 1 {
        test::fail("more coupons were issued than there were");
    }
    check("it goes on after a failure", true);
}
