//! A whole module, called as the runtime calls it.

use std::cell::Cell;

use flashcrowd::prelude::*;
use flashcrowd::testing;

#[derive(Serialize, Deserialize)]
struct Shop {
    token: String,
    users: Vec<u32>,
}

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .scenario("rush", ConstantVus::new(10).duration(mins(1)).exec("borrows"))
        .threshold("http_req_failed", "rate<0.01")
        .env_var(EnvVar::required("BASE_URL").help("where the shop is"))
        .env_var(EnvVar::with_default("COUPON", 3))
}

#[flashcrowd::setup]
fn open_shop() -> Result<Shop, String> {
    Ok(Shop { token: "t".to_owned(), users: vec![1, 2] })
}

std::thread_local! {
    static FIRST_SEEN: Cell<Option<*const Shop>> = const { Cell::new(None) };
}

#[flashcrowd::scenario]
fn borrows(shop: &Shop) {
    assert_eq!(shop.token, "t");
    let seen = FIRST_SEEN.get().unwrap_or(shop);
    assert!(std::ptr::eq(seen, shop), "the data is made once per virtual user");
    FIRST_SEEN.set(Some(seen));
}

#[flashcrowd::scenario]
fn owns(mut shop: Shop) -> Result<(), String> {
    shop.users.push(3);
    if shop.users == [1, 2, 3] { Ok(()) } else { Err(format!("{:?}", shop.users)) }
}

#[flashcrowd::scenario]
fn reads_part_of_it(shop: &serde_json::Value) {
    assert_eq!(shop["token"], "t");
}

#[flashcrowd::scenario]
fn wants_another_shape(_numbers: &[u32]) {}

#[flashcrowd::scenario(name = "pay-by-card")]
fn pay() -> Result<(), Box<dyn std::error::Error>> {
    "seven".parse::<u32>()?;
    Ok(())
}

#[derive(Debug)]
struct OnlyDebug;

#[flashcrowd::scenario]
fn fails_silently() -> Result<(), OnlyDebug> {
    Err(OnlyDebug)
}

// Names that the macros' output must not trip over.
#[flashcrowd::scenario]
fn data() {}

#[flashcrowd::scenario]
fn thunk() -> Result<(), &'static str> {
    Err("thunk ran")
}

std::thread_local! {
    static LOGGED_IN: Cell<u32> = const { Cell::new(0) };
}

#[flashcrowd::vu_init]
fn log_in(shop: &Shop) -> Result<(), String> {
    LOGGED_IN.set(LOGGED_IN.get() + 1);
    if shop.token == "t" { Ok(()) } else { Err(format!("the token is {}", shop.token)) }
}

#[flashcrowd::teardown]
fn close_shop(shop: &Shop) -> Result<(), String> {
    Err(format!("closed {}", shop.token))
}

#[flashcrowd::handle_summary]
fn summary(data: &serde_json::Value) -> Result<Summary, String> {
    match data["metrics"].as_object() {
        Some(metrics) => Ok(Summary::new().stdout(format!("{} metrics", metrics.len()))),
        None => Err("no metrics".to_owned()),
    }
}

