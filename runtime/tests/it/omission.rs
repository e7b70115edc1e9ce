//! Coordinated omission: what a stalled server does to the figures of an open and of a closed model
//! (`docs/coordinated-omission.md`).

use std::time::Duration;

use crate::stalling::{self, Stalls};
use crate::support::{Folder, Run, guest, run};

const STALLS: Stalls = Stalls { period: Duration::from_secs(4), length: Duration::from_secs(1) };
const LOAD: Duration = Duration::from_secs(8);
const PER_SECOND: u32 = 100;
/// Nobody waits as long as this but for a stall, nor does a stall of a second let many off with less.
const SLOW_MS: f64 = 250.0;

/// Every whole percentile.
fn percentiles() -> Vec<String> {
    (1..100).map(|percent| format!("p({percent})")).collect()
}

/// Which share of a trend's values is slow, to a hundredth.
fn slow_share(run: &Run, metric: &str) -> f64 {
    let slow = percentiles().iter().filter(|percentile| run.metric(metric, percentile) > SLOW_MS).count();
    slow as f64 / 100.0
}

fn under_load(module: &str, args: &[&str]) -> Run {
    let url = format!("BASE_URL=http://{}/", stalling::start(STALLS));
    let stats = format!("max,{}", percentiles().join(","));
    let args = [args, &["-e", &url, "--summary-trend-stats", &stats]].concat();
    run(&guest(module), &args).exits(0)
}

/// Iterations start when they are due, whatever the server does: there are enough virtual users for a stall.
fn open_model() -> Run {
    let folder = Folder::new();
    let config = folder.file("options.json");
    let options = serde_json::json!({ "scenarios": { "users": {
        "executor": "constant-arrival-rate", "rate": PER_SECOND, "duration": LOAD.as_millis() as u64, "preAllocatedVUs": 250,
    }}});
    std::fs::write(&config, options.to_string()).expect("the options can be written");
    under_load("open", &["-c", config.to_str().expect("a path in UTF-8")])
}

/// Two virtual users who wait for each answer before they go on; about as many requests a second while the server answers.
fn closed_model() -> Run {
    let duration = format!("{}s", LOAD.as_secs());
    under_load("sleepy", &["-u", "2", "-d", &duration, "-e", "PAUSE=0.02"])
}

#[test]
fn a_stall_has_its_full_weight_from_when_iterations_were_due_and_hides_from_a_closed_loop() {
    let felt = STALLS.felt(PER_SECOND, LOAD);
    let slow = felt.iter().filter(|wait| wait.as_secs_f64() * 1e3 > SLOW_MS).count();
    let truth = slow as f64 / felt.len() as f64;
    let (open, closed) = std::thread::scope(|scope| {
        let open = scope.spawn(open_model);
        let closed = closed_model();
        (open.join().expect("the open model's run"), closed)
    });

    let due = slow_share(&open, "iteration_duration_from_due");
    assert!(due >= truth * 0.8, "{due} of the iterations are slow from when they were due, and {truth} of the users");
    let looped = slow_share(&closed, "http_req_duration");
    assert!(looped <= truth * 0.2, "{looped} of the closed loop's requests are slow, and {truth} of the users");
    // The closed loop met the stalls as well: it only asked less while they lasted.
    assert!(closed.metric("http_req_duration", "max") > SLOW_MS);
    let (asked, answered) = (felt.len() as f64, closed.metric("http_reqs", "count"));
    assert!(answered < asked * 0.95, "{answered} requests, where {asked} users would have come");
}
