//! Every virtual user but the first traps in every iteration, at once and for ever. The first sends a request to BASE_URL in each, and
//! rests for PAUSE seconds: it must get its turn.

use flashcrowd::prelude::*;

static BEGUN: Counter = Counter::new("begun");

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .env_var(EnvVar::required("BASE_URL").help("where the first virtual user sends its requests"))
        .env_var(EnvVar::with_default("PAUSE", 0.1).help("how long it sleeps after each, in seconds"))
}

#[flashcrowd::scenario]
fn iterate() {
    BEGUN.add(1);
    if exec::vu() > 1 {
        std::process::abort();
    }
    let response = http::get(env("BASE_URL")).send();
    check!(response, "the others work" => |r| r.status() == 200);
    sleep(env_parse::<f64>("PAUSE").unwrap_or(0.1));
}
