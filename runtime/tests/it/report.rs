//! The results file and `runtime report`, with real processes: what is measured is not lost.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Folder, Run, Server, collect, finish, guest, runtime, scenario, signal};

/// Nothing here takes longer unless it hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// A person with a home of their own.
struct Person {
    folder: Folder,
}

impl Person {
    fn new() -> Self {
        Self { folder: Folder::new() }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = runtime();
        command.env("XDG_STATE_HOME", self.folder.file("state")).current_dir(self.folder.path()).args(args);
        command
    }

    fn run_command(&self, module: &Path, args: &[&str]) -> Command {
        let mut command = self.command(&["run"]);
        command.arg(module).args(args);
        command
    }

    /// `runtime run`, with its summary exported.
    fn run(&self, module: &Path, args: &[&str]) -> Run {
        let export = self.folder.file("run.json");
        let mut command = self.run_command(module, args);
        command.arg("--summary-export").arg(&export);
        finish(command, &export)
    }

    /// `runtime report`, with its summary exported.
    fn report(&self, args: &[&str]) -> Run {
        let export = self.folder.file("report.json");
        let _ = std::fs::remove_file(&export);
        let mut command = self.command(&["report"]);
        command.args(args).arg("--summary-export").arg(&export);
        finish(command, &export)
    }

    fn spawn(&self, module: &Path, args: &[&str]) -> Child {
        self.run_command(module, args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the runtime starts")
    }

    fn results(&self) -> PathBuf {
        self.folder.file("state/flashcrowd/results")
    }

    /// Names of the recorded files, oldest first.
    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.results()).into_iter().flatten().flatten();
        let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
        files.sort();
        files
    }

    #[track_caller]
    fn only_file(&self) -> PathBuf {
        let files = self.files();
        assert_eq!(files.len(), 1, "{files:?}");
        files.into_iter().next().expect("one")
    }
}

#[track_caller]
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "waited for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn size(path: &Path) -> u64 {
    path.metadata().map_or(0, |data| data.len())
}

/// Waits until the file has grown so many times.
#[track_caller]
fn wait_for_growth(path: &Path, times: u32) {
    for _ in 0..times {
        let before = size(path);
        wait_until("the results file to grow", || size(path) > before);
    }
}

/// Progress and log lines are no part of what must be equal.
#[track_caller]
fn assert_same(run: &Run, report: &Run, person: &Person) {
    assert_eq!(run.stdout, report.stdout);
    let file = |name: &str| std::fs::read_to_string(person.folder.file(name)).expect("an exported summary");
    assert_eq!(file("run.json"), file("report.json"));
    assert_eq!(run.code, report.code);
    assert!(!report.stderr.contains("warn"), "{}", report.stderr);
}

#[test]
fn the_report_of_a_run_is_its_summary_to_the_letter() {
    let server = Server::start(&[]);
    let person = Person::new();
    let args = [
        "-e",
        &server.base_url("/api/v1/coupons/issue"),
        "--scale-time",
        "0.01",
        "--scale-load",
        "0.5",
        "-e",
        "TOKEN=s3cr3t",
    ];
    let run = person.run(&scenario("coupon"), &args).exits(0);
    assert!(run.metric("http_reqs", "count") > 100.0);
    let report = person.report(&[]);
    assert_same(&run, &report, &person);
    let file = person.only_file();
    assert!(report.stderr.contains(&*file.to_string_lossy()), "it says which run it is: {}", report.stderr);
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let bytes = std::fs::read(&file).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("TOKEN") && !holds("s3cr3t"), "names of variables, and no values");

    let full = person.report(&["--summary-mode", "full", "--summary-time-unit", "us"]).exits(0);
    assert!(full.stdout.contains("SCENARIO: ") && full.stdout.contains("µs"), "{}", full.stdout);
    let none = person.report(&["--no-summary"]).exits(0);
    assert_eq!(none.stdout, "");
    let listed = person.command(&["report", "--list"]).output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("coupon") && listed.contains("exit code 0") && listed.contains(".fcr"), "{listed}");
}

