//! The plan: what will run, validated and resolved before anything starts.

mod choose;
mod network;
mod once;
mod scale;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::duration;
use crate::executor::{self, ScenarioSpec};
use crate::field_error::{FieldError, did_you_mean};
use crate::http::tls::Identity;
use crate::http::{HttpDebug, Statuses};
use crate::metrics::SystemTags;
use crate::options::{Options, ScenarioOptions, parse_thresholds, read};
use crate::output::TimeUnit;
use crate::threshold::Threshold;

use choose::Wanted;
pub use network::Network;
pub use once::{once, without_load};
pub use scale::Scale;

/// k6's default of `setupTimeout` and `teardownTimeout`.
const HOOK_TIMEOUT: Duration = Duration::from_secs(60);
/// k6's default of `batch`.
const BATCH: usize = 20;
/// k6's default of `batchPerHost`.
const BATCH_PER_HOST: usize = 6;
/// k6's default of `maxRedirects`.
const MAX_REDIRECTS: u32 = 10;
/// k6's default of `summaryTrendStats`.
const TREND_STATS: [&str; 6] = ["avg", "min", "med", "max", "p(90)", "p(95)"];
/// Sent by requests that bring no `User-Agent`.
const USER_AGENT: &str = concat!("flashcrowd/", env!("CARGO_PKG_VERSION"));

/// The most virtual users of a scenario: at tens of KiB each, more than any machine has memory for.
const MOST_VUS: u64 = 1_000_000;
/// The most virtual users that may come in all scenarios together: planning takes some hundred bytes for each. A module brings its options
/// itself, and looking into it must be safe.
const MOST_COMING_VUS: f64 = 4_000_000.0;

/// What the plan must know of the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModuleInfo {
    /// In the order of their indices.
    pub functions: Vec<FunctionInfo>,
}

/// A scenario function of the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FunctionInfo {
    /// What `exec` says.
    pub name: String,
    /// What `exec` may say as well.
    pub aliases: Vec<String>,
}

/// One module's part in a test.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// What its scenarios' names begin with; `None` in a test of one module.
    pub name: Option<&'a str>,
    /// All layers' options as they are for this module.
    pub options: &'a Options,
    /// What it can do.
    pub info: &'a ModuleInfo,
}

/// What the plan says of one module.
#[derive(Debug, Clone)]
pub struct PlannedModule {
    /// What its scenarios' names begin with; `None` in a test of one module.
    pub name: Option<String>,
    /// Whether any of its scenarios runs.
    pub runs: bool,
    /// Tags of its samples.
    pub tags: BTreeMap<String, String>,
    /// How long `setup` may take, and each `vu_init`.
    pub setup_timeout: Duration,
    /// How long `teardown` may take.
    pub teardown_timeout: Duration,
    /// Does not run `setup`.
    pub no_setup: bool,
    /// Does not run `teardown`.
    pub no_teardown: bool,
    /// Certificates of its own that it shows to servers.
    pub identities: Vec<Identity>,
    /// k6's options object as it was resolved for this module: scenarios have the names that it gave them.
    pub options: Value,
}

