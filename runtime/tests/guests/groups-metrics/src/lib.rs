//! Metrics of every kind with values that a test can add up, inside and outside groups, with and without tags; and the ways
//! to use them wrongly.

use flashcrowd::prelude::*;

static ORDERS: Counter = Counter::new("orders");
static BYTES: Counter = Counter::data("bytes_moved");
static LEFT: Gauge = Gauge::new("seats_left");
static SOLD_OUT: Rate = Rate::new("sold_out");
static LOCK: Trend = Trend::time("lock_acquisition_time");
static SIZE: Trend = Trend::data("basket_size");
static SCORE: Trend = Trend::new("score");

/// Another kind under a name that is taken.
static TAKEN: Gauge = Gauge::new("orders");
/// A built-in metric under another kind.
static BUILT_IN: Trend = Trend::new("http_reqs");

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .iterations(10)
        .env_var(EnvVar::optional("TAKE").help("`custom` or `builtin`: use a name that is taken"))
}

#[flashcrowd::scenario]
fn iterate() {
    let number = exec::scenario_iteration();
    group("buy", || {
        ORDERS.add(2);
        let answer = group("pay", || {
            ORDERS.add_with_tags(1, &[("kind", "gift")]);
            check("inside pay", true);
            42
        });
        check("a group gives back what its section returns", answer == 42);
    });
    ORDERS.add(0.5);
    BYTES.add(1024);
    LEFT.set(100 - number);
    SOLD_OUT.add(number.is_multiple_of(4));
    LOCK.add(millis(number + 1));
    LOCK.add_with_tags(1000.0, &[("lock", "slow")]);
    SIZE.add(2048);
    SCORE.add(number as f64 / 2.0);
    exec::tag("plan", "gold");
    ORDERS.add(1);
    exec::untag("plan");
    // Refused and counted, each on its own: a counter cannot go down, and not a number is nothing.
    ORDERS.add(-1);
    SCORE.add(f64::NAN);
    match env_or("TAKE", "").as_str() {
        "custom" => TAKEN.set(1),
        "builtin" => BUILT_IN.add(1),
        _ => {}
    }
}
