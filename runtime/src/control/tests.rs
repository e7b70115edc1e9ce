//! The API over real sockets, and its description held against what it does.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Mutex;

use super::*;
use crate::control::client::{Client, ClientError};
use crate::control::live::{Desk, Stage};
use crate::control::status::State as RunState;
use crate::display::Display;
use crate::executor::{ExecutorConfig, ScenarioSpec};
use crate::exit::Exit;
use crate::metrics::{Aggregator, DEFAULT_MAX_SERIES, Recorder, Registry, SystemTags, TagSetId, builtin};
use crate::scheduler::Schedule;
use crate::shard::Placement;
use crate::stop::{StopLevel, StopReason, StopToken};
use crate::summary::SummarySettings;
use crate::threshold::Threshold;

fn scenario(name: &str, options: Value) -> ScenarioSpec {
    let Value::Object(mut fields) = options else { panic!("not an object") };
    let executor = fields.remove("executor").unwrap();
    ScenarioSpec {
        name: name.to_owned(),
        module: 0,
        function: 0,
        start_time: Duration::ZERO,
        graceful_stop: Duration::ZERO,
        executor: ExecutorConfig::parse(executor.as_str().unwrap(), fields).unwrap(),
    }
}

/// A run that could begin, and its API on a free port.
struct Fixture {
    live: Arc<Live>,
    stop: StopToken,
    client: Client,
    answering: Option<std::thread::JoinHandle<()>>,
    over: CancellationToken,
    _server: Server,
    _schedule: Schedule,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.over.cancel();
        if let Some(thread) = self.answering.take() {
            thread.join().unwrap();
        }
    }
}

fn fixture(token: Option<&str>) -> Fixture {
    let scenarios = vec![
        scenario("browse", json!({"executor": "constant-vus", "vus": 2, "duration": "10s"})),
        scenario("by hand", json!({"executor": "externally-controlled", "vus": 2, "maxVUs": 10})),
        scenario(
            "rate",
            json!({"executor": "externally-controlled", "rate": 5, "preAllocatedVUs": 1, "timeUnit": "1m"}),
        ),
    ];
    let executors = scenarios.iter().map(|scenario| scenario.executor.name()).collect();
    let stop = StopToken::new();
    let schedule = Schedule::new(scenarios, 2, Placement::Threads, stop.clone());
    let thresholds =
        vec![Threshold::parse("http_reqs", "count>0").unwrap(), Threshold::parse("checks", "rate>0.9").unwrap()];
    let (live, desk) = super::super::live::open(
        "shop 1.2.0".to_owned(),
        executors,
        schedule.helm(),
        stop.clone(),
        Display::new(true),
        thresholds.into(),
        SummarySettings::default(),
    );
    let access = Access::new("127.0.0.1:0", token).unwrap();
    let server = Server::start(bind(&access).unwrap(), access, Arc::clone(&live)).unwrap();
    let over = CancellationToken::new();
    let until = over.clone();
    let answering = std::thread::spawn(move || answer_questions(desk, &until));
    let client = Client { address: server.address(), token: token.map(str::to_owned) };
    Fixture { live, stop, client, answering: Some(answering), over, _server: server, _schedule: schedule }
}

/// What the run's own thread does.
fn answer_questions(mut desk: Desk, until: &CancellationToken) {
    let registry = Arc::new(Registry::new(DEFAULT_MAX_SERIES, SystemTags::default()));
    let recorder = Arc::new(Mutex::new(Recorder::new(Arc::clone(&registry))));
    let mut aggregator = Aggregator::new(registry, vec![Arc::clone(&recorder)]);
    {
        let mut recorder = recorder.lock().unwrap();
        recorder.add(builtin::HTTP_REQS, TagSetId::EMPTY, 3.0);
        recorder.add(builtin::CHECKS, TagSetId::EMPTY, 0.0);
        recorder.duration(builtin::HTTP_REQ_DURATION, TagSetId::EMPTY, Duration::from_millis(7));
        recorder.add(builtin::VUS, TagSetId::EMPTY, 2.0);
    }
    aggregator.collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        loop {
            tokio::select! {
                () = until.cancelled() => return,
                question = desk.next() => desk.answer(question, aggregator.totals(), &crate::threshold::Windows::default()),
            }
        }
    });
}

/// A request as it is; gives status and body.
fn raw(address: SocketAddr, method: &str, path: &str, headers: &[&str], body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    headers.iter().for_each(|header| request.push_str(&format!("{header}\r\n")));
    // A server that refuses early does not read it all.
    let _ = stream.write_all(format!("{request}\r\n{body}").as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), body.to_owned())
}