/// A test, ready to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// In the order of the command line.
    pub modules: Vec<PlannedModule>,
    /// In the order of the modules, and of their options.
    pub scenarios: Vec<PlannedScenario>,
    /// In the order of the options; none with `noThresholds`.
    pub thresholds: Vec<Threshold>,
    /// Tags of samples that belong to no module.
    pub tags: BTreeMap<String, String>,
    /// The tags that the runtime sets by itself.
    pub system_tags: SystemTags,
    /// Virtual users to make before the load.
    pub initial_vus: u32,
    /// The most virtual users there can be at once.
    pub peak_vus: u32,
    /// When the load is over at the latest, graceful stops included; a century where only a stop ends it ([`ends`](Self::ends)).
    pub total_duration: Duration,
    /// How requests travel.
    pub network: Network,
    /// Requests a second over all virtual users; `None` for no limit.
    pub rps: Option<u64>,
    /// Sent by requests that bring none; printable ASCII.
    pub user_agent: String,
    /// Did not take over the thresholds.
    pub no_thresholds: bool,
    /// The load waits until somebody resumes it.
    pub paused: bool,
    /// The process stays after the run, until somebody stops it.
    pub linger: bool,
    /// An iteration takes at least this long; zero for no such rule.
    pub min_iteration_duration: Duration,
    /// Response bodies are counted and thrown away.
    pub discard_response_bodies: bool,
    /// Every request opens a connection.
    pub no_connection_reuse: bool,
    /// Connections are closed at the end of each iteration.
    pub no_vu_connection_reuse: bool,
    /// Whether exchanges are shown, and how much of them.
    pub http_debug: Option<HttpDebug>,
    /// A request that fails on the network ends its iteration.
    pub throw: bool,
    /// Redirects that a request follows unless it says otherwise.
    pub max_redirects: u32,
    /// Cookies stay from one iteration to the next.
    pub no_cookies_reset: bool,
    /// Requests of one batch that are under way at once.
    pub batch: usize,
    /// Those of them to one origin; 0 for no limit.
    pub batch_per_host: usize,
    /// What the summary tells of a trend, such as `p(95)`.
    pub summary_trend_stats: Vec<String>,
    /// The unit of the summary's times; `None` for the one that suits each value.
    pub summary_time_unit: Option<TimeUnit>,
    /// How the load was scaled.
    pub scale: Scale,
    /// What scaling changed, in a line each for people; empty without scaling.
    pub scaled: Vec<String>,
    /// What was given and has no effect, in a line each for people.
    pub warnings: Vec<String>,
    /// What else people should know of how this plan came about, in a line each.
    pub notes: Vec<String>,
    options: Map<String, Value>,
}

/// A scenario of the plan.
#[derive(Debug, Clone)]
pub struct PlannedScenario {
    /// Its name in its module.
    pub own_name: String,
    /// What the scheduler runs.
    pub spec: ScenarioSpec,
    /// The function's name, as the module says it.
    pub exec: String,
    /// Variables of this scenario alone.
    pub env: BTreeMap<String, String>,
    /// Tags of this scenario alone; they win over the test's.
    pub tags: BTreeMap<String, String>,
    /// The statuses that count as a success in this scenario; `None` for 200 to 399.
    pub expected_statuses: Option<Statuses>,
}

impl PlannedScenario {
    /// Whether iterations of it are due, by a rate or by their number; else it runs as many as there is time for.
    #[must_use]
    pub fn promises_iterations(&self) -> bool {
        let executor = &self.spec.executor;
        executor.total_iterations().is_some() || executor.name().ends_with("-arrival-rate")
    }
}

