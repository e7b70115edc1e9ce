//! The HTTP client on the wire, through a compiled scenario: against nginx and httpbin, which nobody here wrote, and against a server that
//! misbehaves on purpose. `docs/conformance.md` lists the cases.
//!
//! The servers are started by the tests (`xtask::services`), and end with this process. Where one cannot be had, its tests fail and say
//! `NOT TESTED`.

#[path = "../it/support.rs"]
#[expect(dead_code, reason = "the other suites use the rest")]
mod support;

mod agreement;
mod batches;
mod cookies;
mod credentials;
mod encodings;
mod faults_http1;
mod faults_http2;
mod faults_tls;
mod faulty;
mod grpc;
mod httpbin;
mod nginx;
mod nginx_options;
mod nginx_tls;
mod probe;
mod proxies;
mod redirects;
mod security;
mod servers;
mod streams;
mod uploads;
mod websockets;

/// The page has every test, and no other.
#[test]
fn the_page_lists_every_test() {
    let repository = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
    let page = std::fs::read_to_string(repository.join("docs/conformance.md")).expect("the page");
    let cells = page.lines().filter_map(|line| line.strip_suffix("` |")?.rsplit_once("| `"));
    let mut listed: Vec<String> = cells.map(|(_, test)| test.to_owned()).collect();
    let mut there = Vec::new();
    for file in std::fs::read_dir(repository.join("runtime/tests/wire")).expect("this folder").flatten() {
        let name = file.file_name().to_string_lossy().trim_end_matches(".rs").to_owned();
        let Ok(text) = std::fs::read_to_string(file.path()) else { continue };
        let tests = text.split("\n#[test]\nfn ").skip(1).filter_map(|rest| rest.split_once('('));
        there.extend(tests.filter(|_| name != "main").map(|(test, _)| format!("{name}::{test}")));
    }
    listed.sort();
    there.sort();
    assert_eq!(listed, there);
}
