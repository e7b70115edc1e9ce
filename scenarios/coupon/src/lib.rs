//! Does a first-come-first-served coupon survive its opening minutes? Seed 000's k6 script: 100,000 coupons in five
//! minutes, that is 400 requests a second after a minute of warming up.

use flashcrowd::prelude::*;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Issue {
    user_id: u32,
    coupon_id: u32,
}

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .scenario(
            "warmup",
            ConstantArrivalRate::per_second(100)
                .duration(mins(1))
                .pre_allocated_vus(150)
                .max_vus(300)
                .start_time(secs(0)),
        )
        .scenario(
            "concurrent_coupon_issuance",
            ConstantArrivalRate::per_second(400)
                .duration(mins(5))
                .pre_allocated_vus(400)
                .max_vus(1000)
                .start_time(mins(1)),
        )
        .threshold("http_req_duration", "p(95)<3000")
        .threshold("http_req_failed", "rate<0.01")
        .env_var(
            EnvVar::required("BASE_URL").help(
                "the full URL of the call that issues a coupon, such as http://127.0.0.1:8080/api/v1/coupons/issue",
            ),
        )
}

#[flashcrowd::scenario]
fn issue_coupon() {
    let issue = Issue { user_id: random::range(1..=10_000), coupon_id: 3 };
    let response = http::post(env("BASE_URL")).json(&issue).send();
    check!(response, "status is 200" => |r| r.status() == 200);
    sleep(random::range(1.0..3.0));
}

#[flashcrowd::handle_summary]
fn write_summary(data: serde_json::Value) -> Summary {
    Summary::new().json("summary.json", &data)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The script's options, as they stand there.
    #[test]
    fn the_options_are_the_seeds() {
        let seed = json!({
            "scenarios": {
                "warmup": {
                    "executor": "constant-arrival-rate", "rate": 100, "timeUnit": "1s", "duration": "1m",
                    "preAllocatedVUs": 150, "maxVUs": 300, "startTime": "0s",
                },
                "concurrent_coupon_issuance": {
                    "executor": "constant-arrival-rate", "rate": 400, "timeUnit": "1s", "duration": "5m",
                    "preAllocatedVUs": 400, "maxVUs": 1000, "startTime": "1m",
                },
            },
            "thresholds": {"http_req_duration": ["p(95)<3000"], "http_req_failed": ["rate<0.01"]},
        });
        assert_eq!(flashcrowd::testing::describe()["options"], seed);
    }
}
