//! Every test of the project, in the order of how soon they tell something.

use std::time::Instant;

use crate::{fuzz, guests, instructions};
use xtask::shell::{Failure, cargo, has, root, run, say};

type Step = (&'static str, fn() -> Result<(), Failure>);

const STEPS: &[Step] = &[
    ("formatting", formatting),
    ("modules", guests::build),
    ("lints", lints),
    ("tests", || run(&mut cargo(&["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"]))),
    ("documentation tests", || run(&mut cargo(&["test", "--workspace", "--doc", "--no-fail-fast"]))),
    ("instruction counts", || instructions::run_all(false)),
    ("random inputs", fuzz::short),
    ("documentation", documentation),
    ("dependency rules", dependency_rules),
];

/// Runs all steps, also after one failed, and says at the end which did.
pub(crate) fn run_all() -> Result<(), Failure> {
    let mut lines = Vec::new();
    let mut failed = Vec::new();
    for (name, step) in STEPS {
        say(&format_args!("\n== {name}"));
        let begun = Instant::now();
        let result = step();
        let seconds = begun.elapsed().as_secs();
        match result {
            Ok(()) => lines.push(format!("   ok     {name} ({seconds} s)")),
            Err(error) => {
                lines.push(format!("   FAILED {name} ({seconds} s): {error}"));
                failed.push(*name);
            }
        }
    }
    say(&format_args!("\n== all steps\n{}", lines.join("\n")));
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}

/// Also of the bench and the fuzz targets, which are workspaces of their own.
fn formatting() -> Result<(), Failure> {
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    run(&mut cargo(&["fmt", "--all", "--check", "--manifest-path", "bench/Cargo.toml"]))?;
    run(&mut cargo(&["fmt", "--check", "--manifest-path", "runtime/fuzz/Cargo.toml"]))
}

/// Runs one suite of the runtime alone, on whatever of its programs is not built yet. Of the whole workspace, so that nothing is compiled
/// that a run of all tests has compiled already; `it` is named, as cargo builds the target server for that one.
pub(crate) fn run_suite(name: &str) -> Result<(), Failure> {
    guests::build()?;
    run(&mut cargo(&["test", "--workspace", "--test", name, "--test", "it", "--no-run"]))?;
    run(&mut cargo(&["test", "--workspace", "--test", name, "--no-fail-fast"]))
}

fn lints() -> Result<(), Failure> {
    run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    let mut modules = cargo(&["clippy", "--release", "--target", guests::TARGET]);
    for name in guests::scenario_names()? {
        modules.args(["--package", &name]);
    }
    run(modules.args(["--", "-D", "warnings"]))
}

fn documentation() -> Result<(), Failure> {
    run(cargo(&["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Licences, duplicate bans and sources are checked; advisories are not, as their database is not part of the repository.
fn dependency_rules() -> Result<(), Failure> {
    if !has("cargo", &["deny", "--version"]) {
        return Err(format!(
            "NOT TESTED: licences and sources of dependencies, as cargo-deny is not installed; run `cargo install --locked \
             cargo-deny` in {}",
            root().display()
        )
        .into());
    }
    run(&mut cargo(&["deny", "--all-features", "check", "bans", "licenses", "sources"]))
}
