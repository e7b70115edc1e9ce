//! Samples without end: a request and `SAMPLES` values (1,000) of four trends in every iteration. Values spread over four orders of
//! magnitude, so that histograms fill.

use flashcrowd::prelude::*;

static TRENDS: [Trend; 4] = [
    Trend::time("bench_lock_time"),
    Trend::time("bench_queue_time"),
    Trend::new("bench_batch_size"),
    Trend::new("bench_queue_length"),
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Issue {
    user_id: u32,
    coupon_id: u32,
}

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .env_var(EnvVar::required("BASE_URL").help("the bench target's URL, with a path"))
        .env_var(EnvVar::with_default("SAMPLES", 1000).help("samples of an iteration"))
}

#[flashcrowd::scenario]
fn samples() {
    let response = http::post(env("BASE_URL")).json(&Issue { user_id: 1, coupon_id: 3 }).send();
    check!(response, "status is 200" => |r| r.status() == 200);
    let samples: usize = env_parse("SAMPLES").unwrap_or_default();
    for trend in TRENDS.iter().cycle().take(samples) {
        trend.add(10_f64.powf(random::range(0.0..4.0)));
    }
}
