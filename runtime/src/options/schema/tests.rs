//! `docs/options.schema.json` and `docs/options.md` are what this code says. With `UPDATE_DOCS=1` the tests write them.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::super::environment::SETTINGS;
use super::super::known::OPTIONS;
use super::*;

fn docs(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs").join(file)
}

/// Compares a file with what it should hold.
fn check(file: &str, expected: &str) {
    let path = docs(file);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "docs/{file} is not current: run this test with UPDATE_DOCS=1 in the environment");
}

#[test]
fn the_published_schema_is_current() {
    check("options.schema.json", &format!("{:#}\n", schema()));
}

fn table() -> String {
    let mut text = String::from("| option | flag | variable | default | what it does |\n|---|---|---|---|---|\n");
    let cell = |text: &str| text.replace('|', "\\|");
    for option in OPTIONS.iter().filter(|option| option.is_supported()) {
        let flag = option.flag.map_or_else(|| "–".to_owned(), |flag| format!("`{flag}`"));
        let (name, env, default) = (option.name, option.env, option.default);
        let _ = writeln!(text, "| `{name}` | {flag} | `{env}` | {} | {} |", cell(default), cell(option.help));
    }
    text
}

fn unsupported() -> String {
    let mut text = String::from("| option | variable | taken values | what it does in k6 |\n|---|---|---|---|\n");
    for option in OPTIONS.iter().filter(|option| !option.is_supported()) {
        let accepted = option.accepted().iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "| `{}` | `{}` | {accepted} | {} |", option.name, option.env, option.help);
    }
    text
}

/// Puts `new` between the two marks of this name.
fn replace_section(text: &str, name: &str, new: &str) -> String {
    let (begin, end) = (format!("<!-- {name}: made by a test -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{begin} is missing"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("{end} is missing"));
    format!("{before}{begin}{new}{end}{after}")
}

#[test]
fn the_documentation_lists_every_option() {
    let found = std::fs::read_to_string(docs("options.md")).unwrap();
    let expected = replace_section(&found, "options", &table());
    check("options.md", &replace_section(&expected, "not supported", &unsupported()));
}

#[test]
fn the_documentation_names_every_other_variable() {
    let text = std::fs::read_to_string(docs("options.md")).unwrap();
    for variable in SETTINGS {
        assert!(text.contains(&format!("`{variable}`")), "{variable}");
    }
}

/// Every JSON example in the documentation is read.
#[test]
fn the_examples_of_the_documentation_are_options() {
    let text = std::fs::read_to_string(docs("options.md")).unwrap();
    let examples: Vec<&str> = text.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(examples.len() >= 2, "the documentation has lost its examples");
    for example in examples {
        let options = super::super::Options::from_json_text(example, "docs/options.md").unwrap();
        options.scenarios().unwrap();
    }
}

/// Each property that a scenario's schema names is taken by its executor, and what is required is.
#[test]
fn executors_have_the_fields_that_the_schema_says() {
    let schema = schema();
    let executors = schema["$defs"]["Scenario"]["oneOf"].as_array().unwrap();
    // One of them has two sets of fields.
    let mut names: Vec<&str> =
        executors.iter().map(|executor| executor["properties"]["executor"]["const"].as_str().unwrap()).collect();
    names.dedup();
    assert_eq!(names, crate::executor::ExecutorConfig::NAMES);
    for executor in executors {
        let mut all = Map::new();
        for name in executor["properties"].as_object().unwrap().keys() {
            let value = match name.as_str() {
                "executor" => executor["properties"]["executor"]["const"].clone(),
                "stages" => json!([{"duration": "1s", "target": 2}]),
                "env" | "tags" => json!({"a": "b"}),
                "exec" => json!("default"),
                "options" => json!({}),
                "expectedStatuses" => json!([200, "300-399", {"min": 404, "max": 410}]),
                "duration" | "maxDuration" | "startTime" | "gracefulStop" | "gracefulRampDown" | "timeUnit" => {
                    json!("1s")
                }
                _ => json!(1),
            };
            all.insert(name.clone(), value);
        }
        let read =
            |scenario: &Map<String, Value>| super::super::Options::from_json(&json!({"scenarios": {"a": scenario}}));
        read(&all).unwrap();
        for required in executor["required"].as_array().unwrap() {
            let mut without = all.clone();
            without.remove(required.as_str().unwrap());
            let error = read(&without).unwrap_err();
            assert!(error.to_string().contains("is missing"), "{error}");
        }
        let optional = all.keys().filter(|name| !executor["required"].as_array().unwrap().contains(&json!(name)));
        for name in optional.cloned().collect::<Vec<_>>() {
            let mut without = all.clone();
            without.remove(&name);
            read(&without).unwrap();
        }
    }
}
