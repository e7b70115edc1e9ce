//! Several modules in one run, and one scenario of many.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::live::{Live, by_hand};
use crate::support::{Folder, Run, Server, finish, guest, run, runtime};

/// `runtime run MODULES ARGS`, with its summary exported.
fn run_all(modules: &[String], args: &[&str]) -> Run {
    run_with(modules, &[], args)
}

/// The same with these thresholds for the whole run.
fn judged(modules: &[String], thresholds: &Value, args: &[&str]) -> Run {
    run_with(modules, &[("FLASHCROWD_THRESHOLDS", thresholds)], args)
}

/// The same with these options from the environment.
fn run_with(modules: &[String], variables: &[(&str, &Value)], args: &[&str]) -> Run {
    let folder = Folder::new();
    let export = folder.file("summary.json");
    let mut command = runtime();
    command.envs(variables.iter().map(|(name, value)| (name, value.to_string())));
    command.arg("run").args(modules).args(args).arg("--summary-export").arg(&export).current_dir(folder.path());
    finish(command, &export)
}

fn path(module: PathBuf) -> String {
    module.display().to_string()
}

#[test]
fn modules_run_side_by_side_each_as_if_alone() {
    let server = Server::start(&[]);
    let modules = [path(guest("vu-init")), path(guest("multi"))];
    let run = run_all(&modules, &["-e", &server.base_url(""), "--summary-mode", "full"]).exits(0);
    assert_eq!(run.metric("iterations", "count"), 12.0 + 11.0);
    // Names of scenarios, variables, setup's data and vu_init are each module's own.
    assert_eq!(run.metric("checks", "value"), 1.0, "{}", run.stdout);
    assert_eq!((run.check("vu_init ran before"), run.check("pay knows its scenario")), ((12, 0), (4, 0)));
    for shown in ["vu-init.main", "multi.browse", "multi.late", "(vu-init 0.1.0 + multi 0.1.0,"] {
        assert!(run.stdout.contains(shown), "no {shown}: {}", run.stdout);
    }
    // Thresholds hold for the samples of the module that has them.
    for threshold in ["checks{scenario:multi.pay}", "visits{team:shop,module:multi}"] {
        assert!(
            run.summary["metrics"][threshold]["thresholds"].is_object(),
            "{threshold}: {:#}",
            run.summary["metrics"]
        );
    }
}

#[test]
fn one_module_may_run_twice_under_two_names() {
    let module = path(guest("setup-teardown"));
    let modules = [format!("first={module}"), format!("second={module}")];
    let run = run_all(&modules, &[]).exits(0);
    assert_eq!(run.check("setup's data is there"), (12, 0));
    let after = |words: &str| -> Vec<String> {
        let said = run.stderr.split(words).skip(1).filter_map(|rest| rest.split_whitespace().next());
        said.map(str::to_owned).collect()
    };
    let (made, seen) = (after("setup made "), after("teardown saw "));
    for stage in ["info [first setup]: setup made", "info [second setup]: setup made", "info [second teardown]: "] {
        assert!(run.stderr.contains(stage), "no {stage}: {}", run.stderr);
    }
    // Each has data of its own, and the last that was set up is the first to be torn down.
    assert!(made.len() == 2 && made[0] != made[1], "{}", run.stderr);
    assert_eq!(seen, [made[1].clone(), made[0].clone()]);
    let same = run_all(&[module.clone(), module.clone()], &[]).exits(104);
    assert!(same.stderr.contains("is called `setup-teardown`, as"), "{}", same.stderr);
    assert!(same.stderr.contains(&format!("as in `setup-teardown-2={module}`")), "{}", same.stderr);
}

#[test]
fn a_setup_that_fails_tears_down_only_what_was_set_up() {
    let module = path(guest("setup-teardown"));
    let modules =
        [format!("first={}", path(guest("exec-info"))), format!("second={module}"), format!("third={module}")];
    let run = run_all(&modules, &["-e", "SETUP=error"]).exits(107);
    assert!(run.stderr.contains("module `second`: setup failed, so no load was started"), "{}", run.stderr);
    assert!(!run.stderr.contains("teardown saw") && !run.stderr.contains("third"), "{}", run.stderr);
    assert_eq!(run.metric_or_zero("iterations", "count"), 0.0);
}

#[test]
fn a_variable_may_be_for_one_module() {
    let module = path(guest("vu-init"));
    let modules = [format!("first={module}"), format!("second={module}")];
    let run = run_all(&modules, &["-e", "PANIC=", "-e", "second.PANIC=yes"]).exits(0);
    assert_eq!(run.metric("iteration_errors", "count"), 4.0, "{}", run.stdout);
    let unknown = run_all(&modules, &["-e", "secnd.PANIC=yes"]).exits(104);
    let text = "--env: \"secnd.PANIC\" is for a module that this run does not have; did you mean `second`?";
    assert!(unknown.stderr.contains(text), "{}", unknown.stderr);
}

