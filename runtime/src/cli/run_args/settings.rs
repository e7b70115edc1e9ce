//! The settings of a run that are no options of k6: what the module is granted, its limits, and where results go.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::{OptionArgs, RunArgs, from_text, known, read};
use crate::control::Access;
use crate::data::TableFile;
use crate::duration;
use crate::field_error::FieldError;
use crate::grants::Grants;
use crate::metrics::DEFAULT_MAX_SERIES;
use crate::options::modules::{SEPARATOR, is_module_name};
use crate::output::Mode;
use crate::plan::Scale;
use crate::results::Destination;
use crate::run::NetworkFlags;
use crate::threshold::NoDataPolicy;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const DEFAULT_MEMORY_BYTES: usize = 64 << 20;
const DEFAULT_CPU: Duration = Duration::from_secs(10);
const LEAST_CPU: Duration = Duration::from_millis(10);
const MOST_SHARDS: u64 = 1024;

/// How this run is run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSettings {
    /// A file of options.
    pub config: Option<PathBuf>,
    /// The variables that the scenario sees.
    pub env: BTreeMap<String, String>,
    /// The data files that it reads.
    pub data: Vec<TableFile>,
    /// The hosts that it may call.
    pub grants: Grants,
    /// Authorities, a certificate, a proxy.
    pub network: NetworkFlags,
    /// The files that it may send, by name.
    pub files: BTreeMap<String, PathBuf>,
    /// Below which its summary may write.
    pub allow_write: Option<PathBuf>,
    /// Memory of one instance, in bytes.
    pub memory_limit_bytes: usize,
    /// Computing time of one iteration.
    pub cpu_limit: Duration,
    /// Runs every scenario function once.
    pub once: bool,
    /// Makes randomness repeatable; `None` for another one each time.
    pub seed: Option<u64>,
    /// Worker threads; `None` for one per core.
    pub shards: Option<usize>,
    /// Metrics times tag sets kept apart.
    pub max_series: usize,
    /// What a threshold without samples means.
    pub no_data: NoDataPolicy,
    /// A check that fails fails the run.
    pub fail_on_check: bool,
    /// The share of the iterations that were due which each scenario must start; `None` for no such rule.
    pub min_rate_achieved: Option<f64>,
    /// How the load is scaled.
    pub scale: Scale,
    /// How much the summary tells.
    pub summary_mode: Mode,
    /// Where the summary goes as JSON.
    pub summary_export: Option<PathBuf>,
    /// Where the results are recorded.
    pub results: Destination,
    /// Where the API listens; `None` for no API.
    pub access: Option<Access>,
    /// Shows no progress.
    pub quiet: bool,
    /// Says more.
    pub verbose: bool,
    /// Prints without colours.
    pub no_color: bool,
}

impl OptionArgs {
    /// The variables that the scenario sees. `process` looks up a variable of this process, for `-e NAME`.
    ///
    /// # Errors
    /// A name that is none, or that is not set in the process.
    pub fn env(&self, process: impl Fn(&str) -> Option<String>) -> Result<BTreeMap<String, String>, FieldError> {
        let mut env = BTreeMap::new();
        for given in &self.env {
            let (name, value) = match given.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (given.as_str(), process(given.rsplit('.').next().unwrap_or(given))),
            };
            // With several modules, a variable may be for one of them.
            let own_name = name.split_once(SEPARATOR).filter(|(module, _)| is_module_name(module));
            if !is_variable_name(own_name.map_or(name, |(_, own_name)| own_name)) {
                let problem =
                    "is no variable; write NAME=VALUE, where NAME has letters, digits and `_`, and no digit in front";
                return Err(FieldError::new("--env", format!("\"{given}\""), problem));
            }
            let Some(value) = value else {
                let problem = format!("is not set in this process's environment; write -e {name}=VALUE");
                return Err(FieldError::new("--env", format!("\"{name}\""), problem));
            };
            env.insert(name.to_owned(), value);
        }
        Ok(env)
    }

    /// How the load is scaled.
    ///
    /// # Errors
    /// A factor that is none, naming the flag.
    pub fn scale(&self) -> Result<Scale, FieldError> {
        let factor = |flag: &str, text: &Option<String>| match text {
            None => Ok(1.0),
            Some(text) => text.trim().parse::<f64>().map_err(|_| {
                FieldError::new(
                    flag,
                    format!("\"{text}\""),
                    "is no factor; give a number above 0, such as 0.1 for a tenth",
                )
            }),
        };
        Scale::new(factor("--scale-load", &self.scale_load)?, factor("--scale-time", &self.scale_time)?)
    }
}

