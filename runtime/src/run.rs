//! One whole run, as a sentence: prepare, set up, load, tear down, conclude.

mod conclude;
mod context;
mod error;
mod files;
mod hands;
pub mod inspection;
pub mod modules;
mod network;
mod once;
mod prepare;
mod record;
mod stages;
mod tables;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::control::Access;
use crate::data::TableFile;
use crate::display::Display;
use crate::exit::Exit;
use crate::grants::Grants;
use crate::log::{Level, Log};
use crate::options::Options;
use crate::output::Rendering;
use crate::plan::Scale;
use crate::results::Destination;
use crate::threshold::NoDataPolicy;

#[cfg(feature = "fuzzing")]
pub(crate) use context::sandbox;
pub use error::PrepareError;
pub use network::NetworkFlags;

/// A module as it was given.
#[derive(Debug, Clone)]
pub struct ModuleFile {
    /// The compiled module.
    pub path: PathBuf,
    /// What it is to be called in this run; `None` for its own name.
    pub name: Option<String>,
}

/// What the person asked for, flags already checked.
#[derive(Debug)]
pub struct Request {
    /// The compiled modules; one at least.
    pub modules: Vec<ModuleFile>,
    /// The scenarios that run, by name; none for all of them.
    pub only: Vec<String>,
    /// The config file's options.
    pub config: Options,
    /// The environment's options.
    pub environment: Options,
    /// The flags' options.
    pub flags: Options,
    /// What `-e` gives.
    pub env: Vec<(String, String)>,
    /// The files of `--data`.
    pub data: Vec<TableFile>,
    /// Who may be called.
    pub grants: Grants,
    /// What flags say of the network.
    pub network: NetworkFlags,
    /// The files that are granted, by name.
    pub files: BTreeMap<String, PathBuf>,
    /// What `handle_summary` may write below.
    pub allow_write: Option<PathBuf>,
    /// Runs every scenario function once.
    pub once: bool,
    /// `None` draws one.
    pub seed: Option<u64>,
    /// Worker threads.
    pub shards: usize,
    /// Linear memory of an instance, in bytes.
    pub memory_limit: usize,
    /// Computing time of a call.
    pub cpu_limit: Duration,
    /// Series kept apart.
    pub max_series: usize,
    /// What a threshold without data does.
    pub no_data: NoDataPolicy,
    /// A check that fails fails the run.
    pub fail_on_check: bool,
    /// The share of the iterations that were due which each scenario must start.
    pub min_rate_achieved: Option<f64>,
    /// More or less load.
    pub scale: Scale,
    /// How much of the summary to print; `None` for none.
    pub summary: Option<Rendering>,
    /// Where to export the summary.
    pub export: Option<PathBuf>,
    /// Where the results are recorded as the run goes.
    pub results: Destination,
    /// Whether compiled modules are kept for the next run.
    pub cache: bool,
    /// Where the API listens; `None` for no API.
    pub access: Option<Access>,
    /// Neither progress nor the log's info lines.
    pub quiet: bool,
    /// The log's debug lines.
    pub verbose: bool,
}

/// Runs a test to its end, whatever that is.
///
/// # Errors
/// When nothing was started, as what was given cannot be run.
pub fn run(request: Request) -> Result<Exit, PrepareError> {
    crate::open_files::make_room(request.shards.max(1))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| PrepareError::System(error.to_string()))?;
    let display = Display::new(request.quiet);
    let (log, printer) = start_log(&request, &display);
    let exit = runtime.block_on(async {
        // Before the compile cache writes its first file.
        crate::signals::survive_file_limits().map_err(|error| PrepareError::System(error.to_string()))?;
        let mut test = match prepare::prepare(request, display, log).await {
            Ok(test) => test,
            Err(error) => {
                printer.finish();
                return Err(error);
            }
        };
        test.set_up().await;
        if test.prepared.once {
            let tried = test.try_out().await;
            test.tear_down().await;
            return Ok(test.conclude_once(&tried, printer).await);
        }
        test.load().await;
        test.tear_down().await;
        Ok(test.conclude(printer).await)
    });
    // Name look-ups that hang must not keep the process.
    runtime.shutdown_background();
    exit
}

fn start_log(request: &Request, display: &Display) -> (Log, crate::log::Printer) {
    let least = match (request.verbose, request.quiet) {
        (true, _) => Level::Debug,
        (false, true) => Level::Warn,
        (false, false) => Level::Info,
    };
    let display = display.clone();
    Log::start(least, move |line| display.line(line))
}

/// A test between its stages.
struct Test {
    prepared: prepare::Prepared,
    /// What happened so far that decides the exit code; the first counts.
    verdict: Option<Exit>,
    /// How long the load lasted.
    duration: Duration,
}

impl Test {
    /// The first reason decides.
    fn decide(&mut self, exit: Exit) {
        self.verdict.get_or_insert(exit);
    }

    fn log(&self, level: Level, text: &str) {
        self.prepared.context.log.runtime(level, text);
    }
}
