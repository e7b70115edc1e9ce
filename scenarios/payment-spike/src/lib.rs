//! Do payments survive a sudden rush? Seed 002's second payment script: 10 users, 100 within ten seconds, 10 again.
//!
//! The seed also declares `new Counter('http_reqs')`, which it never adds to. In k6 that only names the built-in metric,
//! which counts every request by itself, so there is nothing to port.

use flashcrowd::prelude::*;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payment {
    buyer_id: u32,
    order_id: u32,
}

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .stages([stage(secs(10), 10), stage(secs(10), 100), stage(secs(10), 10)])
        .threshold("http_req_duration", "p(95)<500")
        .env_var(
            EnvVar::with_default("BASE_URL", "http://localhost:8080/orders/payment/kafka")
                .help("the full URL of the payment call"),
        )
}

#[flashcrowd::scenario]
fn pay() {
    let payment = Payment { buyer_id: random::range(1..=7), order_id: random::range(1..=107) };
    let response = http::post(env("BASE_URL")).json(&payment).send();
    check!(response, "status is 200" => |r| r.status() == 200);
    sleep(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The script's options, as they stand there.
    #[test]
    fn the_options_are_the_seeds() {
        let seed = json!({
            "stages": [
                {"duration": "10s", "target": 10},
                {"duration": "10s", "target": 100},
                {"duration": "10s", "target": 10},
            ],
            "thresholds": {"http_req_duration": ["p(95)<500"]},
        });
        assert_eq!(flashcrowd::testing::describe()["options"], seed);
    }
}
