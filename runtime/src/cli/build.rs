//! `runtime build`: a scenario's crate becomes a module.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// The target of every module.
const TARGET: &str = "wasm32-wasip2";

/// Arguments of `runtime build`.
#[derive(Debug, clap::Args)]
pub(super) struct BuildArgs {
    /// The scenario's crate folder
    #[arg(default_value = ".")]
    pub(super) path: PathBuf,
}

/// Why there is no module.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Not a crate.
    #[error(
        "{path}: has no Cargo.toml; give a scenario's crate folder (`runtime new NAME` makes one) or a compiled .wasm file"
    )]
    NoCrate {
        /// As given.
        path: String,
    },
    /// Cargo is not there.
    #[error("cargo cannot be started ({reason}); install Rust from https://rustup.rs")]
    NoCargo {
        /// The system's word.
        reason: String,
    },
    /// The standard library for the target is missing.
    #[error("the Rust target {TARGET} is not installed; run `rustup target add {TARGET}`")]
    NoTarget,
    /// The compiler complained; what it said was printed.
    #[error("{path}: does not compile; the compiler's messages stand above")]
    Failed {
        /// As given.
        path: String,
    },
    /// The crate is a plain library or a program.
    #[error("{path}: compiles, but to no module; its Cargo.toml needs `[lib]` with `crate-type = [\"cdylib\"]`")]
    NoModule {
        /// As given.
        path: String,
    },
}

/// Compiles the crate in this folder; gives the module's path. Cargo's own messages go to standard error.
///
/// # Errors
/// When it does not compile to a module.
pub(super) fn build(path: &Path) -> Result<PathBuf, BuildError> {
    let shown = || path.display().to_string();
    let manifest = path.join("Cargo.toml");
    if !manifest.is_file() {
        return Err(BuildError::NoCrate { path: shown() });
    }
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "build",
            "--release",
            "--target",
            TARGET,
            "--message-format",
            "json-render-diagnostics",
            "--manifest-path",
        ])
        .arg(&manifest)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| BuildError::NoCargo { reason: error.to_string() })?;
    if !output.status.success() {
        return Err(if target_is_missing() { BuildError::NoTarget } else { BuildError::Failed { path: shown() } });
    }
    let manifest = manifest.canonicalize().unwrap_or(manifest);
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| artifact(line, &manifest))
        .next_back()
        .ok_or_else(|| BuildError::NoModule { path: shown() })
}

/// The module that a line of cargo's JSON speaks of, if it is this crate's.
fn artifact(line: &str, manifest: &Path) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    if message["reason"] != "compiler-artifact" || Path::new(message["manifest_path"].as_str()?) != manifest {
        return None;
    }
    let files = message["filenames"].as_array()?;
    files.iter().filter_map(Value::as_str).find(|file| file.ends_with(".wasm")).map(PathBuf::from)
}

/// Asked only after a failure, so that the answer names the remedy.
fn target_is_missing() -> bool {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output();
    sysroot.is_ok_and(|output| {
        let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success() && !Path::new(&sysroot).join("lib/rustlib").join(TARGET).is_dir()
    })
}
