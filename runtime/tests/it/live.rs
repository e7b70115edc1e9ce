//! A run that somebody looks at and steers: by the HTTP API, and by the commands that ask it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flashcrowd_runtime::control::client::{Client, ClientError};
use serde_json::{Value, json};

use crate::support::{Folder, PATIENCE, Server, guest, run, runtime, wait};

const TOKEN: &str = "a-token-of-the-tests";

/// A run in the background, whose API listens on a free port.
pub(crate) struct Live {
    child: Option<Child>,
    pub(crate) client: Client,
    stderr: Arc<Mutex<String>>,
    _server: Server,
    _folder: Folder,
}

/// A scenario whose number of virtual users can be changed, and one whose rate can.
pub(crate) fn by_hand() -> Value {
    json!({
        "users": { "executor": "externally-controlled", "vus": 1, "maxVUs": 20 },
        "starts": { "executor": "externally-controlled", "rate": 10, "preAllocatedVUs": 5, "maxVUs": 20 },
    })
}

/// A command that runs these scenarios of small requests.
pub(crate) fn prepare(scenarios: &Value, folder: &Folder, server: &Server) -> Command {
    prepare_all(&[&guest("sleepy").display().to_string()], scenarios, folder, server)
}

/// The same for several of that module, as the command line has them.
fn prepare_all(modules: &[&str], scenarios: &Value, folder: &Folder, server: &Server) -> Command {
    let config = folder.file("options.json");
    std::fs::write(&config, json!({ "scenarios": scenarios }).to_string()).unwrap();
    let mut command = runtime();
    command.arg("run").args(modules).args(["-e", &server.base_url("/health"), "-e", "PAUSE=0.01", "-c"]).arg(config);
    command
}

impl Live {
    pub(crate) fn start(scenarios: &Value, args: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", None, scenarios, args)
    }

    fn start_at(address: &str, token: Option<&str>, scenarios: &Value, args: &[&str]) -> Self {
        Self::start_all(&[&guest("sleepy").display().to_string()], address, token, scenarios, args)
    }

    /// The same module once under each of these names.
    pub(crate) fn start_named(names: &[&str], scenarios: &Value) -> Self {
        let modules: Vec<_> = names.iter().map(|name| format!("{name}={}", guest("sleepy").display())).collect();
        let modules: Vec<_> = modules.iter().map(String::as_str).collect();
        Self::start_all(&modules, "127.0.0.1:0", None, scenarios, &[])
    }

    fn start_all(modules: &[&str], address: &str, token: Option<&str>, scenarios: &Value, args: &[&str]) -> Self {
        let (folder, server) = (Folder::new(), Server::start(&[]));
        let mut command = prepare_all(modules, scenarios, &folder, &server);
        command.args(["--address", address]).args(args).envs(token.map(|token| ("FLASHCROWD_API_TOKEN", token)));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let (mut text, mut line) = (String::new(), String::new());
        let place = loop {
            line.clear();
            assert!(lines.read_line(&mut line).unwrap() > 0, "the run ended: {text}");
            text.push_str(&line);
            if let Some(place) = line.trim().strip_prefix("control: http://") {
                break place.to_owned();
            }
        };
        let stderr = Arc::new(Mutex::new(text));
        let seen = Arc::clone(&stderr);
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                seen.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        let port = place.parse::<SocketAddr>().unwrap().port();
        let client = Client { address: SocketAddr::from(([127, 0, 0, 1], port)), token: token.map(str::to_owned) };
        Self { child: Some(child), client, stderr, _server: server, _folder: folder }
    }

    pub(crate) fn status(&self) -> Value {
        self.client.ask("GET", "/api/status", None).unwrap()
    }

    /// Waits until the status is so.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        until(what, || self.status(), holds)
    }

    /// Waits for the end; gives exit code, standard output and standard error.
    fn end(mut self) -> (i32, String, String) {
        let Output { status, stdout, .. } = wait(self.child.take().unwrap());
        let stderr = self.stderr.lock().unwrap().clone();
        (status.code().unwrap_or(-1), String::from_utf8_lossy(&stdout).into_owned(), stderr)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[track_caller]
pub(crate) fn until(what: &str, look: impl Fn() -> Value, holds: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let value = look();
        if holds(&value) {
            return value;
        }
        assert!(begun.elapsed() < PATIENCE, "never {what}: {value:#}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn of<'a>(status: &'a Value, name: &str) -> &'a Value {
    status["scenarios"].as_array().unwrap().iter().find(|scenario| scenario["name"] == name).unwrap()
}

pub(crate) fn started(status: &Value) -> u64 {
    status["scenarios"]
        .as_array()
        .unwrap()
        .iter()
        .map(|scenario| scenario["iterations"]["started"].as_u64().unwrap())
        .sum()
}

fn busy(status: &Value) -> u64 {
    status["scenarios"].as_array().unwrap().iter().map(|scenario| scenario["busyVUs"].as_u64().unwrap()).sum()
}

/// Nothing begins in a pause, once what was under way is over.
pub(crate) fn assert_paused(look: impl Fn() -> Value) {
    let before = until("nothing under way", &look, |status| status["state"] == "paused" && busy(status) == 0);
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(20));
        let now = look();
        assert_eq!((started(&now), &now["elapsedSeconds"]), (started(&before), &before["elapsedSeconds"]));
    }
}

