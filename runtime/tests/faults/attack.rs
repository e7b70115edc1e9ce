//! Runs of the suite, and the one assertion that all of them share: nothing is lost between the module, the summary and the server.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Folder, PATIENCE, Run, collect, runtime};
use crate::target::{Seen, Target};

/// Requests with these codes never reached a server: no URL, no name, no grant, no connection.
const UNREACHED: [u16; 8] = [1020, 1100, 1101, 1110, 1111, 1210, 1211, 1212];

/// Requests with these codes may have.
const REACHED: [u16; 5] = [1000, 1050, 1200, 1201, 1220];

/// A run that is being prepared.
pub(crate) struct Attack {
    folder: Folder,
    arguments: Vec<String>,
    options: Value,
    shell: String,
    environment: Vec<(String, PathBuf)>,
}

impl Attack {
    pub(crate) fn new(module: &Path) -> Self {
        // Every code is a threshold that holds: so the export has a count of each.
        let codes = UNREACHED.iter().chain(&REACHED);
        let thresholds: serde_json::Map<_, _> =
            codes.map(|code| (format!("http_reqs{{error_code:{code}}}"), json!(["count>=0"]))).collect();
        Self {
            folder: Folder::new(),
            arguments: vec![module.display().to_string()],
            options: json!({ "thresholds": thresholds }),
            shell: String::new(),
            environment: Vec::new(),
        }
    }

    /// Arguments of `runtime run`.
    pub(crate) fn args(mut self, args: &[&str]) -> Self {
        self.arguments.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// Scenarios of the config file.
    pub(crate) fn scenarios(mut self, scenarios: Value) -> Self {
        self.options["scenarios"] = scenarios;
        self
    }

    /// A line of shell for the process that becomes the runtime, such as `ulimit -n 64` or `exec >&-`.
    pub(crate) fn after(mut self, shell: &str) -> Self {
        shell.clone_into(&mut self.shell);
        self
    }

    pub(crate) fn environment(mut self, name: &str, value: &Path) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Where the runtime is started, and may write.
    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(crate) fn start(self) -> Going {
        let (config, export) = (self.folder.file("options.json"), self.folder.file("summary-export.json"));
        std::fs::write(&config, self.options.to_string()).expect("the options are written");
        let stderr = self.folder.file("stderr.txt");
        let program = runtime();
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{}\nexec \"$0\" \"$@\"", self.shell)).arg(program.get_program());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.arg("run").args(&self.arguments).arg("--config").arg(&config).envs(self.environment);
        if !self.arguments.iter().any(|argument| argument == "--summary-export") {
            command.arg("--summary-export").arg(&export);
        }
        let child = command
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&stderr).expect("a file for standard error"))
            .spawn()
            .expect("a shell starts");
        Going { child, export, stderr, folder: self.folder, begun: Instant::now() }
    }

    pub(crate) fn run(self) -> Run {
        self.start().finish()
    }
}

/// A run that goes on.
pub(crate) struct Going {
    pub(crate) child: Child,
    export: PathBuf,
    stderr: PathBuf,
    folder: Folder,
    begun: Instant,
}

impl Going {
    pub(crate) fn signal(&self, name: &str) {
        crate::support::signal(&self.child, name);
    }

    /// Waits until standard error has this text.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) {
        self.wait_until(&format!("it says `{text}`"), || self.printed().contains(text));
    }

    /// Waits until the target has read so many requests of this path; a run that ends before says why.
    #[track_caller]
    pub(crate) fn wait_for_request(&mut self, target: &Target, path: &str, requests: u64) -> Seen {
        loop {
            let seen = target.seen_within(Duration::from_millis(50));
            if seen.paths.get(path).is_some_and(|count| *count >= requests) {
                return seen;
            }
            let over = self.child.try_wait().expect("our child");
            assert!(over.is_none(), "waited for {requests} of {path}; {seen:?}; the run ended:\n{}", self.printed());
            assert!(self.begun.elapsed() < PATIENCE, "waited for {requests} of {path}; {seen:?}\n{}", self.printed());
        }
    }

    fn printed(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.stderr).expect("our own file")).into_owned()
    }

    /// Waits until this holds.
    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, holds: impl Fn() -> bool) {
        while !holds() {
            assert!(self.begun.elapsed() < PATIENCE, "waited until {what}:\n{}", self.printed());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// A moment, for something that is tried again and again.
    #[track_caller]
    pub(crate) fn pause(&self) {
        assert!(self.begun.elapsed() < PATIENCE, "it does not end");
        std::thread::sleep(Duration::from_millis(100));
    }

    /// Where it runs.
    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Waits until the process has a thread of this name.
    #[track_caller]
    pub(crate) fn wait_for_thread(&self, name: &str) {
        let named = || {
            let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).ok()?;
            let names = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
            Some(names.into_iter().any(|comm| comm.trim() == name))
        };
        self.wait_until(&format!("there is a thread {name}"), || named() == Some(true));
    }

    /// Memory that the process holds at this moment, in KiB.
    pub(crate) fn resident_kib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse().ok()
    }

    /// Waits for the end.
    pub(crate) fn finish(self) -> Run {
        let stderr = self.stderr.clone();
        let mut run = collect(self.child, &self.export);
        run.stderr = String::from_utf8_lossy(&std::fs::read(stderr).expect("our own file")).into_owned();
        drop(self.folder);
        run
    }

    /// Waits for the end; gives the most memory that it held on the way, in KiB, too.
    pub(crate) fn finish_watching_memory(mut self) -> (Run, u64) {
        let begun = Instant::now();
        let mut most = 0;
        // The pipe of standard output holds a summary.
        while self.child.try_wait().expect("our child").is_none() && begun.elapsed() < PATIENCE {
            most = most.max(self.resident_kib().unwrap_or(0));
            std::thread::sleep(Duration::from_millis(20));
        }
        (self.finish(), most)
    }
}

