//! How a run is controlled: what it shows of its requests, which part of it runs, and what fails it.

use std::path::Path;
use std::process::Command;

use crate::support::{Folder, Run, Server, finish, guest, run, runtime};

/// A port of this machine that nobody listens on.
fn nowhere() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("BASE_URL=http://{}/", listener.local_addr().expect("an address"))
}

/// The lines of standard error that show exchanges.
fn shown(stderr: &str) -> Vec<&str> {
    stderr.lines().filter(|line| line.starts_with("http [") || line.starts_with("  ")).map(str::trim).collect()
}

#[test]
fn http_debug_shows_requests_and_answers_as_they_were_on_the_wire() {
    let server = Server::start(&[]);
    let base = server.base_url("/health?token=s3cret");
    let args = ["-e", &base, "-e", "PAUSE=0", "-i", "2"];
    let plain = run(&guest("sleepy"), &args).exits(0);
    assert!(shown(&plain.stderr).is_empty(), "{}", plain.stderr);

    let debug = run(&guest("sleepy"), &[&args[..], &["--http-debug", "-q"]].concat()).exits(0);
    let lines = shown(&debug.stderr);
    let starts = |text: &str| lines.iter().filter(|line| line.starts_with(text)).count();
    assert_eq!((starts("http [vu 1 iter 0]:"), starts("http [vu 1 iter 1]:")), (1, 1), "{}", debug.stderr);
    assert_eq!(starts(&format!("> GET /health?token=s3cret HTTP/1.1 (to {})", server.authority())), 2);
    assert_eq!(starts(&format!("> host: {}", server.authority())), 2);
    assert_eq!(starts("> user-agent: flashcrowd/"), 2);
    assert_eq!((starts("< HTTP/1.1 200 OK"), starts("< content-length: "), starts("= ")), (2, 2, 2));
    let (_, health) = server.get("/health");
    assert!(!lines.contains(&&*format!("< {health}")), "without bodies: {}", debug.stderr);
    assert!(starts("< (a body of ") == 2, "{}", debug.stderr);

    let full = run(&guest("sleepy"), &[&args[..], &["--http-debug=full"]].concat()).exits(0);
    assert!(shown(&full.stderr).contains(&&*format!("< {}", health.trim_end())), "{}", full.stderr);
}

