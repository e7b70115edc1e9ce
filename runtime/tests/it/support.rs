//! Starting the programs under test, and ending those that were started.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Nothing here takes longer unless it hangs, compiling a crate on a machine that is busy with others included.
pub(crate) const PATIENCE: Duration = Duration::from_secs(900);

/// The folder of this profile's binaries.
fn bin_dir() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_runtime")).parent().expect("a binary has a folder")
}

pub(crate) fn target_dir() -> &'static Path {
    bin_dir().parent().expect("a profile's folder has a parent")
}

fn built(path: PathBuf) -> PathBuf {
    assert!(path.is_file(), "{} is missing: run `cargo xtask guests`", path.display());
    path
}

/// A module made for tests, from `tests/guests`.
pub(crate) fn guest(name: &str) -> PathBuf {
    let file = format!("{}.wasm", name.replace('-', "_"));
    built(target_dir().join("guests/wasm32-wasip2/release").join(file))
}

/// A shipped scenario.
pub(crate) fn scenario(name: &str) -> PathBuf {
    let file = format!("{}.wasm", name.replace('-', "_"));
    built(target_dir().join("wasm32-wasip2/release").join(file))
}

/// An empty folder that goes with this value.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("flashcrowd-it-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a run of the runtime left behind.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// What `--summary-export` wrote; null if nothing.
    pub(crate) summary: Value,
}

impl Run {
    /// The code, or everything that was printed.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// A number of the exported summary: a metric's value of this name.
    #[track_caller]
    pub(crate) fn metric(&self, metric: &str, value: &str) -> f64 {
        self.summary["metrics"][metric][value]
            .as_f64()
            .unwrap_or_else(|| panic!("no {metric}.{value} in {:#}\nstderr:\n{}", self.summary["metrics"], self.stderr))
    }

    /// A metric's value, or 0 if there is no such metric.
    pub(crate) fn metric_or_zero(&self, metric: &str, value: &str) -> f64 {
        self.summary["metrics"][metric][value].as_f64().unwrap_or(0.0)
    }

    /// Passes and fails of a check anywhere in the groups.
    #[track_caller]
    pub(crate) fn check(&self, name: &str) -> (u64, u64) {
        fn find(group: &Value, name: &str) -> Option<(u64, u64)> {
            let check = &group["checks"][name];
            if check.is_object() {
                return Some((check["passes"].as_u64()?, check["fails"].as_u64()?));
            }
            group["groups"].as_object()?.values().find_map(|group| find(group, name))
        }
        find(&self.summary["root_group"], name).unwrap_or_else(|| {
            panic!("no check `{name}` in {:#}\nstderr:\n{}", self.summary["root_group"], self.stderr)
        })
    }
}

/// The runtime's binary, with an environment that no user's settings reach. Its results go to a folder of the tests' own, which
/// they share: a test that looks for them there sets another `XDG_STATE_HOME`.
pub(crate) fn runtime() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runtime"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("K6_") || name.to_string_lossy().starts_with("FLASHCROWD_") {
            command.env_remove(name);
        }
    }
    command.env("XDG_STATE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("state"));
    command.env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// `runtime run MODULE ARGS`, to its end, with its summary exported.
pub(crate) fn run(module: &Path, args: &[&str]) -> Run {
    let folder = Folder::new();
    let export = folder.file("summary.json");
    let mut command = runtime();
    command.arg("run").arg(module).args(args).arg("--summary-export").arg(&export).current_dir(folder.path());
    finish(command, &export)
}

/// Runs a prepared command to its end.
pub(crate) fn finish(mut command: Command, export: &Path) -> Run {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the runtime starts");
    collect(child, export)
}

/// Waits for a running runtime.
pub(crate) fn collect(child: Child, export: &Path) -> Run {
    let output = wait(child);
    let exported = std::fs::read(export).ok().filter(|text| !text.is_empty());
    let summary = exported.map_or(Value::Null, |text| serde_json::from_slice(&text).expect("JSON"));
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        summary,
    }
}

