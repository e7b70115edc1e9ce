//! The `runtime` binary: parse, run, exit code.

use std::process::ExitCode;

use flashcrowd_runtime::cli;

fn main() -> ExitCode {
    match cli::parse() {
        Ok(cli) => cli.execute().into(),
        Err(exit) => exit.into(),
    }
}
