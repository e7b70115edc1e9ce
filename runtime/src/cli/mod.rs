//! What was typed. One file per subcommand; what will run is `plan`'s business.

mod build;
mod completions;
mod inspect;
mod live;
mod new;
pub mod report;
mod run;
pub mod run_args;
mod version;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

pub use build::BuildError;
pub use new::NewError;

use crate::exit::Exit;
use crate::log::printable;
use crate::options::modules::is_module_name;
use crate::run::ModuleFile;

/// Run load tests whose scenarios are WebAssembly components.
#[derive(Debug, Parser)]
#[command(
    name = "runtime",
    version,
    about,
    after_help = "First steps: `runtime new shop`, then `runtime run shop -e BASE_URL=http://127.0.0.1:8080`."
)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run a test
    Run(Box<run_args::RunArgs>),
    /// Print the summary of a run that was recorded, also if it was killed
    Report(Box<report::ReportArgs>),
    /// Compile a scenario's crate to a module
    Build(build::BuildArgs),
    /// Make a new scenario's crate
    New(new::NewArgs),
    /// Say what a module does, what it needs, and how to run it
    Inspect(Box<inspect::InspectArgs>),
    /// Say what a run does at the moment that was started with --address
    Status(live::PlainArgs),
    /// Pause a run: iterations under way finish, and none starts
    Pause(live::PlainArgs),
    /// Let a run go on that is paused
    Resume(live::PlainArgs),
    /// Change the load of a run's scenario whose executor is externally-controlled
    Scale(live::ScaleArgs),
    /// End a run's load; iterations under way may finish
    Stop(live::StopArgs),
    /// Say which version this is
    Version,
    /// Print a shell's completion script
    Completions(completions::CompletionsArgs),
}

/// Reads the command line. Gives the exit code where there is nothing to do: help was asked for, or the flags are wrong.
///
/// # Errors
/// 0 after help, 104 after an error; both are printed.
pub fn parse() -> Result<Cli, Exit> {
    Cli::try_parse().map_err(|error| {
        if let Some(text) = unknown_flag(&error) {
            complain_text(&text);
            return Exit::InvalidConfig;
        }
        let exit = if error.use_stderr() { Exit::InvalidConfig } else { Exit::Passed };
        // Nobody is left to be told that the terminal is gone.
        let _ = error.print();
        exit
    })
}

/// Flags of k6 that this version does not have.
const K6_FLAGS: &[&str] = &[
    "-o",
    "--out",
    "--execution-segment",
    "--execution-segment-sequence",
    "--include-system-env-vars",
    "--compatibility-mode",
    "--type",
    "--traces-output",
    "--console-output",
    "--log-output",
    "--log-format",
    "--profiling-enabled",
    "--no-usage-report",
];

/// An error for a flag that does not exist: whether k6 has it, or which one was meant.
fn unknown_flag(error: &clap::Error) -> Option<String> {
    use clap::CommandFactory as _;
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let ContextValue::String(given) = error.get(ContextKind::InvalidArg)? else { return None };
    let flag = given.split(['=', ' ']).next()?;
    if K6_FLAGS.contains(&flag) {
        return Some(format!(
            "{flag}: k6 has this flag, and this version of Flashcrowd does not; leave it out (docs/from-k6.md)"
        ));
    }
    let mut command = Cli::command();
    command.build();
    let known: Vec<String> = command
        .get_subcommands()
        .flat_map(clap::Command::get_arguments)
        .filter_map(|argument| Some(format!("--{}", argument.get_long()?)))
        .collect();
    let meant = crate::field_error::nearest(flag, known.iter().map(String::as_str))?;
    Some(format!("{flag}: there is no such flag; did you mean {meant}? (`--help` lists them)"))
}

impl Cli {
    /// Does what was asked for.
    #[must_use]
    pub fn execute(self) -> Exit {
        match self.verb {
            Verb::Run(args) => run::execute(*args),
            Verb::Report(args) => report::execute(&args),
            Verb::Build(args) => tell(build::build(&args.path).map(|module| format!("{}\n", module.display()))),
            Verb::New(args) => tell(new::create(&args, Path::new(".")).map(|_| new::next_steps(&args.name))),
            Verb::Inspect(args) => inspect::execute(&args),
            Verb::Status(args) => live::status(&args),
            Verb::Pause(args) => live::pause(&args),
            Verb::Resume(args) => live::resume(&args),
            Verb::Scale(args) => live::scale(&args),
            Verb::Stop(args) => live::stop(&args),
            Verb::Version => tell(Ok::<_, NewError>(version::text())),
            Verb::Completions(args) => completions::execute(&args),
        }
    }
}

/// Prints a result, or the error that there is instead.
fn tell<E: std::error::Error>(result: Result<String, E>) -> Exit {
    match result {
        Ok(text) => print(&text),
        Err(error) => refuse(&error),
    }
}

/// Results go to standard output.
fn print(text: &str) -> Exit {
    match std::io::stdout().write_all(text.as_bytes()) {
        // `runtime inspect … | head` closes the pipe early, and that is fine.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Exit::Failed,
        _ => Exit::Passed,
    }
}

/// What was given cannot be done: says why.
fn refuse(error: &dyn std::error::Error) -> Exit {
    complain(error);
    Exit::InvalidConfig
}

/// Errors go to standard error.
fn complain(error: &dyn std::error::Error) {
    complain_text(&error.to_string());
}

fn complain_text(error: &str) {
    // An error may quote a module, and a module must not command the terminal.
    let text = error.lines().map(printable).collect::<Vec<_>>().join("\n");
    let _ = writeln!(std::io::stderr(), "error: {text}");
}

/// Modules as they were given: paths, or `NAME=PATH`.
fn module_files(given: &[String]) -> Result<Vec<ModuleFile>, BuildError> {
    let file = |given: &String| {
        let (name, path) = split_name(given);
        Ok(ModuleFile { path: module_path(Path::new(path))?, name: name.map(str::to_owned) })
    };
    given.iter().map(file).collect()
}

/// A path that is there is no name with a path, whatever it looks like.
fn split_name(given: &str) -> (Option<&str>, &str) {
    match given.split_once('=') {
        Some((name, path)) if is_module_name(name) && !path.is_empty() && !Path::new(given).exists() => {
            (Some(name), path)
        }
        _ => (None, given),
    }
}

/// A module's path: as given, or what building the crate in this folder gives.
fn module_path(given: &Path) -> Result<PathBuf, BuildError> {
    if given.is_dir() { build::build(given) } else { Ok(given.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::split_name;

    #[test]
    fn a_module_may_be_given_a_name() {
        assert_eq!(split_name("shop=a/b.wasm"), (Some("shop"), "a/b.wasm"));
        assert_eq!(split_name("a/b=c.wasm"), (None, "a/b=c.wasm"));
        assert_eq!(split_name("=c.wasm"), (None, "=c.wasm"));
        assert_eq!(split_name("shop="), (None, "shop="));
        assert_eq!(split_name("c.wasm"), (None, "c.wasm"));
    }
}