/// The child's output; a child that hangs is ended and fails the test.
pub(crate) fn wait(mut child: Child) -> Output {
    let read = |pipe: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = pipe {
                let _ = pipe.read_to_end(&mut bytes);
            }
            bytes
        })
    };
    let stdout = read(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let stderr = read(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("the child can be waited for") {
            break status;
        }
        if begun.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            panic!(
                "still running after {PATIENCE:?}\nstdout:\n{}\nstderr:\n{}",
                String::from_utf8_lossy(&stdout.join().unwrap_or_default()),
                String::from_utf8_lossy(&stderr.join().unwrap_or_default())
            );
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    Output { status, stdout: stdout.join().unwrap_or_default(), stderr: stderr.join().unwrap_or_default() }
}

/// Sends a signal to a child of ours.
pub(crate) fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status();
    assert!(status.is_ok_and(|status| status.success()), "kill -{name}");
}

/// The target server as a process, on a free port.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    grpc_url: Option<String>,
    data: PathBuf,
    _folder: Option<Folder>,
}

impl Server {
    pub(crate) fn start(args: &[&str]) -> Self {
        let folder = Folder::new();
        let data = folder.file("data");
        let mut server = Self::start_at("127.0.0.1:0", &data, args);
        server._folder = Some(folder);
        server
    }

    /// At a given address, on data that may be there already.
    pub(crate) fn start_at(listen: &str, data: &Path, args: &[&str]) -> Self {
        let program = bin_dir().join("target-server");
        assert!(program.is_file(), "{} is missing: run `cargo build -p target-server`", program.display());
        Self::spawn(Command::new(program), listen, data, args)
    }

    /// On a free port, by a process that runs a line of shell first, such as `ulimit -n 64`.
    pub(crate) fn start_after(shell: &str, args: &[&str]) -> Self {
        let folder = Folder::new();
        let data = folder.file("data");
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{shell}\nexec \"$0\" \"$@\"")).arg(bin_dir().join("target-server"));
        let mut server = Self::spawn(command, "127.0.0.1:0", &data, args);
        server._folder = Some(folder);
        server
    }

    fn spawn(mut command: Command, listen: &str, data: &Path, args: &[&str]) -> Self {
        let mut child = command
            .args(["--listen", listen, "--data"])
            .arg(data)
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the target server starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped"));
        let mut url_after = |prefix: &str| {
            let mut line = String::new();
            lines.read_line(&mut line).expect("a line");
            line.trim().strip_prefix(prefix).unwrap_or_else(|| panic!("it printed {line:?}")).to_owned()
        };
        let url = url_after("listening on ");
        let grpc_url = args.contains(&"--grpc").then(|| url_after("gRPC on "));
        Self { child, url, grpc_url, data: data.to_owned(), _folder: None }
    }

    /// Where it takes gRPC calls, if `--grpc` was given.
    pub(crate) fn grpc_url(&self) -> String {
        self.grpc_url.clone().expect("it was started with --grpc")
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn authority(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// `-e BASE_URL=…` for this path.
    pub(crate) fn base_url(&self, path: &str) -> String {
        format!("BASE_URL={}{path}", self.url)
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.request(&format!("GET {path} HTTP/1.0\r\nhost: {}\r\n\r\n", self.authority()))
    }

    fn request(&self, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.authority()).expect("the target server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(request.as_bytes()).expect("a request is taken");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("an answer has a status");
        (status, body.to_owned())
    }

    /// How many requests of a route the server has answered, all answers together.
    pub(crate) fn counted(&self, route: &str) -> f64 {
        let (status, metrics) = self.get("/metrics");
        assert_eq!(status, 200);
        let is_count = |line: &&str| line.starts_with("http_request_duration_seconds_count{") && line.contains(route);
        metrics.lines().filter(is_count).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Waits until the server has answered so many requests of a route: then the load is on.
    #[track_caller]
    pub(crate) fn wait_for(&self, route: &str, requests: f64) {
        let begun = Instant::now();
        while self.counted(route) < requests {
            assert!(begun.elapsed() < PATIENCE, "{} of {requests} requests of {route}", self.counted(route));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The audit must be clean.
    #[track_caller]
    pub(crate) fn audit(&self) -> Value {
        let (status, body) = self.get("/audit");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect("the audit is JSON")
    }

    /// Tells it to stop.
    pub(crate) fn terminate(&self) {
        signal(&self.child, "TERM");
    }

    /// `kill -9`; gives the data's folder, which stays, and what keeps it.
    pub(crate) fn kill(mut self) -> (PathBuf, Option<Folder>) {
        self.child.kill().expect("our child can be killed");
        self.child.wait().expect("our child can be waited for");
        (self.data.clone(), self._folder.take())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
