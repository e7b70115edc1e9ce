//! Looks at everything that `exec` tells, in two scenarios that one virtual user runs one after the other.

use std::time::SystemTime;

use flashcrowd::prelude::*;

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .scenario("first", PerVuIterations::new(2).tag("team", "shop").max_duration(secs(2)).graceful_stop(secs(0)))
        .scenario("second", PerVuIterations::new(3).start_time(secs(2)).max_duration(mins(1)))
        .threshold("checks", "rate==1")
        .min_iteration_duration(millis(5))
}

#[flashcrowd::setup]
fn setup() {
    check(
        "outside of iterations there is nothing",
        exec::scenario_began().is_none() && exec::iterations_completed() == 0,
    );
    check("options are there from setup on", exec::options()["scenarios"]["first"]["executor"] == "per-vu-iterations");
}

#[flashcrowd::scenario]
fn iterate() {
    let scenario = exec::scenario();
    let before = if scenario == "first" { 0 } else { 2 };
    check("the VU's iterations count on", exec::iteration() == before + exec::iteration_in_scenario());
    check(
        "the VU's iterations of a scenario count from 0",
        exec::iteration_in_scenario() == exec::scenario_iteration(),
    );
    check("completed iterations are counted", exec::iterations_completed() == exec::iteration());
    check("none was interrupted", exec::iterations_interrupted() == 0);
    check("there is one VU", (exec::vus_active(), exec::vus_initialised()) == (1, 1));
    let began = exec::scenario_began();
    check("the scenario began before now", began.is_some_and(|began| began < SystemTime::now()));
    check("and always at the same time", exec::scenario_began() == began);
    check("an iteration lasts until now", exec::iteration_elapsed() <= exec::scenario_elapsed());
    exec::tag("plan", "gold");
    let tags = exec::tags();
    let tag = |name: &str| tags.get(name).map(String::as_str).unwrap_or_default();
    check("tags are there", tag("scenario") == scenario && tag("plan") == "gold");
    check("the scenario's tag is there", (tag("team") == "shop") == (scenario == "first"));
    let group = group("inner", || exec::tags().remove("group"));
    check("the group is a tag", group.as_deref() == Some("::inner"));
    let before_pacing = exec::iteration_elapsed();
    pacing(0.01);
    check(
        "pacing fills the interval",
        exec::iteration_elapsed() >= millis(10) && before_pacing < exec::iteration_elapsed(),
    );
    let paced = exec::test_elapsed();
    think_time(0.001..0.002);
    think_time(millis(1)..millis(2));
    check("a person thinks", exec::test_elapsed() - paced >= millis(2));
}