fn whole(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Plan {
    /// Makes a plan of all layers' options, merged, for this module.
    ///
    /// # Errors
    /// A scenario whose function the module does not have; options that contradict each other.
    pub fn resolve(options: &Options, module: &ModuleInfo, scale: Scale) -> Result<Self, FieldError> {
        Self::of_parts(&[Part { name: None, options, info: module }], options, scale, &[])
    }

    /// Makes a plan for several modules. `shared` has the options that are one for the whole test; `only` names the scenarios that run, or
    /// none for all.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve); a name in `only` that no scenario has.
    pub fn of_parts(parts: &[Part<'_>], shared: &Options, scale: Scale, only: &[String]) -> Result<Self, FieldError> {
        let given = Given(shared);
        let (mut scaled, mut notes) = (Vec::new(), Vec::new());
        let mut wanted = Vec::new();
        for (module, part) in parts.iter().enumerate() {
            let scenarios = part.options.scenarios().map_err(|error| part.blame(error))?;
            wanted.extend(scenarios.into_iter().map(|scenario| Wanted::new(module, part, scenario)));
        }
        let left_out = choose::choose(&mut wanted, parts, only, &mut notes)?;
        let mut scenarios = Vec::new();
        let mut scenarios_json = Map::new();
        let mut modules = Vec::new();
        let mut coming = 0.0;
        for (index, part) in parts.iter().enumerate() {
            let mut own_json = Map::new();
            for Wanted { full_name, scenario, .. } in wanted.extract_if(.., |wanted| wanted.module == index) {
                coming += coming_vus(&scenario, scale);
                scenarios_json.insert(full_name.clone(), to_json(&scenario));
                own_json.insert(scenario.name.clone(), to_json(&scenario));
                let planned = plan_scenario(scenario, full_name, index, part.info, scale, &mut scaled);
                let planned = planned.map_err(|error| part.blame(error))?;
                check_coming(&planned.spec.name, coming)?;
                scenarios.push(planned);
            }
            modules.push(PlannedModule::of(part, own_json).map_err(|error| part.blame(error))?);
        }
        let specs: Vec<ScenarioSpec> =
            scenarios.iter().map(|scenario: &PlannedScenario| scenario.spec.clone()).collect();
        let total_duration = specs.iter().map(ScenarioSpec::end).max().unwrap_or_default();
        let no_thresholds = given.read("noThresholds", read::boolean)?.unwrap_or(false);
        let thresholds = given.read("thresholds", parse_thresholds)?.filter(|_| !no_thresholds).unwrap_or_default();
        let thresholds = choose::without(thresholds, &left_out, &mut notes);
        check_selectors(&thresholds, &scenarios)?;
        let rps = given.read("rps", read::count)?.filter(|rps| *rps > 0);
        let scaled_rps = rps.map(|rps| scale.load_count(rps));
        if let (Some(before), Some(after)) = (rps, scaled_rps)
            && before != after
        {
            scaled.push(format!("rps: {before} -> {after}"));
        }
        let mut all = options_json(shared);
        all.insert("scenarios".to_owned(), Value::Object(scenarios_json));
        Ok(Self {
            thresholds,
            tags: given.read("tags", read::pairs)?.unwrap_or_default(),
            system_tags: given.read("systemTags", read::system_tags)?.unwrap_or_default(),
            initial_vus: executor::initial_vus(&specs),
            peak_vus: executor::peak_vus(&specs),
            total_duration,
            network: Network::resolve(shared)?,
            rps: scaled_rps,
            user_agent: given
                .read("userAgent", |value| read::header_text(value).map(str::to_owned))?
                .unwrap_or_else(|| USER_AGENT.to_owned()),
            no_thresholds,
            paused: given.flag("paused")?,
            linger: given.flag("linger")?,
            min_iteration_duration: given.read("minIterationDuration", read::duration)?.unwrap_or_default(),
            discard_response_bodies: given.flag("discardResponseBodies")?,
            no_connection_reuse: given.flag("noConnectionReuse")?,
            no_vu_connection_reuse: given.flag("noVUConnectionReuse")?,
            http_debug: given.read("httpDebug", read::http_debug)?.flatten(),
            throw: given.flag("throw")?,
            max_redirects: given
                .read("maxRedirects", read::count)?
                .map_or(MAX_REDIRECTS, |most| u32::try_from(most).unwrap_or(u32::MAX)),
            no_cookies_reset: given.flag("noCookiesReset")?,
            batch: given.read("batch", read::positive)?.map_or(BATCH, whole),
            batch_per_host: given.read("batchPerHost", read::count)?.map_or(BATCH_PER_HOST, whole),
            summary_trend_stats: given
                .read("summaryTrendStats", read::trend_stats)?
                .unwrap_or_else(|| TREND_STATS.map(str::to_owned).to_vec()),
            summary_time_unit: given.read("summaryTimeUnit", read::time_unit)?.flatten(),
            scale,
            scaled,
            warnings: parts.iter().flat_map(|part| warnings(part.options)).collect(),
            notes,
            options: all,
            modules,
            scenarios,
        })
    }

    /// What the scheduler runs, in the plan's order.
    pub fn specs(&self) -> Vec<ScenarioSpec> {
        self.scenarios.iter().map(|scenario| scenario.spec.clone()).collect()
    }

    /// k6's options object as it was resolved, with every scenario written out. Scaling does not show in it.
    pub fn options_json(&self) -> Value {
        Value::Object(self.options.clone())
    }

    /// When the load is over at the latest; `None` if somebody has to stop it.
    #[must_use]
    pub fn ends(&self) -> Option<Duration> {
        Some(self.total_duration).filter(|duration| *duration < executor::UNTIL_STOPPED)
    }

    /// What `inspect --execution-requirements` prints: the options, and as k6 does `totalDuration` and `maxVUs`. A load without an end
    /// has null for a duration. With
    /// scaling, both are those of the scaled load, and `scale` and `scaled` say so.
    pub fn requirements_json(&self) -> Value {
        let mut all = self.options.clone();
        all.insert("totalDuration".to_owned(), json!(self.ends().map(duration::format)));
        all.insert("maxVUs".to_owned(), json!(self.peak_vus));
        if !self.scale.is_one() {
            all.insert("scale".to_owned(), json!({"load": self.scale.load(), "time": self.scale.time()}));
            all.insert("scaled".to_owned(), json!(self.scaled));
        }
        Value::Object(all)
    }
}

impl PlannedModule {
    fn of(part: &Part<'_>, scenarios: Map<String, Value>) -> Result<Self, FieldError> {
        let given = Given(part.options);
        let runs = !scenarios.is_empty();
        let mut options = options_json(part.options);
        options.insert("scenarios".to_owned(), Value::Object(scenarios));
        // The module reads these: a key that is for the client is none of its business.
        options.shift_remove("tlsAuth");
        Ok(Self {
            name: part.name.map(str::to_owned),
            runs,
            tags: given.read("tags", read::pairs)?.unwrap_or_default(),
            setup_timeout: given.read("setupTimeout", read::positive_duration)?.unwrap_or(HOOK_TIMEOUT),
            teardown_timeout: given.read("teardownTimeout", read::positive_duration)?.unwrap_or(HOOK_TIMEOUT),
            no_setup: given.flag("noSetup")?,
            no_teardown: given.flag("noTeardown")?,
            identities: given.read("tlsAuth", Identity::list_from_json)?.unwrap_or_default(),
            options: Value::Object(options),
        })
    }
}

impl Part<'_> {
    /// An error of this module's, where there are several.
    fn blame(&self, error: FieldError) -> FieldError {
        match self.name {
            Some(name) => error.of(&format!("module `{name}`")),
            None => error,
        }
    }
}

/// Typed access to the merged options. They were checked when their layers were read.
struct Given<'a>(&'a Options);

