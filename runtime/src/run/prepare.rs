//! Everything that can go wrong before the load does so here: the module, the options, the environment, the outputs.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::IsTerminal as _;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use tokio::time::Instant;

use super::error::PrepareError;
use super::files;
use super::inspection::{Inspected, inspect};
use super::record::{self, Opened};
use super::{Request, Test, context};
use crate::control::keys::Keys;
use crate::control::server::Server;
use crate::control::{self, Access, Desk, Live};
use crate::data::Tables;
use crate::destinations::Destinations;
use crate::display::Display;
use crate::engine::{Engine, EngineOptions};
use crate::field_error::{FieldError, did_you_mean};
use crate::host::context::{InstanceLimits, ShardContext, TestContext};
use crate::ledger::Ledger;
use crate::log::{Level, Log};
use crate::metrics::{Aggregator, Recorder, Registry};
use crate::module::{Description, Module};
use crate::open_files;
use crate::options::Options;
use crate::output::{Mode, Rendering};
use crate::plan::{Plan, PlannedScenario};
use crate::scheduler::Schedule;
use crate::shard::Placement;
use crate::signals::Signals;
use crate::summary::{SummarySettings, TrendStat};
use crate::terminal;
use crate::threshold::Threshold;

/// Instances beside the virtual users': that of `setup`, `teardown` and `handle-summary`, and one being replaced per shard.
const SPARE_INSTANCES: u32 = 1;

/// A test that can begin.
pub(super) struct Prepared {
    pub(super) plan: Plan,
    pub(super) description: Description,
    pub(super) once: bool,
    pub(super) module: Arc<Module>,
    pub(super) context: Arc<TestContext>,
    /// What `setup`, `teardown`, `handle-summary` and the gauges use.
    pub(super) main: Arc<ShardContext>,
    pub(super) shards: Vec<Arc<ShardContext>>,
    pub(super) ledger: Ledger,
    pub(super) thresholds: Arc<[Threshold]>,
    pub(super) display: Display,
    pub(super) signals: Signals,
    pub(super) settings: SummarySettings,
    pub(super) summary: Option<Rendering>,
    pub(super) export: Option<(PathBuf, File)>,
    pub(super) destinations: Arc<Destinations>,
    /// Taken by the load.
    pub(super) schedule: Option<Schedule>,
    pub(super) desk: Desk,
    /// Who listens for what somebody wants of the run; they end with it.
    _hands: Hands,
}

/// The ways to steer a run.
struct Hands {
    _server: Option<Server>,
    _keys: Option<Keys>,
}

