//! This machine's own faults: too few open files, a clock that jumps, a lid that is closed.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::attack::{Attack, conserved, with_code};
use crate::support::{Folder, guest};
use crate::target::{Behaviour, Target};

#[test]
fn too_few_open_files_are_told_before_the_load_and_counted_in_it() {
    let target = Target::always(Behaviour::Answer);
    let url = target.base_url("/");
    let run = Attack::new(&guest("caller"))
        .after("ulimit -n 80")
        .args(&["-e", &url, "-e", "PAUSE=0.2", "-u", "200", "-i", "1000"])
        .run()
        .exits(0);
    let advice = run.stderr.find("200 VUs may open 264 files at once and this process may open 80");
    let advice = advice.unwrap_or_else(|| panic!("{}", run.stderr));
    assert!(run.stderr.contains("ulimit -Hn 264"), "{}", run.stderr);
    let failed = run.stderr.find("request failed: too many open files").unwrap_or_else(|| panic!("{}", run.stderr));
    assert!(advice < failed, "the advice comes first: {}", run.stderr);
    assert!(run.stdout.contains("too many open files (1210)"), "{}", run.stdout);
    assert!(run.stdout.contains("200 VUs may open 264 files"), "and is repeated at the end: {}", run.stdout);
    assert!(with_code(&run, 1210) > 0);
    let (passes, fails) = run.check("status is 200");
    assert!(passes > 0, "those who got a connection go on");
    assert_eq!(fails, with_code(&run, 1210), "and nothing else fails: {}", run.stdout);
    conserved(&run, &target.settled());
}

#[test]
fn a_limit_that_can_be_raised_is_raised_without_a_word() {
    let target = Target::always(Behaviour::Answer);
    let url = target.base_url("/");
    let run = Attack::new(&guest("caller"))
        .after("ulimit -Sn 80")
        .args(&["-e", &url, "-e", "PAUSE=0.2", "-u", "200", "-i", "400"])
        .run()
        .exits(0);
    assert!(!run.stderr.contains("may open"), "{}", run.stderr);
    assert_eq!(run.metric("http_req_failed", "passes"), 0.0, "{}", run.stdout);
    conserved(&run, &target.settled());
}

#[test]
fn fewer_open_files_than_the_runtime_itself_needs() {
    let target = Target::always(Behaviour::Answer);
    let url = target.base_url("/");
    let run = Attack::new(&guest("caller")).after("ulimit -n 9").args(&["-e", &url]).run().exits(104);
    assert!(run.stderr.contains("may open 9 files and needs"), "{}", run.stderr);
    assert!(run.stderr.contains("ulimit -n"), "{}", run.stderr);
    assert_eq!(target.seen().requests, 0);
}

/// The shim, compiled.
fn jumping_clock(folder: &Folder) -> PathBuf {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/faults/clock.c");
    let library = folder.file("clock.so");
    let output = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .arg(source)
        .output()
        .expect("this test needs a C compiler under the name `cc`");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}

#[test]
fn a_clock_that_jumps_changes_no_figure() {
    let folder = Folder::new();
    let library = jumping_clock(&folder);
    // The shim works: the same second is not the same hour.
    let hours = Command::new("sh")
        .args(["-c", "for i in 1 2 3 4 5 6 7 8; do date +%H; sleep 0.2; done"])
        .env("LD_PRELOAD", &library)
        .output()
        .expect("a shell");
    let hours = String::from_utf8_lossy(&hours.stdout).into_owned();
    let distinct: std::collections::BTreeSet<&str> = hours.lines().collect();
    assert!(distinct.len() >= 3, "{hours}");

    let target = Target::always(Behaviour::Answer);
    let url = target.base_url("/");
    let run = Attack::new(&guest("caller"))
        .environment("LD_PRELOAD", &library)
        .args(&["-e", &url])
        .scenarios(json!({"steady": {
            "executor": "constant-arrival-rate", "rate": 50, "duration": "3s", "preAllocatedVUs": 20, "exec": "default",
        }}))
        .run()
        .exits(0);
    conserved(&run, &target.settled());
    let ran = run.metric("iterations", "count") + run.metric_or_zero("dropped_iterations", "count");
    assert_eq!(ran, 150.0, "50 a second for three seconds are due");
    // Half an hour tells a slow machine from a jump.
    let jump = 1_800_000.0;
    for trend in ["http_req_duration", "iteration_duration", "iteration_start_lag", "iteration_duration_from_due"] {
        assert!(run.metric(trend, "max") < jump, "{trend}: {}", run.stdout);
        assert!(run.metric(trend, "min") >= 0.0, "{trend}: {}", run.stdout);
    }
    // Pauses of 10 ms are in it, so time did not stand still either.
    assert!(run.metric("iteration_duration", "min") >= 10.0, "{}", run.stdout);
    let seconds = run.metric("iterations", "count") / run.metric("iterations", "rate");
    assert!((3.0..1_800.0).contains(&seconds), "the load took {seconds} s");
}

#[test]
fn a_machine_that_sleeps_for_two_seconds_accounts_for_them() {
    let target = Target::always(Behaviour::Answer);
    let url = target.base_url("/");
    let mut going = Attack::new(&guest("caller"))
        .args(&["-e", &url, "-e", "PAUSE=0"])
        .scenarios(json!({"steady": {
            "executor": "constant-arrival-rate", "rate": 50, "duration": "8s", "preAllocatedVUs": 10, "maxVUs": 10, "exec": "default",
        }}))
        .start();
    going.wait_for_request(&target, "/", 50);
    going.signal("STOP");
    // This is the fault, and not a way to wait for something.
    std::thread::sleep(Duration::from_secs(2));
    going.signal("CONT");
    let run = going.finish().exits(0);
    conserved(&run, &target.settled());
    let (ran, dropped) = (run.metric("iterations", "count"), run.metric_or_zero("dropped_iterations", "count"));
    assert_eq!(ran + dropped, 400.0, "50 a second for eight seconds are due, asleep or not");
    // Those that were due meanwhile started late, by up to two seconds, or found nobody free and were dropped.
    let lag = run.metric("iteration_start_lag", "max");
    assert!(lag >= 1_900.0 || dropped >= 80.0, "{lag} ms, {dropped} dropped\n{}", run.stdout);
    assert!(run.metric("iteration_duration_from_due", "max") >= lag, "{}", run.stdout);
}
