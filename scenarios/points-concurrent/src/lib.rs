//! How many point charges a second can the server take? Seed 002's first point script: up to 100 users within a minute.
//!
//! The seed also declares `new Counter('http_reqs')`, which it never adds to. In k6 that only names the built-in metric,
//! which counts every request by itself, so there is nothing to port.

use flashcrowd::prelude::*;

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .stages([stage(mins(1), 100)])
        .threshold("http_req_duration", "p(95)<500")
        .env_var(EnvVar::with_default("BASE_URL", "http://localhost:8080/points").help("the URL of the points"))
}

#[flashcrowd::scenario]
fn charge_points() {
    let buyer_id = random::range(1..=7);
    let point = random::range(1..=1000);
    let response = http::post(url!("{base}/{buyer_id}?point={point}", env("BASE_URL"), buyer_id, point)).send();
    check!(response, "status is 200" => |r| r.status() == 200);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The script's options, as they stand there.
    #[test]
    fn the_options_are_the_seeds() {
        let seed = json!({
            "stages": [{"duration": "1m", "target": 100}],
            "thresholds": {"http_req_duration": ["p(95)<500"]},
        });
        assert_eq!(flashcrowd::testing::describe()["options"], seed);
    }
}