#[test]
fn what_is_one_for_the_whole_run_must_be_agreed_on() {
    let modules = [path(guest("exec-info")), path(guest("paced"))];
    let refused = run_all(&modules, &[]).exits(104);
    let text = "minIterationDuration: \"200ms\" in module `paced`, and \"5ms\" in module `exec-info`: it is one for the whole test; \
                decide with --min-iteration-duration";
    assert!(refused.stderr.contains(text), "{}", refused.stderr);
    let run = run_all(&modules, &["--min-iteration-duration", "1ms", "--scenario", "paced.default"]).exits(0);
    assert_eq!(run.metric("iterations", "count"), 3.0);
}

#[test]
fn an_old_module_runs_beside_a_new_one() {
    let server = Server::start(&[]);
    let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests/frozen-0.1.0/frozen-0.1.0.wasm");
    let run = run_all(&[path(old), path(guest("vu-init"))], &["-e", &server.base_url("")]).exits(0);
    assert_eq!(run.metric_or_zero("iteration_errors", "count"), 0.0, "{}", run.stdout);
    assert_eq!(run.metric("inits", "count"), 4.0);
}

#[test]
fn a_run_of_several_modules_is_recorded_and_reported() {
    let folder = Folder::new();
    let file = folder.file("run.results").display().to_string();
    let run = run_all(&[path(guest("vu-init")), path(guest("multi"))], &["--results", &file]).exits(0);
    let mut report = runtime();
    report.args(["report", &file]);
    let report = finish(report, &folder.file("none")).exits(0);
    assert!(report.stdout.contains("(vu-init 0.1.0 + multi 0.1.0,"), "{}", report.stdout);
    let ours = |text: &str| text.lines().filter(|line| line.contains("visits")).map(str::to_owned).collect::<Vec<_>>();
    assert!(!ours(&run.stdout).is_empty(), "{}", run.stdout);
    assert_eq!(ours(&report.stdout), ours(&run.stdout), "the report shows what the run did");
    assert_eq!(report.stdout.matches('✓').count(), run.stdout.matches('✓').count(), "{}", report.stdout);
}

#[test]
fn several_modules_can_be_looked_into() {
    let inspect = |args: &[&str]| {
        let mut command = runtime();
        command.arg("inspect").arg(guest("vu-init")).arg(guest("multi")).args(args);
        finish(command, &Folder::new().file("none")).exits(0)
    };
    let text = inspect(&[]).stdout;
    let mut two = runtime();
    two.arg("inspect").args(twice("caller"));
    let two = finish(two, &Folder::new().file("none")).exits(0).stdout;
    assert!(two.trim_end().ends_with(" -e first.BASE_URL=VALUE -e second.BASE_URL=VALUE"), "{two}");
    for line in ["Module vu-init", "Module multi", "  multi.pay: shared-iterations", "  9 VUs at most"] {
        assert!(text.contains(line), "no {line}: {text}");
    }
    let json: Value = serde_json::from_str(&inspect(&["--json"]).stdout).unwrap();
    assert_eq!(json["modules"]["vu-init"]["vuInit"], true);
    assert!(json["options"]["scenarios"]["vu-init.main"].is_object(), "{json:#}");
}

#[test]
fn one_scenario_of_many_can_be_run() {
    let alone = run(&guest("multi"), &["--scenario", "browse"]).exits(0);
    assert_eq!(alone.metric("iterations", "count"), 6.0);
    let note = "the threshold checks{scenario:pay}: rate==1 is left out with the scenario that it selects";
    assert!(alone.stderr.contains(note), "{}", alone.stderr);
    let two = run(&guest("multi"), &["--scenario", "pay", "--scenario", "late", "--no-thresholds"]).exits(0);
    assert_eq!(two.metric("iterations", "count"), 5.0);
    let unknown = run(&guest("multi"), &["--scenario", "brwose"]).exits(104);
    let text = "--scenario: \"brwose\" is no scenario of this test; did you mean `browse`?";
    assert!(unknown.stderr.contains(text), "{}", unknown.stderr);
}

/// One module under two names.
fn twice(guest_name: &str) -> [String; 2] {
    let module = path(guest(guest_name));
    [format!("first={module}"), format!("second={module}")]
}

#[test]
fn a_host_that_is_given_to_one_module_is_granted_to_no_other() {
    let server = Server::start(&[]);
    let url = format!("{}/health", server.url);
    // Both know the URL; one was given it.
    let known = json!({ "one": { "executor": "shared-iterations", "iterations": 2, "env": { "BASE_URL": url } } });
    let given = ["-e", &format!("first.BASE_URL={url}"), "-e", "second.BASE_URL=none"];
    let thresholds = json!({
        "checks{scenario:first.one}": ["rate==1"],
        "checks{scenario:second.one}": ["rate==0"],
        "http_req_failed{module:second}": ["rate==1"],
    });
    let judged = |thresholds: &Value| {
        let variables = [("FLASHCROWD_SCENARIOS", &known), ("FLASHCROWD_THRESHOLDS", thresholds)];
        run_with(&twice("caller"), &variables, &given)
    };
    let run = judged(&thresholds).exits(0);
    assert_eq!(run.check("status is 200"), (2, 2), "{}", run.stdout);
    assert!(run.stderr.contains("is not granted"), "{}", run.stderr);
    assert_eq!(server.counted("/health"), 2.0);
    let wrong = judged(&json!({ "checks{scenario:first.on}": ["rate==1"] })).exits(104);
    assert!(wrong.stderr.contains("did you mean `first.one`?"), "{}", wrong.stderr);
}