impl RunArgs {
    /// The settings of the run. `process` looks up a variable of this process: for `-e NAME`, and for the settings that have a
    /// variable of their own (`docs/options.md`).
    ///
    /// # Errors
    /// A wrong value, naming the flag.
    pub fn settings(&self, process: impl Fn(&str) -> Option<String>) -> Result<RunSettings, FieldError> {
        let named = |name: &str| {
            [crate::options::PREFIX, "K6_"].into_iter().find_map(|prefix| {
                let name = format!("{prefix}{name}");
                let value = process(&name).filter(|value| !value.is_empty())?;
                Some(Variable { name, value })
            })
        };
        let variable = |name: &str| named(name).map(|variable| variable.value);
        let env = self.options.env(&process)?;
        let mut grants = Grants::none();
        for list in &self.allow_hosts {
            grants.allow(list)?;
        }
        // Those for one of several modules are granted to that module alone.
        for (_, value) in env.iter().filter(|(name, _)| !name.contains(SEPARATOR)) {
            grants.allow_urls_in(value);
        }
        let once = self.once || is_set(named("ONCE"))?;
        if once {
            self.check_once()?;
        }
        Ok(RunSettings {
            once,
            config: self.options.config.clone().or_else(|| variable("CONFIG").map(PathBuf::from)),
            env,
            data: TableFile::parse_all(&self.data)?,
            grants,
            network: self.network(variable),
            files: files(&self.files)?,
            allow_write: self.allow_write.clone(),
            memory_limit_bytes: self.memory_limit.as_deref().map_or(Ok(DEFAULT_MEMORY_BYTES), memory_limit)?,
            cpu_limit: self.cpu_limit.as_deref().map_or(Ok(DEFAULT_CPU), cpu_limit)?,
            seed: self.seed.clone().or_else(|| variable("SEED")).as_deref().map(seed).transpose()?,
            shards: self.shards.as_deref().map(|text| at_most("--shards", text, MOST_SHARDS)).transpose()?,
            max_series: self
                .max_series
                .as_deref()
                .map_or(Ok(DEFAULT_MAX_SERIES), |text| at_most("--max-series", text, u64::MAX))?,
            no_data: self
                .no_data
                .clone()
                .or_else(|| variable("NO_DATA"))
                .as_deref()
                .map_or(Ok(NoDataPolicy::default()), str::parse)?,
            fail_on_check: self.fail_on_check || is_set(named("FAIL_ON_CHECK"))?,
            min_rate_achieved: self
                .min_rate_achieved
                .clone()
                .or_else(|| variable("MIN_RATE_ACHIEVED"))
                .as_deref()
                .map(share)
                .transpose()?,
            scale: self.options.scale()?,
            summary_mode: self.summary_mode(named)?,
            summary_export: self.summary_export.clone().or_else(|| variable("SUMMARY_EXPORT").map(PathBuf::from)),
            results: if once { Destination::Nowhere } else { self.results(named)? },
            access: self.access(variable)?,
            quiet: self.quiet,
            verbose: self.verbose,
            no_color: self.no_color
                || is_set(named("NO_COLOR"))?
                || process("NO_COLOR").is_some_and(|value| !value.is_empty()),
        })
    }

