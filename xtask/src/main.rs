//! The project's own tasks. `cargo xtask` lists them.

mod bench;
mod demo;
mod fuzz;
mod guests;
mod instructions;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::{services, shell};

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
        /// Only the HTTP client on the wire: against nginx, httpbin and a server that misbehaves. Builds and installs what they need.
        #[arg(long, conflicts_with = "faults")]
        wire: bool,
    },
    /// Measure the runtime against bare hyper and other load generators, and write bench/report.md; takes about 20 minutes.
    Bench(bench::BenchArgs),
    /// Feed random inputs to what reads other people's bytes: runtime/fuzz/README.md. The first time, wasmtime is compiled for it.
    Fuzz(fuzz::FuzzArgs),
    /// Compile the shipped scenarios and the test modules to WebAssembly.
    Guests,
    /// Start real servers for trying out, on free ports of 127.0.0.1, and stop them again: nginx, httpbin, tinyproxy, websockets. Installs what is missing.
    #[command(subcommand)]
    Services(services::Order),
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
        Task::Test { faults: true, .. } => test::run_suite("faults"),
        Task::Test { wire: true, .. } => test::run_suite("wire"),
        Task::Test { .. } => test::run_all(),
        Task::Bench(args) => bench::bench(&args),
        Task::Fuzz(args) => fuzz::fuzz(&args),
        Task::Guests => guests::build(),
        Task::Services(order) => services::obey(&order),
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
