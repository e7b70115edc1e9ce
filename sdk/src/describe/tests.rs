use super::*;
use crate::options::ConstantVus;
use crate::registry::At;

const fn scenario(name: &'static str, renamed: bool, line: u32) -> ScenarioFunction {
    ScenarioFunction {
        name,
        renamed,
        at: At { file: "src/lib.rs", line, column: 1 },
        package: Package { name: "shop", version: "1.2.3", description: "Buys", authors: "Ann:Bob" },
        run: || Ok(()),
    }
}

#[test]
fn the_only_function_is_the_default_one() {
    let names = |function: &'static ScenarioFunction| functions(&[function]).unwrap();
    static PLAIN: ScenarioFunction = scenario("issue_coupon", false, 1);
    static RENAMED: ScenarioFunction = scenario("pay", true, 1);
    static DEFAULT_ITSELF: ScenarioFunction = scenario("default", false, 1);
    assert_eq!(names(&PLAIN), [Function { name: "default", aliases: vec!["issue_coupon"] }]);
    assert_eq!(names(&RENAMED), [Function { name: "pay", aliases: vec!["default"] }]);
    assert_eq!(names(&DEFAULT_ITSELF), [Function { name: "default", aliases: vec![] }]);
}

#[test]
fn several_functions_go_by_their_names() {
    static BROWSE: ScenarioFunction = scenario("browse", false, 1);
    static PAY: ScenarioFunction = scenario("pay", true, 9);
    static PAY_AGAIN: ScenarioFunction = scenario("pay", false, 20);
    assert_eq!(
        functions(&[&BROWSE, &PAY]).unwrap(),
        [Function { name: "browse", aliases: vec![] }, Function { name: "pay", aliases: vec![] }]
    );
    assert_eq!(
        functions(&[&BROWSE, &PAY, &PAY_AGAIN]).unwrap_err(),
        "two scenario functions are named \"pay\": at src/lib.rs:9 and at src/lib.rs:20; rename one with #[flashcrowd::scenario(name = \"…\")]"
    );
    assert!(functions(&[]).unwrap_err().contains("no scenario function"));
}

#[test]
fn exec_names_a_function_that_is_there() {
    let several = || vec![Function { name: "browse", aliases: vec![] }, Function { name: "pay", aliases: vec![] }];
    let only = vec![Function { name: "default", aliases: vec!["browse"] }];
    let exec = |name: &str| Options::new().scenario("a", ConstantVus::new(1).exec(name));
    assert_eq!(check_exec(&exec("pay"), &several()), Ok(()));
    assert_eq!(check_exec(&exec("browse"), &only), Ok(()));
    assert_eq!(check_exec(&exec("default"), &only), Ok(()));
    assert_eq!(
        check_exec(&exec("play"), &several()).unwrap_err(),
        "scenarios.a.exec: no scenario function is named \"play\"; there is \"browse\", \"pay\""
    );
    let unsaid = Options::new().scenario("a", ConstantVus::new(1));
    assert_eq!(check_exec(&unsaid, &only), Ok(()));
    assert_eq!(
        check_exec(&unsaid, &several()).unwrap_err(),
        "scenarios.a.exec: is not given, and none of the scenario functions is named \"default\"; name one of \"browse\", \"pay\""
    );
    assert_eq!(check_exec(&Options::new(), &several()), Ok(()));
}

#[test]
fn what_the_options_do_not_say_the_manifest_says() {
    static PLAIN: ScenarioFunction = scenario("issue_coupon", false, 1);
    let functions = functions(&[&PLAIN]).unwrap();
    let options = Options::new()
        .vus(2)
        .env_var(EnvVar::required("BASE_URL").help("where"))
        .env_var(EnvVar::with_default("COUPON", 3));
    let told = |options: &Options| serde_json::to_value(description(options, &PLAIN.package, &functions)).unwrap();
    assert_eq!(
        told(&options),
        serde_json::json!({
            "contract": "0.1.0",
            "sdk": {"name": "flashcrowd", "version": env!("CARGO_PKG_VERSION"), "language": "rust"},
            "name": "shop", "version": "1.2.3", "description": "Buys", "authors": ["Ann", "Bob"],
            "env": [
                {"name": "BASE_URL", "required": true, "help": "where"},
                {"name": "COUPON", "default": "3", "required": false, "help": ""},
            ],
            "functions": [{"name": "default", "aliases": ["issue_coupon"]}],
            "setup": false, "vuInit": false, "teardown": false, "handleSummary": false,
            "options": {"vus": 2},
        })
    );
    let renamed = told(&options.name("n").version("0.9.0").description("d").author("Eve").author("Kim"));
    assert_eq!(
        (&renamed["name"], &renamed["version"], &renamed["description"], &renamed["authors"]),
        (&"n".into(), &"0.9.0".into(), &"d".into(), &serde_json::json!(["Eve", "Kim"]))
    );
}
