//! Prints random values of every kind, one line per iteration: the same lines again with the same `--seed`.

use std::collections::HashMap;

use flashcrowd::prelude::*;
use rand::RngExt;

#[flashcrowd::options]
fn options() -> Options {
    Options::new().scenario("main", PerVuIterations::new(3).vus(2))
}

#[flashcrowd::scenario]
fn iterate() {
    let mut order = [1, 2, 3, 4, 5];
    random::shuffle(&mut order);
    // Its order comes from wasi:random.
    let map: HashMap<u8, ()> = (0..5).map(|key| (key, ())).collect();
    println!(
        "vu={} iteration={} range={} uniform={} normal={:.6} exponential={:.6} zipf={} choose={} shuffle={order:?} string={} uuid={} \
         wasi={} crate={} map={:?}",
        exec::vu(),
        exec::iteration(),
        random::range(0..1_000_000),
        random::uniform(),
        random::normal(0.0, 1.0),
        random::exponential(1.0),
        random::zipf(1000, 1.0),
        random::choose(&["S", "M", "L"]),
        random::string(8),
        random::uuid(),
        uuid::Uuid::new_v4(),
        rand::rng().random_range(0..1_000_000),
        map.keys().collect::<Vec<_>>(),
    );
}