pub(super) async fn prepare(request: Request, display: Display, log: Log) -> Result<Test, PrepareError> {
    let inspected = inspect(&request.module, request.memory_limit, request.cache, log.clone()).await?;
    let plan = resolve(&request, &inspected)?;
    // A module that brings its own map of names leads nobody to what was not granted.
    let hosts_are_granted = [&request.environment, &request.flags].iter().any(|layer| layer.get("hosts").is_some())
        || inspected.options.get("hosts").is_none();
    let network = request.network.settings(&plan, hosts_are_granted)?;
    let env = environment(&request.env, &inspected.description)?;
    let files = files::read(&request.files)?;
    let registry = Arc::new(Registry::new(request.max_series, plan.system_tags));
    let mut unknown_metrics = Vec::new();
    for threshold in &plan.thresholds {
        // A metric of the module's own is registered when it is first used: only a name that is nearly a built-in one is suspicious.
        if !threshold.check(&registry)?
            && let Some(meant) = threshold.probably_meant(&registry)
        {
            unknown_metrics.push(format!(
                "thresholds.{}: no built-in metric has this name; if the module has none either, did you mean `{meant}`?",
                threshold.selector_text
            ));
        }
    }
    let time_unit = plan.summary_time_unit;
    let settings = summary_settings(&request, &plan)?;
    let data = tables(&request, &inspected.description, &log)?;
    let destinations = Arc::new(Destinations::new(request.allow_write.as_deref())?);

    let shards = if request.once { 1 } else { request.shards.max(1) };
    let instances = plan.peak_vus.saturating_add(SPARE_INSTANCES);
    log.runtime(Level::Debug, &format!("reserving {instances} instances"));
    let engine = Engine::new(EngineOptions {
        memory_bytes: request.memory_limit,
        instances: Some(instances),
        cache: request.cache,
    })?;
    let module = Arc::new(inspected.module.transfer(&engine)?);
    if plan.paused && request.access.is_none() && !terminal::is_interactive() {
        let problem = "leaves nobody to resume the run; give --address, or run it in a terminal";
        return Err(FieldError::new("paused", true, problem).into());
    }
    let listener = request.access.as_ref().map(listen).transpose()?;
    // Last of what can fail: a run that is refused leaves no empty file behind.
    let started = SystemTime::now();
    let named = record::open_named(&request.results)?;
    let export = match request.export.clone().map(|path| open_output("--summary-export", path)).transpose() {
        Ok(export) => export,
        Err(error) => {
            named.into_iter().for_each(Opened::discard);
            return Err(error);
        }
    };
    let results =
        named.or_else(|| record::open_in_folder(&request.results, started, &inspected.description.name, &log));
    let seed = request.seed.unwrap_or_else(rand::random);
    let run_record = record::describe(&request, &inspected, &plan, seed, started);

    let context = Arc::new(context::of_plan(
        &plan,
        context::Surroundings {
            registry: Arc::clone(&registry),
            log: log.clone(),
            data,
            grants: request.grants,
            network,
            env,
            seed,
            limits: InstanceLimits { memory_bytes: request.memory_limit, cpu: request.cpu_limit },
            files,
        },
    ));
    let shard = || {
        let recorder = Arc::new(Mutex::new(Recorder::new(Arc::clone(&registry))));
        Arc::new(ShardContext::new(Arc::clone(&context), recorder))
    };
    let main = shard();
    let shards: Vec<_> = (0..shards).map(|_| shard()).collect();
    let recorders = std::iter::once(&main).chain(&shards).map(|shard| Arc::clone(&shard.recorder)).collect();
    let signals = Signals::listen(display.clone()).map_err(|error| PrepareError::System(error.to_string()))?;
    for line in plan.scaled.iter().map(|line| format!("scaled: {line}")) {
        log.runtime(Level::Info, &line);
    }
    if request.min_rate_achieved.is_some() && !plan.scenarios.iter().any(PlannedScenario::promises_iterations) {
        unknown_metrics.push(
            "--min-rate-achieved: no scenario of this test says how many iterations there will be, so there is nothing to judge"
                .to_owned(),
        );
    }
    let warnings = plan.warnings.iter().cloned().chain(unknown_metrics).chain(open_files::advice(plan.peak_vus));
    for warning in warnings {
        context.problems.warn(&warning);
        log.runtime(Level::Warn, &warning);
    }
    if inspected.description.handle_summary
        && request.allow_write.is_none()
        && request.summary.is_some()
        && !request.once
    {
        log.runtime(Level::Info, "the module makes a summary of its own; files that it writes need --allow-write DIR");
    }
    let mut ledger = Ledger::new(Aggregator::new(registry, recorders), &plan.thresholds, Arc::clone(&context));
    if let Some(results) = results {
        log.runtime(Level::Debug, &format!("results are recorded in {}", results.writer.path().display()));
        ledger.record(results.writer, &run_record, results.asked_for);
    }
    let thresholds: Arc<[Threshold]> = plan.thresholds.clone().into();
    let stop = context.stop.clone();
    let schedule = Schedule::new(plan.specs(), shards.len(), Placement::Threads, stop.clone());
    let (live, desk) = control::live::open(
        format!("{} {}", inspected.description.name, inspected.description.version).trim().to_owned(),
        plan.scenarios.iter().map(|scenario| scenario.spec.executor.name()).collect(),
        schedule.helm(),
        stop,
        display.clone(),
        Arc::clone(&thresholds),
        settings.clone(),
    );
    let hands = hands(&live, listener.zip(request.access), &display, plan.paused)?;
    let prepared = Prepared {
        schedule: Some(schedule),
        desk,
        _hands: hands,
        description: inspected.description,
        once: request.once,
        module,
        context,
        main,
        shards,
        ledger,
        thresholds,
        display,
        signals,
        settings,
        summary: request.summary.map(|rendering| Rendering { time_unit, ..rendering }),
        export,
        destinations,
        plan,
    };
    Ok(Test { prepared, verdict: None, setup_failed: false, duration: std::time::Duration::ZERO })
}

/// An address that is taken costs nobody a test.
fn listen(access: &Access) -> Result<TcpListener, PrepareError> {
    control::server::bind(access)
        .map_err(|error| PrepareError::Address { address: access.text.clone(), reason: error.to_string() })
}

