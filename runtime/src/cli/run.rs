//! `runtime run`.

use std::io::IsTerminal as _;
use std::path::Path;

use super::run_args::RunArgs;
use super::{complain, module_files, refuse};
use crate::exit::Exit;
use crate::field_error::FieldError;
use crate::options::Options;
use crate::output::{Mode, Rendering};
use crate::run::{Request, run};

pub(super) fn execute(args: RunArgs) -> Exit {
    let request = match request(&args) {
        Ok(request) => request,
        Err(error) => return refuse(&error),
    };
    let modules = match module_files(&args.modules) {
        Ok(modules) => modules,
        Err(error) => return refuse(&error),
    };
    match run(Request { modules, ..request }) {
        Ok(exit) => exit,
        Err(error) => {
            complain(&error);
            error.exit()
        }
    }
}

/// Everything that can be checked without the module is checked before the module is built.
fn request(args: &RunArgs) -> Result<Request, FieldError> {
    let process = |name: &str| std::env::var(name).ok();
    let settings = args.settings(process)?;
    let mode = Some(settings.summary_mode).filter(|mode| *mode != Mode::Disabled);
    let colour = !settings.no_color && std::io::stdout().is_terminal();
    Ok(Request {
        modules: Vec::new(),
        only: args.options.scenarios.clone(),
        config: settings.config.as_deref().map_or(Ok(Options::default()), config_file)?,
        environment: Options::from_environment(environment())?,
        flags: args.options.layer()?,
        env: settings.env.into_iter().collect(),
        data: settings.data,
        grants: settings.grants,
        network: settings.network,
        files: settings.files,
        allow_write: settings.allow_write,
        once: settings.once,
        seed: settings.seed,
        shards: settings.shards.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)),
        memory_limit: settings.memory_limit_bytes,
        cpu_limit: settings.cpu_limit,
        max_series: settings.max_series,
        no_data: settings.no_data,
        fail_on_check: settings.fail_on_check,
        min_rate_achieved: settings.min_rate_achieved,
        scale: settings.scale,
        summary: mode.map(|mode| Rendering { mode, time_unit: None, colour }),
        export: settings.summary_export,
        results: settings.results,
        cache: true,
        access: settings.access,
        quiet: settings.quiet,
        verbose: settings.verbose,
    })
}

/// The options of a `--config` file.
pub(super) fn config_file(path: &Path) -> Result<Options, FieldError> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        FieldError::new(
            "--config",
            &shown,
            format!("cannot be read ({error}); give a file with a k6 options object in JSON"),
        )
    })?;
    Options::from_json_text(&text, &shown)
}

/// The process's variables; one that is no text cannot be an option.
pub(super) fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