    fn network(&self, variable: impl Fn(&str) -> Option<String>) -> NetworkFlags {
        let one = |flag: &Option<PathBuf>, name: &str| flag.clone().or_else(|| variable(name).map(PathBuf::from));
        let several = |flag: &[String], name: &str| match flag {
            [] => variable(name).into_iter().collect(),
            given => given.to_vec(),
        };
        NetworkFlags {
            ca_certs: match &self.ca_certs[..] {
                [] => variable("CA_CERT").map(PathBuf::from).into_iter().collect(),
                given => given.to_vec(),
            },
            client_cert: one(&self.client_cert, "CLIENT_CERT"),
            client_key: one(&self.client_key, "CLIENT_KEY"),
            proxy: self.proxy.clone().or_else(|| variable("PROXY")),
            no_proxy: several(&self.no_proxy, "NO_PROXY"),
        }
    }

    /// What says how much load there is means nothing for one iteration of everything.
    fn check_once(&self) -> Result<(), FieldError> {
        let options = &self.options;
        let given = [
            ("--vus", options.vus.is_some()),
            ("--duration", options.duration.is_some()),
            ("--iterations", options.iterations.is_some()),
            ("--stage", !options.stages.is_empty()),
            ("--rps", options.rps.is_some()),
            ("--min-iteration-duration", options.min_iteration_duration.is_some()),
            ("--scale-load", options.scale_load.is_some()),
            ("--scale-time", options.scale_time.is_some()),
            ("--min-rate-achieved", self.min_rate_achieved.is_some()),
            ("--results", self.results.is_some()),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            None => Ok(()),
            Some((flag, _)) => {
                let problem = "has no meaning beside --once, which runs every scenario function once and records nothing; leave one \
                               of them out";
                Err(FieldError::bare(flag, problem))
            }
        }
    }

    fn results(&self, named: impl Fn(&str) -> Option<Variable>) -> Result<Destination, FieldError> {
        Ok(match &self.results {
            _ if self.no_results => Destination::Nowhere,
            Some(path) => Destination::File(path.clone()),
            None if is_set(named("NO_RESULTS"))? => Destination::Nowhere,
            None => named("RESULTS").map_or(Destination::Default, |path| Destination::File(path.value.into())),
        })
    }

