//! `--once`: every scenario function runs once, whatever load the options ask for.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{ModuleInfo, find_function};
use crate::field_error::FieldError;
use crate::options::Options;

/// What has no meaning for one iteration of everything.
const LOAD: [&str; 7] = ["vus", "duration", "iterations", "stages", "scenarios", "rps", "minIterationDuration"];

/// The options of a run that tries everything out: each scenario once, unless it runs the same function in the same environment
/// as one before it; then each function that no scenario runs. Requests are shown whole, unless the options say otherwise.
///
/// Where some of them will be chosen by name, `all` is false, and none is left out for another one that may not be chosen.
///
/// # Errors
/// A scenario whose function the module does not have.
pub fn once(options: &Options, module: &ModuleInfo, all: bool) -> Result<Options, FieldError> {
    let given = if options.says_scenarios() { options.scenarios()? } else { Vec::new() };
    let mut scenarios = Map::new();
    let mut seen: Vec<(u32, BTreeMap<String, String>)> = Vec::new();
    for scenario in &given {
        let (function, exec) = find_function(scenario, module)?;
        if !all || !seen.iter().any(|(known, env)| *known == function && *env == scenario.env) {
            scenarios.insert(scenario.name.clone(), iteration(&exec, &scenario.env, &scenario.tags));
            seen.push((function, scenario.env.clone()));
        }
    }
    for (function, info) in (0..).zip(&module.functions) {
        if !seen.iter().any(|(known, _)| *known == function) {
            scenarios
                .insert(free_name(&info.name, &scenarios), iteration(&info.name, &BTreeMap::new(), &BTreeMap::new()));
        }
    }
    let mut once = without_load(options)?;
    if !scenarios.is_empty() {
        once.set("scenarios", &Value::Object(scenarios))?;
    }
    Ok(once)
}

/// The options of a run without a load: no thresholds, and requests that are shown.
///
/// # Errors
/// None that these options could bring.
pub fn without_load(options: &Options) -> Result<Options, FieldError> {
    let mut once = options.clone().without(&LOAD);
    once.set("noThresholds", &json!(true))?;
    if once.get("httpDebug").is_none() {
        once.set("httpDebug", &json!("full"))?;
    }
    Ok(once)
}

fn iteration(exec: &str, env: &BTreeMap<String, String>, tags: &BTreeMap<String, String>) -> Value {
    json!({"executor": "per-vu-iterations", "vus": 1, "iterations": 1, "exec": exec, "env": env, "tags": tags})
}

/// The function's name as that of a scenario, which not every text can be.
fn free_name(function: &str, taken: &Map<String, Value>) -> String {
    let letters = function.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' });
    let mut name: String = letters.collect();
    while name.is_empty() || taken.contains_key(&name) {
        name.push('_');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{FunctionInfo, Plan, Scale};

    fn module() -> ModuleInfo {
        let function = |name: &str, alias: Option<&str>| FunctionInfo {
            name: name.to_owned(),
            aliases: alias.map(str::to_owned).into_iter().collect(),
        };
        ModuleInfo {
            functions: vec![function("browse", Some("default")), function("pay", None), function("pay/é", None)],
        }
    }

    fn planned(options: Value) -> (Plan, Vec<(String, String)>) {
        let options = once(&Options::from_json(&options).unwrap(), &module(), true).unwrap();
        let plan = Plan::resolve(&options, &module(), Scale::default()).unwrap();
        let scenarios = plan.scenarios.iter().map(|one| (one.spec.name.clone(), one.exec.clone())).collect();
        (plan, scenarios)
    }

    fn names(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(scenario, function)| ((*scenario).to_owned(), (*function).to_owned())).collect()
    }

    #[test]
    fn every_function_runs_once_whether_or_not_a_scenario_runs_it() {
        let (plan, scenarios) =
            planned(json!({"vus": 50, "duration": "1m", "thresholds": {"checks": "rate>0.9"}, "rps": 5}));
        assert_eq!(scenarios, names(&[("browse", "browse"), ("pay", "pay"), ("pay__", "pay/é")]));
        let each = |scenario: &crate::plan::PlannedScenario| scenario.spec.executor.total_iterations();
        assert!(plan.scenarios.iter().all(|scenario| each(scenario) == Some(1)));
        assert!(plan.thresholds.is_empty() && plan.rps.is_none() && plan.warnings.is_empty(), "{:?}", plan.warnings);
        assert_eq!(plan.http_debug, Some(crate::http::HttpDebug::Full));
    }

    #[test]
    fn scenarios_keep_their_environment_and_the_same_one_does_not_run_twice() {
        let scenario = |exec: &str, page: &str| json!({"executor": "constant-vus", "duration": "1m", "exec": exec, "env": {"PAGE": page}, "tags": {"a": "b"}});
        let options = json!({
            "scenarios": {
                "pay": scenario("browse", "front"), "again": scenario("default", "front"), "back": scenario("browse", "back"),
            },
            "thresholds": {"checks{scenario:again}": "rate>0.9"},
            "httpDebug": "headers",
        });
        let (plan, scenarios) = planned(options);
        let expected = names(&[("pay", "browse"), ("back", "browse"), ("pay_", "pay"), ("pay__", "pay/é")]);
        assert_eq!(scenarios, expected);
        assert_eq!((plan.scenarios[1].env["PAGE"].as_str(), plan.scenarios[1].tags["a"].as_str()), ("back", "b"));
        assert_eq!(plan.http_debug, Some(crate::http::HttpDebug::Headers));
    }

    #[test]
    fn a_scenario_of_a_function_that_is_not_there_is_an_error() {
        let options = json!({"scenarios": {"a": {"executor": "constant-vus", "duration": "1s", "exec": "brows"}}});
        let error = once(&Options::from_json(&options).unwrap(), &module(), true).unwrap_err();
        insta::assert_snapshot!(error, @r#"scenarios.a.exec: "brows" is no scenario function of this module; did you mean `browse`?"#);
    }
}