fn document() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

/// The answer is one that the document knows, and has its shape.
fn check(document: &Value, path: &str, method: &str, status: u16, body: &str) {
    let operation = &document["paths"][path][method];
    let mut response = &operation["responses"][status.to_string()];
    assert!(response.is_object(), "{method} {path} answers {status}, which the document does not say: {body}");
    if let Some(reference) = response["$ref"].as_str() {
        response = document.pointer(reference.trim_start_matches('#')).unwrap();
    }
    let Some(schema) = response.pointer("/content/application~1json/schema") else { return };
    let mut whole = schema.clone();
    whole["components"] = document["components"].clone();
    let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{method} {path}: {error}: {body}"));
    let validator = jsonschema::validator_for(&whole).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(&body).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{method} {path}, {status}: {errors:?}\n{body:#}");
}

/// A body that each changing operation takes.
fn sample(path: &str) -> &'static str {
    match path {
        "/api/scenarios/{name}" => r#"{"vus": 3}"#,
        "/v1/status" => {
            r#"{"data": {"type": "status", "id": "default", "attributes": {"paused": true, "vus": 4, "vus-max": 10}}}"#
        }
        _ => "{}",
    }
}

#[test]
fn every_route_does_what_the_document_says() {
    let document = document();
    for token in [None, Some("0123456789abcdef")] {
        let authorization = token.map(|token| format!("Authorization: Bearer {token}"));
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let fixture = fixture(token);
                let address = fixture.client.address;
                let host = format!("Host: {address}");
                let real = path.replace("{name}", "by%20hand");
                let upper = method.to_uppercase();
                let ask = |headers: &[&str], body: &str| {
                    let all: Vec<&str> = authorization.as_deref().into_iter().chain(headers.iter().copied()).collect();
                    let (status, answer) = raw(address, &upper, &real, &all, body);
                    check(&document, path, method, status, &answer);
                    status
                };
                let json = "Content-Type: application/json";
                assert_eq!(ask(&[&host, json], sample(path)), 200, "{method} {path}");
                if token.is_some() {
                    let (status, answer) = raw(address, &upper, &real, &[&host, json], sample(path));
                    assert_eq!(status, 401);
                    check(&document, path, method, status, &answer);
                } else {
                    assert_eq!(ask(&["Host: rebound.example", json], sample(path)), 403);
                }
                if operation["requestBody"].is_object() {
                    assert_eq!(ask(&[&host, "X-Flashcrowd: 1"], sample(path)), 200);
                    assert_eq!(ask(&[&host, "Content-Type: text/plain"], sample(path)), 415);
                    assert_eq!(ask(&[&host, json], "[1"), 400);
                    assert_eq!(ask(&[&host, json], &format!("{{\"{}\": 1}}", "a".repeat(20 << 10))), 413);
                }
            }
        }
    }
}

#[test]
fn the_document_has_every_route() {
    let served: BTreeSet<&str> =
        include_str!("server.rs").split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let document = document();
    let described: BTreeSet<&str> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(served, described);
    let fixture = fixture(None);
    let host = format!("Host: {}", fixture.client.address);
    for path in described {
        let methods = document["paths"][path].as_object().unwrap();
        for method in
            ["get", "post", "put", "patch", "delete"].into_iter().filter(|method| !methods.contains_key(*method))
        {
            let headers = [host.as_str(), "Content-Type: application/json"];
            assert_eq!(
                raw(fixture.client.address, &method.to_uppercase(), path, &headers, "").0,
                405,
                "{method} {path}"
            );
        }
    }
    assert_eq!(raw(fixture.client.address, "GET", "/api", &[&host], "").0, 404);
}

#[test]
fn refusals_say_what_to_do() {
    let Fixture { client, live, .. } = &fixture(None);
    let refused = |method: &str, path: &str, body: Value| match client.ask(method, path, Some(&body)) {
        Err(ClientError::Refused { status, problem }) => {
            let (path, method) =
                (if path.contains("scenarios") { "/api/scenarios/{name}" } else { path }, method.to_lowercase());
            check(&document(), path, &method, status, &json!({ "error": problem }).to_string());
            (status, problem)
        }
        other => panic!("{other:?}"),
    };
    let scale = |name: &str, body: Value| refused("PATCH", &format!("/api/scenarios/{name}"), body);
    assert_eq!(
        scale("browze", json!({"vus": 1})).1,
        "scenario \"browze\": there is none of this name; did you mean `browse`?"
    );
    assert_eq!(scale("browse", json!({"vus": 1})).0, 409);
    assert_eq!(scale("rate", json!({"vus": 1})).0, 409);
    assert_eq!(scale("by%20hand", json!({"vus": 11})).0, 422);
    assert_eq!(scale("rate", json!({"rate": 2_000_000_000})).0, 422);
    for wrong in [json!({}), json!({"vus": 1, "rate": 1}), json!({"vus": -1}), json!({"vus": 1.5}), json!({"vu": 1})] {
        assert_eq!(scale("by%20hand", wrong).0, 400);
    }
    assert_eq!(refused("PATCH", "/v1/status", json!({"data": {"attributes": {"vus-max": 11}}})).0, 422);
    live.enter(Stage::Teardown);
    assert_eq!(
        refused("POST", "/api/pause", json!({})),
        (409, "the load is over: there is nothing to pause".to_owned())
    );
    assert_eq!(scale("by%20hand", json!({"vus": 1})).0, 409);
}

