//! Each phase of the test sends a request to BASE_URL: `/setup`, `/iteration`, `/teardown`, `/summary`. A server that does not answer one of
//! them holds the test in that phase, and knows when it is there. The phase that SPIN names computes for ever instead.

use flashcrowd::prelude::*;

static BEGUN: Counter = Counter::new("begun");

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .setup_timeout(mins(10))
        .teardown_timeout(mins(10))
        .env_var(EnvVar::required("BASE_URL").help("the server"))
        .env_var(EnvVar::optional("SPIN").help("the phase that computes for ever"))
        .env_var(EnvVar::with_default("SUMMARY_BYTES", 0).help("how much the summary says before"))
        .env_var(EnvVar::with_default("SUMMARY", "stdout").help("where it says so: stdout, or a file"))
        .env_var(EnvVar::with_default("ITERATION", "/iteration").help("the path of an iteration's request"))
}

#[flashcrowd::setup]
fn setup() {
    enter("setup", "/setup");
}

#[flashcrowd::scenario]
fn iterate() {
    BEGUN.add(1);
    enter("iteration", &env("ITERATION"));
}

#[flashcrowd::teardown]
fn teardown() {
    enter("teardown", "/teardown");
}

#[flashcrowd::handle_summary]
fn summary(_data: serde_json::Value) -> Summary {
    enter("summary", "/summary");
    let bytes: usize = env_parse("SUMMARY_BYTES").unwrap_or(0);
    let text = format!("{}a summary of its own\n", "x".repeat(bytes));
    Summary::new().file(env("SUMMARY"), text)
}

fn enter(phase: &str, path: &str) {
    log::info!("entered {phase}");
    if env_or("SPIN", "") == phase {
        let mut rounds = 0_u64;
        loop {
            rounds = std::hint::black_box(rounds.wrapping_add(1));
        }
    }
    http::get(path).timeout(600.0).send();
}
