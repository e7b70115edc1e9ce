//! A function that calls itself without end, with something on the stack each time.

use flashcrowd::prelude::*;

#[flashcrowd::scenario]
fn iterate() {
    check("iterations begin", true);
    let depth = descend(0);
    check(&format!("never reached: {depth}"), false);
}

#[expect(unconditional_recursion, reason = "this is the point")]
fn descend(depth: u64) -> u64 {
    let room = std::hint::black_box([depth; 64]);
    descend(std::hint::black_box(room[7] + 1)) + room[3]
}
