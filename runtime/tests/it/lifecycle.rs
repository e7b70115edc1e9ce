//! Setup, teardown, several functions in a module, seeds.

use crate::support::{Server, guest, run};

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
