//! Requests to BASE_URL, and a count of everything that it does itself: `begun` iterations, `called` requests. What a test knows from
//! here, from the summary and from the server must agree.

use flashcrowd::prelude::*;

static BEGUN: Counter = Counter::new("begun");
static CALLED: Counter = Counter::new("called");

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .env_var(EnvVar::required("BASE_URL").help("the full URL"))
        .env_var(EnvVar::with_default("TIMEOUT", 30).help("of a request, in seconds"))
        .env_var(EnvVar::with_default("PAUSE", 0.01).help("how long to sleep after it, in seconds"))
        .env_var(EnvVar::with_default("BODY_BYTES", 0).help("the length of a POST's body; 0 sends a GET"))
}

#[flashcrowd::scenario]
fn iterate() {
    BEGUN.add(1);
    let body: usize = env_parse("BODY_BYTES").unwrap_or(0);
    let request =
        if body == 0 { http::get(env("BASE_URL")) } else { http::post(env("BASE_URL")).body(vec![b'x'; body]) };
    CALLED.add(1);
    let response = request.timeout(env_parse::<f64>("TIMEOUT").unwrap_or(30.0)).send();
    check!(response, "status is 200" => |r| r.status() == 200);
    sleep(env_parse::<f64>("PAUSE").unwrap_or(0.01));
}
