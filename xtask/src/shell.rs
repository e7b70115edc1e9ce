//! Running other programs.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why a task failed.
pub type Failure = Box<dyn std::error::Error>;

/// The repository's root.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// Cargo's folder for what it builds.
#[must_use]
pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Prints a line for the person who watches.
#[expect(clippy::print_stderr, reason = "a task runner's progress")]
pub fn say(line: &dyn Display) {
    eprintln!("{line}");
}

/// A command that will run in the repository's root.
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// Cargo, as pinned by `rust-toolchain.toml`.
pub fn cargo(args: &[&str]) -> Command {
    let mut cargo = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(args);
    cargo
}

/// Runs a command to its end.
///
/// # Errors
/// If it cannot be started, or fails.
pub fn run(command: &mut Command) -> Result<(), Failure> {
    say(&format_args!("$ {}", shown(command)));
    let status = command.status().map_err(|error| format!("{} cannot be started: {error}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{} failed: {status}", shown(command)).into()) }
}

/// Whether a program is there and answers.
pub fn has(program: &str, args: &[&str]) -> bool {
    command(program).args(args).output().is_ok_and(|output| output.status.success())
}

/// Runs a command to its end without a word of its own, unless it fails.
///
/// # Errors
/// If it cannot be started, or fails: with what it printed.
pub fn run_quietly(command: &mut Command) -> Result<(), Failure> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{} cannot be started: {error}", shown(command)))?;
    if output.status.success() {
        return Ok(());
    }
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(format!("{} failed: {}\n{stdout}{stderr}", shown(command), output.status).into())
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut words = vec![program.file_name().unwrap_or_default().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|arg| arg.to_string_lossy().into_owned()));
    words.join(" ")
}