/// Groups, every kind of metric, checks, setup and teardown; a threshold that is crossed; failed iterations.
#[test]
fn whatever_a_run_has_its_report_has() {
    let server = Server::start(&[]);
    let person = Person::new();
    let config = person.folder.file("options.json");
    std::fs::write(&config, r#"{"thresholds":{"iterations":["count<1"],"nobody_knows":["rate<1"]}}"#).unwrap();
    let base = server.base_url("");
    let config = config.to_str().unwrap();
    let runs: [(&str, &[&str]); 5] = [
        ("kitchen-sink", &["-e", &base, "--summary-mode", "full"]),
        ("sleepy", &["-e", &server.base_url("/health"), "-e", "PAUSE=0", "-i", "40", "-u", "4", "-c", config]),
        ("panics", &["-i", "9"]),
        ("fails", &[]),
        ("setup-teardown", &["--no-summary"]),
    ];
    for (module, args) in runs {
        let run = person.run(&guest(module), args);
        assert_ne!(run.code, 104, "{module}: {}", run.stderr);
        let report = person.report(&[]);
        if args.contains(&"--no-summary") {
            assert_eq!(report.code, run.code);
            assert!(report.stdout.contains("iterations"), "{module}: {}", report.stdout);
            assert_eq!(report.summary, run.summary);
        } else {
            assert_same(&run, &report, &person);
        }
    }
    assert_eq!(person.files().len(), 5);
}

#[test]
fn a_killed_run_is_recovered_until_its_last_second() {
    let server = Server::start(&[]);
    let person = Person::new();
    let args = ["-e", &server.base_url("/health"), "-e", "PAUSE=0.01", "-u", "5", "-d", "300s"];
    let mut child = person.spawn(&guest("sleepy"), &args);
    server.wait_for("/health", 200.0);
    let file = person.only_file();
    let seen = server.counted("/health");
    // One snapshot may have been under way; the second one was taken after the server was asked.
    wait_for_growth(&file, 2);
    child.kill().unwrap();
    child.wait().unwrap();
    let served = server.counted("/health");

    let report = person.report(&[]).exits(0);
    let recovered = report.metric("http_reqs", "count");
    assert!(recovered >= seen && recovered <= served, "{seen} <= {recovered} <= {served}");
    assert_eq!(report.metric("http_req_duration", "min").partial_cmp(&0.0), Some(std::cmp::Ordering::Greater));
    assert!(report.stderr.contains("cut off during its load"), "{}", report.stderr);
    assert!(
        report.stdout.contains("- STOPPED EARLY") && report.stdout.contains("the run was cut off"),
        "{}",
        report.stdout
    );
    let listed = person.command(&["report", "--list"]).output().unwrap();
    assert!(String::from_utf8_lossy(&listed.stdout).contains("cut off"));
}

#[test]
fn a_crossed_threshold_is_crossed_in_the_report_of_a_killed_run() {
    let server = Server::start(&[]);
    let person = Person::new();
    let config = person.folder.file("options.json");
    std::fs::write(&config, r#"{"thresholds":{"http_req_duration":["max<0.0001"]}}"#).unwrap();
    let args = ["-e", &server.base_url("/health"), "-u", "2", "-d", "300s", "-c", config.to_str().unwrap()];
    let mut child = person.spawn(&guest("sleepy"), &args);
    server.wait_for("/health", 4.0);
    let file = person.only_file();
    wait_for_growth(&file, 2);

    // In between, the file can be read.
    let report = person.report(&[]).exits(99);
    assert!(report.stderr.contains("still going on"), "{}", report.stderr);
    let listed = person.command(&["report", "--list"]).output().unwrap();
    assert!(String::from_utf8_lossy(&listed.stdout).contains("going on"));
    child.kill().unwrap();
    child.wait().unwrap();
    let report = person.report(&[]).exits(99);
    assert!(report.stdout.contains("✗ FAILED"), "{}", report.stdout);

    // Whatever is cut from the file, there is a report of the rest, or an error; never anything else.
    let bytes = std::fs::read(&file).unwrap();
    let torn = person.folder.file("torn.fcr");
    let torn_name = torn.to_str().unwrap();
    std::fs::write(&torn, &bytes[..bytes.len() - 5]).unwrap();
    let report = person.report(&[torn_name]);
    assert!(report.stderr.contains("is torn"), "{}", report.stderr);
    assert!(report.metric("http_reqs", "count") > 0.0);
    let mut damaged = bytes.clone();
    let middle = bytes.len() - 200;
    damaged[middle] ^= 0x20;
    std::fs::write(&torn, &damaged).unwrap();
    let report = person.report(&[torn_name]);
    assert!(report.stderr.contains("the file is damaged at byte"), "{}", report.stderr);
    for (content, error) in [(&bytes[..10], "holds nothing"), (b"{}", "is not a results file"), (b"", "holds nothing")]
    {
        std::fs::write(&torn, content).unwrap();
        let report = person.report(&[torn_name]).exits(104);
        assert!(report.stderr.contains("torn.fcr") && report.stderr.contains(error), "{}", report.stderr);
        assert_eq!(report.stdout, "");
    }
}

#[test]
fn a_run_that_is_interrupted_says_so_in_its_report() {
    let server = Server::start(&[]);
    let person = Person::new();
    let export = person.folder.file("run.json");
    let mut command =
        person.run_command(&guest("sleepy"), &["-e", &server.base_url("/health"), "-u", "3", "-d", "300s"]);
    command.arg("--summary-export").arg(&export).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    server.wait_for("/health", 3.0);
    signal(&child, "INT");
    let run = collect(child, &export).exits(105);
    let report = person.report(&[]);
    assert_same(&run, &report, &person);
    assert!(report.stdout.contains("stopped early: a signal"), "{}", report.stdout);
}

#[test]
fn a_results_file_that_was_asked_for_is_part_of_the_result() {
    let server = Server::start(&[]);
    let person = Person::new();
    let health = server.base_url("/health");
    let args =
        |results: &'static str| ["-e", &health, "-e", "PAUSE=0", "-i", "5", "--results", results].map(str::to_owned);
    let run = |results: &'static str| {
        let args = args(results);
        person.run(&guest("sleepy"), &args.each_ref().map(String::as_str))
    };
    // The disk is full: the run goes on and is shown, and the exit code says that something is missing.
    let full = run("/dev/full").exits(1);
    assert!(full.stderr.contains("--results /dev/full: cannot be written"), "{}", full.stderr);
    assert_eq!(full.metric("http_reqs", "count"), 5.0);
    assert!(full.stdout.contains("http_reqs"), "{}", full.stdout);

    let before = server.counted("/health");
    let refused = run("no/such/folder/a.fcr").exits(104);
    assert!(refused.stderr.contains("--results no/such/folder/a.fcr: cannot be written"), "{}", refused.stderr);
    assert_eq!(server.counted("/health"), before, "nothing was started");
    assert!(person.files().is_empty(), "{:?}", person.files());

    run("a.fcr").exits(0);
    let once = size(&person.folder.file("a.fcr"));
    run("a.fcr").exits(0);
    assert!(size(&person.folder.file("a.fcr")) < once * 3 / 2, "the second run replaces the first");
    assert_eq!(person.report(&["a.fcr"]).exits(0).metric("http_reqs", "count"), 5.0);
    assert!(person.files().is_empty(), "{:?}", person.files());
}

#[test]
fn without_a_place_for_results_a_run_is_only_warned() {
    let server = Server::start(&[]);
    let person = Person::new();
    let args = ["-e", &server.base_url("/health"), "-e", "PAUSE=0", "-i", "2"];
    // A file where the folder should be: what a read-only home is to everybody but root.
    std::fs::write(person.folder.file("blocked"), "").unwrap();
    let export = person.folder.file("run.json");
    let homes: [&[(&str, Option<PathBuf>)]; 2] =
        [&[("XDG_STATE_HOME", Some(person.folder.file("blocked")))], &[("XDG_STATE_HOME", None), ("HOME", None)]];
    for home in homes {
        let mut command = person.run_command(&guest("sleepy"), &args);
        for (name, value) in home {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.arg("--summary-export").arg(&export);
        let run = finish(command, &export).exits(0);
        assert!(run.stderr.contains("this run is not recorded"), "{}", run.stderr);
        assert_eq!(run.metric("http_reqs", "count"), 2.0);
    }
    let quiet = person.run(&guest("sleepy"), &[&args[..], &["--no-results"]].concat()).exits(0);
    assert!(!quiet.stderr.contains("recorded"), "{}", quiet.stderr);
    let mut command = person.run_command(&guest("sleepy"), &args);
    command.env("FLASHCROWD_NO_RESULTS", "1");
    finish(command, &export).exits(0);
    assert!(person.files().is_empty(), "{:?}", person.files());
    let nothing = person.report(&[]).exits(104);
    assert!(nothing.stderr.contains("no run is recorded there"), "{}", nothing.stderr);
    let mut command = person.run_command(&guest("sleepy"), &args);
    command.env("FLASHCROWD_RESULTS", "mine.fcr");
    finish(command, &export).exits(0);
    person.report(&["mine.fcr"]).exits(0);
}

#[test]
fn the_oldest_files_go() {
    let person = Person::new();
    std::fs::create_dir_all(person.results()).unwrap();
    for day in 10..35 {
        std::fs::write(person.results().join(format!("20200101T0000{day}.000Z-old.fcr")), "").unwrap();
    }
    let run = person.run(&guest("panics"), &["-i", "2"]);
    let files = person.files();
    assert_eq!(files.len(), 20, "{files:?}");
    assert!(files[0].to_string_lossy().contains("T000016"), "{files:?}");
    assert_same(&run, &person.report(&[]), &person);
}

#[test]
fn runs_at_the_same_time_do_not_mix() {
    let server = Server::start(&[]);
    let person = Person::new();
    let health = server.base_url("/health");
    let spawn = |iterations: &str, more: &[&str]| {
        let args = ["-e", &health, "-e", "PAUSE=0.1", "-u", "2", "-i", iterations];
        person.spawn(&guest("sleepy"), &[&args[..], more].concat())
    };
    let children = [spawn("30", &[]), spawn("40", &[]), spawn("50", &["--results", "named.fcr"])];
    // A file that is being written belongs to its run.
    let named = person.folder.file("named.fcr");
    wait_until("the named file", || size(&named) > 0);
    let refused = person.run(&guest("panics"), &["--results", "named.fcr"]).exits(104);
    assert!(refused.stderr.contains("another run is writing it"), "{}", refused.stderr);
    for child in children {
        assert_eq!(collect(child, Path::new("none")).exits(0).summary, Value::Null);
    }
    let mut counts: Vec<f64> = Vec::new();
    for file in person.files() {
        counts.push(person.report(&[file.to_str().unwrap()]).exits(0).metric("http_reqs", "count"));
    }
    counts.sort_by(f64::total_cmp);
    assert_eq!(counts, [30.0, 40.0]);
    assert_eq!(person.report(&["named.fcr"]).exits(0).metric("http_reqs", "count"), 50.0);
}
