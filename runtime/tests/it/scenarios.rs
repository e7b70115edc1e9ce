//! Every shipped scenario, scaled down, against the target server. A scenario without a test here fails the last test.

use crate::support::{Run, Server, run, scenario};

/// The scenarios that are tested below, and what each needs.
const TESTED: &[&str] = &[
    "coupon",
    "coupon-locust",
    "payment-balanced",
    "payment-concurrent",
    "payment-spike",
    "points-balanced",
    "points-concurrent",
    "points-grpc",
    "points-spike",
    "websocket-chat",
];

#[track_caller]
fn attack(name: &str, path: &str, args: &[&str]) -> Run {
    let server = Server::start(&[]);
    let base_url = server.base_url(path);
    let run = run(&scenario(name), &[&["-e", &base_url], args].concat());
    ran(&run);
    assert!(run.metric("http_reqs", "count") >= 5.0, "{}", run.stdout);
    assert_eq!(run.metric("http_req_failed", "value"), 0.0, "{}", run.stdout);
    assert_eq!(run.metric_or_zero("iteration_errors", "count"), 0.0, "{}", run.stdout);
    server.audit();
    run
}

/// It ran to its end. Whether the seeds' thresholds hold, which are about time, is this machine's affair, and not the scenario's.
#[track_caller]
fn ran(run: &Run) {
    assert!([0, 99].contains(&run.code), "exit code {}\nstdout:\n{}\nstderr:\n{}", run.code, run.stdout, run.stderr);
}

fn all_checks_pass(run: &Run) {
    assert_eq!(run.metric("checks", "value"), 1.0, "{}", run.stdout);
    let (passes, _) = run.check("status is 200");
    assert_eq!(passes as f64, run.metric("http_reqs", "count"));
}

#[test]
fn coupon() {
    let run = attack(
        "coupon",
        "/api/v1/coupons/issue",
        &["--scale-time", "0.01", "--scale-load", "0.2", "--allow-write", "."],
    );
    all_checks_pass(&run);
}

#[test]
fn coupon_locust() {
    attack("coupon-locust", "", &["-u", "5", "-d", "2s"]);
}

#[test]
fn points_concurrent() {
    all_checks_pass(&attack("points-concurrent", "/points", &["--scale-time", "0.03", "--scale-load", "0.1"]));
}

#[test]
fn points_spike() {
    all_checks_pass(&attack("points-spike", "/points", &["--scale-time", "0.03", "--scale-load", "0.1"]));
}

#[test]
fn points_balanced() {
    all_checks_pass(&attack("points-balanced", "/points", &["--scale-time", "0.01", "--scale-load", "0.2"]));
}

#[test]
fn payment_concurrent() {
    all_checks_pass(&attack(
        "payment-concurrent",
        "/orders/payment/kafka",
        &["--scale-time", "0.04", "--scale-load", "0.2"],
    ));
}

#[test]
fn payment_spike() {
    all_checks_pass(&attack("payment-spike", "/orders/payment/kafka", &["--scale-time", "0.1", "--scale-load", "0.2"]));
}

#[test]
fn payment_balanced() {
    all_checks_pass(&attack(
        "payment-balanced",
        "/orders/payment/kafka",
        &["--scale-time", "0.01", "--scale-load", "0.2"],
    ));
}

#[test]
fn points_grpc() {
    let server = Server::start(&["--grpc", "127.0.0.1:0"]);
    let url = format!("GRPC_URL={}", server.grpc_url());
    let run = run(&scenario("points-grpc"), &["-e", &url, "--scale-time", "0.05", "--scale-load", "0.25"]);
    ran(&run);
    assert_eq!(run.metric("checks", "value"), 1.0, "{}", run.stdout);
    assert_eq!(run.metric_or_zero("iteration_errors", "count"), 0.0, "{}", run.stdout);
    assert!(
        run.metric("grpc_req_duration", "max") > 0.0 && run.metric("grpc_streams", "count") >= 5.0,
        "{}",
        run.stdout
    );
    server.audit();
}

#[test]
fn websocket_chat() {
    let server = Server::start(&[]);
    let args = ["-e", &server.base_url(""), "--scale-time", "0.05", "--scale-load", "0.2", "-e", "MESSAGES=5"];
    let run = run(&scenario("websocket-chat"), &args);
    ran(&run);
    assert_eq!(run.metric("checks", "value"), 1.0, "{}", run.stdout);
    assert_eq!(run.metric_or_zero("iteration_errors", "count"), 0.0, "{}", run.stdout);
    let iterations = run.metric("iterations", "count");
    assert!(iterations >= 10.0 && run.metric("ws_sessions", "count") >= iterations, "{}", run.stdout);
    assert!(run.metric("ws_msgs_received", "count") >= 5.0 * iterations, "{}", run.stdout);
}

#[test]
fn every_shipped_scenario_is_tested_and_documented() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let mut shipped: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    shipped.sort();
    assert_eq!(shipped, TESTED, "each scenario has a test in this file");
    for name in shipped {
        assert!(folder.join(&name).join("README.md").is_file(), "scenarios/{name}/README.md is missing");
    }
}
