//! Uses every function of flashcrowd:scenario@0.1.0 and checks what can be checked from inside. See README.md.

wit_bindgen::generate!({ world: "scenario", path: "../../frozen-wit/0.1.0" });

use exports::flashcrowd::scenario::lifecycle::Guest;
use flashcrowd::scenario::http::{Method, Params, Request};
use flashcrowd::scenario::log::Level;
use flashcrowd::scenario::metrics::{Contains, Kind};
use flashcrowd::scenario::{checks, env, execution, groups, http, log, metrics, random, timer};

struct Frozen;

const DESCRIPTION: &str = r#"{
    "contract": "0.1.0",
    "sdk": {"name": "none", "version": "0.0.0", "language": "rust"},
    "name": "frozen", "version": "0.1.0", "description": "Compiled when the contract was frozen", "authors": ["The Flashcrowd developers"],
    "env": [
        {"name": "BASE_URL", "required": true, "help": "a server that answers GET /health with status 200 and a body"},
        {"name": "ENDING", "default": "fine", "required": false, "help": "fine, error, fail-iteration, panic, fail, stop or abort"}
    ],
    "functions": [{"name": "default", "aliases": ["everything"]}, {"name": "second", "aliases": []}],
    "setup": true, "teardown": true, "handleSummary": true,
    "options": {
        "scenarios": {
            "first": {"executor": "per-vu-iterations", "vus": 2, "iterations": 2, "env": {"OWN": "yes"}},
            "second": {"executor": "shared-iterations", "vus": 1, "iterations": 1, "exec": "second"}
        },
        "thresholds": {"checks": ["rate==1"], "frozen_counter": ["count>=4"]}
    }
}"#;

const SETUP_DATA: &[u8] = b"\"set up\"";

fn check(name: &str, passed: bool) {
    checks::add(checks::intern(name), passed, 0);
}

impl Guest for Frozen {
    fn describe() -> String {
        DESCRIPTION.to_owned()
    }

    fn setup() -> Result<Option<Vec<u8>>, String> {
        log::write(Level::Info, "setup");
        Ok(Some(SETUP_DATA.to_vec()))
    }

    fn run(function: u32) -> Result<(), String> {
        if function == 1 {
            check("the second function runs the second scenario", execution::scenario_name() == "second");
            return Ok(());
        }
        everything();
        if execution::vu_id() == 1 && execution::iteration_in_vu() == 1 { end() } else { Ok(()) }
    }

    fn teardown() -> Result<(), String> {
        log::write(Level::Info, "teardown");
        match execution::setup_data().as_deref() {
            Some(SETUP_DATA) => Ok(()),
            other => Err(format!("teardown got {other:?}")),
        }
    }

    fn handle_summary(data: String) -> Result<Option<Vec<(String, Vec<u8>)>>, String> {
        if !data.contains("\"frozen_counter\"") {
            return Err("the results lack the module's own counter".to_owned());
        }
        Ok(Some(vec![
            ("stdout".to_owned(), b"frozen summary\n".to_vec()),
            ("frozen.json".to_owned(), data.into_bytes()),
        ]))
    }
}

