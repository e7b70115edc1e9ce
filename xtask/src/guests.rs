//! Compiling scenarios and test modules to WebAssembly components.

use std::path::Path;

use xtask::shell::{Failure, cargo, has, root, run, target_dir};

/// The target of every module.
pub(crate) const TARGET: &str = "wasm32-wasip2";

/// Builds all shipped scenarios, and the modules that only tests use.
pub(crate) fn build() -> Result<(), Failure> {
    build_scenarios()?;
    build_test_modules()
}

/// Builds the modules that only tests use, into `target/guests`.
pub(crate) fn build_test_modules() -> Result<(), Failure> {
    add_target()?;
    run(cargo(&["build", "--release", "--target", TARGET, "--manifest-path", "runtime/tests/guests/Cargo.toml"])
        .env("CARGO_TARGET_DIR", target_dir().join("guests")))
}

/// Builds all shipped scenarios into `target/wasm32-wasip2/release`.
pub(crate) fn build_scenarios() -> Result<(), Failure> {
    add_target()?;
    let mut cargo = cargo(&["build", "--release", "--target", TARGET]);
    for name in scenario_names()? {
        cargo.args(["--package", &name]);
    }
    run(&mut cargo)
}

/// The crates under `scenarios/`, by their folders' names.
pub(crate) fn scenario_names() -> Result<Vec<String>, Failure> {
    crate_names(&root().join("scenarios"))
}

/// The crates in a folder, by their folders' names.
pub(crate) fn crate_names(folder: &Path) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").exists() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

pub(crate) fn add_target() -> Result<(), Failure> {
    if has("rustup", &["--version"]) {
        run(xtask::shell::command("rustup").args(["target", "add", TARGET]))?;
    }
    Ok(())
}
