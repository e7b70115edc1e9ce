//! What the guides in `docs/` say is true: every block of code in them is compiled or run by a test.
//!
//! | block | test |
//! |---|---|
//! | `rust` | compiled as a documentation test of the SDK (`sdk/src/guides.rs`) |
//! | `console` | its commands are run, and must print what is shown; `echo $?` exactly |
//! | `json` | options, read and planned by the runtime |
//! | `javascript` | a k6 script whose options are those of its port |
//! | `text` | lines of the summary's own snapshot test |
//!
//! A block that none of these touches fails the first test.

mod markdown;
mod session;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Folder, finish, guest, runtime, scenario};
use markdown::{Block, blocks};
use session::Session;

/// Pages with tests of their own, and where.
const TESTED_ELSEWHERE: [(&str, &str); 1] = [("target-server.md", "target-server/tests/it/docs.rs")];
/// The page whose `rust` blocks are the crate that its commands run.
const WALKTHROUGH: &str = "first-scenario.md";
/// Pages whose commands are run on the shipped scenarios.
const SESSIONS: [&str; 9] = [
    "scenarios.md",
    "data.md",
    "summary.md",
    "granting.md",
    "from-k6.md",
    "results-file.md",
    "run-control.md",
    "websocket.md",
    "modules.md",
];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the runtime lies in the repository")
}

fn shipped_scenarios() -> Vec<String> {
    let folders = std::fs::read_dir(repository().join("scenarios")).expect("scenarios/");
    let crates = folders.flatten().filter(|folder| folder.path().join("Cargo.toml").is_file());
    crates.map(|folder| folder.file_name().to_string_lossy().into_owned()).collect()
}

fn page(name: &str) -> String {
    let path = repository().join("docs").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Names and texts of all pages.
fn pages() -> Vec<(String, String)> {
    let files = std::fs::read_dir(repository().join("docs")).expect("docs/").flatten().map(|file| file.file_name());
    let names = files.map(|name| name.to_string_lossy().into_owned()).filter(|name| name.ends_with(".md"));
    names.map(|name| (name.clone(), page(&name))).collect()
}

/// The blocks of a page in this language.
fn blocks_in(page: &str, language: &str) -> Vec<Block> {
    blocks(page).into_iter().filter(|block| block.language() == language).collect()
}

#[test]
fn every_block_has_a_test() {
    let doctested = std::fs::read_to_string(repository().join("sdk/src/guides.rs")).expect("the list of guides");
    for (name, text) in pages() {
        if let Some((_, test)) = TESTED_ELSEWHERE.iter().find(|(page, _)| *page == name) {
            let test = std::fs::read_to_string(repository().join(test)).expect("its test");
            assert!(test.contains(&name), "{test} does not read {name}");
            continue;
        }
        for block in blocks(&text) {
            let place = format!("docs/{name}:{}", block.line);
            match block.language() {
                "rust" => {
                    assert!(
                        doctested.contains(&format!("{name:?}")),
                        "{place}: sdk/src/guides.rs does not have {name}"
                    );
                    let flags = block.info.split(',').skip(1);
                    let compiled = ["no_run", "compile_fail", "standalone_crate"];
                    let odd = flags.filter(|flag| !compiled.contains(flag)).collect::<Vec<_>>();
                    assert!(odd.is_empty(), "{place}: {odd:?} is not among {compiled:?}");
                }
                "console" => {
                    assert!(name == WALKTHROUGH || SESSIONS.contains(&&*name), "{place}: add {name} to SESSIONS");
                }
                "json" => {}
                "javascript" => assert_eq!(name, "from-k6.md", "{place}: only this page's script is tested"),
                "text" => assert_eq!(name, "summary.md", "{place}: only this page's excerpts are tested"),
                other => panic!("{place}: no test knows what to do with a block of `{other}`"),
            }
        }
    }
}

/// Every link from page to page, and to a heading of a page, leads somewhere.
#[test]
fn links_lead_somewhere() {
    for (name, text) in pages() {
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("http") {
                continue;
            }
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = if path.is_empty() { name.as_str() } else { path };
            let file = repository().join("docs").join(path);
            assert!(file.exists(), "docs/{name}: there is no {path}");
            if !heading.is_empty() {
                let found = page(path).lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == heading);
                assert!(found, "docs/{name}: {path} has no heading for #{heading}");
            }
        }
    }
}