#[test]
fn what_is_asked_for_is_done() {
    let fixture = fixture(None);
    let ask = |method: &str, path: &str, body: Value| fixture.client.ask(method, path, Some(&body)).unwrap();
    let status = ask("GET", "/api/status", Value::Null);
    assert_eq!((&status["state"], &status["name"]), (&json!("setup"), &json!("shop 1.2.0")));
    assert_eq!(status["scenarios"][0]["control"], Value::Null);
    assert_eq!(status["scenarios"][2]["control"], json!({"rate": 5, "timeUnit": "1m0s"}));
    assert_eq!(ask("POST", "/api/pause", json!({}))["paused"], json!(true));
    assert!(fixture.live.helm().progress().clock.is_paused());
    // Once more changes nothing.
    assert_eq!(ask("POST", "/api/pause", json!({}))["paused"], json!(true));
    assert_eq!(ask("POST", "/api/resume", json!({}))["paused"], json!(false));
    let scaled = ask("PATCH", "/api/scenarios/by%20hand", json!({"vus": 7}));
    assert_eq!(scaled["scenarios"][1]["control"], json!({"vus": 7, "maxVUs": 10}));
    let scaled = ask("PATCH", "/api/scenarios/rate", json!({"rate": 0}));
    assert_eq!(scaled["scenarios"][2]["control"]["rate"], json!(0));
    let k6 = ask("PATCH", "/v1/status", json!({"data": {"attributes": {"paused": true, "vus": 3}}}));
    assert_eq!(k6["data"]["attributes"]["paused"], json!(true));
    assert_eq!(ask("GET", "/api/status", Value::Null)["scenarios"][1]["control"]["vus"], json!(3));

    let metrics = ask("GET", "/api/metrics", Value::Null);
    let find = |name: &str| {
        metrics["metrics"].as_array().unwrap().iter().find(|metric| metric["name"] == name).cloned().unwrap()
    };
    assert_eq!(find("http_reqs")["values"]["count"], json!(3));
    assert_eq!(find("http_req_duration")["values"]["p(95)"], json!(7));
    let thresholds = ask("GET", "/api/thresholds", Value::Null);
    assert_eq!(thresholds["ok"], json!(false));
    assert_eq!(
        thresholds["thresholds"][0],
        json!({"metric": "checks", "expression": "rate>0.9", "ok": false, "value": 0.0})
    );

    assert_eq!(ask("POST", "/api/stop", json!({}))["stopReason"], json!("the API"));
    assert_eq!(fixture.stop.level(), Some(StopLevel::Graceful));
    ask("POST", "/api/stop", json!({"now": true}));
    assert_eq!(
        (fixture.stop.level(), fixture.stop.reason()),
        (Some(StopLevel::Immediate), Some(StopReason::Control("the API".to_owned())))
    );
    fixture.live.ended(Exit::StoppedByControl);
    let over = fixture.live.status();
    assert_eq!((over.state, over.exit_code), (RunState::Over, Some(103)));
}

#[test]
fn a_client_says_who_does_not_answer() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    let answers = |answer: &'static str| {
        let listener = free.try_clone().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let error = Client { address, token: None }.ask("GET", "/api/status", None).unwrap_err().to_string();
        server.join().unwrap();
        error
    };
    assert!(answers("SSH-2.0-OpenSSH_9.2\r\n").contains("does not speak HTTP"));
    assert!(answers("").contains("closed the connection"));
    assert!(answers("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf").contains("not whole"));
    assert!(answers("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}").contains("status 404"));
    drop(free);
    let error = Client { address, token: None }.ask("GET", "/api/status", None).unwrap_err().to_string();
    assert!(error.starts_with(&format!("no run answers at {address} (")), "{error}");
}
