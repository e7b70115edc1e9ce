//! The `runtime` binary: parse, run, exit code.

use std::process::ExitCode;

use flashcrowd_runtime::cli;

/// Many small allocations on few threads: measurably cheaper than the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::parse() {
        Ok(cli) => cli.execute().into(),
        Err(exit) => exit.into(),
    }
}
