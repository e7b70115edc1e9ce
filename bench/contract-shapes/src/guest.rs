//! Builds the measured module. At start and not in a build script: cargo's lock is free by then.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wasmtime::{Result, bail, error::Context as _};

/// Builds the guest crate with the cargo that runs this program, and gives the component's path.
pub(crate) fn build() -> Result<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--package", "contract-shapes-guest", "--target", "wasm32-wasip2"])
        .arg("--manifest-path")
        .arg(workspace.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .stdin(Stdio::null())
        .status()
        .context("could not start cargo to build the guest")?;
    if !status.success() {
        bail!("cargo could not build the guest: {status}; `rustup target add wasm32-wasip2` may help");
    }
    Ok(target.join("wasm32-wasip2/release/contract_shapes_guest.wasm"))
}
