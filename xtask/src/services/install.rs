//! Finding programs, and installing those that are missing.

use std::path::PathBuf;

use crate::shell::{Failure, command, run_quietly, say};

/// Where a program is, in `PATH` or where systems keep their servers.
pub(super) fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Where a program is, which a Debian package has; installed if it is missing and this process may do that.
///
/// # Errors
/// If it is missing and cannot be installed.
pub(super) fn needed(program: &str, name: &str) -> Result<PathBuf, Failure> {
    if let Some(file) = found(program) {
        return Ok(file);
    }
    package(name).map_err(|error| format!("`{program}` is missing: {error}"))?;
    found(program).ok_or_else(|| format!("`{program}` is missing, although the package {name} is installed").into())
}

/// Installs a Debian package, if this process may do that.
pub(super) fn package(name: &str) -> Result<(), Failure> {
    if !rustix::process::geteuid().is_root() || found("apt-get").is_none() {
        return Err(format!("install it, on Debian with `apt-get install {name}` as root").into());
    }
    say(&format_args!("installing {name}"));
    let apt = |args: &[&str]| run_quietly(command("apt-get").args(args).env("DEBIAN_FRONTEND", "noninteractive"));
    apt(&["update", "-q"])?;
    apt(&["install", "-qy", "--no-install-recommends", name])
}
