//! From `runtime new` to a run: the first five minutes with a scenario of one's own.

use crate::support::{Folder, Server, finish, runtime};

#[test]
fn a_new_crate_builds_and_runs_as_it_is() {
    let server = Server::start(&[]);
    let folder = Folder::new();
    let mut new = runtime();
    new.args(["new", "shop"]).current_dir(folder.path());
    let new = finish(new, &folder.file("none")).exits(0);
    assert!(new.stdout.contains("runtime run shop"), "it says what to do next: {}", new.stdout);

    // The dependencies are those of the workspace: with its lock file nothing is downloaded that was not before.
    let lock = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    std::fs::copy(lock, folder.file("shop/Cargo.lock")).unwrap();
    let export = folder.file("summary.json");
    let mut command = runtime();
    command.args(["run", "shop", "-u", "3", "-d", "2s", "-e", &server.base_url("")]).current_dir(folder.path());
    command.arg("--summary-export").arg(&export);
    let run = finish(command, &export).exits(0);
    assert!(run.metric("iterations", "count") >= 3.0);
    assert_eq!(run.metric("checks", "value"), 1.0, "{}", run.stdout);

    let mut again = runtime();
    again.args(["new", "shop"]).current_dir(folder.path());
    let again = finish(again, &folder.file("none")).exits(104);
    assert!(again.stderr.contains("is there already"), "{}", again.stderr);
}

#[test]
fn inspect_tells_a_stranger_how_to_run_a_module() {
    let folder = Folder::new();
    let mut text = runtime();
    text.arg("inspect").arg(crate::support::scenario("coupon"));
    let text = finish(text, &folder.file("none")).exits(0);
    for said in
        ["coupon 0.1.0", "BASE_URL", "constant-arrival-rate", "1300", "runtime run", "flashcrowd:scenario/http@0.1.0"]
    {
        assert!(text.stdout.contains(said), "`{said}` is missing in:\n{}", text.stdout);
    }
    let mut json = runtime();
    json.arg("inspect").arg(crate::support::scenario("coupon")).arg("--json");
    let json = finish(json, &folder.file("none")).exits(0);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["name"], "coupon");
    assert_eq!(json["requirements"]["maxVUs"], 1300);
    assert_eq!(json["options"]["scenarios"]["warmup"]["rate"], 100);
}
