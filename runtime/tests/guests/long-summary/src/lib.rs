//! Three thousand checks with names of a thousand letters: its summary is three megabytes long.

use flashcrowd::prelude::*;

#[flashcrowd::scenario]
fn iterate() {
    let rest = "x".repeat(990);
    for number in 0..3_000 {
        check(&format!("{number} {rest}"), true);
    }
}
