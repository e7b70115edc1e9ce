//! Every third iteration of a virtual user panics. A static counts the iterations that its instance has begun: after a
//! panic the instance is a fresh one.

use std::sync::atomic::{AtomicU64, Ordering};

use flashcrowd::prelude::*;

static IN_THIS_INSTANCE: AtomicU64 = AtomicU64::new(0);
static FRESH_INSTANCES: Counter = Counter::new("fresh_instances");

#[flashcrowd::scenario]
fn iterate() {
    let begun_here = IN_THIS_INSTANCE.fetch_add(1, Ordering::Relaxed);
    if begun_here == 0 {
        FRESH_INSTANCES.add(1);
    }
    check("the instance is fresh after a panic", begun_here < 3);
    if exec::iteration() % 3 == 2 {
        panic!("the third iteration always panics");
    }
    check("iterations that do not panic end", true);
}
