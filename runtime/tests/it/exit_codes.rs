//! Each exit code by the real binary. What a pipeline sees.

use std::process::Stdio;
use std::time::Duration;

use crate::support::{Folder, Server, collect, finish, guest, run, runtime, signal};

#[test]
fn passed_is_0() {
    let server = Server::start(&[]);
    let run =
        run(&guest("sleepy"), &["-e", &server.base_url("/health"), "-e", "PAUSE=0", "-i", "20", "-u", "4"]).exits(0);
    assert_eq!(run.metric("http_reqs", "count"), 20.0);
    assert_eq!(run.metric("iterations", "count"), 20.0);
    assert_eq!(run.check("status is 200"), (20, 0));
    assert!(run.stdout.contains("http_req_duration"), "{}", run.stdout);
}

#[test]
fn a_crossed_threshold_is_99() {
    let server = Server::start(&[]);
    let folder = Folder::new();
    let config = folder.file("options.json");
    std::fs::write(&config, r#"{"thresholds":{"http_req_failed":["rate<0.01"],"http_req_duration":["max<0.0001"]}}"#)
        .unwrap();
    let run = run(
        &guest("sleepy"),
        &["-e", &server.base_url("/health"), "-e", "PAUSE=0", "-i", "5", "-c", config.to_str().unwrap()],
    )
    .exits(99);
    assert!(run.stdout.contains("max<0.0001"), "{}", run.stdout);
    // k6's flat export says `true` for a threshold that was crossed.
    assert_eq!(run.summary["metrics"]["http_req_duration"]["thresholds"]["max<0.0001"], true);
    assert_eq!(run.summary["metrics"]["http_req_failed"]["thresholds"]["rate<0.01"], false);
}

#[test]
fn a_threshold_may_abort_the_test() {
    let server = Server::start(&[]);
    let folder = Folder::new();
    let config = folder.file("options.json");
    std::fs::write(&config, r#"{"thresholds":{"iterations":[{"threshold":"count<3","abortOnFail":true}]}}"#).unwrap();
    let run = run(
        &guest("sleepy"),
        &[
            "-e",
            &server.base_url("/health"),
            "-e",
            "PAUSE=0.05",
            "-u",
            "1",
            "-d",
            "100s",
            "-c",
            config.to_str().unwrap(),
        ],
    )
    .exits(99);
    assert!(run.metric("iterations", "count") >= 3.0);
}

#[test]
fn a_setup_that_takes_too_long_is_100_and_a_teardown_101() {
    let run_setup = run(&guest("setup-teardown"), &["-e", "SETUP=slow"]).exits(100);
    assert!(run_setup.stderr.contains("setupTimeout"), "{}", run_setup.stderr);
    assert_eq!(run_setup.metric_or_zero("iterations", "count"), 0.0);
    let run_teardown = run(&guest("setup-teardown"), &["-e", "TEARDOWN=slow"]).exits(101);
    assert!(run_teardown.stderr.contains("teardownTimeout"), "{}", run_teardown.stderr);
    assert_eq!(run_teardown.metric("iterations", "count"), 6.0, "what was measured is not lost");
}

#[test]
fn invalid_options_are_104() {
    run(&guest("sleepy"), &["-e", "BASE_URL=http://127.0.0.1:1", "-u", "0", "-d", "1s"]).exits(104);
}

#[test]
fn ctrl_c_is_105_with_a_graceful_stop_and_a_summary() {
    let server = Server::start(&[]);
    let folder = Folder::new();
    let export = folder.file("summary.json");
    for name in ["INT", "TERM"] {
        let mut command = runtime();
        command.arg("run").arg(guest("sleepy")).args(["-e", &server.base_url("/points/1"), "-u", "5", "-d", "100s"]);
        command.arg("--summary-export").arg(&export).stdout(Stdio::piped()).stderr(Stdio::piped());
        let before = server.counted("/points");
        let child = command.spawn().unwrap();
        // Two rounds: the first iterations are over then.
        server.wait_for("/points", before + 10.0);
        signal(&child, name);
        let run = collect(child, &export).exits(105);
        let iterations = run.metric("iterations", "count");
        assert!(iterations >= 5.0, "{iterations}");
        // Graceful: every iteration that began was let finish.
        assert_eq!(run.metric("http_reqs", "count"), iterations, "{}", run.stderr);
        assert!(run.stdout.contains("http_req_duration"), "{}", run.stdout);
        std::fs::remove_file(&export).unwrap();
    }
}

#[test]
fn ctrl_c_twice_ends_at_once_and_still_shows_what_was_measured() {
    let server = Server::start(&[]);
    let folder = Folder::new();
    let export = folder.file("summary.json");
    let mut command = runtime();
    command.arg("run").arg(guest("sleepy")).args([
        "-e",
        &server.base_url("/points/1"),
        "-e",
        "PAUSE=1000",
        "-u",
        "5",
        "-d",
        "100s",
    ]);
    command.arg("--summary-export").arg(&export).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    server.wait_for("/points", 5.0);
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, "INT");
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, "INT");
    let run = collect(child, &export).exits(105);
    assert_eq!(run.metric("http_reqs", "count"), 5.0);
    assert_eq!(run.metric_or_zero("iterations", "count"), 0.0, "an interrupted iteration is no iteration");
    assert!(run.stdout.contains("http_req_duration"), "{}", run.stdout);
}