/// What GitHub makes of a heading.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn the_first_scenario_works_to_the_letter() {
    let text = page(WALKTHROUGH);
    let mut session = Session::new();
    let mut scenarios = 0;
    for block in blocks(&text) {
        match block.language() {
            "rust" => {
                assert!(text.contains("Replace the whole of `shop/src/lib.rs`"), "what the blocks are for");
                std::fs::write(session.folder.file("shop/src/lib.rs"), &block.text).expect("the crate is there by now");
                scenarios += 1;
            }
            "console" => session.play(WALKTHROUGH, &block),
            other => panic!("docs/{WALKTHROUGH}:{}: what is to be done with a block of `{other}`?", block.line),
        }
    }
    assert_eq!(scenarios, 2);
}

#[test]
fn commands_print_what_the_guides_show() {
    let mut played = 0;
    for name in SESSIONS {
        let mut session = Session::with_server();
        for block in blocks_in(&page(name), "console") {
            session.play(name, &block);
            played += 1;
        }
    }
    assert!(played >= 8, "only {played} blocks");
}

#[test]
fn json_blocks_are_options() {
    let folder = Folder::new();
    let file = folder.file("options.json");
    let mut read = 0;
    for (name, text) in pages().into_iter().filter(|(name, _)| TESTED_ELSEWHERE.iter().all(|(page, _)| page != name)) {
        for block in blocks_in(&text, "json") {
            std::fs::write(&file, &block.text).expect("a file");
            // A module that brings no load of its own, so that the page's is planned.
            let mut inspect = runtime();
            inspect.arg("inspect").arg(guest("acknowledged")).arg("--config").arg(&file);
            let inspected = finish(inspect, &folder.file("none"));
            assert_eq!(inspected.code, 0, "docs/{name}:{}: {}", block.line, inspected.stderr);
            read += 1;
        }
    }
    assert!(read >= 3, "only {read} blocks");
}

/// `from-k6.md` has a script, its port, and both say the same.
#[test]
fn the_k6_script_and_its_port_are_one_test() {
    let text = page("from-k6.md");
    let scripts = blocks_in(&text, "javascript");
    let [script] = &scripts[..] else { panic!("{} scripts", scripts.len()) };
    let options = script.text.split_once("options = ").and_then(|(_, rest)| rest.split_once("};")).expect("options").0;
    let options: Value = serde_json::from_str(&json_of(&format!("{options}}}"))).expect("an object");
    let folder = Folder::new();
    let mut inspect = runtime();
    inspect.arg("inspect").arg(scenario("coupon")).arg("--execution-requirements");
    let inspected = finish(inspect, &folder.file("none")).exits(0);
    let ported: Value = serde_json::from_str(&inspected.stdout).expect("JSON");
    for (name, script) in options["scenarios"].as_object().expect("scenarios") {
        for (field, value) in script.as_object().expect("a scenario") {
            let found = &ported["scenarios"][name][field];
            let is_start = field == "startTime" && value == "0s" && found.is_null();
            assert!(is_start || same(value, found), "{name}.{field}: {value} in the script, {found} in the port");
        }
    }
    assert_eq!(options["thresholds"], ported["thresholds"]);

    let port = std::fs::read_to_string(repository().join("scenarios/coupon/src/lib.rs")).expect("the port");
    let shown = &blocks_in(&text, "rust")[0].text;
    let code = port.split("#[cfg(test)]").next().unwrap_or_default();
    let code: Vec<&str> = code.lines().filter(|line| !line.starts_with("//!")).collect();
    assert_eq!(shown.trim(), code.join("\n").trim(), "the page's port is not scenarios/coupon/src/lib.rs");
}

