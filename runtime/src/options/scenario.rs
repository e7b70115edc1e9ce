//! Scenarios: the fields that all executors share, and the shortcuts that stand for one.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{Options, read};
use crate::executor::ExecutorConfig;
use crate::field_error::FieldError;
use crate::http::Statuses;

/// The scenario that shortcuts make.
pub const DEFAULT_SCENARIO: &str = "default";
/// The function that a scenario runs unless it names one.
pub const DEFAULT_FUNCTION: &str = "default";
/// k6's default.
const GRACEFUL_STOP: Duration = Duration::from_secs(30);
const EXAMPLE: &str = "{\"browse\": {\"executor\": \"constant-vus\", \"vus\": 10, \"duration\": \"30s\"}}";
/// What all executors share.
const COMMON: [&str; 8] =
    ["executor", "startTime", "gracefulStop", "env", "exec", "tags", "expectedStatuses", "options"];

/// One scenario as the options say it.
#[derive(Debug, Clone)]
pub struct ScenarioOptions {
    /// Letters, digits, `_` and `-`.
    pub name: String,
    /// The executor with its own options.
    pub executor: ExecutorConfig,
    /// When it begins, counted from the beginning of the load.
    pub start_time: Duration,
    /// How long iterations may go on after the regular end.
    pub graceful_stop: Duration,
    /// Variables of this scenario alone.
    pub env: BTreeMap<String, String>,
    /// Tags of this scenario's samples.
    pub tags: BTreeMap<String, String>,
    /// The statuses that count as a success in this scenario.
    pub expected_statuses: Option<Statuses>,
    /// The function that it runs.
    pub exec: String,
    /// What was written, without what all executors share.
    pub given: Map<String, Value>,
    /// The greatest number of virtual users in it, and where that stands.
    pub most_vus: (String, u64),
    /// Virtual users that come in all: one that goes and comes again counts twice.
    pub coming_vus: u64,
}

/// Reads the option `scenarios`. Errors have the whole path.
pub(super) fn parse_all(value: &Value) -> Result<Vec<ScenarioOptions>, FieldError> {
    let scenarios = read::object(value, EXAMPLE).map_err(|error| error.within("scenarios"))?;
    scenarios
        .iter()
        .map(|(name, fields)| {
            let path = format!("scenarios.{name}");
            if !is_scenario_name(name) {
                return Err(FieldError::bare(path, "is no name for a scenario; use letters, digits, `_` and `-` only"));
            }
            let fields = read::object(fields, "{\"executor\": \"constant-vus\", \"vus\": 10, \"duration\": \"30s\"}");
            fields.and_then(|fields| parse(name, fields)).map_err(|error| error.within(&path))
        })
        .collect()
}

/// `^[0-9a-zA-Z_-]+$`
fn is_scenario_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

fn parse(name: &str, fields: &Map<String, Value>) -> Result<ScenarioOptions, FieldError> {
    let mut given: Map<String, Value> =
        fields.iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.clone(), value.clone())).collect();
    let mut take = |key: &str| given.shift_remove(key);
    let executor = take("executor").ok_or_else(|| {
        FieldError::missing("executor", "give one such as \"constant-vus\" or \"constant-arrival-rate\"")
    })?;
    let executor = read::text(&executor).map_err(|error| error.within("executor"))?.to_owned();
    let start_time = read_or(take("startTime"), "startTime", read::duration)?.unwrap_or(Duration::ZERO);
    let graceful_stop = read_or(take("gracefulStop"), "gracefulStop", read::duration)?.unwrap_or(GRACEFUL_STOP);
    let env = read_or(take("env"), "env", read::pairs)?.unwrap_or_default();
    let tags = read_or(take("tags"), "tags", read::pairs)?.unwrap_or_default();
    let expected_statuses = read_or(take("expectedStatuses"), "expectedStatuses", read::statuses)?;
    let exec = read_or(take("exec"), "exec", |value| read::text(value).map(str::to_owned))?;
    if let Some(options) = take("options") {
        check_sub_options(&options)?;
    }
    let executor = ExecutorConfig::parse(&executor, given.clone()).map_err(|error| meant_common(error, &executor))?;
    let exec = exec.unwrap_or_else(|| DEFAULT_FUNCTION.to_owned());
    let most_vus = most_vus(&given, executor.name());
    let coming_vus = coming_vus(&given, executor.name()).max(most_vus.1);
    let name = name.to_owned();
    Ok(ScenarioOptions {
        name,
        executor,
        start_time,
        graceful_stop,
        env,
        tags,
        expected_statuses,
        exec,
        given,
        most_vus,
        coming_vus,
    })
}

