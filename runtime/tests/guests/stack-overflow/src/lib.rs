//! A function that calls itself without end. Its frames are small, so that the call stack ends first. With WIDE_FRAMES they are
//! wide: then the module's own stack in its memory does, which the engine sees as an access out of bounds.

use flashcrowd::prelude::*;

#[flashcrowd::options]
fn options() -> Options {
    Options::new().env_var(EnvVar::optional("WIDE_FRAMES").help("put much on the stack in each call"))
}

#[flashcrowd::scenario]
fn iterate() {
    check("iterations begin", true);
    let depth = if env_or("WIDE_FRAMES", "").is_empty() { descend(0) } else { descend_widely(0) };
    check(&format!("never reached: {depth}"), false);
}

#[expect(unconditional_recursion, reason = "this is the point")]
fn descend(depth: u64) -> u64 {
    std::hint::black_box(descend(depth + 1)) + depth
}

#[expect(unconditional_recursion, reason = "this is the point")]
fn descend_widely(depth: u64) -> u64 {
    let room = std::hint::black_box([depth; 64]);
    descend_widely(std::hint::black_box(room[7] + 1)) + room[3]
}
