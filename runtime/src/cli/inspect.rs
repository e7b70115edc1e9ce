//! `runtime inspect`: what a stranger must know before running somebody else's module.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::run::{config_file, environment};
use super::run_args::OptionArgs;
use super::{complain, module_path, print, refuse};
use crate::duration;
use crate::exit::Exit;
use crate::field_error::FieldError;
use crate::log::{Level, Log, printable};
use crate::metrics::{DEFAULT_MAX_SERIES, Registry};
use crate::module::Description;
use crate::options::Options;
use crate::plan::Plan;
use crate::run::PrepareError;
use crate::run::inspection::{Inspected, inspect};

/// Memory of the instance that describes itself.
const MEMORY_BYTES: usize = 64 << 20;

/// Arguments of `runtime inspect`.
#[derive(Debug, clap::Args)]
pub(super) struct InspectArgs {
    /// A compiled scenario (.wasm), or a scenario's crate folder, which is built first
    #[arg(value_name = "MODULE")]
    module: PathBuf,

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
    let module = match module_path(&args.module) {
        Ok(module) => module,
        Err(error) => return refuse(&error),
    };
    let (log, printer) = Log::start(Level::Info, complain_line);
    let looked = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| PrepareError::System(error.to_string()))
        .and_then(|runtime| runtime.block_on(inspect(&module, MEMORY_BYTES, true, log)));
    let report = looked.and_then(|inspected| {
        let plan = plan(args, &inspected)?;
        Ok(if args.json {
            pretty(&as_json(&inspected, &plan))
        } else if args.execution_requirements {
            pretty(&plan.requirements_json())
        } else {
            as_text(&inspected, &plan, &args.module.display().to_string())
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

fn plan(args: &InspectArgs, inspected: &Inspected) -> Result<Plan, FieldError> {
    let config = args.options.config.as_deref().map_or(Ok(Options::default()), config_file)?;
    let layers = [config, inspected.options.clone(), Options::from_environment(environment())?, args.options.layer()?];
    let plan = Plan::resolve(&Options::merged(layers), &inspected.info(), args.options.scale()?)?;
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
    let mut all = serde_json::to_value(&inspected.description).unwrap_or_else(|_| json!({}));
    all["options"] = plan.options_json();
    all["requirements"] = json!({
        "maxVUs": plan.peak_vus,
        "initialVUs": plan.initial_vus,
        "totalDuration": plan.ends().map(duration::format),
    });
    all["imports"] = json!(inspected.module.imports());
    all["grants"] = json!({ "hosts": hosts(&inspected.description), "writes": inspected.description.handle_summary });
    all
}

fn as_text(inspected: &Inspected, plan: &Plan, shown: &str) -> String {
    let description = &inspected.description;
    let mut text = String::new();
    let mut line = |arguments: std::fmt::Arguments<'_>| {
        // A stranger's words must not command the terminal.
        let clean = arguments.to_string().split('\n').map(printable).collect::<Vec<_>>().join("\n");
        let _ = writeln!(text, "{clean}");
    };
    line(format_args!("{} {}", description.name, description.version));
    for part in [description.description.as_str(), &description.authors.join(", ")] {
        if !part.is_empty() {
            line(format_args!("{part}"));
        }
    }
    line(format_args!("\nEnvironment"));
    if description.env.is_empty() {
        line(format_args!("  reads no variable"));
    }
    for variable in &description.env {
        let need = match (&variable.default, variable.required) {
            (Some(default), _) => format!("default {default}"),
            (None, true) => "required".to_owned(),
            (None, false) => "optional".to_owned(),
        };
        line(format_args!("  {} ({need}) {}", variable.name, variable.help));
    }
    if !description.data.is_empty() {
        line(format_args!("\nData"));
    }
    for table in &description.data {
        line(format_args!("  {} ({})", table.name, table.in_words()));
    }
    line(format_args!("\nScenarios"));
    for scenario in &plan.scenarios {
        line(format_args!("  {}: {}, {}", scenario.spec.name, scenario.spec.executor.name(), scenario.spec.describe()));
        line(format_args!("    runs the function `{}`", scenario.exec));
    }
    for scaled in &plan.scaled {
        line(format_args!("  scaled: {scaled}"));
    }
    if !plan.thresholds.is_empty() {
        line(format_args!("\nThresholds"));
        for threshold in &plan.thresholds {
            line(format_args!("  {}: {}", threshold.selector_text, threshold.expression_text));
        }
    }
    line(format_args!("\nNeeds"));
    line(format_args!("  {} VUs at most, {} made before the load", plan.peak_vus, plan.initial_vus));
    match plan.ends() {
        Some(end) => line(format_args!("  {} at most, graceful stops included", duration::format(end))),
        None => line(format_args!("  runs until somebody stops it")),
    }
    line(format_args!("\nGrants"));
    for host in hosts(description) {
        line(format_args!("  calls {host} by default: allow it with --allow-host {host}"));
    }
    line(format_args!(
        "  may call the hosts of the URLs that you give with -e, and those of --allow-host; nothing else"
    ));
    if description.handle_summary {
        line(format_args!("  writes a summary of its own: allow its files with --allow-write DIR"));
    }
    line(format_args!("\nImports"));
    for import in inspected.module.imports() {
        line(format_args!("  {import}"));
    }
    line(format_args!("\nRun it with\n  {}", command(description, shown)));
    text
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

fn command(description: &Description, module: &str) -> String {
    let required = description.env.iter().filter(|variable| variable.required && variable.default.is_none());
    let mut command = format!("runtime run {module}");
    for variable in required {
        let _ = write!(command, " -e {}=VALUE", variable.name);
    }
    for table in &description.data {
        let _ = write!(command, " --data {}=FILE", table.name);
    }
    for host in hosts(description) {
        let _ = write!(command, " --allow-host {host}");
    }
    if description.handle_summary {
        command.push_str(" --allow-write .");
    }
    command
}
