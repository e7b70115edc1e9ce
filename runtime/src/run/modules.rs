//! The modules of a run: looked into, named apart, and planned together.

use std::collections::BTreeMap;
use std::path::Path;

use super::context::ModuleSurroundings;
use super::error::PrepareError;
use super::inspection::{Inspected, inspect};
use super::{ModuleFile, Request};
use crate::field_error::{FieldError, did_you_mean};
use crate::log::Log;
use crate::module::Description;
use crate::options::Options;
use crate::options::modules::{Around, Layered, SEPARATOR, is_module_name};
use crate::plan::{self, Part, Plan, PlannedModule, Scale};

/// A module that was looked into, with the name by which this run knows it.
#[derive(Debug)]
pub struct Named {
    /// Letters, digits, `_` and `-`; no other module of the run has it.
    pub name: String,
    /// It.
    pub inspected: Inspected,
}

/// Looks into all modules of a run.
pub(super) async fn inspect_all(request: &Request, log: &Log) -> Result<Vec<Named>, PrepareError> {
    let mut all: Vec<Named> = Vec::new();
    for file in &request.modules {
        let inspected = inspect(&file.path, request.memory_limit, request.cache, log.clone()).await?;
        add(&mut all, file, inspected)?;
    }
    Ok(all)
}

/// Names a module apart from those before it.
///
/// # Errors
/// Another one has this name.
pub fn add(all: &mut Vec<Named>, file: &ModuleFile, inspected: Inspected) -> Result<(), FieldError> {
    let name = file.name.clone().unwrap_or_else(|| plain_name(&inspected.description.name, &file.path));
    if let Some(first) = all.iter().find(|known| known.name == name) {
        let path = file.path.display();
        let problem = format!(
            "is called `{name}`, as {} is; call one of them otherwise, as in `{name}-2={path}`",
            first.inspected.module.path.display()
        );
        return Err(FieldError::bare(path.to_string(), problem));
    }
    all.push(Named { name, inspected });
    Ok(())
}

/// A name fit for the names of scenarios: the module's own, or that of its file.
fn plain_name(own: &str, path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let given = if own.is_empty() { stem.as_str() } else { own };
    let fit = |c: char| if is_module_name(c.encode_utf8(&mut [0; 4])) { c } else { '-' };
    let plain: String = given.chars().map(fit).collect();
    if plain.is_empty() { "module".to_owned() } else { plain }
}

/// The plan of what was asked for.
pub(super) fn plan(modules: &[Named], request: &Request) -> Result<Plan, FieldError> {
    let around = Around { config: &request.config, environment: &request.environment, flags: &request.flags };
    plan_of(modules, around, request.scale, &request.only, request.once)
}

/// The plan of these modules within these layers; `once` for one iteration of everything, or of everything in `only`.
///
/// # Errors
/// Whatever is wrong with the options.
pub fn plan_of(
    modules: &[Named],
    around: Around<'_>,
    scale: Scale,
    only: &[String],
    once: bool,
) -> Result<Plan, FieldError> {
    let own: Vec<(&str, &Options)> = modules.iter().map(|one| (one.name.as_str(), &one.inspected.options)).collect();
    let Layered { modules: mut layered, mut shared, notes } = around.layer(&own)?;
    let name = |one: usize| (modules.len() > 1).then(|| modules[one].name.as_str());
    let infos: Vec<_> = modules.iter().map(|one| one.inspected.info()).collect();
    if once {
        for (one, (options, info)) in layered.iter_mut().zip(&infos).enumerate() {
            let once = plan::once(options, info, only.is_empty());
            *options = once.map_err(|error| match name(one) {
                Some(name) => error.of(&format!("module `{name}`")),
                None => error,
            })?;
        }
        shared = plan::without_load(&shared)?;
    }
    let parts: Vec<Part<'_>> =
        (0..modules.len()).map(|one| Part { name: name(one), options: &layered[one], info: &infos[one] }).collect();
    let mut plan = Plan::of_parts(&parts, &shared, scale, only)?;
    plan.notes.splice(0..0, notes);
    Ok(plan)
}

/// What is given to each module: its variables, whom it may reach, how it gets there.
pub(super) fn inputs(
    request: &Request,
    modules: &[Named],
    plan: &Plan,
    hosts_are_granted: bool,
) -> Result<Vec<ModuleSurroundings>, PrepareError> {
    check_variables(&request.env, modules)?;
    let of = |(module, planned): (&Named, &PlannedModule)| {
        let network = request.network.settings(plan, planned, hosts_are_granted)?;
        let mut grants = request.grants.clone();
        let own = own_variables(&request.env, &module.name);
        own.iter().for_each(|(_, value)| grants.allow_urls_in(value));
        let for_all = request.env.iter().filter(|(name, _)| !name.contains(SEPARATOR)).cloned();
        let called = if modules.len() == 1 { &module.inspected.description.name } else { &module.name };
        let description = &module.inspected.description;
        let env = variables(for_all.chain(own), description);
        // What does not run needs nothing.
        if planned.runs {
            check_required(&env, called, description)?;
        }
        Ok(ModuleSurroundings { grants, network, env })
    };
    modules.iter().zip(&plan.modules).map(of).collect()
}

/// The defaults that the module declares, and what `-e` gives over them.
fn variables(given: impl Iterator<Item = (String, String)>, description: &Description) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    for variable in &description.env {
        if let Some(default) = &variable.default {
            env.insert(variable.name.clone(), default.clone());
        }
    }
    env.extend(given);
    env
}

fn check_required(env: &BTreeMap<String, String>, module: &str, description: &Description) -> Result<(), PrepareError> {
    match description.env.iter().find(|variable| variable.required && !env.contains_key(&variable.name)) {
        None => Ok(()),
        Some(variable) => Err(PrepareError::MissingVariable {
            name: variable.name.clone(),
            module: module.to_owned(),
            help: if variable.help.is_empty() { "it does not say what for".to_owned() } else { variable.help.clone() },
        }),
    }
}

/// The variables that are for one module alone, such as `shop.BASE_URL`, by its own names.
fn own_variables(given: &[(String, String)], module: &str) -> Vec<(String, String)> {
    let own = given.iter().filter_map(|(name, value)| {
        let (whose, own) = name.split_once(SEPARATOR)?;
        (whose == module).then(|| (own.to_owned(), value.clone()))
    });
    own.collect()
}

/// Every variable that is for one module alone is for one that this run has.
fn check_variables(given: &[(String, String)], modules: &[Named]) -> Result<(), FieldError> {
    let names = || modules.iter().map(|one| one.name.as_str());
    for (name, _) in given {
        if let Some((module, _)) = name.split_once(SEPARATOR)
            && !names().any(|known| known == module)
        {
            let problem = format!("is for a module that this run does not have; {}", did_you_mean(module, names()));
            return Err(FieldError::new("--env", format!("\"{name}\""), problem));
        }
    }
    Ok(())
}

/// What ran, for a file's name: the modules' own names.
pub(super) fn names(modules: &[Named]) -> String {
    match modules {
        [only] => only.inspected.description.name.clone(),
        several => several.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join("+"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_fit_for_scenarios() {
        assert_eq!(plain_name("shop", Path::new("a.wasm")), "shop");
        assert_eq!(plain_name("the shop: v1.2", Path::new("a.wasm")), "the-shop--v1-2");
        assert_eq!(plain_name("", Path::new("/tmp/my shop.wasm")), "my-shop");
        assert_eq!(plain_name("", Path::new("")), "module");
    }
}
