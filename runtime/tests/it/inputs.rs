//! Wrong input of any kind: one clear error, exit code 104, before any load.

use std::path::Path;

use crate::support::{Folder, guest, run, scenario};

/// The error must name what is wrong and what to do.
#[track_caller]
fn refused(module: &Path, args: &[&str], said: &[&str]) {
    let run = run(module, args).exits(104);
    for text in said {
        assert!(run.stderr.contains(text), "`{text}` is missing in:\n{}", run.stderr);
    }
    assert_eq!(run.stderr.matches("error:").count(), 1, "one error: {}", run.stderr);
    assert!(run.stdout.is_empty(), "nothing ran: {}", run.stdout);
}

#[test]
fn files_that_are_no_scenario() {
    let folder = Folder::new();
    refused(&folder.file("missing.wasm"), &[], &["missing.wasm", "cannot be read"]);
    let text = folder.file("script.js");
    std::fs::write(&text, "export default function () {}").unwrap();
    refused(&text, &[], &["script.js", "is not WebAssembly", "runtime build"]);
    let core = folder.file("core.wasm");
    std::fs::write(&core, b"\0asm\x01\0\0\0").unwrap();
    refused(&core, &[], &["core.wasm", "core WebAssembly module", "wasm32-wasip2"]);
    let broken = folder.file("broken.wasm");
    let mut bytes = std::fs::read(guest("sleepy")).unwrap();
    bytes.truncate(bytes.len() / 2);
    std::fs::write(&broken, bytes).unwrap();
    refused(&broken, &[], &["broken.wasm", "not a valid component"]);
    let empty = folder.file("empty.wasm");
    std::fs::write(&empty, b"\0asm\x0d\0\x01\0").unwrap();
    refused(&empty, &[], &["empty.wasm", "not a scenario", "flashcrowd"]);
}

#[test]
fn a_folder_that_is_no_crate() {
    let folder = Folder::new();
    refused(folder.path(), &[], &["Cargo.toml", "runtime new"]);
}

#[test]
fn a_contract_version_too_new() {
    let folder = Folder::new();
    let newer = folder.file("newer.wasm");
    // The same module, its contract's version rewritten in place: same length, so the binary stays valid.
    let mut bytes = std::fs::read(guest("sleepy")).unwrap();
    let (old, new) = (b"flashcrowd:scenario/", b"@0.1.0");
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(old.len()).position(|window| window == old) {
        let start = at + found;
        if let Some(version) = bytes[start..(start + 60).min(bytes.len())].windows(new.len()).position(|w| w == new) {
            bytes[start + version..start + version + new.len()].copy_from_slice(b"@0.9.0");
        }
        at = start + old.len();
    }
    std::fs::write(&newer, bytes).unwrap();
    refused(&newer, &[], &["newer.wasm", "0.9.0", "0.1.x", "update the runtime"]);
}

#[test]
fn options_that_cannot_be() {
    let folder = Folder::new();
    let module = guest("sleepy");
    let env = ["-e", "BASE_URL=http://127.0.0.1:1"];
    let with = |args: &[&'static str]| [&env[..], args].concat();
    refused(&module, &with(&["-u", "ten"]), &["ten"]);
    refused(&module, &with(&["-u", "0", "-d", "1s"]), &["vus", "0"]);
    refused(&module, &with(&["-d", "soon"]), &["soon", "duration"]);
    refused(&module, &with(&["-d", "1s", "-s", "1s:3"]), &["--duration", "--stage", "keep one"]);
    refused(&module, &with(&["--unknown-flag"]), &["--unknown-flag"]);
    refused(&module, &with(&["--vsu", "3"]), &["--vsu", "--vus"]);
    refused(&module, &with(&["--out", "json=x"]), &["--out", "k6 has this flag"]);
    refused(&module, &with(&["-d", "10"]), &["10", "milliseconds", "10s"]);
    refused(&module, &with(&["-e", "1=2=3"]), &["--env", "1=2=3", "NAME=VALUE"]);
    refused(&module, &with(&["--allow-host", "http://a/b"]), &["--allow-host", "http://a/b"]);
    let config = folder.file("options.json");
    for (json, said) in [
        ("{", ["options.json", "JSON"]),
        (r#"{"vuss": 3}"#, ["vuss", "vus"]),
        (r#"{"thresholds": {"http_req_duration": ["p95<3"]}}"#, ["http_req_duration", "p95<3"]),
        (r#"{"thresholds": {"http_req_duration": ["rate<3"]}}"#, ["http_req_duration", "rate"]),
        (r#"{"thresholds": {"http_reqs{scenario:defautl}": ["count>0"]}}"#, ["defautl", "did you mean `default`"]),
        (r#"{"scenarios": {"a b": {"executor": "constant-vus", "duration": "1s"}}}"#, ["a b", "scenarios"]),
        (r#"{"scenarios": {"a": {"executor": "constant-vu", "duration": "1s"}}}"#, ["constant-vu", "constant-vus"]),
        (r#"{"scenarios": {"a": {"executor": "constant-vus", "vus": 3}}}"#, ["scenarios.a", "duration"]),
        (
            r#"{"scenarios": {"a": {"executor": "constant-vus", "duration": "1s", "exec": "defautl"}}}"#,
            ["defautl", "default"],
        ),
        (
            r#"{"scenarios": {"a": {"executor": "constant-arrival-rate", "duration": "1s", "rate": 0, "preAllocatedVUs": 1}}}"#,
            ["scenarios.a.rate", "0"],
        ),
    ] {
        std::fs::write(&config, json).unwrap();
        let run = run(&module, &[&env[..], &["-c", config.to_str().unwrap()]].concat()).exits(104);
        for text in said {
            assert!(run.stderr.contains(text), "{json}: `{text}` is missing in:\n{}", run.stderr);
        }
    }
}

#[test]
fn a_plan_that_the_machine_cannot_hold() {
    // Far beyond any machine's limit of mappings, and refused before a single VU is made.
    refused(&guest("aborts"), &["-u", "900000", "-i", "900000"], &["900001 VUs", "vm.max_map_count"]);
}

#[test]
fn a_variable_that_the_module_needs() {
    refused(&scenario("coupon"), &[], &["BASE_URL", "-e BASE_URL="]);
}

#[test]
fn metric_names_that_are_taken_end_the_iteration_with_a_reason() {
    let run = run(&guest("groups-metrics"), &["-e", "TAKE=custom"]).exits(0);
    assert!(run.stderr.contains("orders"), "{}", run.stderr);
}
