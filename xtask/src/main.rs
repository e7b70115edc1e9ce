//! The project's own tasks. `cargo xtask` lists them.

mod bench;
mod demo;
mod fuzz;
mod guests;
mod instructions;
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
    Test {
        /// Only the faults: broken targets, hostile modules, signals, full disks, with real processes. Builds what they need.
        #[arg(long)]
        faults: bool,
    },
    /// Measure the runtime against bare hyper and other load generators, and write bench/report.md; takes about 20 minutes.
    Bench(bench::BenchArgs),
    /// Feed random inputs to what reads other people's bytes: runtime/fuzz/README.md. The first time, wasmtime is compiled for it.
    Fuzz(fuzz::FuzzArgs),
    /// Compile the shipped scenarios and the test modules to WebAssembly.
    Guests,
    /// Count the instructions of the hot paths with valgrind, and compare them with the committed figures.
    Instructions {
        /// Write the counts down as the new figures.
        #[arg(long)]
        accept: bool,
    },
}

fn main() -> ExitCode {
    let result = match Args::parse().task {
        Task::Demo => demo::demo(),
        Task::Test { faults: false } => test::run_all(),
        Task::Test { faults: true } => test::run_faults(),
        Task::Bench(args) => bench::bench(&args),
        Task::Fuzz(args) => fuzz::fuzz(&args),
        Task::Guests => guests::build(),
        Task::Instructions { accept } => instructions::run_all(accept),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            shell::say(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}
