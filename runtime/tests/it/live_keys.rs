//! Keys, in a terminal that Python makes (`terminal.py`): the runtime itself sees nothing but a terminal.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flashcrowd_runtime::control::client::Client;
use serde_json::{Value, json};

use crate::live::{assert_paused, by_hand, prepare, started, until};
use crate::support::{Folder, PATIENCE, Server};

/// A run in a terminal.
struct Terminal {
    python: Child,
    orders: ChildStdin,
    shown: Arc<Mutex<String>>,
    /// How much of it has been looked at.
    seen: usize,
    _server: Server,
    _folder: Folder,
}

impl Terminal {
    fn start(scenarios: &Value, args: &[&str]) -> Self {
        let (folder, server) = (Folder::new(), Server::start(&[]));
        let run = prepare(scenarios, &folder, &server);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/terminal.py");
        let mut command = Command::new("python3");
        command.arg(script).arg(run.get_program()).args(run.get_args()).args(args);
        for (name, value) in run.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.env("TERM", "xterm").env("LANG", "C.UTF-8");
        let mut python = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3 is there");
        let orders = python.stdin.take().unwrap();
        let mut output = python.stdout.take().unwrap();
        let shown = Arc::new(Mutex::new(String::new()));
        let writer = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                writer.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        Self { python, orders, shown, seen: 0, _server: server, _folder: folder }
    }

    fn order(&mut self, order: &str) {
        // A run that has ended takes no more: what it showed says whether it should have.
        let _ = self.orders.write_all(format!("{order}\n").as_bytes());
    }

    fn press(&mut self, keys: &str) {
        let hex: String = keys.bytes().map(|byte| format!("{byte:02x}")).collect();
        self.order(&format!("key {hex}"));
    }

    /// Waits until this is shown, after all that was waited for before.
    #[track_caller]
    fn shows(&mut self, text: &str) -> String {
        let begun = Instant::now();
        loop {
            let shown = self.shown.lock().unwrap().clone();
            if let Some(place) = shown[self.seen..].find(text) {
                let from = self.seen + place;
                self.seen = from + text.len();
                return shown[from..].lines().next().unwrap_or_default().to_owned();
            }
            assert!(begun.elapsed() < PATIENCE, "never shows {text:?}:\n{}", &shown[self.seen..]);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks for the terminal's modes until they are these.
    #[track_caller]
    fn until_said(&mut self, order: &str, expected: &str) {
        let begun = Instant::now();
        loop {
            self.order(order);
            let name = expected.split('=').next().unwrap();
            if self.shows(&format!("[{name}=")).contains(expected) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "never {expected}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn client(&mut self) -> Client {
        let line = self.shows("control: http://");
        let address = line.trim_start_matches("control: http://").trim().parse().unwrap();
        Client { address, token: None }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It ends the run when nobody is left to give orders.
        drop(std::mem::replace(
            &mut self.orders,
            Command::new("true").stdin(Stdio::piped()).spawn().unwrap().stdin.take().unwrap(),
        ));
        let _ = self.python.wait();
    }
}

#[test]
fn keys_pause_resume_scale_and_stop() {
    let mut terminal = Terminal::start(&by_hand(), &["--address", "127.0.0.1:0"]);
    let client = terminal.client();
    let status = || client.ask("GET", "/api/status", None).unwrap();
    terminal.shows("keys: p pause");
    until("running", status, |status| status["state"] == "running" && started(status) > 10);
    terminal.until_said("modes", "canonical=0 echo=0");
    terminal.press("p");
    terminal.shows("paused by the key p");
    assert_paused(status);
    let paused = started(&status());
    // The bars say so, too.
    terminal.shows("paused (");
    terminal.press("p");
    terminal.shows("resumed by the key p");
    until("going on", status, |status| started(status) > paused + 10);
    terminal.press("+++");
    terminal.shows("scaled by the key +: users: 3 VUs -> 4 VUs");
    terminal.shows("starts: 12 iterations/s -> 13 iterations/s");
    terminal.press("-");
    terminal.shows("scaled by the key -: users: 4 VUs -> 3 VUs");
    terminal.press("?");
    terminal.shows("q  stop");
    terminal.press("q");
    terminal.shows("stopping, as the key q says");
    terminal.shows("stopped early: the key q");
    let end = terminal.shows("[exit=");
    assert_eq!(end, "[exit=103 canonical=1 echo=1]");
}

#[test]
fn the_terminal_is_what_it_was_whatever_ends_or_stops_the_run() {
    let endless = json!({ "users": { "executor": "externally-controlled", "vus": 1, "gracefulStop": "1s" } });
    let ready = || {
        let mut terminal = Terminal::start(&endless, &[]);
        terminal.shows("running (");
        terminal.until_said("modes", "canonical=0 echo=0");
        terminal
    };
    // Ctrl-C is a signal as ever; Ctrl-Z stops the process, which takes the keys again when it goes on.
    let mut terminal = ready();
    terminal.press("\u{1a}");
    terminal.until_said("state", "state=T");
    terminal.until_said("modes", "canonical=1 echo=1");
    terminal.order("signal 18");
    terminal.until_said("modes", "canonical=0 echo=0");
    terminal.press("\u{3}");
    assert_eq!(terminal.shows("[exit="), "[exit=105 canonical=1 echo=1]");
    // SIGTERM, SIGQUIT by Ctrl-\, SIGHUP.
    for (order, code) in [("signal 15", 105), ("key 1c", 131), ("signal 1", 129)] {
        let mut terminal = ready();
        terminal.order(order);
        assert_eq!(terminal.shows("[exit="), format!("[exit={code} canonical=1 echo=1]"), "{order}");
    }
    // Three signals that come too fast for anything else.
    let mut terminal = ready();
    terminal.press("p");
    terminal.shows("paused by the key p");
    for _ in 0..3 {
        terminal.order("signal 2");
        terminal.shows("");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(terminal.shows("[exit="), "[exit=105 canonical=1 echo=1]");
}

#[test]
fn a_run_in_the_background_leaves_the_terminal_alone() {
    let scenarios = json!({ "users": { "executor": "constant-vus", "vus": 1, "duration": "1s" } });
    let (folder, server) = (Folder::new(), Server::start(&[]));
    let run = prepare(&scenarios, &folder, &server);
    // A shell with job control, which waits for its background job.
    let mut command = Command::new("python3");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/terminal.py"));
    command.args(["sh", "-c", "set -m; \"$@\" & wait $!; echo \"background: $?\"", "sh"]);
    command.arg(run.get_program()).args(run.get_args()).env("TERM", "xterm");
    let output = command.stdin(Stdio::piped()).output_while_open();
    assert!(output.contains("background: 0"), "{output}");
}

/// Runs a command whose standard input stays open; gives what it printed.
trait OutputWhileOpen {
    fn output_while_open(&mut self) -> String;
}

impl OutputWhileOpen for Command {
    fn output_while_open(&mut self) -> String {
        let mut child = self.stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take();
        let output = crate::support::wait(child);
        drop(input);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}
