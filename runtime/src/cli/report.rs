//! `runtime report`: the summary of a run that was recorded, however it ended.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufReader, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use clap::Args;

use super::run_args::summary_mode;
use super::{complain_text, print, refuse};
use crate::exit::Exit;
use crate::field_error::FieldError;
use crate::log::printable;
use crate::output::{Format, Mode, Rendering, TimeUnit, numbers};
use crate::results::{Folder, NoFolder, Overview, ReadError, Recording, What, is_being_written, overview, read, utc};
use crate::summary::{Summary, SummarySettings, TrendStat};

/// Everything after `runtime report`.
#[derive(Debug, Clone, Default, Args)]
pub struct ReportArgs {
    /// A file that `runtime run` recorded [default: that of the run that began last]
    #[arg(value_name = "FILE", conflicts_with = "list")]
    pub file: Option<PathBuf>,

    /// Lists the runs that are recorded, the last one at the end
    #[arg(long)]
    pub list: bool,

    /// How much the summary tells: compact, full or disabled [default: as much as that of the run]
    #[arg(long, value_name = "MODE", help_heading = "Results", conflicts_with = "no_summary")]
    pub summary_mode: Option<String>,

    /// Prints no summary; the same as --summary-mode disabled
    #[arg(long, help_heading = "Results")]
    pub no_summary: bool,

    /// What the summary tells of a trend: avg, min, med, max, count, p(N) with N from 0 to 100, with commas
    /// [default: as that of the run]
    #[arg(long, value_name = "STATS", help_heading = "Results")]
    pub summary_trend_stats: Option<String>,

    /// The unit of the summary's times: s, ms or us [default: as that of the run]
    #[arg(long, value_name = "UNIT", help_heading = "Results")]
    pub summary_time_unit: Option<String>,

    /// Writes the summary to this file, as JSON
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub summary_export: Option<PathBuf>,

    /// Prints without colours; so does a NO_COLOR in the environment
    #[arg(long, help_heading = "Output")]
    pub no_color: bool,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A flag.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// No folder to look in.
    #[error(transparent)]
    Folder(#[from] NoFolder),
    /// The folder.
    #[error("{folder}: cannot be read ({reason})")]
    Unreadable {
        /// The folder.
        folder: String,
        /// The system's word.
        reason: String,
    },
    /// The folder is empty.
    #[error("{0}: no run is recorded there; give the file of a run (`runtime run --results FILE` names it)")]
    Nothing(String),
    /// The file.
    #[error("{path}: {error}")]
    File {
        /// As given, or found.
        path: String,
        /// What is wrong.
        error: ReadError,
    },
    /// The file says what no run says.
    #[error("{path}: what it says of the run cannot be understood ({error})")]
    Run {
        /// As given, or found.
        path: String,
        /// What is wrong.
        error: FieldError,
    },
    /// The exported summary.
    #[error("--summary-export {path}: cannot be written ({reason}); give a path in a folder that exists")]
    Export {
        /// As given.
        path: String,
        /// The system's word.
        reason: String,
    },
}

pub(super) fn execute(args: &ReportArgs) -> Exit {
    let done = if args.list { list().map(|text| print(&text)) } else { report(args) };
    done.unwrap_or_else(|error| refuse(&error))
}

fn report(args: &ReportArgs) -> Result<Exit, ReportError> {
    let wish = Wish::of(args)?;
    let path = match &args.file {
        Some(path) => path.clone(),
        None => newest()?,
    };
    let shown = path.display().to_string();
    // Looked at before the file is read: what ends meanwhile has its end in the file.
    let going_on = is_being_written(&path);
    let recording = open(&path).and_then(read).map_err(|error| ReportError::File { path: shown.clone(), error })?;
    let export = args.summary_export.as_deref().map(create).transpose()?;
    let summary =
        summarise(&recording, going_on, &wish).map_err(|error| ReportError::Run { path: shown.clone(), error })?;
    if args.file.is_none() {
        tell(&format!("{shown}: {}, begun {}", recording.run.name(), recording.run.started));
    }
    caveats(&recording, going_on).iter().for_each(|text| tell(&format!("warn: {text}")));
    let mut exit = verdict(&recording, &summary);
    let rendering = wish.rendering(&recording);
    if print(&Format::Text.render(&summary, &rendering)) != Exit::Passed {
        exit = Exit::Failed;
    }
    if let Some((path, mut file)) = export
        && let Err(error) = file.write_all(Format::Export.render(&summary, &rendering).as_bytes())
    {
        complain_text(&format!("--summary-export {}: cannot be written ({error})", path.display()));
        exit = Exit::Failed;
    }
    Ok(exit)
}

/// What the flags ask for; `None` for what the run asked for.
struct Wish {
    mode: Option<Mode>,
    trend_stats: Option<Vec<TrendStat>>,
    time_unit: Option<TimeUnit>,
    colour: bool,
}

impl Wish {
    fn of(args: &ReportArgs) -> Result<Self, FieldError> {
        let renamed = |name: &'static str, flag: &'static str| move |error: FieldError| error.renamed(name, flag);
        let stats = args.summary_trend_stats.as_deref().map(TrendStat::parse_list).transpose();
        let unit = args.summary_time_unit.as_deref().map(str::parse).transpose();
        let colourless = args.no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Ok(Self {
            mode: summary_mode(args.summary_mode.as_deref(), args.no_summary)?,
            trend_stats: stats.map_err(renamed("summaryTrendStats", "--summary-trend-stats"))?,
            time_unit: unit.map_err(renamed("summaryTimeUnit", "--summary-time-unit"))?,
            colour: !colourless && io::stdout().is_terminal(),
        })
    }