fn read_or<T>(
    value: Option<Value>,
    key: &str,
    read: impl Fn(&Value) -> Result<T, FieldError>,
) -> Result<Option<T>, FieldError> {
    value.map(|value| read(&value)).transpose().map_err(|error| error.within(key))
}

/// The targets of an open model's stages are rates. Asking the executor would already make plans for all of them.
fn most_vus(given: &Map<String, Value>, executor: &str) -> (String, u64) {
    let targets = vu_stages(given, executor)
        .enumerate()
        .map(|(index, stage)| (format!("stages[{index}].target"), &stage["target"]));
    let numbers = ["vus", "startVUs", "preAllocatedVUs", "maxVUs"]
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), read::count(given.get(key)?).ok()?)));
    numbers
        .chain(targets.filter_map(|(key, value)| Some((key, read::count(value).ok()?))))
        .max_by_key(|(_, vus)| *vus)
        .unwrap_or_default()
}

/// Those with which a ramp begins, and what each stage adds.
fn coming_vus(given: &Map<String, Value>, executor: &str) -> u64 {
    let start = given.get("startVUs").and_then(|vus| read::count(vus).ok()).unwrap_or(1);
    let targets = vu_stages(given, executor).filter_map(|stage| read::count(&stage["target"]).ok());
    let (coming, _) = targets.fold((start, start), |(coming, before), target| {
        (coming.saturating_add(target.saturating_sub(before)), target)
    });
    coming
}

fn vu_stages<'a>(given: &'a Map<String, Value>, executor: &str) -> impl Iterator<Item = &'a Value> {
    given.get("stages").and_then(Value::as_array).filter(|_| executor == "ramping-vus").into_iter().flatten()
}

/// The executor knows its own keys only; a mistyped `startTime` is near one of ours.
fn meant_common(error: FieldError, executor: &str) -> FieldError {
    let key = error.path.clone();
    match crate::field_error::nearest(&key, COMMON) {
        Some(nearest)
            if error.problem.starts_with("unknown key")
                && !error.problem.contains("did you mean")
                && !executor.is_empty() =>
        {
            FieldError::unknown_key(key, nearest, [nearest])
        }
        _ => error,
    }
}

/// k6 keeps the browser's settings here.
fn check_sub_options(options: &Value) -> Result<(), FieldError> {
    match options {
        Value::Object(fields) => match fields.iter().find(|(_, value)| !value.is_null()) {
            None => Ok(()),
            Some((key, value)) => Err(FieldError::json(
                format!("options.{key}"),
                value,
                "is not supported by this version; leave it out: there is no browser",
            )),
        },
        other => Err(FieldError::json("options", other, "is not an object; leave it out")),
    }
}

/// Checks the shortcut `stages` by what it stands for.
pub(super) fn check_stages(value: &Value) -> Result<(), FieldError> {
    match value {
        Value::Array(stages) if stages.is_empty() => Ok(()),
        stages => parse(DEFAULT_SCENARIO, &fields(json!({"executor": "ramping-vus", "stages": stages})))
            .map(drop)
            .map_err(|mut error| {
                // The caller adds the option's name, which is the field's as well.
                error.path = error.path.strip_prefix("stages").unwrap_or(&error.path).to_owned();
                error
            }),
    }
}

/// The scenario that `vus`, `duration`, `iterations` and `stages` stand for; one iteration when nothing is given.
pub(super) fn from_shortcuts(options: &Options) -> Result<ScenarioOptions, FieldError> {
    let vus = options.get("vus").cloned();
    let one = || json!(1);
    let (duration, iterations) = (options.get("duration"), options.get("iterations"));
    let stages = options.get("stages").filter(|_| options.says("stages"));
    let scenario = match (iterations, duration, stages) {
        (Some(iterations), duration, _) => json!({
            "executor": "shared-iterations", "vus": vus.unwrap_or_else(one), "iterations": iterations, "maxDuration": duration,
        }),
        (None, Some(duration), _) => {
            json!({"executor": "constant-vus", "vus": vus.unwrap_or_else(one), "duration": duration})
        }
        (None, None, Some(stages)) => {
            json!({"executor": "ramping-vus", "startVUs": vus.unwrap_or_else(one), "stages": stages})
        }
        (None, None, None) => {
            let vus = vus.unwrap_or_else(one);
            json!({"executor": "shared-iterations", "vus": vus, "iterations": vus})
        }
    };
    parse(DEFAULT_SCENARIO, &fields(scenario)).map_err(|mut error| {
        error.path = match error.path.as_str() {
            "maxDuration" => "duration".to_owned(),
            "startVUs" => "vus".to_owned(),
            _ => error.path,
        };
        error
    })
}

fn fields(scenario: Value) -> Map<String, Value> {
    match scenario {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