/// How many requests have this error code.
pub(crate) fn with_code(run: &Run, code: u16) -> u64 {
    count(run, &format!("http_reqs{{error_code:{code}}}"))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a counter of whole things")]
fn count(run: &Run, metric: &str) -> u64 {
    run.metric_or_zero(metric, "count") as u64
}

/// What the last progress line says: iterations complete, and interrupted. There is none where no load was started.
#[track_caller]
fn iterations(run: &Run) -> (u64, u64) {
    let Some(line) = run.stderr.lines().rfind(|line| line.starts_with("running (")) else { return (0, 0) };
    let number_before = |what: &str| line.split(what).next()?.rsplit(' ').next()?.parse().ok();
    match (number_before(" complete and "), number_before(" interrupted iterations")) {
        (Some(complete), Some(interrupted)) => (complete, interrupted),
        _ => panic!("no line of progress in:\n{}", run.stderr),
    }
}

/// Nothing is lost, and nothing is counted twice.
#[track_caller]
pub(crate) fn conserved(run: &Run, seen: &Seen) {
    conserved_within(run, seen, 0);
}

/// As [`conserved`], but so many requests at most may have been lost between the runtime and the server.
#[track_caller]
pub(crate) fn conserved_within(run: &Run, seen: &Seen, lost_at_most: u64) {
    counts_agree(run);
    let said = format!("{seen:?}\n{:#}\n{}", run.summary["metrics"], run.stderr);
    // What `handle_summary` asks for comes after the figures were made.
    let seen_requests = seen.requests - seen.paths.get("/summary").copied().unwrap_or(0);
    // A connection that is turned away, or torn, took one request with it: there is never a second one under way.
    let reached_server = seen_requests + seen.turned_away + seen.torn;
    let unreached: u64 = UNREACHED.iter().map(|code| with_code(run, *code)).sum();
    let sent = count(run, "http_reqs") - unreached + count(run, "http_reqs_interrupted");
    assert!(reached_server <= sent, "the server saw {reached_server} requests, and {sent} were sent\n{said}");
    assert!(
        sent - reached_server <= lost_at_most,
        "{sent} requests were sent, and the server saw {reached_server}\n{said}"
    );
    let summaries = seen.paths.contains_key("/summary");
    if lost_at_most + seen.turned_away + seen.torn + count(run, "http_reqs_interrupted") == 0 && !summaries {
        assert_eq!(count(run, "data_sent"), seen.bytes, "bytes sent, and bytes read by the server\n{said}");
    }
}

/// The runtime's figures agree with each other, and with what the module counted itself.
#[track_caller]
pub(crate) fn counts_agree(run: &Run) {
    let said = format!("{:#}\n{}", run.summary["metrics"], run.stderr);
    let rate = |metric: &str| run.metric_or_zero(metric, "passes") + run.metric_or_zero(metric, "fails");
    let requests = run.metric_or_zero("http_reqs", "count");
    assert_eq!(rate("http_req_failed"), requests, "every request is a success or a failure\n{said}");
    let failed = run.metric_or_zero("http_req_failed", "passes");
    let by_code: u64 = UNREACHED.iter().chain(&REACHED).map(|code| with_code(run, *code)).sum();
    assert_eq!(failed, by_code as f64, "every failure has its code\n{said}");
    let (complete, interrupted) = iterations(run);
    assert_eq!(count(run, "iterations"), complete, "{said}");
    let metrics = &run.summary["metrics"];
    if metrics["begun"].is_object() {
        assert_eq!(count(run, "begun"), complete + interrupted, "every iteration that began ended somehow\n{said}");
    }
    if metrics["called"].is_object() {
        // An interrupted iteration may have been about to send its request, or waiting for a connection.
        let (called, known) = (count(run, "called"), count(run, "http_reqs") + count(run, "http_reqs_interrupted"));
        assert!(called >= known && called - known <= interrupted, "every call has a result: {called}, {known}\n{said}");
        assert_eq!(rate("checks"), requests, "every result is checked\n{said}");
    }
}