#[test]
fn the_module_describes_itself_by_the_published_schema() {
    let schema: serde_json::Value = serde_json::from_str(include_str!("../../docs/describe.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let described = testing::describe();
    let errors: Vec<String> =
        validator.iter_errors(&described).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:?}");

    let functions = [
        "borrows",
        "owns",
        "reads_part_of_it",
        "wants_another_shape",
        "pay-by-card",
        "fails_silently",
        "data",
        "thunk",
    ]
    .map(|name| json!({"name": name, "aliases": []}));
    assert_eq!(
        described,
        json!({
            "contract": "0.1.0",
            "sdk": {"name": "flashcrowd", "version": env!("CARGO_PKG_VERSION"), "language": "rust"},
            "name": "flashcrowd",
            "version": env!("CARGO_PKG_VERSION"),
            "description": env!("CARGO_PKG_DESCRIPTION"),
            "authors": ["The Flashcrowd developers"],
            "env": [
                {"name": "BASE_URL", "required": true, "help": "where the shop is"},
                {"name": "COUPON", "default": "3", "required": false, "help": ""},
            ],
            "functions": functions,
            "setup": true, "vuInit": true, "teardown": true, "handleSummary": true,
            "options": {
                "scenarios": {"rush": {"executor": "constant-vus", "vus": 10, "duration": "1m", "exec": "borrows"}},
                "thresholds": {"http_req_failed": ["rate<0.01"]},
            },
        })
    );
}

#[test]
fn the_schema_refuses_what_is_no_description() {
    let schema: serde_json::Value = serde_json::from_str(include_str!("../../docs/describe.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (change, value) in [
        ("/contract", json!("latest")),
        ("/functions", json!([])),
        ("/functions/0/name", json!("pay by card")),
        ("/env/0", json!({"name": "A", "required": true, "default": "1"})),
        ("/options", json!([])),
        ("/setup", json!("yes")),
    ] {
        let mut described = testing::describe();
        *described.pointer_mut(change).unwrap() = value;
        assert!(!validator.is_valid(&described), "{change}");
    }
}

#[test]
fn data_of_setup_reaches_every_function_that_takes_it() {
    testing::setup().unwrap();
    assert_eq!(testing::run("borrows"), Ok(()));
    assert_eq!(testing::run("borrows"), Ok(()));
    assert_eq!(testing::vu_init(), Ok(()));
    assert_eq!(LOGGED_IN.get(), 1);
    assert_eq!(testing::run("owns"), Ok(()));
    assert_eq!(testing::run("owns"), Ok(()));
    assert_eq!(testing::run("reads_part_of_it"), Ok(()));
    assert_eq!(
        testing::run("wants_another_shape").unwrap_err(),
        "what setup returned does not fit the argument of `wants_another_shape`: invalid type: map, expected a sequence at line 1 column 0"
    );
    assert_eq!(testing::teardown().unwrap_err(), "closed t");
}

#[test]
fn without_setup_the_data_is_missed() {
    assert_eq!(
        testing::run("borrows").unwrap_err(),
        "`borrows` takes setup's data, but setup returned nothing, or did not run"
    );
}

#[test]
fn errors_of_any_type_become_texts() {
    assert_eq!(testing::run("pay-by-card").unwrap_err(), "invalid digit found in string");
    assert_eq!(testing::run("fails_silently").unwrap_err(), "OnlyDebug");
    assert_eq!(testing::run("data"), Ok(()));
    assert_eq!(testing::run("thunk").unwrap_err(), "thunk ran");
}

#[test]
#[should_panic(expected = "no scenario function is named \"play\"")]
fn a_function_that_is_not_there_is_named() {
    let _ = testing::run("play");
}

#[test]
fn the_summary_is_made_from_the_results() {
    let summary = testing::handle_summary(&json!({"metrics": {"a": 1, "b": 2}})).unwrap().unwrap();
    assert_eq!(summary.files(), [("stdout".to_owned(), b"2 metrics".to_vec())]);
    assert_eq!(testing::handle_summary(&json!({})).unwrap_err(), "no metrics");
}

#[test]
fn a_request_is_not_sent_and_says_so() {
    let response = http::get(url!("http://shop.test/items/{id}", 5)).query("q", "a b").send();
    assert_eq!((response.status(), response.error_code(), response.ok()), (0, 1000, false));
    assert_eq!(response.url(), "http://shop.test/items/5?q=a%20b");
    assert!(response.error().unwrap().contains("runtime run"));
    let error = response.json::<u32>().unwrap_err().to_string();
    assert_eq!(
        error,
        "the body of this answer (status 0) is not the JSON expected: EOF while parsing a value at line 1 column 0; it begins \"\""
    );
}