    /// A run that printed nothing is reported all the same.
    fn rendering(&self, recording: &Recording) -> Rendering {
        let recorded = &recording.run.summary;
        let of_run = if recorded.mode == Mode::Disabled { Mode::Compact } else { recorded.mode };
        let unit = recorded.time_unit.as_deref().and_then(|unit| unit.parse().ok());
        Rendering { mode: self.mode.unwrap_or(of_run), time_unit: self.time_unit.or(unit), colour: self.colour }
    }
}

fn summarise(recording: &Recording, going_on: bool, wish: &Wish) -> Result<Summary, FieldError> {
    let recorded = &recording.run.summary;
    let trend_stats = match &wish.trend_stats {
        Some(stats) => stats.clone(),
        None => recorded.trend_stats.iter().map(|stat| stat.parse()).collect::<Result<_, _>>()?,
    };
    let settings = SummarySettings {
        trend_stats,
        no_data: recorded.no_data,
        fail_on_check: recorded.fail_on_check,
        min_rate_achieved: recorded.min_rate_achieved,
        full: wish.rendering(recording).mode == Mode::Full,
    };
    let thresholds = recording.run.thresholds()?;
    Ok(Summary::new(recording.totals(), &thresholds, recording.windows(), recording.info(going_on), &settings))
}

/// What the numbers are not to be taken for.
fn caveats(recording: &Recording, going_on: bool) -> Vec<String> {
    let mut caveats = Vec::new();
    if recording.end.is_none() {
        let stage = recording.events.iter().rev().find_map(|event| match &event.what {
            What::Stage(stage) => Some(stage.as_str()),
            _ => None,
        });
        let during = stage.map_or_else(|| " before it began".to_owned(), |stage| format!(" during its {stage}"));
        let until = match &recording.moment {
            None => "nothing was measured before that".to_owned(),
            Some(moment) => format!(
                "this is what was measured until {}, {} into the load; what came after is missing (about a second, as a rule)",
                at(recording, moment.at_us),
                numbers::time(Duration::from_micros(moment.load_us).as_secs_f64() * 1e3, None)
            ),
        };
        caveats.push(if going_on {
            format!("the run is still going on; {}", until.replace(" (about a second, as a rule)", ""))
        } else {
            format!("the run was cut off{during}: {until}")
        });
    }
    if let Some(damage) = &recording.damage {
        caveats.push(damage.to_string());
    }
    if recording.skipped > 0 {
        let later = "were written by a later version and are left out";
        caveats.push(format!("{} records {later}", recording.skipped));
    }
    caveats
}

/// The time of day of a moment.
fn at(recording: &Recording, at_us: u64) -> String {
    let started = UNIX_EPOCH.checked_add(Duration::from_millis(recording.run.started_unix_ms));
    let at = started.and_then(|started| started.checked_add(Duration::from_micros(at_us)));
    // A made-up time may be beyond what a calendar holds.
    at.filter(|at| *at < UNIX_EPOCH + CALENDAR).map_or_else(|| "an unknown time".to_owned(), utc)
}

/// From 1970 to about the year 9,900.
const CALENDAR: Duration = Duration::from_secs(250_000_000_000);

/// What the run said with its exit code; of a run without end, what its thresholds say.
fn verdict(recording: &Recording, summary: &Summary) -> Exit {
    if let Some(end) = &recording.end {
        return Exit::from_code(end.exit_code).unwrap_or(Exit::Failed);
    }
    if !summary.passed || summary.failed_by_checks() || summary.run.aborted_by_threshold {
        return Exit::ThresholdsCrossed;
    }
    if summary.run.marked_failed.is_some() { Exit::FailedByScenario } else { Exit::Passed }
}

fn folder() -> Result<(Folder, Vec<PathBuf>), ReportError> {
    let folder = Folder::find(|name| std::env::var_os(name))?;
    let shown = folder.path().display().to_string();
    let files =
        folder.files().map_err(|error| ReportError::Unreadable { folder: shown.clone(), reason: error.to_string() })?;
    if files.is_empty() { Err(ReportError::Nothing(shown)) } else { Ok((folder, files)) }
}

fn newest() -> Result<PathBuf, ReportError> {
    let (folder, mut files) = folder()?;
    files.pop().ok_or_else(|| ReportError::Nothing(folder.path().display().to_string()))
}

fn list() -> Result<String, ReportError> {
    let mut text = String::new();
    for path in folder()?.1 {
        let going_on = is_being_written(&path);
        let line = match open(&path).and_then(overview) {
            Ok(Overview { run, moment, end }) => {
                let load = match (&end, moment) {
                    (Some(end), _) => Duration::from_nanos(end.duration_ns),
                    (None, Some(moment)) => Duration::from_micros(moment.load_us),
                    (None, None) => Duration::ZERO,
                };
                let how = match end {
                    Some(end) => format!("exit code {}", end.exit_code),
                    None if going_on => "going on".to_owned(),
                    None => "cut off".to_owned(),
                };
                let load = numbers::time(load.as_secs_f64() * 1e3, None);
                format!("{}  {how:<13}  {load:>9}  {}", run.started, run.name())
            }
            Err(error) => format!("unreadable: {error}"),
        };
        let _ = writeln!(text, "{}\n    {}", printable(&line), path.display());
    }
    Ok(text)
}

fn open(path: &Path) -> Result<BufReader<File>, ReadError> {
    Ok(BufReader::with_capacity(1 << 16, File::open(path)?))
}

/// An output is opened before anything is printed.
fn create(path: &Path) -> Result<(PathBuf, File), ReportError> {
    match File::create(path) {
        Ok(file) => Ok((path.to_owned(), file)),
        Err(error) => Err(ReportError::Export { path: path.display().to_string(), reason: error.to_string() }),
    }
}

/// Beside the result: what to know of it. A file may quote a module, and a module must not command the terminal.
fn tell(text: &str) {
    let _ = writeln!(io::stderr(), "{}", printable(text));
}
