//! Fuzzing what reads other people's bytes: `runtime/fuzz/README.md`.

use std::path::{Path, PathBuf};
use std::process::Command;

use xtask::shell::{Failure, cargo, has, root, run, say, target_dir};

const FOLDER: &str = "runtime/fuzz";
/// What a target may take, and how long one input may.
const MEMORY_MIB: u32 = 2048;
const INPUT_SECONDS: u32 = 20;
/// The one way in which all targets are built, so that the dependencies are compiled once. The pinned toolchain is a stable one, which has
/// no sanitizers; the runtime's own code is safe Rust, so that a mistake is a panic. `--release` leaves overflow checks to the
/// profile in `runtime/fuzz/Cargo.toml`, which asks for them where they tell something.
const BUILD: [&str; 7] = ["--fuzz-dir", FOLDER, "--sanitizer", "none", "--release", "--codegen-units", "16"];

#[derive(clap::Args)]
pub(crate) struct FuzzArgs {
    /// The targets; all of them unless given.
    targets: Vec<String>,
    /// How long each target runs.
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// Run one target on this input alone: what a crash left behind.
    #[arg(long, value_name = "FILE", conflicts_with = "seconds")]
    replay: Option<PathBuf>,
}

/// Builds all targets and runs each for so many seconds, or replays an input.
pub(crate) fn fuzz(args: &FuzzArgs) -> Result<(), Failure> {
    let all = targets()?;
    if let Some(unknown) = args.targets.iter().find(|target| !all.contains(target)) {
        return Err(format!("{unknown}: is no fuzz target; there are {}", all.join(", ")).into());
    }
    let chosen = if args.targets.is_empty() { &all } else { &args.targets };
    check_tools()?;
    if let Some(input) = &args.replay {
        let [target] = chosen.as_slice() else { return Err("--replay: name the target that the input is for".into()) };
        let input = std::path::absolute(input)?;
        return run(cargo_fuzz("run").arg(target).arg(input).args(["--", &format!("-timeout={INPUT_SECONDS}")]));
    }
    run(&mut cargo_fuzz("build"))?;
    let crashed: Vec<&str> =
        chosen.iter().map(String::as_str).filter(|target| run_target(target, args.seconds).is_err()).collect();
    if crashed.is_empty() { Ok(()) } else { Err(format!("crashed: {}; see above", crashed.join(", ")).into()) }
}

/// What `cargo xtask test` runs: all targets, shortly.
pub(crate) fn short() -> Result<(), Failure> {
    fuzz(&FuzzArgs { targets: Vec::new(), seconds: 10, replay: None })
}

/// By the files in `targets/`.
fn targets() -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root().join(FOLDER).join("targets"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

fn check_tools() -> Result<(), Failure> {
    if !has("cargo", &["fuzz", "--version"]) {
        return Err(
            "NOT TESTED: random inputs, as cargo-fuzz is not installed; run `cargo install --locked cargo-fuzz`".into(),
        );
    }
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    if !has(&compiler, &["--version"]) {
        return Err(format!(
            "NOT TESTED: random inputs, as libFuzzer is C++ and `{compiler}` is not there; install a C++ compiler (Debian: \
             `apt-get install g++`)"
        )
        .into());
    }
    Ok(())
}

fn cargo_fuzz(what: &str) -> Command {
    let mut command = cargo(&["fuzz", what]);
    command.args(BUILD).arg("--target-dir").arg(target_dir().join("fuzz"));
    command
}

/// Begins with the committed seeds and what earlier runs found here. New finds are kept in `corpus/`, inputs that crash in `artifacts/`.
fn run_target(target: &str, seconds: u32) -> Result<(), Failure> {
    say(&format_args!("\n-- {target}, {seconds} s"));
    let folder = root().join(FOLDER);
    let corpus = folder.join("corpus").join(target);
    let artifacts = folder.join("artifacts").join(target);
    std::fs::create_dir_all(&corpus)?;
    let before = files(&artifacts);
    let mut command = cargo_fuzz("run");
    command.arg(target).arg(&corpus).arg(folder.join("seeds").join(target)).arg("--").args([
        format!("-max_total_time={seconds}"),
        format!("-rss_limit_mb={MEMORY_MIB}"),
        format!("-timeout={INPUT_SECONDS}"),
        "-print_final_stats=1".to_owned(),
        "-verbosity=0".to_owned(),
    ]);
    let result = run(&mut command);
    if result.is_err() {
        for input in files(&artifacts).iter().filter(|input| !before.contains(input)) {
            let input = input.strip_prefix(root()).unwrap_or(input).display();
            say(&format_args!("{input} makes {target} crash; again: cargo xtask fuzz {target} --replay {input}"));
        }
    }
    result
}

fn files(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect()
}