#[test]
fn http_debug_shows_what_failed_and_its_variable_and_option_work() {
    let base = nowhere();
    let folder = Folder::new();
    let config = folder.file("options.json");
    std::fs::write(&config, r#"{"httpDebug": "full"}"#).unwrap();
    let failed = run(&guest("sleepy"), &["-e", &base, "-e", "PAUSE=0", "-c", config.to_str().unwrap()]).exits(0);
    assert!(failed.stderr.contains("< failed: ") && failed.stderr.contains("(error code 1212)"), "{}", failed.stderr);
    let mut command = runtime();
    command.env("K6_HTTP_DEBUG", "headers").arg("run").arg(guest("sleepy")).args(["-e", &base, "-e", "PAUSE=0"]);
    let failed = finish(command, &folder.file("none")).exits(0);
    assert!(failed.stderr.contains("(error code 1212)"), "{}", failed.stderr);
    let wrong = run(&guest("sleepy"), &["-e", &base, "--http-debug=verbose"]).exits(104);
    assert!(wrong.stderr.contains("--http-debug: \"verbose\" does not say what to show"), "{}", wrong.stderr);
}

#[test]
fn throw_ends_an_iteration_whose_request_gets_no_answer() {
    let base = nowhere();
    let args = ["-e", &base, "-e", "PAUSE=0", "-i", "4"];
    let calm = run(&guest("sleepy"), &args).exits(0);
    assert_eq!((calm.check("status is 200"), calm.metric_or_zero("iteration_errors", "count")), ((0, 4), 0.0));

    let thrown = run(&guest("sleepy"), &[&args[..], &["--throw"]].concat()).exits(0);
    assert_eq!(thrown.metric("iteration_errors", "count"), 4.0);
    assert_eq!(thrown.metric("http_reqs", "count"), 4.0, "the request is counted all the same");
    assert!(!thrown.stdout.contains("status is 200"), "what comes after it does not run: {}", thrown.stdout);
    assert!(thrown.stdout.contains("4× request failed: "), "{}", thrown.stdout);

    // An answer is an answer, whatever its status.
    let server = Server::start(&[]);
    let base = server.base_url("/no/such/path");
    let answered = run(&guest("sleepy"), &["-e", &base, "-e", "PAUSE=0", "--throw"]).exits(0);
    assert_eq!((answered.check("status is 200"), answered.metric_or_zero("iteration_errors", "count")), ((0, 1), 0.0));
}

/// A test of the module `sleepy` with options from a file; its results are in the folder, in `run.fcr`.
struct Test {
    folder: Folder,
    base: String,
}

impl Test {
    fn new(server: &Server, options: &str) -> Self {
        let folder = Folder::new();
        std::fs::write(folder.file("options.json"), options).unwrap();
        Self { folder, base: server.base_url("/health") }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = runtime();
        command.arg("run").arg(guest("sleepy")).args(["-e", &self.base, "-c", "options.json", "--results", "run.fcr"]);
        command.args(args).current_dir(self.folder.path());
        command
    }

    fn run(&self, args: &[&str]) -> Run {
        let export = self.folder.file("run.json");
        let mut command = self.command(args);
        command.arg("--summary-export").arg(&export);
        finish(command, &export)
    }

    /// The run, if `runtime report` says the same of it.
    #[track_caller]
    fn run_and_report(&self, args: &[&str]) -> Run {
        let run = self.run(args);
        let export = self.folder.file("report.json");
        let mut command = runtime();
        command.args(["report", "run.fcr", "--summary-export"]).arg(&export).current_dir(self.folder.path());
        let report = finish(command, &export);
        assert_eq!((&run.stdout, run.code), (&report.stdout, report.code), "{}", report.stderr);
        let read = |name: &str| std::fs::read(self.folder.file(name)).unwrap();
        assert!(read("run.json") == read("report.json"), "{:#}\n{:#}", run.summary, report.summary);
        run
    }
}

#[test]
fn a_check_that_fails_fails_the_run_if_asked_to() {
    let server = Server::start(&[]);
    let test = Test::new(&server, "{}");
    let passing = test.run_and_report(&["-e", "PAUSE=0", "-i", "3", "--fail-on-check"]).exits(0);
    assert!(passing.stdout.contains("✓ PASSED  no check failed"), "{}", passing.stdout);

    let failing = Test { base: server.base_url("/no/such/path"), ..test };
    failing.run_and_report(&["-e", "PAUSE=0", "-i", "3"]).exits(0);
    let failed = failing.run_and_report(&["-e", "PAUSE=0", "-i", "3", "--fail-on-check"]).exits(99);
    assert!(failed.stdout.contains("✗ FAILED  failed checks: `status is 200` 3 times"), "{}", failed.stdout);
    let mut command = failing.command(&["-e", "PAUSE=0"]);
    command.env("FLASHCROWD_FAIL_ON_CHECK", "1");
    let failed = finish(command, Path::new("none")).exits(99);
    assert!(failed.stdout.contains("`status is 200` once"), "{}", failed.stdout);
}

#[test]
fn a_threshold_over_the_last_seconds_has_its_verdict_in_the_report_too() {
    let server = Server::start(&[]);
    let options = r#"{"thresholds": {
        "http_req_duration": ["max<60000", {"threshold": "max<60000", "window": "2s"}, {"threshold": "p(95)<0.0001", "window": "2s"}],
        "http_reqs{scenario:default}": [{"threshold": "rate>1", "window": "3s"}, {"threshold": "count<1", "window": "1h"}]
    }}"#;
    let test = Test::new(&server, options);
    // A few thousand samples, so that there are histograms.
    let args = ["-e", "PAUSE=0.001", "-u", "2", "-d", "5s", "--summary-mode", "full"];
    let run = test.run_and_report(&args).exits(99);
    assert!(run.metric("http_reqs", "count") > 1_000.0);
    let thresholds = |metric: &str| run.summary["metrics"][metric]["thresholds"].clone();
    let expected = serde_json::json!({"max<60000": false, "max<60000 over 2s": false, "p(95)<0.0001 over 2s": true});
    assert_eq!(thresholds("http_req_duration"), expected, "true is crossed");
    let expected = serde_json::json!({"rate>1 over 3s": false, "count<1 over 1h0m0s": true});
    assert_eq!(thresholds("http_reqs{scenario:default}"), expected);
    let line = |text: &str| run.stdout.lines().find(|line| line.contains(text)).unwrap_or_default().to_owned();
    assert!(line("'p(95)<0.0001 over 2s'").contains("; crossed in "), "{}", run.stdout);
    assert!(line("'max<60000 over 2s'").contains(", the worst of "), "{}", run.stdout);
    assert!(!line("'count<1 over 1h0m0s'").contains("windows"), "one that is the whole load: {}", run.stdout);
}