#[test]
fn the_api_pauses_resumes_scales_and_stops() {
    let live = Live::start(&by_hand(), &[]);
    let ask = |method: &str, path: &str, body: Value| live.client.ask(method, path, Some(&body)).unwrap();
    live.until("running", |status| status["state"] == "running" && started(status) > 20);
    assert_eq!(ask("POST", "/api/pause", json!({}))["state"], "paused");
    assert_paused(|| live.status());
    let paused = started(&live.status());
    assert_eq!(ask("POST", "/api/resume", json!({}))["state"], "running");
    live.until("going on", |status| started(status) > paused + 20);

    let scaled = ask("PATCH", "/api/scenarios/users", json!({"vus": 7}));
    assert_eq!(of(&scaled, "users")["control"], json!({"vus": 7, "maxVUs": 20}));
    live.until("seven", |status| of(status, "users")["activeVUs"] == 7);
    ask("PATCH", "/api/scenarios/users", json!({"vus": 0}));
    live.until("none", |status| of(status, "users")["activeVUs"] == 0);
    // So many start in a second that they cannot all be due at the rate from before.
    ask("PATCH", "/api/scenarios/starts", json!({"rate": 200}));
    let before = of(&live.status(), "starts")["iterations"]["started"].as_u64().unwrap();
    live.until("faster", |status| of(status, "starts")["iterations"]["started"].as_u64().unwrap() > before + 300);

    // What was collected in the last second.
    let metrics = until(
        "metrics",
        || ask("GET", "/api/metrics", Value::Null),
        |metrics| metrics["metrics"].as_array().unwrap().iter().any(|metric| metric["name"] == "http_reqs"),
    );
    assert!(metrics["elapsedSeconds"].as_f64().unwrap() > 0.0);
    ask("POST", "/api/stop", json!({}));
    let (code, stdout, stderr) = live.end();
    assert_eq!(code, 103, "{stderr}");
    assert!(stdout.contains("stopped early: the API"), "{stdout}");
    assert!(stdout.contains("the load was paused for"), "{stdout}");
    assert!(stderr.contains("scaled by the API: users: 1 VUs -> 7 VUs"), "{stderr}");
}

