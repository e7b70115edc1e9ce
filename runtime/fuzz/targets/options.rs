//! Options as JSON, up to the plan: nothing panics, and what was resolved can be shown, read and resolved again to the same.
#![no_main]

use flashcrowd_runtime::options::Options;
use flashcrowd_runtime::plan::{FunctionInfo, ModuleInfo, Plan, Scale};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(bytes) else { return Corpus::Reject };
    let Ok(options) = Options::from_json_text(text, "options.json") else { return Corpus::Keep };
    let read = Options::from_json(&options.to_json()).expect("a layer that was shown can be read");
    assert_eq!(read, options);

    if is_large(&options.to_json()) {
        return Corpus::Keep;
    }
    let module = module();
    if let Ok(scale) = Scale::new(0.3, 2.5) {
        let _ = Plan::resolve(&options, &module, scale).map(|plan| plan.requirements_json());
    }
    let Ok(plan) = Plan::resolve(&options, &module, Scale::default()) else { return Corpus::Keep };
    let shown = plan.options_json();
    let read = Options::from_json(&shown).unwrap_or_else(|error| panic!("{error}: {shown}"));
    let again = Plan::resolve(&read, &module, Scale::default()).unwrap_or_else(|error| panic!("{error}: {shown}"));
    assert_eq!(comparable(again), comparable(plan.clone()));
    for spec in plan.specs() {
        let _ = (spec.describe(), spec.executor.total_iterations(), spec.steps(), spec.end());
    }
    let _ = plan.requirements_json();
    Corpus::Keep
});

/// Everything but the warnings: what has no effect is not in the resolved options, and so is not warned of twice.
fn comparable(mut plan: Plan) -> String {
    plan.warnings.clear();
    format!("{plan:#?}")
}

/// Planning takes time for every virtual user: with a million of them, the fuzzer would try nothing else.
fn is_large(options: &Value) -> bool {
    const VUS: [&str; 5] = ["vus", "startVUs", "preAllocatedVUs", "maxVUs", "target"];
    match options {
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            VUS.contains(&name.as_str()) && value.as_f64().is_some_and(|vus| vus > 2_000.0) || is_large(value)
        }),
        Value::Array(items) => items.iter().any(is_large),
        _ => false,
    }
}

fn module() -> ModuleInfo {
    let function = |name: &str, aliases: &[&str]| FunctionInfo {
        name: name.to_owned(),
        aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
    };
    ModuleInfo { functions: vec![function("checkout", &["default"]), function("browse", &[])] }
}