/// Lets whoever may steer the run do so.
fn hands(
    live: &Arc<Live>,
    listener: Option<(TcpListener, Access)>,
    display: &Display,
    paused: bool,
) -> Result<Hands, PrepareError> {
    let refused = |error: std::io::Error| PrepareError::System(error.to_string());
    if paused {
        // Before anybody can resume it. The load begins when somebody does.
        let _ = live.helm().pause();
    }
    let server = match listener {
        None => None,
        Some((listener, access)) => {
            let server = Server::start(listener, access, Arc::clone(live)).map_err(refused)?;
            // Also when the person wants quiet: nobody else knows the port, if it was 0.
            display.line(&format!("control: http://{}", server.address()));
            Some(server)
        }
    };
    let keys = match terminal::is_interactive() {
        true => {
            display.note(control::keys::HINT);
            Some(Keys::listen(Arc::clone(live)).map_err(refused)?)
        }
        false => None,
    };
    if paused {
        display.note("paused: the load begins after `runtime resume`, POST /api/resume or the key p");
    }
    Ok(Hands { _server: server, _keys: keys })
}

fn resolve(request: &Request, inspected: &Inspected) -> Result<Plan, FieldError> {
    let layers = [&request.config, &inspected.options, &request.environment, &request.flags];
    let (mut options, module) = (Options::merged(layers.map(Clone::clone)), inspected.info());
    if request.once {
        options = crate::plan::once(&options, &module)?;
    }
    Plan::resolve(&options, &module, request.scale)
}

/// The defaults that the module declares, and what `-e` gives over them.
fn environment(
    given: &[(String, String)],
    description: &Description,
) -> Result<BTreeMap<String, String>, PrepareError> {
    let mut env = BTreeMap::new();
    for variable in &description.env {
        if let Some(default) = &variable.default {
            env.insert(variable.name.clone(), default.clone());
        }
    }
    env.extend(given.iter().cloned());
    match description.env.iter().find(|variable| variable.required && !env.contains_key(&variable.name)) {
        None => Ok(env),
        Some(variable) => Err(PrepareError::MissingVariable {
            name: variable.name.clone(),
            module: description.name.clone(),
            help: if variable.help.is_empty() { "it does not say what for".to_owned() } else { variable.help.clone() },
        }),
    }
}

/// The data files, and among them all that the module declares.
fn tables(request: &Request, description: &Description, log: &Log) -> Result<Tables, PrepareError> {
    // Before any file is read, which may take its time.
    let is_given = |name: &str| request.data.iter().any(|file| file.name == name);
    if let Some(table) = description.data.iter().find(|table| !is_given(&table.name)) {
        return Err(PrepareError::MissingTable {
            name: table.name.clone(),
            module: description.name.clone(),
            help: table.in_words(),
        });
    }
    let begun = Instant::now();
    let tables = Tables::load(&request.data)?;
    for table in tables.iter() {
        if let Some(declared) = description.data.iter().find(|declared| declared.name == table.name())
            && let Some(column) = declared.columns.iter().find(|column| !table.columns().contains(column))
        {
            return Err(PrepareError::MissingColumn {
                table: table.name().to_owned(),
                column: column.clone(),
                module: description.name.clone(),
                remedy: did_you_mean(column, table.columns().iter().map(String::as_str)),
            });
        }
        let (rows, mib) = (table.rows(), table.bytes() >> 20);
        log.runtime(Level::Debug, &format!("table `{}`: {rows} rows, {mib} MiB", table.name()));
    }
    if !request.data.is_empty() {
        log.runtime(Level::Debug, &format!("tables read in {:.0} ms", begun.elapsed().as_secs_f64() * 1e3));
    }
    Ok(tables)
}

fn summary_settings(request: &Request, plan: &Plan) -> Result<SummarySettings, FieldError> {
    let trend_stats =
        plan.summary_trend_stats.iter().map(|text| text.parse::<TrendStat>()).collect::<Result<_, _>>()?;
    let full = request.summary.is_some_and(|rendering| rendering.mode == Mode::Full);
    Ok(SummarySettings {
        trend_stats,
        no_data: request.no_data,
        fail_on_check: request.fail_on_check,
        min_rate_achieved: request.min_rate_achieved,
        full,
    })
}

/// An output is opened before the load: a path that cannot be written costs nobody a test.
fn open_output(flag: &'static str, path: PathBuf) -> Result<(PathBuf, File), PrepareError> {
    match File::options().write(true).create(true).truncate(false).open(&path) {
        Ok(file) => Ok((path, file)),
        Err(error) => Err(PrepareError::Output { flag, path: path.display().to_string(), reason: error.to_string() }),
    }
}

impl Prepared {
    pub(super) fn stdout_is_terminal() -> bool {
        std::io::stdout().is_terminal()
    }

    pub(super) fn stderr_is_terminal() -> bool {
        std::io::stderr().is_terminal()
    }
}
