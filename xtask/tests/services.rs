//! Services are started, found again and stopped, by order and by tests.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use xtask::services::{self, service};

/// `cargo xtask services`, with a folder of its own for what it keeps.
fn order(target: &Path, words: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let output = command.arg("services").args(words).env("CARGO_TARGET_DIR", target).output().expect("xtask starts");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{words:?}: NOT TESTED: {stdout}{stderr}");
    stdout.into_owned()
}

/// The address of a URL that was printed under this name.
fn address(printed: &str, fact: &str) -> String {
    let line = printed.lines().find(|line| line.split_whitespace().next() == Some(fact));
    let url = line.and_then(|line| line.split_whitespace().nth(1)).unwrap_or_else(|| panic!("no {fact} in {printed}"));
    url.trim_start_matches("http://").to_owned()
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

#[test]
fn a_service_stays_until_it_is_stopped() {
    let target = folder("stays");
    let first = order(&target, &["up", "nginx"]);
    let address = address(&first, "http");
    assert_eq!(order(&target, &["up", "nginx"]), first, "it is not started twice");
    assert!(order(&target, &["status"]).starts_with(&first), "status says where it is");
    TcpStream::connect(&address).expect("it listens");
    assert!(order(&target, &["down"]).starts_with("nginx: stopped\nhttpbin: not running\n"), "all of them are meant");
    TcpStream::connect(&address).expect_err("it is gone");
    assert!(order(&target, &["status"]).starts_with("nginx: not running\nhttpbin: not running\n"));
    assert!(!target.join("services/nginx").exists(), "and so are its files");
}

#[test]
fn another_process_with_the_number_of_one_of_ours_is_left_alone() {
    let target = folder("alone");
    let mut other = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().expect("`sleep` starts");
    std::fs::create_dir_all(target.join("services")).expect("a folder");
    let state = serde_json::json!({ "nginx": { "pid": other.id(), "began": 1, "folder": target.join("services/nginx"), "facts": {} } });
    std::fs::write(target.join("services/state.json"), state.to_string()).expect("a state");
    assert!(order(&target, &["status"]).starts_with("nginx: not running\n"));
    order(&target, &["down"]);
    assert!(other.try_wait().expect("our child").is_none(), "it still runs");
    let state = std::fs::read_to_string(target.join("services/state.json")).expect("a state");
    assert_eq!(serde_json::from_str::<Value>(&state).expect("JSON"), serde_json::json!({}));
    other.kill().and_then(|()| other.wait()).expect("our child");
}

#[test]
fn an_unknown_service_is_told_with_those_that_there_are() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_xtask")).args(["services", "up", "nginy"]).output().expect("xtask starts");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("\"nginy\"") && said.contains("nginx, httpbin"), "{said}");
}

#[test]
fn a_service_ends_with_its_value() {
    let start =
        || services::start(service("nginx").expect("a service")).unwrap_or_else(|error| panic!("NOT TESTED: {error}"));
    let (one, other) = (start(), start());
    let address = one.fact("http").trim_start_matches("http://").to_owned();
    assert_ne!(one.fact("http"), other.fact("http"), "each is a service of its own");
    TcpStream::connect(&address).expect("it listens");
    let folder = one.folder().to_owned();
    drop(one);
    TcpStream::connect(&address).expect_err("it is gone");
    assert!(!folder.exists(), "and so are its files");
}