#[test]
fn counters_and_queues_are_each_modules_own_and_rows_are_everybodys() {
    let folder = Folder::new();
    let fill = json!({ "one": { "executor": "shared-iterations", "exec": "fill" } });
    let buyers = folder.file("buyers.csv");
    std::fs::write(&buyers, "id\n1\n").unwrap();
    let buyers = format!("buyers={}", buyers.display());
    let args = ["-e", "BASE_URL=none", "--data", &buyers];
    let run = run_with(&twice("handover"), &[("FLASHCROWD_SCENARIOS", &fill)], &args).exits(0);
    // Were it one queue, the second would find it full of what the first has pushed.
    assert_eq!(run.check("a full queue says so"), (2, 0), "{}", run.stdout);
    let missing = run_all(&twice("handover"), &["-e", "BASE_URL=none"]).exits(104);
    assert!(missing.stderr.contains("`buyers` was not given, and first needs it"), "{}", missing.stderr);

    let users = folder.file("users.csv");
    let rows: String = (1..=10).map(|id| format!("{id},user {id},false,\n")).collect();
    std::fs::write(&users, format!("id,name,premium,discount\n{rows}")).unwrap();
    let users = format!("users={}", users.display());
    let run = run_all(&twice("tables"), &["-e", "MODE=gentle", "-i", "6", "--data", &users]).exits(0);
    assert_eq!((run.metric("iterations", "count"), run.metric("left_out", "count")), (12.0, 2.0), "{}", run.stdout);
}

#[test]
fn a_module_that_fails_leaves_the_others_numbers_alone() {
    let modules = [path(guest("memory-hog")), path(guest("multi"))];
    let thresholds = json!({
        "iterations{module:multi}": ["count==11"],
        "checks{module:multi}": ["rate==1"],
        "iteration_duration{module:multi}": ["max<600000"],
        "iterations{module:memory-hog}": ["count==1"],
        "iteration_errors": ["count==1"],
        "iteration_errors{module:memory-hog}": ["count==1"],
    });
    let run = judged(&modules, &thresholds, &["--memory-limit", "16MiB"]).exits(0);
    assert!(run.stdout.contains("1× module `memory-hog`: "), "{}", run.stdout);
}

#[test]
fn several_modules_can_be_tried_out_and_so_can_one_scenario() {
    let modules = [path(guest("vu-init")), path(guest("multi"))];
    let all = run_all(&modules, &["--once"]).exits(0);
    for tried in ["vu-init.main", "multi.browse", "multi.pay", "multi.late"] {
        assert!(all.stdout.contains(tried), "no {tried}: {}", all.stdout);
    }
    assert_eq!(all.metric("iterations", "count"), 4.0, "{}", all.stdout);
    let one = run_all(&modules, &["--once", "--scenario", "multi.late"]).exits(0);
    assert_eq!(one.metric("iterations", "count"), 1.0, "{}", one.stdout);
    assert!(one.stdout.contains("multi.late") && !one.stdout.contains("multi.pay"), "{}", one.stdout);
    let alone = run(&guest("multi"), &["--once", "--scenario", "pay"]).exits(0);
    assert_eq!((alone.metric("iterations", "count"), alone.check("pay sees its own page")), (1.0, (1, 0)));
    let unknown = run_all(&modules, &["--once", "--scenario", "multi.lat"]).exits(104);
    assert!(unknown.stderr.contains("did you mean `multi.late`?"), "{}", unknown.stderr);
}

#[test]
fn scenarios_are_steered_by_their_full_names() {
    let live = Live::start_named(&["first", "second"], &by_hand());
    let status = live.until("running", |status| status["state"] == "running");
    let names = status["scenarios"].as_array().unwrap().iter().map(|one| one["name"].clone());
    assert_eq!(Value::from_iter(names), json!(["first.users", "first.starts", "second.users", "second.starts"]));
    let scale = |scenario: &str| {
        let body = json!({ "vus": 3 });
        live.client.ask("PATCH", &format!("/api/scenarios/{scenario}"), Some(&body))
    };
    scale("second.users").unwrap();
    live.until("scaled", |status| status["scenarios"][2]["activeVUs"] == 3 && status["scenarios"][0]["activeVUs"] == 1);
    let unknown = scale("users").unwrap_err().to_string();
    assert!(unknown.contains("first.users"), "{unknown}");
}