/// A command of ours, to its end.
fn command(live: &Live, args: &[&str]) -> (i32, String, String) {
    let output = runtime().args(args).args(["--address", &live.client.address.to_string()]).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

#[test]
fn commands_pause_resume_scale_and_stop() {
    let live = Live::start(&by_hand(), &[]);
    live.until("running", |status| started(status) > 20);
    let done = |args: &[&str]| {
        let (code, stdout, stderr) = command(&live, args);
        assert_eq!((code, stderr.as_str()), (0, ""), "{args:?}");
        stdout
    };
    let text = done(&["status"]);
    assert!(
        text.contains(": running, ") && text.contains("  users (externally-controlled): running, 1 VUs, "),
        "{text}"
    );
    assert!(text.contains("; set to 10 iterations per 1s"), "{text}");
    assert!(done(&["pause"]).contains(": paused, "));
    assert_paused(|| serde_json::from_str(&done(&["status", "--json"])).unwrap());
    let paused = started(&live.status());
    assert!(done(&["resume"]).contains(": running, "));
    live.until("going on", |status| started(status) > paused + 20);
    assert!(done(&["scale", "users", "--vus", "3"]).contains("set to 3 of at most 20 VUs"));
    live.until("three", |status| of(status, "users")["activeVUs"] == 3);
    assert!(done(&["scale", "starts", "--rate", "50"]).contains("set to 50 iterations per 1s"));

    let (code, _, stderr) = command(&live, &["scale", "--vus", "3"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("say which: `runtime scale users`, or one of starts"), "{stderr}");
    let (code, _, stderr) = command(&live, &["scale", "users", "--vus", "21"]);
    assert_eq!((code, stderr.contains("maxVUs (20)")), (1, true), "{stderr}");

    assert!(done(&["stop", "--now"]).contains("stopped early: the API"));
    let address = live.client.address.to_string();
    assert_eq!(live.end().0, 103);
    let output = runtime().args(["status", "--address", &address]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains(&format!("no run answers at {address}")) && stderr.contains("--address"), "{stderr}");
}

#[test]
fn a_run_that_begins_paused_waits_and_one_that_lingers_stays() {
    let scenarios = json!({ "few": { "executor": "shared-iterations", "vus": 2, "iterations": 10 } });
    let live = Live::start(&scenarios, &["--paused", "--linger"]);
    let ready = live.until("ready", |status| status["state"] == "paused" && status["initialisedVUs"] == 2);
    assert_eq!((&ready["elapsedSeconds"], started(&ready)), (&json!(0.0), 0));
    assert_paused(|| live.status());
    live.client.ask("POST", "/api/resume", None).unwrap();
    let over = live.until("over", |status| status["state"] == "over");
    assert_eq!((&over["exitCode"], started(&over)), (&json!(0), 10));
    let metrics = live.client.ask("GET", "/api/metrics", None).unwrap();
    let iterations =
        metrics["metrics"].as_array().unwrap().iter().find(|metric| metric["name"] == "iterations").unwrap();
    assert_eq!(iterations["values"]["count"], 10);
    assert!(matches!(live.client.ask("POST", "/api/pause", None), Err(ClientError::Refused { status: 409, .. })));
    live.client.ask("POST", "/api/stop", None).unwrap();
    let (code, stdout, _) = live.end();
    assert_eq!(code, 0);
    assert!(!stdout.contains("stopped early") && !stdout.contains("was paused"), "{stdout}");
}

#[test]
fn nobody_is_left_to_resume_a_run_that_begins_paused() {
    let run = run(&guest("sleepy"), &["-e", "BASE_URL=http://127.0.0.1:1", "--paused"]).exits(104);
    assert!(run.stderr.contains("paused: true leaves nobody to resume the run"), "{}", run.stderr);
}

#[test]
fn an_address_that_is_taken_is_106_before_anything_begins() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let run = run(&guest("sleepy"), &["-e", "BASE_URL=http://127.0.0.1:1", "--address", &address]).exits(106);
    assert!(run.stderr.contains(&format!("--address {address}: cannot be listened at")), "{}", run.stderr);
    assert!(run.stdout.is_empty(), "{}", run.stdout);
}

#[test]
fn what_other_machines_reach_needs_a_token() {
    let refused = run(&guest("sleepy"), &["-e", "BASE_URL=http://127.0.0.1:1", "--address", "0.0.0.0:0"]).exits(104);
    assert!(refused.stderr.contains("--api-token"), "{}", refused.stderr);
    let live = Live::start_at("0.0.0.0:0", Some(TOKEN), &by_hand(), &[]);
    let without = Client { token: None, ..live.client.clone() };
    let wrong = Client { token: Some("another-token-of-nobody".to_owned()), ..live.client.clone() };
    for client in [without, wrong] {
        for (method, path) in
            [("GET", "/api/status"), ("POST", "/api/stop"), ("GET", "/openapi.json"), ("GET", "/nothing")]
        {
            assert!(matches!(client.ask(method, path, None), Err(ClientError::Refused { status: 401, .. })));
        }
    }
    live.until("running", |status| status["state"] == "running");
    let address = live.client.address.to_string();
    let stop = |token: &str| {
        runtime()
            .args(["stop", "--address", &address])
            .env("FLASHCROWD_API_TOKEN", token)
            .output()
            .unwrap()
            .status
            .code()
    };
    assert_eq!(stop("another-token-of-nobody"), Some(1));
    assert_eq!(live.status()["state"], "running");
    assert_eq!(stop(TOKEN), Some(0));
    assert_eq!(live.end().0, 103);
}

#[test]
fn a_web_page_cannot_steer_a_run() {
    let live = Live::start(&by_hand(), &[]);
    let address = live.client.address;
    let answer = |request: String| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    // A page of a host whose name was made to resolve to this machine.
    let rebound = answer("GET /api/status HTTP/1.1\r\nHost: rebound.example\r\nConnection: close\r\n\r\n".to_owned());
    assert!(rebound.starts_with("HTTP/1.1 403"), "{rebound}");
    // A form, which any page may send anywhere.
    let form = format!(
        "POST /api/stop HTTP/1.1\r\nHost: {address}\r\nOrigin: https://rebound.example\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\
         Connection: close\r\n\r\n{{}}"
    );
    let form = answer(form);
    assert!(form.starts_with("HTTP/1.1 415"), "{form}");
    // What a browser asks before it sends JSON elsewhere.
    let preflight = answer(format!(
        "OPTIONS /api/stop HTTP/1.1\r\nHost: {address}\r\nOrigin: https://rebound.example\r\nAccess-Control-Request-Method: POST\r\n\
         Access-Control-Request-Headers: content-type\r\nConnection: close\r\n\r\n"
    ));
    assert!(
        !preflight.starts_with("HTTP/1.1 2") && !preflight.to_lowercase().contains("access-control-allow"),
        "{preflight}"
    );
    assert_eq!(live.status()["stopReason"], Value::Null);
}
