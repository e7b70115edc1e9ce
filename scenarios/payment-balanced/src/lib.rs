//! Are payments steady over time? Seed 002's third payment script: 50 users for five minutes.
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
    Options::new().vus(50).duration(mins(5)).threshold("http_req_duration", "p(95)<500").env_var(
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
        let seed = json!({"vus": 50, "duration": "5m", "thresholds": {"http_req_duration": ["p(95)<500"]}});
        assert_eq!(flashcrowd::testing::describe()["options"], seed);
    }
}
