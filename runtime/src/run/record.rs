//! Where this run is recorded, and what the record says of it first.

use std::time::{SystemTime, UNIX_EPOCH};

use super::Request;
use super::error::PrepareError;
use super::modules::Named;
use crate::log::{Level, Log};
use crate::output::{Mode, TimeUnit};
use crate::plan::Plan;
use crate::results::record::without_secrets;
use crate::results::{Destination, Folder, ModuleRecord, RunRecord, SummaryRecord, ThresholdRecord, Writer, utc};
use crate::summary::ScenarioInfo;

/// A results file that is open, and whether the person asked for it by name.
pub(super) struct Opened {
    pub(super) writer: Writer,
    pub(super) asked_for: bool,
}

impl Opened {
    /// The run is refused after all.
    pub(super) fn discard(self) {
        self.writer.discard();
    }
}

/// Opens the file that the person named, if so.
pub(super) fn open_named(destination: &Destination) -> Result<Option<Opened>, PrepareError> {
    let Destination::File(path) = destination else { return Ok(None) };
    match Writer::open(path.clone()) {
        Ok(writer) => Ok(Some(Opened { writer, asked_for: true })),
        Err(error) => {
            Err(PrepareError::Output { flag: "--results", path: path.display().to_string(), reason: error.to_string() })
        }
    }
}

/// Opens a file in the default folder. Nobody asked for it: that it cannot be written is no reason to refuse the run.
pub(super) fn open_in_folder(
    destination: &Destination,
    started: SystemTime,
    module: &str,
    log: &Log,
) -> Option<Opened> {
    if *destination != Destination::Default {
        return None;
    }
    match in_folder(started, module) {
        Ok(writer) => Some(Opened { writer, asked_for: false }),
        Err(problem) => {
            log.runtime(Level::Warn, &format!("this run is not recorded: {problem}; --no-results if that is fine"));
            None
        }
    }
}

/// A new file among those of earlier runs, the oldest of which go.
fn in_folder(started: SystemTime, module: &str) -> Result<Writer, String> {
    let folder = Folder::find(|name| std::env::var_os(name)).map_err(|error| error.to_string())?;
    let problem = |error: std::io::Error| format!("{} cannot be written ({error})", folder.path().display());
    let (path, file) = folder.create(started, module).map_err(problem)?;
    // Too many files are no reason not to record.
    let _ = folder.prune();
    Ok(Writer::new(path, file))
}

/// What is run.
pub(super) fn describe(request: &Request, modules: &[Named], plan: &Plan, seed: u64, started: SystemTime) -> RunRecord {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    RunRecord {
        runtime: env!("CARGO_PKG_VERSION").to_owned(),
        module: modules.first().map(|one| module_record(&one.inspected.description.name, one)).unwrap_or_default(),
        modules: match modules {
            [_] => Vec::new(),
            several => several.iter().map(|one| module_record(&one.name, one)).collect(),
        },
        started_unix_ms: started
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
        started: utc(started),
        seed,
        cores: count(std::thread::available_parallelism().map_or(1, usize::from)),
        shards: count(request.shards.max(1)),
        max_series: count(request.max_series),
        env: request.env.iter().map(|(name, _)| name.clone()).collect(),
        scenarios: plan.scenarios.iter().map(ScenarioInfo::of).collect(),
        thresholds: plan.thresholds.iter().map(ThresholdRecord::from).collect(),
        summary: SummaryRecord {
            mode: request.summary.map_or(Mode::Disabled, |rendering| rendering.mode),
            trend_stats: plan.summary_trend_stats.clone(),
            time_unit: plan.summary_time_unit.map(|unit| TimeUnit::as_str(unit).to_owned()),
            no_data: request.no_data,
            fail_on_check: request.fail_on_check,
            min_rate_achieved: request.min_rate_achieved,
        },
        options: without_secrets(plan.options_json()),
        scaled: plan.scaled.clone(),
    }
}

fn module_record(name: &str, module: &Named) -> ModuleRecord {
    ModuleRecord {
        name: name.to_owned(),
        version: module.inspected.description.version.clone(),
        sha256: module.inspected.module.sha256.clone(),
    }
}
