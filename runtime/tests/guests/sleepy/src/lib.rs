//! One request to BASE_URL, checked, and a second of sleep: thousands of virtual users that mostly wait. PAUSE is another
//! number of seconds.

use flashcrowd::prelude::*;

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .env_var(EnvVar::required("BASE_URL").help("the full URL"))
        .env_var(EnvVar::with_default("PAUSE", 1).help("how long to sleep, in seconds"))
}

#[flashcrowd::scenario]
fn iterate() {
    let response = http::get(env("BASE_URL")).send();
    check!(response, "status is 200" => |r| r.status() == 200);
    sleep(env_parse::<f64>("PAUSE").unwrap_or(1.0));
}
