//! Setup, teardown, several functions in a module, seeds.

use serde_json::json;

use crate::support::{Folder, Server, finish, guest, run, runtime};

#[test]
fn setup_data_reaches_every_virtual_user_and_teardown() {
    let server = Server::start(&[]);
    let run = run(&guest("setup-teardown"), &["-e", &server.base_url("")]).exits(0);
    assert_eq!(run.check("setup's data is there"), (6, 0));
    let token =
        run.stderr.split("setup made ").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap().to_owned();
    assert!(run.stderr.contains(&format!("teardown saw {token}")), "{}", run.stderr);
    assert!(run.stderr.contains("[setup]") && run.stderr.contains("[teardown]"), "{}", run.stderr);
    assert_eq!(run.metric("http_reqs", "count"), 2.0, "requests of setup and teardown are counted");
}

#[test]
fn setup_and_teardown_can_be_left_out() {
    let run = run(&guest("setup-teardown"), &["--no-setup", "--no-teardown"]).exits(0);
    assert!(!run.stderr.contains("setup made") && !run.stderr.contains("teardown saw"), "{}", run.stderr);
    assert_eq!(run.check("setup's data is there"), (0, 6));
}

#[test]
fn scenarios_of_one_module_have_their_own_function_environment_and_tags() {
    let run = run(&guest("multi"), &[]).exits(0);
    assert_eq!(run.metric("iterations", "count"), 11.0);
    for (check, passes) in [
        ("browse sees its own page", 7),
        ("browse knows its executor", 7),
        ("pay sees its own page", 4),
        ("pay knows its scenario", 4),
    ] {
        assert_eq!(run.check(check), (passes, 0), "{check}");
    }
    assert!(run.stdout.contains("browse") && run.stdout.contains("late"), "{}", run.stdout);
}

#[test]
fn the_same_seed_gives_the_same_random_values() {
    let lines = |args: &[&str]| {
        let run = run(&guest("seeded"), args).exits(0);
        let mut lines: Vec<String> =
            run.stderr.lines().filter_map(|line| line.split_once("]: vu=")).map(|(_, line)| line.to_owned()).collect();
        lines.sort();
        assert_eq!(lines.len(), 6, "{}", run.stderr);
        lines
    };
    let first = lines(&["--seed", "42"]);
    assert_eq!(first, lines(&["--seed", "42"]));
    assert_eq!(first, lines(&["--seed", "42", "--shards", "1"]), "however many threads there are");
    assert_ne!(first, lines(&["--seed", "43"]));
    let distinct: std::collections::BTreeSet<_> = first.iter().collect();
    assert_eq!(distinct.len(), 6, "every iteration of every virtual user draws its own");
}

#[test]
fn metrics_of_every_kind_add_up() {
    let run = run(&guest("groups-metrics"), &[]).exits(0);
    // Per iteration: 2 + 1 + 0.5 + 1; the -1 is refused.
    assert_eq!(run.metric("orders", "count"), 45.0);
    assert_eq!(run.metric("bytes_moved", "count"), 10_240.0);
    assert_eq!(run.metric("seats_left", "min"), 91.0);
    assert_eq!(run.metric("seats_left", "max"), 100.0);
    assert_eq!(run.metric("sold_out", "value"), 0.3);
    assert_eq!(run.metric("lock_acquisition_time", "max"), 1000.0);
    assert_eq!(run.metric("lock_acquisition_time", "min"), 1.0);
    assert_eq!(run.metric("score", "max"), 4.5);
    assert_eq!(run.check("inside pay"), (10, 0));
    assert_eq!(run.check("a group gives back what its section returns"), (10, 0));
    assert!(run.stdout.contains("refused"), "refused values are told: {}", run.stdout);
}

#[test]
fn every_vu_is_initialised_once_before_its_first_iteration() {
    let server = Server::start(&[]);
    let run = run(&guest("vu-init"), &["-e", &server.base_url("")]).exits(0);
    assert_eq!((run.metric("inits", "count"), run.metric("iterations", "count")), (4.0, 12.0));
    for check in ["vu_init stands in no scenario", "vu_init knows its VU", "vu_init finds a fresh instance"] {
        assert_eq!(run.check(check), (4, 0), "{check}");
    }
    for check in ["vu_init ran before", "its tag is there", "each iteration begins with vu_init's cookies"] {
        assert_eq!(run.check(check), (12, 0), "{check}");
    }
    assert_eq!(run.metric("http_reqs", "count"), 16.0, "its requests are counted");
    assert!(
        run.summary["root_group"]["groups"]["vu_init"].is_object(),
        "under its group: {:#}",
        run.summary["root_group"]
    );
    for metric in ["setup_duration", "vu_init_duration"] {
        assert!(run.metric(metric, "min") > 0.0 && run.stdout.contains(metric), "{metric}: {}", run.stdout);
    }
    assert!(!run.stdout.contains("teardown_duration"), "there is no teardown");
}

