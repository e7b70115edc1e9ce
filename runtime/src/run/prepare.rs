//! Everything that can go wrong before the load does so here: the module, the options, the environment, the outputs.

use std::fs::File;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use super::error::PrepareError;
use super::hands::{self, Hands};
use super::record::{self, Opened};
use super::{Request, Test, context, files, modules, tables};
use crate::control::{self, Desk};
use crate::destinations::Destinations;
use crate::display::Display;
use crate::engine::{Engine, EngineOptions};
use crate::field_error::FieldError;
use crate::host::context::{InstanceLimits, ShardContext, TestContext};
use crate::ledger::Ledger;
use crate::log::{Level, Log};
use crate::metrics::{Aggregator, Recorder, Registry};
use crate::module::{Description, Module};
use crate::open_files;
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

/// A module of a test that can begin.
pub(super) struct PreparedModule {
    /// What it is called in this run.
    pub(super) name: String,
    pub(super) description: Description,
    pub(super) module: Arc<Module>,
    /// What `setup`, `teardown` and `handle-summary` use.
    pub(super) main: Arc<ShardContext>,
    pub(super) shards: Vec<Arc<ShardContext>>,
    /// Whether `setup` got through, or there was none, so that there is something to tear down.
    pub(super) set_up: bool,
}

/// A test that can begin.
pub(super) struct Prepared {
    pub(super) plan: Plan,
    pub(super) once: bool,
    /// In the order of the command line.
    pub(super) modules: Vec<PreparedModule>,
    pub(super) context: Arc<TestContext>,
    /// Where the gauges go, beside what stages measure.
    pub(super) recorder: Arc<Mutex<Recorder>>,
    /// How many threads make the load.
    pub(super) shards: usize,
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

pub(super) async fn prepare(request: Request, display: Display, log: Log) -> Result<Test, PrepareError> {
    let inspected = modules::inspect_all(&request, &log).await?;
    let plan = modules::plan(&inspected, &request)?;
    // A module that brings its own map of names leads nobody to what was not granted.
    let hosts_are_granted = [&request.environment, &request.flags].iter().any(|layer| layer.get("hosts").is_some())
        || inspected.iter().all(|one| one.inspected.options.get("hosts").is_none());
    let module_inputs = modules::inputs(&request, &inspected, &plan, hosts_are_granted)?;
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
    let data = tables::load(&request.data, &inspected, &plan, &log)?;
    let destinations = Arc::new(Destinations::new(request.allow_write.as_deref())?);

    let shards = if request.once { 1 } else { request.shards.max(1) };
    let instances = plan.peak_vus.saturating_add(SPARE_INSTANCES);
    log.runtime(Level::Debug, &format!("reserving {instances} instances"));
    let engine = Engine::new(EngineOptions {
        memory_bytes: request.memory_limit,
        instances: Some(instances),
        cache: request.cache,
    })?;
    let transferred = inspected.iter().map(|one| one.inspected.module.transfer(&engine).map(Arc::new));
    let transferred = transferred.collect::<Result<Vec<_>, _>>()?;
    if plan.paused && request.access.is_none() && !terminal::is_interactive() {
        let problem = "leaves nobody to resume the run; give --address, or run it in a terminal";
        return Err(FieldError::new("paused", true, problem).into());
    }
    let listener = request.access.as_ref().map(hands::listen).transpose()?;
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
        named.or_else(|| record::open_in_folder(&request.results, started, &modules::names(&inspected), &log));
    let seed = request.seed.unwrap_or_else(rand::random);
    let run_record = record::describe(&request, &inspected, &plan, seed, started);

    let context = Arc::new(context::of_plan(
        &plan,
        context::Surroundings {
            registry: Arc::clone(&registry),
            log: log.clone(),
            data,
            modules: module_inputs,
            seed,
            limits: InstanceLimits { memory_bytes: request.memory_limit, cpu: request.cpu_limit },
            files,
        },
    ));
    let recorder = || Arc::new(Mutex::new(Recorder::new(Arc::clone(&registry))));
    let (recorder, recorders) = (recorder(), (0..shards).map(|_| recorder()).collect::<Vec<_>>());
    let shard = |module: usize, recorder: &Arc<Mutex<Recorder>>| {
        Arc::new(ShardContext::new(Arc::clone(&context), module, Arc::clone(recorder)))
    };
    let prepared = |(index, (one, module)): (usize, (modules::Named, Arc<Module>))| PreparedModule {
        name: one.name,
        description: one.inspected.description,
        module,
        main: shard(index, &recorder),
        shards: recorders.iter().map(|recorder| shard(index, recorder)).collect(),
        set_up: false,
    };
    let modules: Vec<_> = inspected.into_iter().zip(transferred).enumerate().map(prepared).collect();
    let recorders: Vec<_> = std::iter::once(&recorder).chain(&recorders).map(Arc::clone).collect();
    let signals = Signals::listen(display.clone()).map_err(|error| PrepareError::System(error.to_string()))?;
    for line in plan.scaled.iter().map(|line| format!("scaled: {line}")).chain(plan.notes.iter().cloned()) {
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
    if modules.iter().any(|module| module.description.handle_summary)
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
    let schedule = Schedule::new(plan.specs(), shards, Placement::Threads, stop.clone());
    let (live, desk) = control::live::open(
        name_of(&modules),
        plan.scenarios.iter().map(|scenario| scenario.spec.executor.name()).collect(),
        schedule.helm(),
        stop,
        display.clone(),
        Arc::clone(&thresholds),
        settings.clone(),
    );
    let hands = hands::begin(&live, listener.zip(request.access), &display, plan.paused)?;
    let prepared = Prepared {
        schedule: Some(schedule),
        desk,
        _hands: hands,
        once: request.once,
        modules,
        context,
        recorder,
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
    Ok(Test { prepared, verdict: None, duration: std::time::Duration::ZERO })
}

/// What runs: each module's name, with its version where it has one.
pub(super) fn name_of(modules: &[PreparedModule]) -> String {
    let name = |module: &PreparedModule| {
        let name = if modules.len() == 1 { &module.description.name } else { &module.name };
        format!("{name} {}", module.description.version).trim().to_owned()
    };
    modules.iter().map(name).collect::<Vec<_>>().join(" + ")
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
