//! The options of a test of several modules. Each module has the layers that it would have alone; what is one for the whole test must be the
//! same in all of them.

use serde_json::{Map, Value};

use super::{Options, known};
use crate::field_error::FieldError;
use crate::threshold::Selector;

/// Between a module's name and a scenario's own: no scenario's own name has a dot in it, so the two can always be told apart; it needs no
/// quotes in a threshold's selector, in a tag or in a shell, and is no folder in a file's name.
pub const SEPARATOR: char = '.';

/// Whether a module may be called so: what the names of scenarios are made of.
#[must_use]
pub fn is_module_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

/// The tag that says whose samples these are, where there are several modules.
pub const MODULE_TAG: &str = "module";

/// What each module says for itself: how its load runs, its own stages, its samples' tags, the certificates that nobody else may show.
const OWN: [&str; 12] = [
    "scenarios",
    "vus",
    "duration",
    "iterations",
    "stages",
    "thresholds",
    "tags",
    "setupTimeout",
    "teardownTimeout",
    "noSetup",
    "noTeardown",
    "tlsAuth",
];

/// Metrics of the test as a whole, which no module has a part in.
const OF_THE_TEST: [&str; 2] = ["vus", "vus_max"];

/// Layers below and above the modules'.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// The config file's.
    pub config: &'a Options,
    /// The environment's.
    pub environment: &'a Options,
    /// The flags'.
    pub flags: &'a Options,
}

/// The options of a test.
#[derive(Debug, Clone)]
pub struct Layered {
    /// Of each module, in their order.
    pub modules: Vec<Options>,
    /// Of the test as a whole.
    pub shared: Options,
    /// What one module says and all have to live with, in a line each for people.
    pub notes: Vec<String>,
}

/// The name of a module's scenario in a test of several modules, or its own name in a test of one.
#[must_use]
pub fn full_name(module: Option<&str>, scenario: &str) -> String {
    module.map_or_else(|| scenario.to_owned(), |module| format!("{module}{SEPARATOR}{scenario}"))
}

impl Around<'_> {
    /// Lays the layers around each module's options.
    ///
    /// # Errors
    /// Two modules that say something different of what is one for the whole test, unless the environment or a flag says it.
    pub fn layer(&self, modules: &[(&str, &Options)]) -> Result<Layered, FieldError> {
        let around = |own: &Options| {
            Options::merged([self.config.clone(), own.clone(), self.environment.clone(), self.flags.clone()])
        };
        let alone: Vec<Options> = modules.iter().map(|(_, own)| around(own)).collect();
        if let [only] = &alone[..] {
            let shared = only.clone();
            return Ok(Layered { modules: alone, shared, notes: Vec::new() });
        }
        let above = self.environment.clone().overlay(self.flags.clone());
        let (common, notes) = common(modules, &above)?;
        let mut shared = around(&common);
        for name in OWN.iter().filter(|name| !matches!(**name, "thresholds" | "tags")) {
            shared.values.shift_remove(*name);
        }
        if above.get("thresholds").is_none() {
            let own = modules.iter().filter(|(_, own)| own.says("thresholds"));
            let scoped: Vec<_> = own.map(|(module, own)| scoped(&own.values["thresholds"], module)).collect();
            if !scoped.is_empty() {
                shared.values.insert("thresholds".to_owned(), Value::Object(union(scoped)));
            }
        }
        Ok(Layered { modules: alone, shared, notes })
    }
}

/// What the modules say together of what is one for the whole test.
fn common(modules: &[(&str, &Options)], above: &Options) -> Result<(Options, Vec<String>), FieldError> {
    let mut common = Options::default();
    let mut notes = Vec::new();
    let mut said_by: Vec<(&str, &str)> = Vec::new();
    for (module, own) in modules {
        let shared = own.values.iter().filter(|(name, _)| !OWN.contains(&name.as_str()));
        for (name, value) in shared.filter(|(name, _)| above.get(name).is_none()) {
            match (common.get(name), said_by.iter().find(|(known, _)| known == name)) {
                (Some(other), Some((_, first))) if other != value => {
                    let problem = format!(
                        "in module `{module}`, and {other} in module `{first}`: it is one for the whole test; {}",
                        remedy(name)
                    );
                    return Err(FieldError::json(name.as_str(), value, problem));
                }
                _ => {
                    said_by.push((name, module));
                    common.values.insert(name.clone(), value.clone());
                }
            }
        }
    }
    for (name, value) in &common.values {
        let who: Vec<_> = said_by.iter().filter(|(said, _)| said == name).map(|(_, who)| format!("`{who}`")).collect();
        if who.len() < modules.len() {
            notes.push(format!("{name}: {value}, as {} says, holds for all modules of this run", who.join(" and ")));
        }
    }
    Ok((common, notes))
}

fn remedy(name: &str) -> String {
    let Some(option) = known::find(name) else { return "say the same in both".to_owned() };
    match option.flag {
        Some(flag) => format!("decide with {}", flag.rsplit(' ').next().unwrap_or(flag)),
        None => format!("decide with the variable FLASHCROWD_{}", option.env),
    }
}

