//! Whoever only wants to know what this module is waits for ever, unless the runtime ends it.

use flashcrowd::prelude::*;

#[flashcrowd::options]
fn options() -> Options {
    let mut rounds = 0_u64;
    loop {
        rounds = std::hint::black_box(rounds.wrapping_add(1));
    }
}

#[flashcrowd::scenario]
fn iterate() {}