#[test]
fn a_fresh_instance_is_initialised_again() {
    let run = run(&guest("vu-init"), &["-e", "PANIC=yes"]).exits(0);
    assert_eq!((run.metric("inits", "count"), run.metric("iteration_errors", "count")), (8.0, 4.0));
    assert_eq!(run.check("vu_init ran before"), (12, 0));
    assert_eq!(run.check("vu_init finds a fresh instance"), (8, 0));
    // Where it fails then, so does the iteration, and each further one tries again.
    let again = crate::support::run(&guest("vu-init"), &["-e", "PANIC=yes", "-e", "INIT=again"]).exits(0);
    assert_eq!(again.metric("iterations", "count"), 12.0);
    assert_eq!(again.metric("iteration_errors", "count"), 8.0);
    assert!(again.stdout.contains("vu_init failed: no second log-in"), "{}", again.stdout);
}

#[test]
fn a_vu_that_cannot_be_initialised_refuses_the_load() {
    // Only who is slow is to be stopped by the time limit: a machine may be slow, too.
    let says = |init: &str, code: i32, reason: &str| {
        let folder = Folder::new();
        let export = folder.file("summary.json");
        let mut command = runtime();
        command.arg("run").arg(guest("vu-init")).args([
            "-e",
            &format!("INIT={init}"),
            "-e",
            "LATER=3",
            "--shards",
            "1",
        ]);
        command.arg("--summary-export").arg(&export);
        if init != "slow" {
            command.env("FLASHCROWD_SETUP_TIMEOUT", "15m");
        }
        let run = finish(command, &export).exits(code);
        assert!(run.stderr.contains(reason), "{init}: {}", run.stderr);
        assert_eq!(run.metric_or_zero("iterations", "count"), 0.0, "{init}");
    };
    says("error", 107, "virtual user 3 of 4 cannot be initialised: vu_init failed: the till is closed");
    says("panic", 107, "vu_init failed: vu_init was told to panic (vu-init/src/lib.rs:");
    says("fail", 107, "vu_init failed: vu_init was told to fail");
    says("abort", 108, "the scenario aborted the test: vu_init was told to abort");
    says("slow", 102, "vu_init took longer than setupTimeout (2s)");
}

#[test]
fn a_later_vu_that_cannot_be_initialised_is_a_warning() {
    let folder = Folder::new();
    let config = folder.file("options.json");
    // One VU sleeps in all its iterations, so that the open model asks for more.
    let load = json!({"scenarios": {"rush": {
        "executor": "constant-arrival-rate", "rate": 50, "duration": "2s", "preAllocatedVUs": 1, "maxVUs": 3, "gracefulStop": "0s",
    }}});
    std::fs::write(&config, load.to_string()).unwrap();
    let args = ["-c", config.to_str().unwrap(), "-e", "INIT_AFTER=1"];
    let run = run(&guest("late-init"), &args).exits(0);
    assert!(run.metric("dropped_iterations", "count") > 0.0);
    let warning = "scenario `rush`: a further VU could not be initialised: vu_init failed: no room for VU ";
    assert!(run.stderr.contains(warning) && run.stdout.contains(warning), "{}\n{}", run.stderr, run.stdout);
}

#[test]
fn stages_are_timed_apart() {
    let run = run(&guest("setup-teardown"), &[]).exits(0);
    for metric in ["setup_duration", "teardown_duration"] {
        assert!(run.metric(metric, "max") > 0.0 && run.stdout.contains(metric), "{}", run.stdout);
    }
    assert!(!run.stdout.contains("vu_init_duration"), "there is none: {}", run.stdout);
}

#[test]
fn a_scenario_knows_where_it_is_and_paces_itself() {
    let run = run(&guest("exec-info"), &[]).exits(0);
    assert_eq!(run.metric("iterations", "count"), 5.0);
    assert_eq!(run.metric("checks", "value"), 1.0, "{}", run.stdout);
}

#[test]
fn an_iteration_takes_at_least_as_long_as_it_must() {
    let run = run(&guest("paced"), &[]).exits(0);
    assert_eq!(run.metric("iterations", "count"), 3.0);
    // Three iterations of 200 ms take 600 at least; the pause is none of an iteration's time.
    assert!(run.metric("iterations", "rate") <= 5.0, "{}", run.stdout);
    assert_eq!(run.check("the pause is over"), (3, 0));
}
