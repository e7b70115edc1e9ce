//! Two scenarios run two functions of one module at once, each with an environment variable and a tag of its own; a third
//! starts later.

use flashcrowd::prelude::*;

static VISITS: Counter = Counter::new("visits");

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .scenario("browse", PerVuIterations::new(3).vus(2).exec("browse").env("PAGE", "front").tag("team", "shop"))
        .scenario("pay", SharedIterations::new(4).vus(2).exec("pay-by-card").env("PAGE", "till").tag("team", "money"))
        .scenario("late", PerVuIterations::new(1).exec("browse").env("PAGE", "back").start_time(millis(500)))
        .threshold("checks{scenario:pay}", "rate==1")
        .threshold("visits{team:shop}", "count==6")
}

#[flashcrowd::scenario]
fn browse() {
    VISITS.add(1);
    let expected = if exec::scenario() == "late" { "back" } else { "front" };
    check("browse sees its own page", env("PAGE") == expected);
    check("browse knows its executor", exec::executor() == "per-vu-iterations");
}

#[flashcrowd::scenario(name = "pay-by-card")]
fn pay() {
    VISITS.add(1);
    check("pay sees its own page", env("PAGE") == "till");
    check("pay knows its scenario", exec::scenario() == "pay" && exec::executor() == "shared-iterations");
}
