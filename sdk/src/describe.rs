//! What the module says about itself. The schema is `docs/describe.schema.json`.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::options::{DataTable, EnvVar, Options};
use crate::registry::{self, Package, ScenarioFunction};

/// The version of the contract (`wit/`) that this crate is built against.
const CONTRACT: &str = "0.1.0";

/// How a scenario function is called where the scenario does not say which.
const DEFAULT: &str = "default";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Description<'a> {
    contract: &'a str,
    sdk: Sdk<'a>,
    name: &'a str,
    version: &'a str,
    description: &'a str,
    authors: Vec<&'a str>,
    env: &'a [EnvVar],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    data: &'a [DataTable],
    functions: &'a [Function<'a>],
    setup: bool,
    vu_init: bool,
    teardown: bool,
    handle_summary: bool,
    options: &'a Map<String, Value>,
}

#[derive(Serialize)]
struct Sdk<'a> {
    name: &'a str,
    version: &'a str,
    language: &'a str,
}

/// A scenario function and the names that it goes by.
#[derive(Debug, PartialEq, Serialize)]
struct Function<'a> {
    name: &'a str,
    aliases: Vec<&'a str>,
}

/// The description as JSON.
///
/// # Panics
/// If what the attributes marked cannot be a test: no scenario function, two of one name, an `exec` that names none.
pub(crate) fn describe() -> String {
    let made = registry::options();
    let options = made.map_or_else(Options::new, |options| (options.make)());
    let scenarios = registry::scenarios();
    let functions = functions(scenarios).and_then(|functions| check_exec(&options, &functions).map(|()| functions));
    let functions = functions.unwrap_or_else(|problem| panic!("{problem}"));
    let package = made
        .map(|options| options.package)
        .or_else(|| scenarios.first().map(|first| first.package))
        .unwrap_or_default();
    let description = description(&options, &package, &functions);
    serde_json::to_string(&description).expect("texts, numbers and options that are JSON already")
}

fn description<'a>(options: &'a Options, package: &'a Package, functions: &'a [Function<'a>]) -> Description<'a> {
    let about = options.about();
    Description {
        contract: CONTRACT,
        sdk: Sdk { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION"), language: "rust" },
        name: about.name.as_deref().unwrap_or(package.name),
        version: about.version.as_deref().unwrap_or(package.version),
        description: about.description.as_deref().unwrap_or(package.description),
        authors: match &about.authors {
            Some(authors) => authors.iter().map(String::as_str).collect(),
            None => package.authors.split(':').filter(|author| !author.is_empty()).collect(),
        },
        env: &about.env,
        data: &about.data,
        functions,
        setup: registry::setup().is_some(),
        vu_init: registry::vu_init().is_some(),
        teardown: registry::teardown().is_some(),
        handle_summary: registry::handle_summary().is_some(),
        options: options.fields(),
    }
}

/// The names, in the order of the source. A module's only function is the default one.
fn functions<'a>(scenarios: &[&'a ScenarioFunction]) -> Result<Vec<Function<'a>>, String> {
    match scenarios {
        [] => Err("the module has no scenario function; put #[flashcrowd::scenario] on one".to_owned()),
        [only] if only.name == DEFAULT => Ok(vec![Function { name: DEFAULT, aliases: vec![] }]),
        [only] if only.renamed => Ok(vec![Function { name: only.name, aliases: vec![DEFAULT] }]),
        [only] => Ok(vec![Function { name: DEFAULT, aliases: vec![only.name] }]),
        several => {
            for (index, later) in several.iter().enumerate() {
                if let Some(earlier) = several[..index].iter().find(|earlier| earlier.name == later.name) {
                    return Err(format!(
                        "two scenario functions are named {:?}: at {} and at {}; rename one with #[flashcrowd::scenario(name = \"…\")]",
                        later.name, earlier.at, later.at
                    ));
                }
            }
            Ok(several.iter().map(|function| Function { name: function.name, aliases: vec![] }).collect())
        }
    }
}

/// Every scenario must run a function that is there.
fn check_exec(options: &Options, functions: &[Function<'_>]) -> Result<(), String> {
    let Some(Value::Object(scenarios)) = options.fields().get("scenarios") else {
        return Ok(());
    };
    let is_there =
        |exec: &str| functions.iter().any(|function| function.name == exec || function.aliases.contains(&exec));
    let all = || {
        let names = functions.iter().flat_map(|function| std::iter::once(&function.name).chain(&function.aliases));
        names.map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
    };
    for (name, scenario) in scenarios {
        match scenario.get("exec").and_then(Value::as_str) {
            Some(exec) if !is_there(exec) => {
                return Err(format!(
                    "scenarios.{name}.exec: no scenario function is named {exec:?}; there is {}",
                    all()
                ));
            }
            None if !is_there(DEFAULT) => {
                return Err(format!(
                    "scenarios.{name}.exec: is not given, and none of the scenario functions is named {DEFAULT:?}; name one of {}",
                    all()
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
