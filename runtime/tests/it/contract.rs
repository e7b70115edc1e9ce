//! The contract is frozen: what was built against it runs, and `wit/` only grows.

use std::path::Path;

use crate::support::{Server, run};

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_module_built_against_0_1_0_still_runs() {
    let server = Server::start(&[]);
    let module = here().join("tests/guests/frozen-0.1.0/frozen-0.1.0.wasm");
    let run = run(&module, &["-e", &server.base_url("")]).exits(0);
    assert!(run.metric("iterations", "count") >= 1.0);
    assert_eq!(run.metric_or_zero("iteration_errors", "count"), 0.0, "{}", run.stdout);
    assert_eq!(run.metric("checks", "value"), 1.0, "{}", run.stdout);
}

/// A line of the frozen text may gain neighbours; it must not change or go, and records, variants and enums must stay whole.
#[test]
fn the_contract_only_grows() {
    let frozen = here().join("tests/frozen-wit/0.1.0");
    let current = here().join("../wit");
    let mut files = 0;
    for entry in std::fs::read_dir(&frozen).unwrap() {
        let entry = entry.unwrap();
        files += 1;
        let name = entry.file_name();
        let old = declarations(&std::fs::read_to_string(entry.path()).unwrap());
        let path = current.join(&name);
        let new = declarations(&std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("wit/{name:?} is gone")));
        let mut rest = new.iter();
        for line in &old {
            assert!(
                rest.any(|candidate| candidate == line),
                "wit/{}: `{line}` was changed, removed or moved; the contract allows additions only",
                name.to_string_lossy()
            );
        }
        for kind in ["record", "variant", "enum"] {
            assert_eq!(
                closed(&old, kind),
                closed(&new, kind).into_iter().filter(|block| closed(&old, kind).contains(block)).collect::<Vec<_>>()
            );
            for block in closed(&old, kind) {
                assert!(
                    closed(&new, kind).contains(&block),
                    "wit/{}: a {kind} grew: {block:?}",
                    name.to_string_lossy()
                );
            }
        }
    }
    assert_eq!(files, 11, "all of wit/ is frozen");
}

/// The text without comments and empty lines, lines trimmed.
fn declarations(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default().trim().to_owned())
        .filter(|line| !line.is_empty())
        .map(|line| if line.starts_with("package ") { "package".to_owned() } else { line })
        .collect()
}

/// The bodies of all declarations of a kind.
fn closed(lines: &[String], kind: &str) -> Vec<Vec<String>> {
    let mut blocks = Vec::new();
    let mut lines = lines.iter();
    while let Some(line) = lines.next() {
        if line.starts_with(&format!("{kind} ")) {
            let mut block = vec![line.clone()];
            block.extend(lines.by_ref().take_while(|line| *line != "}").cloned());
            blocks.push(block);
        }
    }
    blocks
}

#[test]
fn the_sdk_carries_the_same_contract() {
    let (contract, sdk) = (here().join("../wit"), here().join("../sdk/wit"));
    for entry in std::fs::read_dir(&contract).unwrap() {
        let name = entry.unwrap().file_name();
        let text = |folder: &Path| std::fs::read_to_string(folder.join(&name)).unwrap_or_default();
        assert_eq!(text(&contract), text(&sdk), "sdk/wit/{} differs from wit/", name.to_string_lossy());
    }
}