    /// A token in the environment is for any run that has an API; on the command line it needs one.
    fn access(&self, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Access>, FieldError> {
        let token = self.api_token.clone().or_else(|| variable("API_TOKEN"));
        match self.address.clone().or_else(|| variable("ADDRESS")) {
            Some(address) => Access::new(&address, token.as_deref()).map(Some),
            None if self.api_token.is_some() => {
                Err(FieldError::bare("--api-token", "has no effect without --address; give both, or neither"))
            }
            None => Ok(None),
        }
    }

    fn summary_mode(&self, named: impl Fn(&str) -> Option<Variable>) -> Result<Mode, FieldError> {
        if let Some(mode) = summary_mode(self.summary_mode.as_deref(), self.no_summary)? {
            return Ok(mode);
        }
        match named("SUMMARY_MODE") {
            Some(Variable { name, value }) => mode_of(&name, &value),
            None if is_set(named("NO_SUMMARY"))? => Ok(Mode::Disabled),
            None => Ok(Mode::default()),
        }
    }
}

/// What the flags say of the summary; `None` for nothing.
///
/// # Errors
/// A mode that there is not.
pub(in crate::cli) fn summary_mode(mode: Option<&str>, none: bool) -> Result<Option<Mode>, FieldError> {
    if none {
        return Ok(Some(Mode::Disabled));
    }
    mode.map(|text| mode_of("--summary-mode", text)).transpose()
}

fn mode_of(name: &str, text: &str) -> Result<Mode, FieldError> {
    text.parse().map_err(|error: FieldError| error.renamed("summaryMode", name))
}

/// The files that are granted.
fn files(given: &[String]) -> Result<BTreeMap<String, PathBuf>, FieldError> {
    let mut files = BTreeMap::new();
    for text in given {
        let wrong = |problem: &str| FieldError::new("--file", format!("\"{text}\""), problem);
        let (name, path) = text
            .split_once('=')
            .filter(|(name, path)| !name.is_empty() && !path.is_empty())
            .ok_or_else(|| wrong("is no file with a name; write NAME=PATH, such as photo=pictures/cat.jpg"))?;
        if files.insert(name.to_owned(), PathBuf::from(path)).is_some() {
            return Err(wrong("has a name that another --file has; give each file one of its own"));
        }
    }
    Ok(files)
}

/// `^[a-zA-Z_][a-zA-Z0-9_]*$`
fn is_variable_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A variable of this process that has a value.
struct Variable {
    /// With its prefix, as it was set.
    name: String,
    value: String,
}

/// Whether a variable that stands for a flag says so: the same texts as of options that are true or false.
fn is_set(variable: Option<Variable>) -> Result<bool, FieldError> {
    let Some(Variable { name, value }) = variable else { return Ok(false) };
    from_text(known::Shape::Bool, &value)
        .and_then(|value| read::boolean(&value))
        .map_err(|error| error.renamed("", &name))
}

fn share(text: &str) -> Result<f64, FieldError> {
    let share = text.trim().parse::<f64>().ok().filter(|share| *share > 0.0 && *share <= 1.0);
    share.ok_or_else(|| {
        let problem = "is no share; give a number above 0 and at most 1, such as 0.95";
        FieldError::new("--min-rate-achieved", format!("\"{text}\""), problem)
    })
}

fn seed(text: &str) -> Result<u64, FieldError> {
    text.trim().parse().map_err(|_| {
        FieldError::new(
            "--seed",
            format!("\"{text}\""),
            format!("is no seed; give a whole number from 0 to {}", u64::MAX),
        )
    })
}

fn at_most(flag: &str, text: &str, most: u64) -> Result<usize, FieldError> {
    let number =
        text.trim().parse::<serde_json::Number>().ok().and_then(|number| read::positive(&Value::Number(number)).ok());
    match number.filter(|number| *number <= most).and_then(|number| usize::try_from(number).ok()) {
        Some(number) => Ok(number),
        None => {
            let range = if most == u64::MAX { "of 1 or more".to_owned() } else { format!("from 1 to {most}") };
            Err(FieldError::new(flag, format!("\"{text}\""), format!("is out of range; give a whole number {range}")))
        }
    }
}

fn cpu_limit(text: &str) -> Result<Duration, FieldError> {
    let limit = duration::parse(text).map_err(|error| error.at("--cpu-limit"))?;
    if limit < LEAST_CPU {
        let problem = format!("is too short; give {} or more", duration::format(LEAST_CPU));
        return Err(FieldError::new("--cpu-limit", format!("\"{text}\""), problem));
    }
    Ok(limit)
}

fn memory_limit(text: &str) -> Result<usize, FieldError> {
    let wrong = |problem: String| FieldError::new("--memory-limit", format!("\"{text}\""), problem);
    let bytes = parse_size(text).map_err(wrong)?;
    match usize::try_from(bytes) {
        Ok(limit) if (MIB..=4 * GIB).contains(&bytes) => Ok(limit),
        _ => Err(wrong("is out of range; give a size from 1MiB to 4GiB".to_owned())),
    }
}

/// A size in bytes: a whole number, and `KiB`, `MiB`, `GiB` or nothing behind it.
///
/// # Errors
/// What is wrong with another text, and the remedy.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let trimmed = text.trim();
    let digits = trimmed.len() - trimmed.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = (&trimmed[..digits], trimmed[digits..].trim());
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" => KIB,
        "mib" => MIB,
        "gib" => GIB,
        "k" | "kb" | "m" | "mb" | "g" | "gb" if digits > 0 => {
            let binary = unit[..1].to_uppercase();
            return Err(format!("has the unit `{unit}`, which is read in two ways; write {number}{binary}iB"));
        }
        _ => return Err("is not a size; write bytes, or a whole number with KiB, MiB or GiB, such as 64MiB".to_owned()),
    };
    let number: Option<u64> = match number {
        "" => {
            return Err("is not a size; write bytes, or a whole number with KiB, MiB or GiB, such as 64MiB".to_owned());
        }
        number => number.parse().ok(),
    };
    number
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(|| "is too large; give a size such as 64MiB".to_owned())
}
