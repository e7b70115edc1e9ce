//! The project's own tasks. `cargo xtask` lists them.

mod demo;
mod guests;
mod shell;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own tasks.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build everything, start the target server, run the coupon scenario for about 20 seconds, and audit what it did.
    Demo,
    /// Run every test: formatting, lints, unit, end-to-end and documentation tests, dependency rules.
    Test,
    /// Compile the shipped scenarios and the test modules to WebAssembly.
    Guests,
}

fn main() -> ExitCode {
    let result = match Args::parse().task {
        Task::Demo => demo::demo(),
        Task::Test => test::run_all(),
        Task::Guests => guests::build(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            shell::say(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}