/// Lengths of time may be written in two ways: `1m` and `1m0s`.
fn same(script: &Value, port: &Value) -> bool {
    let text = |value: &Value| value.as_str().map(|text| text.trim_end_matches("0s").to_owned());
    script == port || text(script).is_some() && text(script) == text(port)
}

/// A JavaScript object of plain values as JSON: keys quoted, quotes doubled, commas at the end left out.
fn json_of(object: &str) -> String {
    let mut json = String::new();
    let mut in_text = false;
    for (at, c) in object.char_indices() {
        let after = object[at + 1..].trim_start();
        match c {
            '\'' => {
                in_text = !in_text;
                json.push('"');
            }
            ',' if !in_text && after.starts_with(['}', ']']) => {}
            ':' if !in_text => {
                let key = json.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |at| at + 1);
                json.insert(key, '"');
                json.push_str("\":");
            }
            _ => json.push(c),
        }
    }
    json
}

/// The excerpts in `summary.md` are what the summary prints: lines of its snapshot tests, in their order.
#[test]
fn the_summary_looks_as_its_guide_shows() {
    let text = page("summary.md");
    let folder = repository().join("runtime/src/output/text/snapshots");
    let snapshot = |name: &str| {
        let path: PathBuf = folder.join(format!("flashcrowd_runtime__output__text__tests__{name}.snap"));
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let snapshots =
        ["a_stormy_run", "too_many_series", "the_verdict_says_why", "a_threshold_with_a_window_has_the_worst_one"];
    let printed = snapshots.map(snapshot).concat();
    let printed: Vec<String> = printed.lines().map(|line| line.trim().to_owned()).collect();
    for block in blocks_in(&text, "text") {
        let mut lines = printed.iter();
        for shown in block.text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            assert!(
                lines.any(|line| line == shown),
                "docs/summary.md:{}: the summary has no line\n{shown}",
                block.line
            );
        }
    }
    // And everything that it can print is explained.
    let mut explained = 0;
    for line in printed.iter().filter(|line| line.starts_with('█')) {
        let title = line.trim_start_matches("█ ").split("  ").next().unwrap_or_default();
        assert!(text.contains(title), "docs/summary.md does not explain the section {title}");
        explained += 1;
    }
    let built_in = ["checks_", "http_", "iteration", "dropped_", "group_", "vus", "data_", "ws_", "grpc_"];
    for metric in printed.iter().filter_map(|line| line.split_once("..:").map(|(name, _)| name.trim_end_matches('.'))) {
        if built_in.iter().any(|prefix| metric.starts_with(prefix)) {
            assert!(
                text.contains(&format!("`{metric}`")) || text.contains(&format!("{metric}.")),
                "docs/summary.md lacks {metric}"
            );
            explained += 1;
        }
    }
    assert!(explained > 20, "only {explained} sections and metrics were found in the snapshots");
}

/// Every exit code and every error code that the program has is in the tables of `summary.md`.
#[test]
fn the_summarys_guide_has_every_code() {
    let text = page("summary.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let listed: Vec<&str> = rows.flat_map(|cell| cell.split(", ")).collect();
    let source = |file: &str| std::fs::read_to_string(repository().join("runtime/src").join(file)).expect(file);
    let (exits, errors) = (source("exit.rs"), source("http/failure.rs"));
    let exits = exits.lines().filter_map(|line| line.split_once(" = ")?.1.strip_suffix(','));
    let errors = errors.lines().filter_map(|line| line.split_once("Self = Self(")?.1.strip_suffix(");"));
    let codes: Vec<&str> = exits.chain(errors).collect();
    assert!(codes.len() > 25, "{codes:?}");
    let missing: Vec<_> = codes.into_iter().filter(|code| !listed.contains(code)).collect();
    assert!(missing.is_empty(), "docs/summary.md does not list {missing:?}");
}