impl Given<'_> {
    fn read<'a, T>(
        &'a self,
        name: &str,
        read: impl Fn(&'a Value) -> Result<T, FieldError>,
    ) -> Result<Option<T>, FieldError> {
        self.0.get(name).map(read).transpose().map_err(|error| error.within(name))
    }

    fn flag(&self, name: &str) -> Result<bool, FieldError> {
        Ok(self.read(name, read::boolean)?.unwrap_or(false))
    }
}

fn plan_scenario(
    scenario: ScenarioOptions,
    full_name: String,
    module: usize,
    info: &ModuleInfo,
    scale: Scale,
    scaled: &mut Vec<String>,
) -> Result<PlannedScenario, FieldError> {
    let (index, exec) = find_function(&scenario, info)?;
    check_size(&scenario, scale)?;
    let given = ScenarioSpec {
        name: full_name,
        module,
        function: index,
        start_time: scenario.start_time,
        graceful_stop: scenario.graceful_stop,
        executor: scenario.executor,
    };
    let spec = scale.scenario(&given);
    if spec != given {
        scaled.push(format!("{}: {} -> {}", spec.name, given.describe(), spec.describe()));
    }
    let ScenarioOptions { name, env, tags, expected_statuses, .. } = scenario;
    Ok(PlannedScenario { own_name: name, spec, exec, env, tags, expected_statuses })
}

/// Planning itself takes memory for every virtual user: a typing error must not exhaust the machine.
#[expect(clippy::cast_precision_loss, reason = "compared with a limit that is far below 2^53")]
fn check_size(scenario: &ScenarioOptions, scale: Scale) -> Result<(), FieldError> {
    let (key, vus) = &scenario.most_vus;
    if *vus as f64 * scale.load() <= MOST_VUS as f64 {
        return Ok(());
    }
    let scaled = if scale.load() > 1.0 { format!(", scaled by {},", scale.load()) } else { String::new() };
    let problem = format!("virtual users{scaled} are more than one process can hold; give at most {MOST_VUS}");
    Err(FieldError::new(format!("scenarios.{}.{key}", scenario.name), vus, problem))
}

