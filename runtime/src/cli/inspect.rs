//! `runtime inspect`: what a stranger must know before running somebody else's module.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::run::{config_file, environment};
use super::run_args::OptionArgs;
use super::{complain, module_files, print, refuse};
use crate::duration;
use crate::exit::Exit;
use crate::field_error::FieldError;
use crate::log::{Level, Log, printable};
use crate::metrics::{DEFAULT_MAX_SERIES, Registry};
use crate::module::Description;
use crate::options::Options;
use crate::options::modules::{Around, full_name};
use crate::plan::{Plan, PlannedModule};
use crate::run::inspection::{Inspected, inspect};
use crate::run::modules::{self, Named};
use crate::run::{ModuleFile, PrepareError};

/// Memory of the instance that describes itself.
const MEMORY_BYTES: usize = 64 << 20;

/// Arguments of `runtime inspect`.
#[derive(Debug, clap::Args)]
pub(super) struct InspectArgs {
    /// A compiled scenario (.wasm), or a scenario's crate folder, which is built first. Several are planned together, as `run` would
    #[arg(value_name = "MODULE", required = true)]
    modules: Vec<String>,

    /// Print everything as one JSON object
    #[arg(long)]
    json: bool,

    /// Print what k6 prints: the options as JSON, with totalDuration and maxVUs
    #[arg(long, conflicts_with = "json")]
    execution_requirements: bool,

    /// The load as it would be run with these flags.
    #[command(flatten)]
    options: OptionArgs,
}

pub(super) fn execute(args: &InspectArgs) -> Exit {
    let files = match module_files(&args.modules) {
        Ok(files) => files,
        Err(error) => return refuse(&error),
    };
    let (log, printer) = Log::start(Level::Info, complain_line);
    let looked = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| PrepareError::System(error.to_string()))
        .and_then(|runtime| runtime.block_on(look_into(&files, log)));
    let report = looked.and_then(|modules| {
        let plan = plan(args, &modules)?;
        Ok(match &modules[..] {
            _ if args.execution_requirements => pretty(&plan.requirements_json()),
            [only] if args.json => pretty(&as_json(&only.inspected, &plan)),
            several if args.json => pretty(&all_as_json(several, &plan)),
            [only] => as_text(&only.inspected, &plan, &args.modules[0]),
            several => all_as_text(several, &plan, &args.modules),
        })
    });
    printer.finish();
    match report {
        Ok(text) => print(&text),
        Err(error) => {
            complain(&error);
            error.exit()
        }
    }
}

fn complain_line(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{line}");
}

async fn look_into(files: &[ModuleFile], log: Log) -> Result<Vec<Named>, PrepareError> {
    let mut all = Vec::new();
    for file in files {
        modules::add(&mut all, file, inspect(&file.path, MEMORY_BYTES, true, log.clone()).await?)?;
    }
    Ok(all)
}

