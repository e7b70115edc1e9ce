//! `kill -9` in the middle of a run: of the server, and of the runtime.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use crate::attack::Attack;
use crate::support::{Folder, Server, collect, finish, guest, runtime, scenario};
use crate::target::{Behaviour, Target};

#[test]
fn the_run_goes_on_and_what_was_acknowledged_is_there_after_a_restart() {
    let folder = Folder::new();
    let export = folder.file("summary.json");
    let server = Server::start(&[]);
    let authority = server.authority().to_owned();
    let mut command = runtime();
    command.arg("run").arg(scenario("coupon")).args(["-e", &server.base_url("/api/v1/coupons/issue")]);
    command.args(["-u", "50", "-d", "6s"]).arg("--summary-export").arg(&export).current_dir(folder.path());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    server.wait_for("/api/v1/coupons/issue", 50.0);
    std::thread::sleep(Duration::from_secs(1));
    let (data, kept) = server.kill();
    let run = collect(child, &export).exits(99);

    // The run went on: failures are counted under the codes of a server that is gone.
    assert!(run.metric("http_req_failed", "passes") > 0.0, "{}", run.stdout);
    assert!(run.metric("iterations", "count") > run.metric("http_req_failed", "passes"), "{}", run.stdout);
    assert!(run.stdout.contains("1212") || run.stdout.contains("1220"), "{}", run.stdout);
    let (acknowledged, _) = run.check("status is 200");
    assert!(acknowledged > 0);

    let server = Server::start_at(&authority, &data, &[]);
    let audit = server.audit();
    // Fewer issues than acknowledgements: a user who draws twice is told so with a 200 and issued once.
    let issued = audit["coupons"].as_array().and_then(|coupons| coupons.iter().find(|coupon| coupon["id"] == 3));
    let issued = issued.and_then(|coupon| coupon["issued"].as_u64()).unwrap_or_else(|| panic!("{audit:#}"));
    assert!(issued > 0 && issued <= acknowledged + 50, "{issued} of {acknowledged}");
    drop(kept);
}

#[test]
fn every_issue_that_a_virtual_user_saw_acknowledged_survives() {
    let folder = Folder::new();
    let export = folder.file("summary.json");
    let server = Server::start(&[]);
    let authority = server.authority().to_owned();
    let mut command = runtime();
    command.arg("run").arg(guest("acknowledged")).args(["-e", &server.base_url("")]);
    command.args(["-u", "20", "-d", "4s"]).arg("--summary-export").arg(&export).current_dir(folder.path());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    server.wait_for("/api/v1/coupons/issue", 200.0);
    std::thread::sleep(Duration::from_millis(500));
    let (data, kept) = server.kill();
    let run = collect(child, &export).exits(0);

    // The module prints the users whose issue was acknowledged, a few to a line.
    let acknowledged: BTreeSet<u64> = run
        .stderr
        .lines()
        .filter_map(|line| line.split_once("acknowledged: "))
        .flat_map(|(_, users)| users.split_whitespace().filter_map(|user| user.parse().ok()).collect::<Vec<_>>())
        .collect();
    assert!(acknowledged.len() > 100, "{}", acknowledged.len());
    let server = Server::start_at(&authority, &data, &[]);
    server.audit();
    let (status, users) = server.get("/audit/coupons/3/users");
    assert_eq!(status, 200, "{users}");
    let issued: BTreeSet<u64> =
        users.split(|c: char| !c.is_ascii_digit()).filter_map(|user| user.parse().ok()).collect();
    let lost: Vec<_> = acknowledged.difference(&issued).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    drop(kept);
}

#[test]
fn a_runtime_that_is_killed_has_written_down_what_the_target_saw() {
    let target = Target::always(Behaviour::Answer);
    let (vus, url) = (10, target.base_url("/"));
    let attack = Attack::new(&guest("caller"));
    let file = attack.folder().file("results");
    let results = file.display().to_string();
    let mut going = attack.args(&["-e", &url, "-u", "10", "-d", "100s", "--results", &results]).start();
    let before = going.wait_for_request(&target, "/", 200).requests;
    // One snapshot may have been under way; the second one was taken later.
    for _ in 0..2 {
        let size = || file.metadata().map_or(0, |data| data.len());
        let old = size();
        going.wait_until("the results file grows", || size() > old);
    }
    going.child.kill().unwrap();
    going.child.wait().unwrap();
    let seen = target.settled().requests;

    let export = going.folder().file("report.json");
    let mut command = runtime();
    command.arg("report").arg(&file).arg("--summary-export").arg(&export);
    let report = finish(command, &export).exits(0);
    let requests = report.metric("http_reqs", "count");
    // A request that was seen before may still have been waiting for its answer.
    assert!(requests >= (before - vus) as f64 && requests <= seen as f64, "{before} <= {requests} <= {seen}");
    assert_eq!(report.metric("http_req_failed", "passes") + report.metric("http_req_failed", "fails"), requests);
    // The last snapshot may stand between a request and its check, once for each virtual user.
    let checks = report.metric("checks", "passes") + report.metric("checks", "fails");
    assert!(checks >= requests - vus as f64 && checks <= requests, "{checks} checks of {requests} requests");
    assert!(report.stdout.contains("cut off"), "{}", report.stdout);
}
