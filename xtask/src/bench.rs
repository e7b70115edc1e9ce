//! The bench: builds what it measures, and starts its driver. `bench/README.md` tells what it measures, and how.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::guests::{self, TARGET};
use xtask::shell::{Failure, cargo, command, root, run, say, target_dir};

const MANIFEST: &str = "bench/Cargo.toml";

/// What to measure, and how often.
#[derive(Args)]
pub(crate) struct BenchArgs {
    /// First installs the load generators that can be had: oha and Goose are compiled, Locust goes into a Python environment, wrk
    /// needs root and apt-get; all but wrk stay in `target/`
    #[arg(long)]
    install_peers: bool,
    /// How often each figure is measured [default: 5]
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
    /// How many seconds a generator is measured in a round [default: 5]
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Only this part: throughput, vus, open-model, latency, samples, sdk-calls, first-request or rate; repeatable
    #[arg(long, value_name = "PART")]
    only: Vec<String>,
    /// One short round of everything, in about two minutes: whether the bench works, not how fast the runtime is
    #[arg(long)]
    quick: bool,
    /// The folder that the report is written to [default: bench for all of it, target/bench-report for a part]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Builds everything, the runtime as it is handed out, and measures it.
pub(crate) fn bench(args: &BenchArgs) -> Result<(), Failure> {
    let built = target_dir().join("bench");
    let tools = target_dir().join("bench-tools");
    if args.install_peers {
        install_peers(&built, &tools)?;
    }
    guests::add_target()?;
    run(&mut cargo(&["build", "--profile", "dist", "-p", "flashcrowd-runtime"]))?;
    run(&mut in_bench(&["build", "--release", "--locked"], &built))?;
    let mut modules = in_bench(&["build", "--release", "--locked", "--target", TARGET], &built);
    for name in guests::crate_names(&root().join("bench/scenarios"))? {
        modules.args(["-p", &format!("bench-{name}")]);
    }
    run(&mut modules)?;
    let release = built.join("release");
    // What is no whole report must not take the place of one.
    let whole = args.only.is_empty() && !args.quick;
    let place = if whole { root().join("bench") } else { target_dir().join("bench-report") };
    let mut driver = command(release.join("bench-driver"));
    driver.arg("--runtime").arg(target_dir().join("dist/runtime"));
    driver.arg("--binaries").arg(&release);
    driver.arg("--modules").arg(built.join(TARGET).join("release"));
    driver.arg("--tools").arg(&tools);
    driver.arg("--source").arg(root().join("bench"));
    driver.arg("--out").arg(args.out.clone().unwrap_or(place));
    if let Some(rounds) = args.rounds {
        driver.arg("--rounds").arg(rounds.to_string());
    }
    if let Some(seconds) = args.seconds {
        driver.arg("--seconds").arg(seconds.to_string());
    }
    for part in &args.only {
        driver.args(["--only", part]);
    }
    if args.quick {
        driver.arg("--quick");
    }
    run(&mut driver)
}

/// Cargo in the bench's own workspace.
fn in_bench(args: &[&str], built: &Path) -> std::process::Command {
    let mut cargo = cargo(args);
    cargo.args(["--manifest-path", MANIFEST]).env("CARGO_TARGET_DIR", built);
    cargo
}

/// Each by itself: one that cannot be had is told, and the others are measured all the same.
fn install_peers(built: &Path, tools: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(tools)?;
    let installs = [
        ("oha", install_oha(built, tools)),
        ("Goose", run(&mut in_bench(&["build", "--release", "--locked", "-p", "bench-goose"], built))),
        ("Locust", install_locust(tools)),
        ("wrk", install_wrk()),
    ];
    for (name, result) in installs {
        if let Err(error) = result {
            say(&format_args!("{name} will not be measured: {error}"));
        }
    }
    if !on_path("k6") {
        say(&"k6 will not be measured: it is not on the PATH, and this task does not fetch it");
    }
    Ok(())
}

fn install_oha(built: &Path, tools: &Path) -> Result<(), Failure> {
    let mut install = cargo(&["install", "--locked", "oha"]);
    run(install.arg("--root").arg(tools).env("CARGO_TARGET_DIR", built.join("oha")))
}

fn install_locust(tools: &Path) -> Result<(), Failure> {
    let folder = tools.join("locust");
    run(command("python3").args(["-m", "venv"]).arg(&folder))?;
    run(command(folder.join("bin/python")).args(["-m", "pip", "install", "--quiet", "locust"]))
}

fn install_wrk() -> Result<(), Failure> {
    if on_path("wrk") {
        return Ok(());
    }
    run(command("apt-get").args(["install", "--yes", "wrk"]))
}

/// Not every program tells its version with an exit code of 0.
fn on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}