#[test]
fn a_failing_setup_is_107_and_nothing_is_attacked() {
    for (kind, said) in [("error", "SETUP was told to fail"), ("panic", "SETUP was told to panic")] {
        let run = run(&guest("setup-teardown"), &["-e", &format!("SETUP={kind}")]).exits(107);
        assert!(run.stderr.contains(said), "{}", run.stderr);
        assert_eq!(run.metric_or_zero("iterations", "count"), 0.0);
    }
}

#[test]
fn a_failing_teardown_is_107_and_keeps_what_was_measured() {
    for (kind, said) in [("error", "TEARDOWN was told to fail"), ("panic", "TEARDOWN was told to panic")] {
        let run = run(&guest("setup-teardown"), &["-e", &format!("TEARDOWN={kind}")]).exits(107);
        assert!(run.stderr.contains(said), "{}", run.stderr);
        assert_eq!(run.metric("iterations", "count"), 6.0);
    }
}

#[test]
fn an_abort_is_108_and_teardown_still_runs() {
    let run = run(&guest("aborts"), &[]).exits(108);
    assert!(run.stderr.contains("the fourth iteration aborts"), "{}", run.stderr);
    assert!(run.stderr.contains("teardown runs after an abort too"), "{}", run.stderr);
    assert!(run.metric("iterations", "count") >= 2.0);
}

#[test]
fn a_stop_by_the_scenario_is_gentle_and_0() {
    let run = run(&guest("aborts"), &["-e", "STOP=1"]).exits(0);
    assert!(run.stderr.contains("the fourth iteration stops"), "{}", run.stderr);
    assert!(run.metric("iterations", "count") >= 4.0);
}

#[test]
fn an_abort_after_a_stop_is_still_108() {
    let run = run(&guest("aborts"), &["-e", "STOP=then abort"]).exits(108);
    assert!(run.stderr.contains("aborted after a stop"), "{}", run.stderr);
}

#[test]
fn a_threshold_that_aborted_the_test_fails_it_even_if_it_holds_again() {
    let folder = Folder::new();
    let config = folder.file("options.json");
    // Three virtual users at once cross it; a load that is over has none.
    std::fs::write(&config, r#"{"thresholds":{"vus":[{"threshold":"value<2","abortOnFail":true}]}}"#).unwrap();
    let module = guest("sleepy");
    let server = Server::start(&[]);
    let args = ["-e", &server.base_url("/health"), "-u", "3", "-d", "100s", "-c", config.to_str().unwrap()];
    let run = run(&module, &args).exits(99);
    assert!(run.stdout.contains("FAILED"), "{}", run.stdout);
}

#[test]
fn a_test_failed_by_its_scenario_is_110_and_runs_to_its_end() {
    let run = run(&guest("fails"), &[]).exits(110);
    assert!(run.stderr.contains("more coupons were issued than there were"), "{}", run.stderr);
    assert_eq!(run.metric("iterations", "count"), 5.0);
}

#[test]
fn an_output_that_cannot_be_written_is_found_out_before_the_load() {
    let server = Server::start(&[]);
    let mut command = runtime();
    command.arg("run").arg(guest("sleepy")).args(["-e", &server.base_url("/health"), "-d", "100s"]);
    command.args(["--summary-export", "/nowhere/at/all.json"]);
    let run = finish(command, std::path::Path::new("/nowhere/at/all.json")).exits(104);
    assert!(run.stderr.contains("/nowhere/at/all.json"), "{}", run.stderr);
}