#[test]
fn a_threshold_over_the_last_seconds_ends_the_load() {
    let server = Server::start(&[]);
    let crossed = r#"{"threshold": "max<0.0001", "window": "2s", "abortOnFail": true}"#;
    let test = Test::new(&server, &format!(r#"{{"thresholds": {{"http_req_duration": [{crossed}]}}}}"#));
    let run = test.run_and_report(&["-e", "PAUSE=0.1", "-d", "300s"]).exits(99);
    assert!(
        run.stdout.contains("stopped early: threshold http_req_duration: max<0.0001 over 2s was crossed"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_load_that_was_not_reached_is_told_and_fails_the_run_if_asked_to() {
    let server = Server::start(&[]);
    // One virtual user that is busy from its first iteration on: of 20 starts, one finds it free.
    let slow = r#"{"executor": "constant-arrival-rate", "rate": 10, "duration": "2s", "preAllocatedVUs": 1, "gracefulStop": "0s"}"#;
    let test = Test::new(&server, &format!(r#"{{"scenarios": {{"slow": {slow}}}}}"#));
    let args = ["-e", "PAUSE=1000"];
    let told = test.run_and_report(&args).exits(0);
    let note = "`slow` did not reach its load: 0.50 of 10.00 iterations/s started in time (5.00%); of 20 that";
    assert!(told.stdout.contains(note), "{}", told.stdout);
    let reached = test.run_and_report(&[&args[..], &["--min-rate-achieved", "0.05"]].concat()).exits(0);
    assert!(reached.stdout.contains("✓ PASSED  at least 5.00% of the load was started in time"), "{}", reached.stdout);
    let missed = test.run_and_report(&[&args[..], &["--min-rate-achieved", "0.95"]].concat()).exits(111);
    let verdict = "✗ FAILED  `slow` started 5.00% of its load in time, and 95.00% is wanted";
    assert!(missed.stdout.contains(verdict), "{}", missed.stdout);

    let mut command = test.command(&args);
    command.env("K6_MIN_RATE_ACHIEVED", "0.95");
    finish(command, Path::new("none")).exits(111);
    let wrong = test.run(&["--min-rate-achieved", "95"]).exits(104);
    assert!(
        wrong.stderr.contains("--min-rate-achieved: \"95\" is no share; give a number above 0"),
        "{}",
        wrong.stderr
    );
}

#[test]
fn what_is_due_is_what_the_executor_promises() {
    let server = Server::start(&[]);
    let few =
        r#"{"executor": "per-vu-iterations", "vus": 2, "iterations": 5, "maxDuration": "1s", "gracefulStop": "0s"}"#;
    let test = Test::new(&server, &format!(r#"{{"scenarios": {{"few": {few}}}}}"#));
    let missed = test.run_and_report(&["-e", "PAUSE=1000", "--min-rate-achieved", "1"]).exits(111);
    assert!(
        missed.stdout.contains("`few` did not reach its load: 2 of 10 iterations started (20.00%)"),
        "{}",
        missed.stdout
    );
    test.run_and_report(&["-e", "PAUSE=0", "--min-rate-achieved", "1"]).exits(0);

    let looping = test.run_and_report(&["-e", "PAUSE=0.5", "-u", "1", "-d", "1s", "--min-rate-achieved", "1"]).exits(0);
    assert!(
        looping.stderr.contains("--min-rate-achieved: no scenario of this test says how many"),
        "{}",
        looping.stderr
    );
    assert!(!looping.stdout.contains("did not reach its load"), "{}", looping.stdout);
}

#[test]
fn thresholds_without_data_mean_what_no_data_says() {
    let server = Server::start(&[]);
    let silent = r#"{"thresholds": {"http_req_duration{status:418}": ["p(95)<1"]}}"#;
    let unknown = r#"{"thresholds": {"nobody_knows": ["rate<1"]}}"#;
    for (options, plain, failing, passing) in [(silent, 0, 99, 0), (unknown, 99, 99, 0)] {
        let test = Test::new(&server, options);
        let args = ["-e", "PAUSE=0"];
        let run = test.run_and_report(&args).exits(plain);
        assert!(run.stdout.contains("no data: "), "{}", run.stdout);
        test.run_and_report(&[&args[..], &["--no-data", "fail"]].concat()).exits(failing);
        test.run_and_report(&[&args[..], &["--no-data", "pass"]].concat()).exits(passing);
        let mut command = test.command(&args);
        command.env("FLASHCROWD_NO_DATA", "fail");
        finish(command, Path::new("none")).exits(failing);
        let wrong = test.run(&["--no-data", "warn"]).exits(104);
        assert!(wrong.stderr.contains("--no-data: \"warn\" is unknown; use fail or pass"), "{}", wrong.stderr);
    }
}

/// `runtime run MODULE --once`, as a person types it.
fn once(module: &str, args: &[&str]) -> Run {
    let folder = Folder::new();
    let mut command = runtime();
    command.arg("run").arg(guest(module)).arg("--once").args(args).current_dir(folder.path());
    command.env("XDG_STATE_HOME", folder.file("state"));
    let run = finish(command, &folder.file("none"));
    assert!(!folder.file("state").exists(), "nothing is recorded");
    run
}

#[test]
fn once_runs_a_function_once_and_shows_what_it_did() {
    let server = Server::start(&[]);
    let tried = once("sleepy", &["-e", &server.base_url("/health"), "-e", "PAUSE=0"]).exits(0);
    assert!(tried.stdout.contains("✓ default: ") && tried.stdout.contains(", 1 request\n"), "{}", tried.stdout);
    assert!(tried.stdout.contains("    ✓ status is 200\n"), "{}", tried.stdout);
    assert!(tried.stdout.contains("✓ FINE  1 function ran once"), "{}", tried.stdout);
    let shown = shown(&tried.stderr);
    let (_, health) = server.get("/health");
    assert!(shown.contains(&"http [vu 1 iter 0]:") && shown.contains(&"< HTTP/1.1 200 OK"), "{}", tried.stderr);
    assert!(shown.contains(&&*format!("< {}", health.trim_end())), "with bodies: {}", tried.stderr);
    assert!(!tried.stderr.contains("running ("), "no progress: {}", tried.stderr);
    let quiet = once("sleepy", &["-e", &server.base_url("/health"), "-e", "PAUSE=0", "--http-debug=false"]).exits(0);
    assert_eq!(quiet.stderr, "");

    let missing = server.base_url("/no/such/path");
    let failed = once("sleepy", &["-e", &missing, "-e", "PAUSE=0"]).exits(0);
    assert!(
        failed.stdout.contains("✗ default: ") && failed.stdout.contains("✗ status is 200: failed"),
        "{}",
        failed.stdout
    );
    assert!(failed.stdout.contains("✗ NOT YET  1 check failed"), "{}", failed.stdout);
    once("sleepy", &["-e", &missing, "-e", "PAUSE=0", "--fail-on-check"]).exits(99);
}

#[test]
fn once_runs_every_scenario_and_every_function() {
    let tried = once("multi", &[]).exits(0);
    let heads = tried.stdout.lines().filter_map(|line| line.strip_prefix("  ✓ ").or(line.strip_prefix("  ✗ ")));
    let order: Vec<&str> = heads.filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    // `browse` twice, as its environment differs.
    assert_eq!(order, ["browse", "pay-by-card (scenario pay)", "browse (scenario late)"], "{}", tried.stdout);
    assert!(tried.stdout.contains("✓ browse sees its own page"), "{}", tried.stdout);
    assert!(tried.stdout.contains("✓ pay sees its own page"), "{}", tried.stdout);
    assert!(
        tried.stdout.contains("✗ pay knows its scenario: failed"),
        "its executor is another here: {}",
        tried.stdout
    );
    assert!(!tried.stdout.contains("THRESHOLDS"), "{}", tried.stdout);
}

#[test]
fn once_says_why_an_iteration_failed() {
    let failed = once("stack-overflow", &[]).exits(107);
    assert!(
        failed.stdout.contains("failed: ") && failed.stdout.contains("✗ NOT YET  1 of 1 function failed"),
        "{}",
        failed.stdout
    );
    let base = nowhere();
    let thrown = once("sleepy", &["-e", &base, "-e", "PAUSE=0", "--throw"]).exits(107);
    assert!(thrown.stdout.contains("failed: request failed: "), "{}", thrown.stdout);
    assert!(thrown.stdout.contains("1 request, 1 of them failed"), "{}", thrown.stdout);
}

#[test]
fn once_runs_setup_and_teardown_around_it() {
    let tried = once("setup-teardown", &[]).exits(0);
    assert!(tried.stdout.contains("✓ FINE"), "{}", tried.stdout);
    once("setup-teardown", &["-e", "SETUP=error"]).exits(107);
    once("setup-teardown", &["-e", "TEARDOWN=error"]).exits(107);
    once("aborts", &["-e", "STOP=1"]).exits(0);
}

#[test]
fn once_has_no_load() {
    let cases: [&[&str]; 5] =
        [&["-u", "3"], &["-d", "1s"], &["--scale-load", "2"], &["--results", "a.fcr"], &["--min-rate-achieved", "1"]];
    for flags in cases {
        let refused = once("sleepy", &[&["-e", "BASE_URL=http://127.0.0.1:1"], flags].concat()).exits(104);
        assert!(refused.stderr.contains("has no meaning beside --once, which runs"), "{}", refused.stderr);
    }
    let mut command = runtime();
    command.env("FLASHCROWD_ONCE", "1").arg("run").arg(guest("setup-teardown"));
    let tried = finish(command, Path::new("none")).exits(0);
    assert!(tried.stdout.contains("✓ FINE"), "{}", tried.stdout);
}
