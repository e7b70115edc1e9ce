//! What arrives at the server is what is reported.

use crate::support::{Server, guest, run, scenario};

#[test]
fn requests_are_conserved_between_the_server_and_the_summary() {
    let server = Server::start(&[]);
    let args = ["-e", &server.base_url("/api/v1/coupons/issue"), "--scale-time", "0.01", "--scale-load", "0.5"];
    let run = run(&scenario("coupon"), &args).exits(0);
    let requests = run.metric("http_reqs", "count");
    assert!(requests > 100.0, "{requests}");
    assert_eq!(server.counted("/api/v1/coupons/issue"), requests);
    assert_eq!(run.metric("iterations", "count"), requests);
    assert_eq!(run.metric("http_req_failed", "value"), 0.0);
    server.audit();
}

#[test]
fn an_open_model_says_how_late_it_started_and_what_it_dropped() {
    let server = Server::start(&["--latency", "200ms"]);
    let folder = crate::support::Folder::new();
    let config = folder.file("options.json");
    let options = r#"{"scenarios":{"flood":{"executor":"constant-arrival-rate","rate":50,"duration":"2s","preAllocatedVUs":2,"maxVUs":4,"exec":"default"}}}"#;
    std::fs::write(&config, options).unwrap();
    let module = guest("open");
    let run = run(&module, &["-c", config.to_str().unwrap(), "-e", &server.base_url("/points/1")]).exits(0);
    let (ran, dropped) = (run.metric("iterations", "count"), run.metric("dropped_iterations", "count"));
    assert_eq!(ran + dropped, 100.0, "50 a second for two seconds are due");
    assert!(dropped >= 50.0, "four users at 200 ms do twenty a second: {dropped}");
    assert!(run.metric("iteration_duration", "min") >= 200.0, "{}", run.stdout);
    assert!(run.summary["metrics"]["iteration_start_lag"].is_object());
    assert!(run.summary["metrics"]["iteration_duration_from_due"].is_object());
    assert!(run.metric("vus_max", "max") <= 4.0);
}

#[test]
fn the_rps_cap_holds_over_all_virtual_users() {
    let server = Server::start(&[]);
    let run = run(
        &guest("sleepy"),
        &["-e", &server.base_url("/health"), "-e", "PAUSE=0", "-u", "20", "-d", "3s", "--rps", "40"],
    )
    .exits(0);
    let requests = run.metric("http_reqs", "count");
    // One request may leave at once, then one every 25 ms; those that wait at the end may still leave in the graceful stop.
    assert!((60.0..=145.0).contains(&requests), "{requests}");
}

#[test]
fn many_virtual_users_share_one_process() {
    let server = Server::start(&[]);
    let run = run(&guest("sleepy"), &["-e", &server.base_url("/health"), "-u", "1000", "-d", "3s"]).exits(0);
    assert_eq!(run.metric("vus_max", "max"), 1000.0);
    assert!(run.metric("iterations", "count") >= 1000.0);
    assert_eq!(run.metric("http_req_failed", "value"), 0.0, "{}", run.stdout);
}