fn everything() {
    check("vu-id is from 1", execution::vu_id() >= 1);
    check("iteration-in-vu is from 0", execution::iteration_in_vu() < 2);
    check("iteration-in-scenario is from 0", execution::iteration_in_scenario() < 4);
    check("scenario-name", execution::scenario_name() == "first");
    check("scenario-executor", execution::scenario_executor() == "per-vu-iterations");
    check("scenario-progress is a share", (0.0..=1.0).contains(&execution::scenario_progress()));
    let elapsed = execution::scenario_elapsed();
    check("test-elapsed goes on", execution::test_elapsed() > 0);
    check("setup-data", execution::setup_data().as_deref() == Some(SETUP_DATA));
    check("env of the scenario", env::get("OWN").as_deref() == Some("yes"));
    check("env that is not set", env::get("NOBODY_SET_THIS").is_none());
    check("random", random::next_u64() != random::next_u64());
    execution::set_vu_tag("frozen", "yes");
    execution::set_vu_tag("frozen", "");

    let tags = metrics::intern_tags(&[("kind".to_owned(), "gift".to_owned())]);
    check(
        "the same tags have the same handle",
        tags == metrics::intern_tags(&[("kind".to_owned(), "gift".to_owned())]),
    );
    for (name, kind, contains) in [
        ("frozen_counter", Kind::Counter, Contains::Default),
        ("frozen_gauge", Kind::Gauge, Contains::Data),
        ("frozen_rate", Kind::Rate, Contains::Default),
        ("frozen_trend", Kind::Trend, Contains::Time),
    ] {
        match metrics::register(name, kind, contains) {
            Ok(metric) => {
                metrics::add(metric, 1.0, 0);
                metrics::add(metric, 2.0, tags);
            }
            Err(error) => check(&error, false),
        }
    }
    check("a bad name is refused", metrics::register("no-name", Kind::Counter, Contains::Default).is_err());
    check("a name stands for one kind", metrics::register("frozen_counter", Kind::Gauge, Contains::Default).is_err());
    checks::add(checks::intern("a check with tags"), true, tags);

    groups::enter("outer");
    groups::enter("inner");
    requests(tags);
    groups::leave();
    groups::leave();

    timer::sleep(10_000_000);
    check("scenario-elapsed goes on while sleeping", execution::scenario_elapsed() >= elapsed + 10_000_000);
    for level in [Level::Debug, Level::Info, Level::Warn, Level::Error] {
        log::write(level, "a line");
    }
}

fn requests(tags: u32) {
    let url = format!("{}/health", env::get("BASE_URL").unwrap_or_default());
    let request = |method, body| Request {
        method,
        url: url.clone(),
        headers: vec![("X-Frozen".to_owned(), b"yes".to_vec())],
        body,
    };

    let params = Params::new();
    params.set_timeout(10_000_000_000);
    params.set_name("frozen");
    params.set_tags(tags);
    let reply = http::send(&request(Method::Get, None), Some(&params));
    let timings = reply.response.timings();
    check("GET is answered with 200", reply.status == 200 && reply.error_code == 0 && reply.response.error().is_none());
    check("there is a body", !reply.response.body().is_empty());
    check("there are headers", !reply.response.headers().is_empty());
    check(
        "a header's name has no case",
        reply.response.header("Content-Length") == reply.response.header("content-length"),
    );
    check("there is a URL", !reply.response.url().is_empty());
    check("there is a protocol", reply.response.protocol().starts_with("HTTP/"));
    check("waiting takes time", timings.waiting > 0 && timings.tls_handshaking == 0);
    check("a connection comes before the first byte", timings.blocked >= timings.connecting);
    check("times are times", timings.sending < 10_000_000_000 && timings.receiving < 10_000_000_000);

    let body = || Some(b"{}".to_vec());
    for (method, body) in [
        (Method::Head, None),
        (Method::Post, body()),
        (Method::Put, body()),
        (Method::Patch, body()),
        (Method::Delete, None),
        (Method::Options, None),
        (Method::Other("PURGE".to_owned()), None),
    ] {
        check("every method is answered", http::send(&request(method, body), None).status != 0);
    }
    let mut nowhere = request(Method::Get, None);
    nowhere.url = "no URL".to_owned();
    let reply = http::send(&nowhere, None);
    check(
        "what is no URL has its error",
        reply.status == 0 && reply.error_code == 1020 && reply.response.error().is_some(),
    );
}

fn end() -> Result<(), String> {
    match env::get("ENDING").as_deref() {
        Some("error") => return Err("told to return an error".to_owned()),
        Some("fail-iteration") => execution::fail_iteration("told to fail the iteration"),
        Some("panic") => {
            execution::report_panic("told to panic");
            std::process::abort();
        }
        Some("fail") => execution::fail("told to fail the test"),
        Some("stop") => execution::stop("told to stop"),
        Some("abort") => execution::abort("told to abort"),
        _ => {}
    }
    Ok(())
}

export!(Frozen);