#[expect(clippy::cast_precision_loss, reason = "compared with a limit that is far below 2^53")]
fn coming_vus(scenario: &ScenarioOptions, scale: Scale) -> f64 {
    scenario.coming_vus as f64 * scale.load()
}

/// A ramp that goes up and down a thousand times takes the memory of a thousand ramps, and so do a thousand scenarios.
fn check_coming(scenario: &str, coming: f64) -> Result<(), FieldError> {
    if coming <= MOST_COMING_VUS {
        return Ok(());
    }
    let problem = format!(
        "virtual users come in the scenarios up to this one, where one that goes and comes again counts twice; give stages or scenarios \
         with at most {MOST_COMING_VUS} in all"
    );
    Err(FieldError::new(format!("scenarios.{scenario}"), coming.round(), problem))
}

fn find_function(scenario: &ScenarioOptions, module: &ModuleInfo) -> Result<(u32, String), FieldError> {
    let wanted = &scenario.exec;
    let by_name = module.functions.iter().position(|function| function.name == *wanted);
    let found = by_name.or_else(|| module.functions.iter().position(|function| function.aliases.contains(wanted)));
    let known = || module.functions.iter().map(|function| function.name.as_str());
    match found.and_then(|index| Some((u32::try_from(index).ok()?, module.functions[index].name.clone()))) {
        Some(found) => Ok(found),
        None => Err(FieldError::new(
            format!("scenarios.{}.exec", scenario.name),
            format!("\"{wanted}\""),
            format!("is no scenario function of this module; {}", did_you_mean(wanted, known())),
        )),
    }
}

/// A threshold on a scenario that does not exist would never have data.
fn check_selectors(thresholds: &[Threshold], scenarios: &[PlannedScenario]) -> Result<(), FieldError> {
    let known = || scenarios.iter().map(|scenario| scenario.spec.name.as_str());
    for threshold in thresholds {
        let wanted = threshold.selector.tags.iter().filter(|(tag, _)| tag == "scenario").map(|(_, value)| value);
        for name in wanted {
            if !known().any(|scenario| scenario == name) {
                let problem = format!("selects a scenario that does not exist; {}", did_you_mean(name, known()));
                return Err(FieldError::new(
                    format!("thresholds.{}", threshold.selector_text),
                    format!("\"{name}\""),
                    problem,
                ));
            }
        }
    }
    Ok(())
}

/// A scenario as k6 prints it: what all executors share is written out.
fn to_json(scenario: &ScenarioOptions) -> Value {
    let mut json = Map::new();
    json.insert("executor".to_owned(), json!(scenario.executor.name()));
    json.insert("startTime".to_owned(), json!(duration::format(scenario.start_time)));
    json.insert("gracefulStop".to_owned(), json!(duration::format(scenario.graceful_stop)));
    json.insert("exec".to_owned(), json!(scenario.exec));
    json.insert("env".to_owned(), json!(scenario.env));
    json.insert("tags".to_owned(), json!(scenario.tags));
    if let Some(statuses) = &scenario.expected_statuses {
        json.insert("expectedStatuses".to_owned(), statuses.to_json());
    }
    json.extend(scenario.given.clone());
    Value::Object(json)
}

/// The shortcuts are in the scenario that they became.
fn options_json(options: &Options) -> Map<String, Value> {
    let mut all = match options.to_json() {
        Value::Object(all) => all,
        _ => Map::new(),
    };
    all.retain(|name, _| !matches!(name.as_str(), "vus" | "duration" | "iterations" | "stages" | "scenarios"));
    all
}

fn warnings(options: &Options) -> Vec<String> {
    let mut warnings = Vec::new();
    if let (Some(vus), true) = (options.get("vus"), options.says_scenarios()) {
        warnings.push(format!(
            "vus: {vus} has no effect beside scenarios, which have their own; give a duration or iterations with it to replace \
             them, or use --scale-load"
        ));
    }
    warnings
}

#[cfg(test)]
mod tests;
