//! Looking into a module: what it says of itself, in a sandbox without network and environment.

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::context;
use super::error::PrepareError;
use crate::engine::{Engine, EngineOptions};
use crate::host::context::ShardContext;
use crate::log::Log;
use crate::metrics::Recorder;
use crate::module::{Description, Module};
use crate::options::Options;
use crate::plan::{FunctionInfo, ModuleInfo};
use crate::vu::Vu;

/// A module that was looked into.
#[derive(Debug)]
pub struct Inspected {
    /// It, on an engine of its own.
    pub module: Arc<Module>,
    /// What it says.
    pub description: Description,
    /// The options it brings.
    pub options: Options,
}

impl Inspected {
    /// What the plan must know of it.
    #[must_use]
    pub fn info(&self) -> ModuleInfo {
        let function = |function: &crate::module::Function| FunctionInfo {
            name: function.name.clone(),
            aliases: function.aliases.clone(),
        };
        ModuleInfo { functions: self.description.functions.iter().map(function).collect() }
    }
}

/// Loads a module and asks it what it is.
///
/// # Errors
/// When it is no module, traps, or says something that cannot be understood.
pub async fn inspect(path: &Path, memory_limit: usize, cache: bool, log: Log) -> Result<Inspected, PrepareError> {
    let engine = Engine::new(EngineOptions { memory_bytes: memory_limit, instances: None, cache })?;
    let module = Arc::new(Module::load(&engine, path)?);
    let shown = path.display().to_string();
    let sandbox = context::sandbox(log, memory_limit);
    let recorder = Arc::new(Mutex::new(Recorder::new(Arc::clone(&sandbox.registry))));
    let shard = Arc::new(ShardContext::new(sandbox, 0, recorder));
    let failed = |reason: String| PrepareError::Describe { path: shown.clone(), reason };
    let mut vu = Vu::new(Arc::clone(&module), shard, 0).await.map_err(|error| failed(error.reason))?;
    let json = vu.describe().await.map_err(|error| failed(error.to_string()))?;
    let description: Description = serde_json::from_str(&json)
        .map_err(|error| failed(format!("it does not follow docs/describe.schema.json: {error}")))?;
    if description.functions.is_empty() {
        return Err(failed("it has no scenario function; mark one with #[flashcrowd::scenario]".to_owned()));
    }
    if description.vu_init && module.vu_init().is_none() {
        let missing =
            "it says `vuInit`, and does not export `flashcrowd:scenario/vu-lifecycle`; leave one out, or add the other";
        return Err(failed(missing.to_owned()));
    }
    let options = Options::from_json(&description.options).map_err(|error| error.of(&format!("{shown}, options")))?;
    Ok(Inspected { module, description, options })
}
