//! Runs every part of the bench and writes `report.md`, `report.json` and `plots/`. `cargo xtask bench` builds what it needs and
//! starts it.

mod figures;
mod machine;
mod outputs;
mod parts;
mod process;
mod report;
mod runtime;
mod target;
mod tools;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::{Value, json};
use tempfile::TempDir;

use machine::Machine;
use parts::Name;
use process::Running;
use report::{Part, Plot, Section};
use target::Target;

/// What runs in a part that is not about compiling.
const MODULES: [&str; 5] = ["idle-connections", "no-op", "post-json-check", "samples", "sdk-calls"];

/// Why a part, or all of it, failed.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Measures the runtime against bare hyper and against other load generators.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
struct Args {
    /// The runtime.
    #[arg(long)]
    runtime: PathBuf,
    /// The folder of the bench's programs.
    #[arg(long)]
    binaries: PathBuf,
    /// The folder of the bench's modules.
    #[arg(long)]
    modules: PathBuf,
    /// The folder of installed load generators.
    #[arg(long)]
    tools: PathBuf,
    /// The bench's own folder.
    #[arg(long)]
    source: PathBuf,
    /// Where the report goes.
    #[arg(long)]
    out: PathBuf,
    /// How often each figure is measured.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How long a generator is measured in a round.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Only this part; repeatable.
    #[arg(long, value_enum)]
    only: Vec<Name>,
    /// One short round: whether everything works, not how fast it is.
    #[arg(long)]
    quick: bool,
}

/// What every part needs.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) runtime: PathBuf,
    binaries: PathBuf,
    modules: PathBuf,
    pub(crate) tools: PathBuf,
    source: PathBuf,
    pub(crate) rounds: u32,
    pub(crate) seconds: u64,
    pub(crate) quick: bool,
    /// For what the runtime records of its runs; gone with the bench.
    pub(crate) scratch: TempDir,
    /// That of the target, and that of the generators; `None` on a machine with one core.
    cores: Option<(usize, usize)>,
}

impl Bench {
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.binaries.join(name)
    }

    pub(crate) fn module(&self, name: &str) -> PathBuf {
        self.modules.join(format!("bench_{}.wasm", name.replace('-', "_")))
    }

    pub(crate) fn source(&self, path: &str) -> PathBuf {
        self.source.join(path)
    }

    /// A server that answers after that delay, on its own core or on any.
    pub(crate) fn target(&self, delay_ms: u64, pinned: bool) -> Result<Target, Failure> {
        let core = self.cores.filter(|_| pinned).map(|(target, _)| target);
        Target::start(&self.binary("bench-target"), core, delay_ms)
    }

    /// Compiles every module once, so that no run but those that are about it compiles anything.
    fn fill_cache(&self) -> Result<(), Failure> {
        for name in MODULES {
            let mut inspect = Command::new(&self.runtime);
            inspect.arg("inspect").arg(self.module(name));
            Running::start(inspect, None)?.wait(Duration::from_secs(60))?.checked("`runtime inspect`")?;
        }
        Ok(())
    }

    pub(crate) fn generator_core(&self) -> Option<usize> {
        self.cores.map(|(_, generator)| generator)
    }
}