/// A module's thresholds hold for its own samples: selectors of its scenarios know them by their full names, the others select the module.
fn scoped(thresholds: &Value, module: &str) -> Map<String, Value> {
    let Value::Object(thresholds) = thresholds else { return Map::new() };
    let scoped = |text: &str| {
        // What cannot be read is refused when the plan is made.
        let Ok(mut selector) = text.parse::<Selector>() else { return text.to_owned() };
        if OF_THE_TEST.contains(&selector.metric.as_str()) {
            return text.to_owned();
        }
        let scenario = selector.tags.iter_mut().find(|(tag, value)| tag == "scenario" && !value.is_empty());
        match scenario {
            Some((_, value)) => *value = full_name(Some(module), value),
            None => selector.tags.push((MODULE_TAG.to_owned(), module.to_owned())),
        }
        selector.to_string()
    };
    thresholds.iter().map(|(selector, conditions)| (scoped(selector), conditions.clone())).collect()
}

/// All thresholds; two lists for one selector become one.
fn union(all: Vec<Map<String, Value>>) -> Map<String, Value> {
    let mut union: Map<String, Value> = Map::new();
    for (selector, conditions) in all.into_iter().flatten() {
        let known = union.entry(selector).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(known) = known {
            match conditions {
                Value::Array(more) => known.extend(more),
                Value::Null => {}
                one => known.push(one),
            }
        }
    }
    union
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn options(json: Value) -> Options {
        Options::from_json(&json).unwrap()
    }

    fn layer(config: Value, modules: &[Value], environment: Value, flags: Value) -> Result<Layered, FieldError> {
        let modules: Vec<Options> = modules.iter().cloned().map(options).collect();
        let named: Vec<_> = ["shop", "till", "bank"].into_iter().zip(&modules).collect();
        let (config, environment, flags) = (options(config), options(environment), options(flags));
        Around { config: &config, environment: &environment, flags: &flags }.layer(&named)
    }

    #[test]
    fn one_module_is_as_it_always_was() {
        let module = json!({"vus": 3, "rps": 5, "thresholds": {"checks": ["rate>0.9"]}});
        let layered = layer(json!({"rps": 9, "tags": {"a": "b"}}), &[module], json!({}), json!({"vus": 4})).unwrap();
        let expected = json!({"rps": 5, "tags": {"a": "b"}, "vus": 4, "thresholds": {"checks": ["rate>0.9"]}});
        assert_eq!((layered.shared.to_json(), layered.modules[0].to_json()), (expected.clone(), expected));
    }

    #[test]
    fn each_module_has_its_own_load_and_thresholds_select_it() {
        let shop = json!({
            "scenarios": {"rush": {"executor": "constant-vus", "vus": 1, "duration": "1s"}},
            "thresholds": {"http_reqs": ["count>1"], "http_req_duration{scenario:rush,status:200}": ["p(95)<9"], "vus": "value>0"},
            "tags": {"team": "a"},
            "setupTimeout": "5s",
        });
        let till = json!({"vus": 2, "thresholds": {"http_reqs": ["count>2"], "vus": ["value>1"]}, "setupTimeout": "6s", "rps": 7});
        let layered = layer(json!({"tags": {"all": "b"}}), &[shop, till], json!({}), json!({})).unwrap();
        assert_eq!(
            layered.shared.to_json(),
            json!({
                "tags": {"all": "b"},
                "rps": 7,
                "thresholds": {
                    "http_reqs{module:shop}": ["count>1"],
                    "http_req_duration{scenario:shop.rush,status:200}": ["p(95)<9"],
                    "vus": ["value>0", "value>1"],
                    "http_reqs{module:till}": ["count>2"],
                },
            })
        );
        assert_eq!(layered.modules[0].get("setupTimeout"), Some(&json!("5s")));
        assert_eq!(layered.modules[1].get("setupTimeout"), Some(&json!("6s")));
        assert_eq!(layered.modules[1].get("tags"), Some(&json!({"all": "b"})));
        assert_eq!(layered.notes, ["rps: 7, as `till` says, holds for all modules of this run"]);
    }

    #[test]
    fn what_is_one_for_the_whole_test_must_be_the_same() {
        let (five, nine) = (json!({"rps": 5}), json!({"rps": 9}));
        let error =
            layer(json!({"rps": 1}), &[json!({}), five.clone(), nine.clone()], json!({}), json!({})).unwrap_err();
        assert_eq!(
            error.to_string(),
            "rps: 9 in module `bank`, and 5 in module `till`: it is one for the whole test; decide with --rps"
        );
        let decided = layer(json!({}), &[five.clone(), nine], json!({}), json!({"rps": 7})).unwrap();
        assert_eq!((decided.shared.get("rps"), decided.notes.len()), (Some(&json!(7)), 0));
        let same = layer(json!({}), &[five.clone(), five], json!({}), json!({})).unwrap();
        assert_eq!((same.shared.get("rps"), same.notes.len()), (Some(&json!(5)), 0));
    }

    #[test]
    fn thresholds_from_outside_are_about_the_whole_run() {
        let own = json!({"thresholds": {"checks": ["rate>0.9"]}});
        let all = json!({"thresholds": {"checks": ["rate>0.5"]}});
        let of = |layered: &Layered| layered.shared.get("thresholds").cloned();
        let above = layer(json!({}), &[own.clone(), own.clone()], all.clone(), json!({})).unwrap();
        assert_eq!(of(&above), Some(json!({"checks": ["rate>0.5"]})));
        let below = layer(all.clone(), &[own, json!({})], json!({}), json!({})).unwrap();
        assert_eq!(of(&below), Some(json!({"checks{module:shop}": ["rate>0.9"]})));
        let alone = layer(all, &[json!({}), json!({})], json!({}), json!({})).unwrap();
        assert_eq!(of(&alone), Some(json!({"checks": ["rate>0.5"]})));
    }
}
