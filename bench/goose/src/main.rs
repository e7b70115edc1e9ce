//! The bench's work, done by Goose: POST small JSON, check that the status is 200, begin again. Flags are Goose's own; the
//! last line of standard output is JSON with what Goose measured.

use std::collections::BTreeMap;
use std::io::Write as _;

use goose::metrics::GooseMetrics;
use goose::prelude::*;
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let metrics = GooseAttack::initialize()?
        .register_scenario(scenario!("Coupons").register_transaction(transaction!(issue)))
        .execute()
        .await?;
    Ok(writeln!(std::io::stdout(), "{}", told(&metrics))?)
}

async fn issue(user: &mut GooseUser) -> TransactionResult {
    let mut goose = user.post_json("/coupons", &json!({"userId": 1, "couponId": 3})).await?;
    match goose.response {
        Ok(response) if response.status() == 200 => {
            // All the others read the body as well; one that breaks off is a failure of the connection's next request.
            let _ = response.bytes().await;
            Ok(())
        }
        _ => user.set_failure("the status is not 200", &mut goose.request, None, None),
    }
}

fn told(metrics: &GooseMetrics) -> Value {
    let mut times_us = BTreeMap::new();
    let mut failures = 0;
    for request in metrics.requests.values() {
        failures += request.fail_count;
        for (time, count) in &request.raw_data.times_us {
            *times_us.entry(*time).or_insert(0_usize) += count;
        }
    }
    let requests: usize = times_us.values().sum();
    let quantile = |q: f64| {
        let rank = (requests as f64 * q).ceil() as usize;
        let mut seen = 0;
        times_us.iter().find(|(_, count)| {
            seen += **count;
            seen >= rank
        })
    };
    let us = |q| quantile(q).map(|(time, _)| *time);
    json!({
        "requests": requests,
        "failures": failures,
        "seconds": metrics.duration,
        "latency_us": {"p50": us(0.50), "p95": us(0.95), "p99": us(0.99)},
    })
}