fn plan(args: &InspectArgs, modules: &[Named]) -> Result<Plan, FieldError> {
    let config = args.options.config.as_deref().map_or(Ok(Options::default()), config_file)?;
    let (environment, flags) = (Options::from_environment(environment())?, args.options.layer()?);
    let around = Around { config: &config, environment: &environment, flags: &flags };
    let plan = modules::plan_of(modules, around, args.options.scale()?, &args.options.scenarios, false)?;
    let registry = Registry::new(DEFAULT_MAX_SERIES, plan.system_tags);
    for threshold in &plan.thresholds {
        threshold.check(&registry)?;
    }
    Ok(plan)
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn as_json(inspected: &Inspected, plan: &Plan) -> Value {
    let mut all = module_json(inspected);
    all["options"] = plan.options_json();
    all["requirements"] = requirements(plan);
    all
}

/// What each module says of itself, and beside it what they come to together.
fn all_as_json(modules: &[Named], plan: &Plan) -> Value {
    let of_module = |(module, planned): (&Named, &PlannedModule)| {
        let mut json = module_json(&module.inspected);
        json["options"] = planned.options.clone();
        (module.name.clone(), json)
    };
    let each: serde_json::Map<String, Value> = modules.iter().zip(&plan.modules).map(of_module).collect();
    json!({ "modules": each, "options": plan.options_json(), "requirements": requirements(plan) })
}

fn module_json(inspected: &Inspected) -> Value {
    let mut all = serde_json::to_value(&inspected.description).unwrap_or_else(|_| json!({}));
    all["options"] = json!({});
    all["imports"] = json!(inspected.module.imports());
    all["grants"] = json!({ "hosts": hosts(&inspected.description), "writes": inspected.description.handle_summary });
    all
}

fn requirements(plan: &Plan) -> Value {
    json!({
        "maxVUs": plan.peak_vus,
        "initialVUs": plan.initial_vus,
        "totalDuration": plan.ends().map(duration::format),
    })
}

fn as_text(inspected: &Inspected, plan: &Plan, shown: &str) -> String {
    let description = &inspected.description;
    let mut text = Text::default();
    text.introduction(description);
    text.load(plan);
    text.grants(description);
    text.imports(inspected);
    text.line(format_args!("\nRun it with\n  runtime run {shown}{}", flags(&[(None, description)])));
    text.0
}

fn all_as_text(modules: &[Named], plan: &Plan, shown: &[String]) -> String {
    let mut text = Text::default();
    for module in modules {
        text.line(format_args!("Module {}\n", module.name));
        text.introduction(&module.inspected.description);
        text.grants(&module.inspected.description);
        text.imports(&module.inspected);
        text.line(format_args!("\n"));
    }
    text.line(format_args!("All of them together"));
    text.load(plan);
    let all: Vec<_> =
        modules.iter().map(|module| (Some(module.name.as_str()), &module.inspected.description)).collect();
    text.line(format_args!("\nRun them with\n  runtime run {}{}", shown.join(" "), flags(&all)));
    text.0
}

/// Lines for a person.
#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, arguments: std::fmt::Arguments<'_>) {
        // A stranger's words must not command the terminal.
        let clean = arguments.to_string().split('\n').map(printable).collect::<Vec<_>>().join("\n");
        let _ = writeln!(self.0, "{clean}");
    }

    fn introduction(&mut self, description: &Description) {
        self.line(format_args!("{} {}", description.name, description.version));
        for part in [description.description.as_str(), &description.authors.join(", ")] {
            if !part.is_empty() {
                self.line(format_args!("{part}"));
            }
        }
        self.line(format_args!("\nEnvironment"));
        if description.env.is_empty() {
            self.line(format_args!("  reads no variable"));
        }
        for variable in &description.env {
            let need = match (&variable.default, variable.required) {
                (Some(default), _) => format!("default {default}"),
                (None, true) => "required".to_owned(),
                (None, false) => "optional".to_owned(),
            };
            self.line(format_args!("  {} ({need}) {}", variable.name, variable.help));
        }
        if !description.data.is_empty() {
            self.line(format_args!("\nData"));
        }
        for table in &description.data {
            self.line(format_args!("  {} ({})", table.name, table.in_words()));
        }
    }

    fn load(&mut self, plan: &Plan) {
        self.line(format_args!("\nScenarios"));
        for scenario in &plan.scenarios {
            let spec = &scenario.spec;
            self.line(format_args!("  {}: {}, {}", spec.name, spec.executor.name(), spec.describe()));
            self.line(format_args!("    runs the function `{}`", scenario.exec));
        }
        for scaled in &plan.scaled {
            self.line(format_args!("  scaled: {scaled}"));
        }
        for note in &plan.notes {
            self.line(format_args!("  {note}"));
        }
        if !plan.thresholds.is_empty() {
            self.line(format_args!("\nThresholds"));
            for threshold in &plan.thresholds {
                self.line(format_args!("  {}: {}", threshold.selector_text, threshold.expression_text));
            }
        }
        self.line(format_args!("\nNeeds"));
        self.line(format_args!("  {} VUs at most, {} made before the load", plan.peak_vus, plan.initial_vus));
        match plan.ends() {
            Some(end) => self.line(format_args!("  {} at most, graceful stops included", duration::format(end))),
            None => self.line(format_args!("  runs until somebody stops it")),
        }
    }

    fn grants(&mut self, description: &Description) {
        self.line(format_args!("\nGrants"));
        for host in hosts(description) {
            self.line(format_args!("  calls {host} by default: allow it with --allow-host {host}"));
        }
        self.line(format_args!(
            "  may call the hosts of the URLs that you give with -e, and those of --allow-host; nothing else"
        ));
        if description.handle_summary {
            self.line(format_args!("  writes a summary of its own: allow its files with --allow-write DIR"));
        }
    }

    fn imports(&mut self, inspected: &Inspected) {
        self.line(format_args!("\nImports"));
        for import in inspected.module.imports() {
            self.line(format_args!("  {import}"));
        }
    }
}

/// The hosts of the URLs among the defaults: what the module calls if nobody says otherwise, and may not until somebody allows it.
fn hosts(description: &Description) -> Vec<String> {
    let defaults = description.env.iter().filter_map(|variable| variable.default.as_deref());
    let mut hosts: Vec<String> = defaults
        .filter_map(|default| url::Url::parse(default).ok())
        .filter_map(|url| Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?)))
        .collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

/// What these modules need of a command line, each flag once. Of several modules, each has a name, and variables of its own.
fn flags(modules: &[(Option<&str>, &Description)]) -> String {
    let required = modules.iter().flat_map(|(name, description)| description.env.iter().map(move |env| (name, env)));
    let required = required.filter(|(_, variable)| variable.required && variable.default.is_none());
    let variables = required.map(|(module, variable)| format!(" -e {}=VALUE", full_name(*module, &variable.name)));
    let descriptions: Vec<&Description> = modules.iter().map(|(_, description)| *description).collect();
    let tables = descriptions.iter().flat_map(|description| &description.data);
    let tables = tables.map(|table| format!(" --data {}=FILE", table.name));
    let allowed = descriptions.iter().flat_map(|description| hosts(description));
    let mut flags: Vec<String> = Vec::new();
    for flag in variables.chain(tables).chain(allowed.map(|host| format!(" --allow-host {host}"))) {
        if !flags.contains(&flag) {
            flags.push(flag);
        }
    }
    if descriptions.iter().any(|description| description.handle_summary) {
        flags.push(" --allow-write .".to_owned());
    }
    flags.concat()
}
