//! An iteration without work: what remains is what starting one costs, and when it starts.

#[flashcrowd::scenario]
fn no_op() {}