/// Says something to the person who watches.
pub(crate) fn say(line: &str) {
    // Nobody watches if standard error is gone.
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs the parts and writes the report; whether all of them got through.
fn run(args: Args) -> Result<bool, Failure> {
    let begun = Instant::now();
    let machine = Machine::look();
    if machine.noisy() {
        say(&noise(&machine));
    }
    let names = if args.only.is_empty() { Name::ALL.to_vec() } else { args.only };
    let bench = Bench {
        runtime: args.runtime,
        binaries: args.binaries,
        modules: args.modules,
        tools: args.tools,
        source: args.source,
        rounds: if args.quick { 1 } else { args.rounds },
        seconds: if args.quick { 1 } else { args.seconds },
        quick: args.quick,
        scratch: tempfile::tempdir()?,
        cores: (machine.cores > 1).then_some((0, 1)),
    };
    bench.fill_cache()?;
    let mut done = Vec::new();
    for name in names {
        say(&format!("== {}", name.title()));
        let begun = Instant::now();
        let result = name.run(&bench).map_err(|error| error.to_string());
        if let Err(error) = &result {
            say(&format!("FAILED: {error}"));
        }
        done.push(Part { name: name.name(), title: name.title(), seconds: begun.elapsed().as_secs_f64(), result });
    }
    write(&args.out, &bench, &machine, &done, begun.elapsed().as_secs_f64())?;
    let failed: Vec<_> = done.iter().filter(|part| !part.complete()).map(|part| part.name).collect();
    say(&format!("\n{}\nwritten: {}", report::bars(&done), args.out.join("report.md").display()));
    if !failed.is_empty() {
        say(&format!("failed: {}", failed.join(", ")));
    }
    Ok(failed.is_empty())
}

fn noise(machine: &Machine) -> String {
    format!(
        "the load average was {:.2} when the bench began: something else was running, so times are longer than they could be, and the \
         spread of the figures is wider",
        machine.load_average
    )
}

fn write(out: &Path, bench: &Bench, machine: &Machine, parts: &[Part], seconds: f64) -> Result<(), Failure> {
    let plots = out.join("plots");
    std::fs::create_dir_all(&plots)?;
    for Plot { name, svg, .. } in sections(parts).flat_map(|section| &section.plots) {
        std::fs::write(plots.join(format!("{name}.svg")), svg)?;
    }
    std::fs::write(out.join("report.md"), markdown(bench, machine, parts, seconds))?;
    let json = json!({
        "machine": machine,
        "command": command(),
        "rounds": bench.rounds,
        "seconds_per_round": bench.seconds,
        "quick": bench.quick,
        "seconds": seconds,
        "bars": sections(parts).flat_map(|section| &section.bars).collect::<Vec<_>>(),
        "parts": parts.iter().map(|part| (part.name.to_owned(), json!({
            "seconds": part.seconds,
            "error": part.result.as_ref().err(),
            "failures": part.result.as_ref().map_or(&[][..], |section| &section.failures),
            "figures": part.result.as_ref().map_or(&Value::Null, |section| &section.raw),
        }))).collect::<serde_json::Map<_, _>>(),
    });
    std::fs::write(out.join("report.json"), serde_json::to_string_pretty(&json)? + "\n")?;
    Ok(())
}

fn sections(parts: &[Part]) -> impl Iterator<Item = &Section> {
    parts.iter().filter_map(|part| part.result.as_ref().ok())
}

fn markdown(bench: &Bench, machine: &Machine, parts: &[Part], seconds: f64) -> String {
    let Machine { cpu, cores, memory_gib, kernel, rustc, date, open_files, max_map_count, huge_pages, .. } = machine;
    let quick = if bench.quick {
        "\n**This was a quick run, one short round: it shows that the bench works. Its figures mean nothing.**\n"
    } else {
        ""
    };
    let noise = if machine.noisy() { format!("\n**Noise:** {}.\n", noise(machine)) } else { String::new() };
    format!(
        "# What the runtime costs\n\n\
         Written by `{}` on {date}, in {:.1} minutes: {}, {} s of load in each. Every figure is the median of the rounds, with \
         the least and the greatest in brackets. Parts of a round follow each other at once, so that a ratio is taken between neighbours \
         and noise is in both. `README.md` says how each figure is taken, `report.json` has all rounds.\n\n\
         {cores} cores of {cpu}, {memory_gib:.0} GiB; Linux {kernel}; {rustc}; at most {open_files} open files and {max_map_count} mappings a \
         process; transparent huge pages: {huge_pages}; load average {:.2} at the beginning.\n{noise}{quick}\n\
         ## The bars\n\n{}{}",
        command(),
        seconds / 60.0,
        if bench.rounds == 1 { "1 round".to_owned() } else { format!("{} rounds", bench.rounds) },
        bench.seconds,
        machine.load_average,
        report::bars(parts),
        report::sections(parts),
    )
}

/// What a person types to get this report; the folders that `cargo xtask` adds are left out.
fn command() -> String {
    let mut words = vec!["cargo xtask bench".to_owned()];
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--runtime" | "--binaries" | "--modules" | "--tools" | "--source" | "--out" => drop(args.next()),
            _ => words.push(arg),
        }
    }
    words.join(" ")
}
