//! Tables, counters and queues: one for all virtual users, whatever shard they are on.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Instant;

use serde_json::{Value, json};

use crate::calls::Calls;
use crate::support::{Folder, PATIENCE, Run, collect, finish, guest, run, runtime, signal};

/// A CSV file of so many users.
fn users(folder: &Folder, rows: usize) -> PathBuf {
    let mut text = "id,name,premium,discount\n".to_owned();
    for id in 1..=rows {
        let discount = if id % 4 == 0 { "0.25" } else { "" };
        let name = if id % 2 == 0 { format!("user {id}") } else { format!("\"user {id}\"") };
        writeln!(text, "{id},{name},{},{discount}", id % 3 == 0).expect("a text can grow");
    }
    let path = folder.file("users.csv");
    std::fs::write(&path, text).expect("the file can be written");
    path
}

fn table(path: &std::path::Path) -> String {
    format!("users={}", path.display())
}

/// The numbers at the end of the paths that were called, sorted.
fn called(calls: &Calls) -> Vec<usize> {
    let number =
        |path: String| path.rsplit('/').next().and_then(|id| id.parse().ok()).expect("a path ends in a number");
    let mut numbers: Vec<usize> = calls.paths().into_iter().map(number).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn each_row_is_used_once_by_all_virtual_users_and_shards_together() {
    let (folder, calls) = (Folder::new(), Calls::start());
    let data = table(&users(&folder, 3_000));
    let args =
        ["--data", &data, "-e", &calls.base_url(), "-e", "MODE=unique", "-u", "40", "-d", "10m", "--shards", "4"];
    let run = run(&guest("tables"), &args).exits(0);
    assert_eq!(called(&calls), (1..=3_000).collect::<Vec<_>>(), "every row, and each once");
    assert_eq!(run.metric("iterations", "count"), 3_000.0, "whoever found no row is no iteration");
    assert_eq!(run.metric("http_reqs", "count"), 3_000.0);
    assert_eq!(run.metric_or_zero("iteration_errors", "count"), 0.0, "{}", run.stdout);
    let reason = "all 3000 rows of the table `users` are used";
    assert_eq!(run.stderr.matches(reason).count(), 1, "{}", run.stderr);
    assert!(run.stdout.contains(&format!("stopped early: the scenario stopped the load ({reason})")), "{}", run.stdout);
    // Values became what the struct asks for: every third is premium, every fourth has a discount, the others have none.
    assert_eq!(run.metric("premium_users", "count"), 1_000.0);
    assert_eq!((run.metric("discount", "min"), run.metric("discount", "max")), (0.25, 0.25));
}

#[test]
fn a_scenario_may_go_on_when_the_rows_have_run_out() {
    let (folder, calls) = (Folder::new(), Calls::start());
    let data = table(&users(&folder, 100));
    let args =
        ["--data", &data, "-e", &calls.base_url(), "-e", "MODE=gentle", "-u", "10", "-i", "250", "--shards", "2"];
    let run = run(&guest("tables"), &args).exits(0);
    assert_eq!(called(&calls), (1..=100).collect::<Vec<_>>());
    assert_eq!((run.metric("iterations", "count"), run.metric("left_out", "count")), (250.0, 150.0));
}

#[test]
fn a_row_for_each_virtual_user_or_no_load() {
    let (folder, calls) = (Folder::new(), Calls::start());
    let data = table(&users(&folder, 10));
    let login = |vus: &str| {
        let args =
            ["--data", &data, "-e", &calls.base_url(), "-e", "MODE=login", "-u", vus, "-i", "40", "--shards", "2"];
        run(&guest("tables"), &args)
    };
    login("10").exits(0);
    let users: BTreeSet<usize> = called(&calls).into_iter().collect();
    assert!(users.len() > 1 && called(&calls).len() == 40, "{users:?}");
    let refused = login("11").exits(107);
    let said = "vu_init failed: all 10 rows of the table `users` are used";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
    assert_eq!(called(&calls).len(), 40, "nothing was called");
}

#[test]
fn rows_in_turn_begin_again_and_are_one_order_for_all() {
    let (folder, calls) = (Folder::new(), Calls::start());
    let data = table(&users(&folder, 100));
    run(&guest("tables"), &["--data", &data, "-e", &calls.base_url(), "-u", "10", "-i", "250", "--shards", "2"])
        .exits(0);
    let numbers = called(&calls);
    let times = |id: usize| numbers.iter().filter(|number| **number == id).count();
    let times: Vec<usize> = (1..=100).map(times).collect();
    let expected: Vec<usize> = (1..=100).map(|id| if id <= 50 { 3 } else { 2 }).collect();
    assert_eq!(times, expected, "two rounds and a half");
}

#[test]
fn random_rows_are_the_seeds() {
    let folder = Folder::new();
    let data = table(&users(&folder, 1_000));
    let drawn = |seed: &str| {
        let calls = Calls::start();
        let args =
            ["--data", &data, "-e", &calls.base_url(), "-e", "MODE=random", "-u", "3", "-i", "60", "--seed", seed];
        let config = json!({"users": {"executor": "per-vu-iterations", "vus": 3, "iterations": 20}});
        run_scenarios("tables", &config, &args[..6], &args[10..]).exits(0);
        called(&calls)
    };
    let first = drawn("7");
    assert_eq!(first, drawn("7"));
    assert_ne!(first, drawn("8"));
    assert!(first.iter().collect::<BTreeSet<_>>().len() > 40, "{first:?}");
}

/// `runtime run` with the scenarios of an options object.
fn run_scenarios(module: &str, scenarios: &Value, args: &[&str], more: &[&str]) -> Run {
    let folder = Folder::new();
    let export = folder.file("summary.json");
    let mut command = runtime();
    command.env("FLASHCROWD_SCENARIOS", scenarios.to_string()).arg("run").arg(guest(module));
    command.args(args).args(more).arg("--summary-export").arg(&export).current_dir(folder.path());
    finish(command, &export)
}

#[test]
fn json_files_do_as_well() {
    let folder = Folder::new();
    let users = [
        json!({"id": 1, "name": "user 1", "premium": true}),
        json!({"id": 2, "name": "user 2", "premium": false, "discount": 0.5}),
    ];
    let array = folder.file("users.json");
    std::fs::write(&array, format!("{:#}", json!(users))).unwrap();
    let lines = folder.file("users.jsonl");
    std::fs::write(&lines, format!("{}\n{}\n", users[0], users[1])).unwrap();
    for path in [array, lines] {
        let calls = Calls::start();
        let data = table(&path);
        let args = ["--data", &data, "-e", &calls.base_url(), "-e", "MODE=first", "-i", "4"];
        let run = run(&guest("tables"), &args).exits(0);
        assert_eq!(called(&calls), [1, 1, 2, 2]);
        assert_eq!((run.metric("premium_users", "count"), run.metric("discount", "avg")), (2.0, 0.5));
    }
}

#[test]
fn a_row_of_another_shape_fails_its_iteration_and_is_named() {
    let folder = Folder::new();
    let data = table(&users(&folder, 2));
    let run = run(&guest("tables"), &["--data", &data, "-e", "MODE=wrong", "-i", "2"]).exits(0);
    assert_eq!(run.metric("iteration_errors", "count"), 2.0);
    let said = "row 0 of the table `users` does not fit: column `name` is \"user 1\": invalid digit found in string";
    assert!(run.stderr.contains(said), "{}", run.stderr);
}

#[test]
fn a_table_that_was_not_given_is_named_with_its_flag() {
    let folder = Folder::new();
    // A module that does not declare it finds out in its iteration.
    let missing = run(&guest("tables"), &["-i", "1"]).exits(0);
    assert_eq!(missing.metric("iteration_errors", "count"), 1.0);
    let said = "the table `users` was not given; give its file with --data users=FILE (.csv, .json or .jsonl)";
    assert!(missing.stderr.contains(said), "{}", missing.stderr);
    // One that does is refused before the load.
    let url = ["-e", "BASE_URL=http://127.0.0.1:1"];
    let missing = run(&guest("handover"), &url).exits(104);
    let said = "error: the table `buyers` was not given, and handover needs it (columns id: who orders); give it with `--data buyers=FILE`";
    assert!(missing.stderr.contains(said), "{}", missing.stderr);
    let people = folder.file("people.csv");
    std::fs::write(&people, "user_id,name\n1,ann\n").unwrap();
    let data = format!("buyers={}", people.display());
    let wrong = run(&guest("handover"), &[url[0], url[1], "--data", &data]).exits(104);
    let said = "error: the table `buyers` has no column `id`, and handover needs it; known are `user_id`, `name`";
    assert!(wrong.stderr.contains(said), "{}", wrong.stderr);
}

#[test]
fn a_module_says_which_tables_it_needs_without_them() {
    let folder = Folder::new();
    let inspect = |args: &[&str]| {
        let mut command = runtime();
        command.arg("inspect").arg(guest("handover")).args(args);
        finish(command, &folder.file("none")).exits(0).stdout
    };
    let text = inspect(&[]);
    assert!(text.contains("\nData\n  buyers (columns id: who orders)\n"), "{text}");
    assert!(text.contains("-e BASE_URL=VALUE --data buyers=FILE\n"), "{text}");
    let json: Value = serde_json::from_str(&inspect(&["--json"])).unwrap();
    assert_eq!(json["data"], json!([{"name": "buyers", "columns": ["id"], "help": "who orders"}]));
}

#[test]
fn files_that_are_no_tables_are_refused_before_the_load() {
    let folder = Folder::new();
    let refused = |name: &str, text: &str, said: &str| {
        let path = folder.file(name);
        std::fs::write(&path, text).unwrap();
        let run = run(&guest("tables"), &["--data", &table(&path), "-i", "1"]).exits(104);
        assert!(run.stdout.is_empty() && run.stderr.matches("error:").count() == 1, "{}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains(said) && run.stderr.contains(name), "`{said}` of {name} is not in {}", run.stderr);
    };
    refused("ragged.csv", "id,name\n1,ann\n2\n", "line 3: has 1 value, and the first line names 2 columns");
    refused("broken.json", "[{\"id\": 1},\n {\"id\": }]", "line 2: is no JSON (expected value, column 9)");
    refused("broken.jsonl", "{\"id\": 1}\n{\"id\"}\n", "line 2: is no JSON (expected `:`, column 6)");
    refused("users.xlsx", "PK", "give a file that ends in .csv, .json (an array of objects), .jsonl or .ndjson");
    let missing = table(&folder.file("missing.csv"));
    let run = run(&guest("tables"), &["--data", &missing, "-i", "1"]).exits(104);
    assert!(run.stderr.contains("missing.csv: cannot be read (No such file or directory"), "{}", run.stderr);
}

#[test]
fn one_virtual_user_creates_what_another_pays() {
    let (folder, calls) = (Folder::new(), Calls::start());
    let buyers = folder.file("buyers.csv");
    std::fs::write(&buyers, "id\n1\n2\n3\n").unwrap();
    let data = format!("buyers={}", buyers.display());
    let run = run(&guest("handover"), &["--data", &data, "-e", &calls.base_url(), "--shards", "3"]).exits(0);
    // Setup counted to 1000, and 200 orders were numbered from there.
    assert_eq!(called(&calls), (1_001..=1_200).collect::<Vec<_>>(), "every order is paid, and once");
    assert_eq!(run.metric_or_zero("own_orders_paid", "count"), 0.0, "no creator pays");
    assert_eq!(run.metric_or_zero("iteration_errors", "count"), 0.0, "{}", run.stdout);
    assert!(run.stdout.contains("all orders are paid"), "{}", run.stdout);
}

#[test]
fn an_interrupted_virtual_user_takes_no_item_with_it_and_a_full_queue_says_so() {
    let folder = Folder::new();
    let buyers = folder.file("buyers.csv");
    std::fs::write(&buyers, "id\n1\n").unwrap();
    let data = format!("buyers={}", buyers.display());
    let scenarios = json!({
        "waiting": {"executor": "constant-vus", "vus": 3, "duration": "1s", "gracefulStop": "0s", "exec": "wait"},
        "pushing": {"executor": "shared-iterations", "iterations": 1, "startTime": "2s", "exec": "push_late"},
        "filling": {"executor": "shared-iterations", "iterations": 1, "exec": "fill"},
    });
    let run =
        run_scenarios("handover", &scenarios, &["--data", &data, "-e", "BASE_URL=http://127.0.0.1:1"], &[]).exits(0);
    for check in ["the item is not lost", "a full queue says so", "it goes on when there is room"] {
        assert_eq!(run.check(check), (1, 0), "{check}: {}{}", run.stdout, run.stderr);
    }
    assert_eq!(run.metric_or_zero("iteration_errors", "count"), 0.0, "{}", run.stdout);
}

/// Resident bytes of a run whose virtual users have all read a row and wait.
fn resident_bytes(data: &str, vus: usize) -> u64 {
    let (folder, calls) = (Folder::new(), Calls::start());
    let mut command = runtime();
    command.arg("run").arg(guest("tables")).args([
        "--data",
        data,
        "-e",
        &calls.base_url(),
        "-e",
        "MODE=random",
        "-e",
        "PAUSE=600",
    ]);
    command.args(["-u", &vus.to_string(), "-d", "10m", "--shards", "2", "--no-results"]).current_dir(folder.path());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the runtime starts");
    let begun = Instant::now();
    while calls.paths().len() < vus {
        assert!(begun.elapsed() < PATIENCE, "{} of {vus} virtual users have read a row", calls.paths().len());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("a running process has a status");
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<u64>().ok());
    // The first signal lets iterations finish, which these never do.
    signal(&child, "INT");
    signal(&child, "INT");
    collect(child, &folder.file("none")).exits(105);
    kib.expect("a resident size") << 10
}

/// Were the table copied for each virtual user, or for each shard's, the run would be larger by a multiple of it.
#[test]
fn a_table_is_in_memory_once_however_many_virtual_users_read_it() {
    const VUS: usize = 100;
    let (small, large) = (Folder::new(), Folder::new());
    let (small, large) = (users(&small, 10).with_file_name("users.csv"), users(&large, 600_000));
    let bytes = std::fs::metadata(&large).expect("the file is there").len();
    assert!(bytes > 12 << 20, "{bytes} bytes are too few to be told from the rest");
    let (without, with) = (resident_bytes(&table(&small), VUS), resident_bytes(&table(&large), VUS));
    let grown = with.saturating_sub(without);
    assert!(grown >= bytes, "{grown} bytes more for a file of {bytes}: it is not in memory at all");
    // Once, with 4 bytes a row; the rest is room for the allocator.
    assert!(grown < 3 * bytes, "{grown} bytes more for a file of {bytes} and {VUS} virtual users");
}
