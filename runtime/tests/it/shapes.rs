//! The shapes that k6 users' scripts read: `handle_summary`'s data and `--summary-export`, field by field.

use serde_json::Value;

use crate::support::{Folder, finish, guest, run, runtime};

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> =
        value.as_object().unwrap_or_else(|| panic!("no object: {value}")).keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn handle_summary_gets_k6_data_and_writes_where_it_may() {
    let folder = Folder::new();
    let mut command = runtime();
    command.arg("run").arg(guest("summary-custom")).args(["--allow-write", "."]).current_dir(folder.path());
    let run = finish(command, &folder.file("none")).exits(0);
    assert_eq!(run.stdout, "orders: 4\n", "its text replaces the usual summary");
    assert!(run.stderr.contains("a line for standard error"), "{}", run.stderr);
    assert_eq!(std::fs::read_to_string(folder.file("orders.txt")).unwrap(), "4\n");

    let data: Value = serde_json::from_slice(&std::fs::read(folder.file("summary.json")).unwrap()).unwrap();
    assert_eq!(keys(&data), ["metrics", "options", "root_group", "setup_data", "state"]);
    assert_eq!(data["setup_data"], serde_json::json!({"opened": true}));
    assert_eq!(keys(&data["options"]), ["noColor", "summaryTimeUnit", "summaryTrendStats"]);
    assert_eq!(keys(&data["state"]), ["isStdErrTTY", "isStdOutTTY", "testRunDurationMs"]);
    let root = &data["root_group"];
    assert_eq!(keys(root), ["checks", "groups", "id", "name", "path"]);
    // The id is the MD5 of the path, as k6 has it; the root's path is empty.
    assert_eq!(root["id"], "d41d8cd98f00b204e9800998ecf8427e");
    let inner = &root["groups"][0]["groups"][0];
    assert_eq!((&inner["name"], &inner["path"]), (&"inner".into(), &"::outer::inner".into()));
    let check = &inner["checks"][0];
    assert_eq!(keys(check), ["fails", "id", "name", "passes", "path"]);
    assert_eq!(
        (&check["path"], &check["passes"], &check["fails"]),
        (&"::outer::inner::inner check".into(), &3.into(), &1.into())
    );

    let metrics = &data["metrics"];
    let shape = |name: &str| {
        (metrics[name]["type"].as_str(), metrics[name]["contains"].as_str(), keys(&metrics[name]["values"]))
    };
    assert_eq!(shape("orders"), (Some("counter"), Some("default"), vec!["count", "rate"]));
    assert_eq!(shape("seats_left"), (Some("gauge"), Some("default"), vec!["max", "min", "value"]));
    assert_eq!(shape("sold_out"), (Some("rate"), Some("default"), vec!["fails", "passes", "rate"]));
    assert_eq!(shape("queue_wait"), (Some("trend"), Some("time"), vec!["avg", "max", "med", "min", "p(90)", "p(95)"]));
    assert_eq!(metrics["orders"]["thresholds"]["count==4"], serde_json::json!({"ok": true}));
    assert_eq!(metrics["sold_out"]["values"]["rate"], 0.25);
    assert_eq!(metrics["queue_wait"]["values"]["max"], 4.0);
    assert_eq!(metrics["queue_wait"]["values"]["med"], 2.5);
}

#[test]
fn files_need_a_grant_and_stay_inside_it() {
    let folder = Folder::new();
    let mut command = runtime();
    command.arg("run").arg(guest("summary-custom")).current_dir(folder.path());
    let run = finish(command, &folder.file("none")).exits(0);
    assert!(run.stderr.contains("--allow-write"), "{}", run.stderr);
    assert!(!folder.file("summary.json").exists());

    std::fs::create_dir(folder.file("inside")).unwrap();
    let mut command = runtime();
    command
        .arg("run")
        .arg(guest("summary-custom"))
        .args(["-e", "SUMMARY=outside", "--allow-write", "inside"])
        .current_dir(folder.path());
    let run = finish(command, &folder.file("none"));
    assert!(run.stderr.contains("outside.txt"), "{}", run.stderr);
    assert!(!folder.file("outside.txt").exists());
}

#[test]
fn a_summary_that_fails_falls_back_to_the_usual_one() {
    for kind in ["error", "panic", "none"] {
        let run = run(&guest("summary-custom"), &["-e", &format!("SUMMARY={kind}")]).exits(0);
        assert!(run.stdout.contains("iteration_duration"), "{kind}: {}", run.stdout);
        assert_eq!(run.stderr.contains("was told to"), kind != "none", "{}", run.stderr);
    }
}

#[test]
fn the_export_is_flat_as_k6_has_it() {
    let run = run(&guest("summary-custom"), &["-e", "SUMMARY=none"]).exits(0);
    assert_eq!(keys(&run.summary), ["metrics", "root_group"]);
    let metrics = &run.summary["metrics"];
    assert_eq!(keys(&metrics["orders"]), ["count", "rate", "thresholds"]);
    assert_eq!(metrics["orders"]["thresholds"]["count==4"], false, "false: not crossed");
    assert_eq!(keys(&metrics["sold_out"]), ["fails", "passes", "value"]);
    assert_eq!(keys(&metrics["seats_left"]), ["max", "min", "value"]);
    assert_eq!(keys(&metrics["queue_wait"]), ["avg", "max", "med", "min", "p(90)", "p(95)", "thresholds"]);
    let inner = &run.summary["root_group"]["groups"]["outer"]["groups"]["inner"];
    assert_eq!(inner["checks"]["inner check"]["passes"], 3);
}
