//! The load generators that are compared: where each is found, how it is told to do the same work, and how it is understood.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

use crate::outputs::{self, Told};
use crate::process::Ended;
use crate::runtime::{Run, Summary};
use crate::{Bench, Failure};

const BODY: &str = r#"{"userId":1,"couponId":3}"#;

/// A load generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Tool {
    /// A bare hyper keep-alive loop.
    HyperLoop,
    /// `runtime run --shards 1`.
    Runtime,
    /// `runtime run` with a shard per core, free to use them all.
    RuntimeAllCores,
    Oha,
    Wrk,
    Goose,
    Locust,
    K6,
}

/// A load that all of them can be told to make.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    pub(crate) url: &'a str,
    /// The URL without its path.
    pub(crate) host: &'a str,
    pub(crate) connections: usize,
    pub(crate) seconds: u64,
    /// For files of its own.
    pub(crate) folder: &'a Path,
}

impl Tool {
    pub(crate) const ALL: [Self; 8] = [
        Self::HyperLoop,
        Self::Runtime,
        Self::RuntimeAllCores,
        Self::Oha,
        Self::Wrk,
        Self::Goose,
        Self::Locust,
        Self::K6,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::HyperLoop => "bare hyper loop",
            Self::Runtime => "runtime, one shard",
            Self::RuntimeAllCores => "runtime, all cores, not pinned",
            Self::Oha => "oha",
            Self::Wrk => "wrk",
            Self::Goose => "Goose",
            Self::Locust => "Locust (FastHttpUser)",
            Self::K6 => "k6",
        }
    }

    /// How it is had, for who does not have it.
    pub(crate) fn remedy(self) -> &'static str {
        match self {
            Self::K6 => "install k6 so that it is on the PATH",
            Self::Wrk => "run `cargo xtask bench --install-peers` as root, or install Debian's package wrk",
            _ => "run `cargo xtask bench --install-peers`",
        }
    }

    /// Whether it stays on the generators' core.
    pub(crate) fn pinned(self) -> bool {
        self != Self::RuntimeAllCores
    }

    /// Its program; `None` if it is not installed.
    pub(crate) fn program(self, bench: &Bench) -> Option<PathBuf> {
        match self {
            Self::HyperLoop => Some(bench.binary("hyper-loop")),
            Self::Runtime | Self::RuntimeAllCores => Some(bench.runtime.clone()),
            Self::Goose => Some(bench.binary("bench-goose")),
            Self::Locust => Some(bench.tools.join("locust/bin/python")),
            Self::Oha => installed("oha", &bench.tools),
            Self::Wrk => installed("wrk", &bench.tools),
            Self::K6 => installed("k6", &bench.tools),
        }
        .filter(|program| program.exists())
    }

    /// Its version, as it says itself.
    pub(crate) fn version(self, bench: &Bench) -> Option<String> {
        let program = self.program(bench)?;
        let flags: &[&str] = match self {
            Self::HyperLoop => return Some("hyper 1".to_owned()),
            Self::Goose => return goose_version(),
            Self::Wrk => &["-v"],
            Self::Runtime | Self::RuntimeAllCores | Self::K6 => &["version"],
            Self::Oha => &["--version"],
            Self::Locust => &["-m", "locust", "--version"],
        };
        let output = Command::new(program).args(flags).output().ok()?;
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        // wrk adds who made it, Locust from where it runs.
        let line = text.lines().next()?;
        Some(line.split([' ', '[', '(']).filter(|word| !word.is_empty()).take(2).collect::<Vec<_>>().join(" "))
    }

    /// How it is told to do that work.
    pub(crate) fn command(self, bench: &Bench, work: &Work<'_>) -> Result<Command, Failure> {
        let program =
            self.program(bench).ok_or_else(|| format!("{} is not installed; {}", self.name(), self.remedy()))?;
        let (seconds, connections) = (work.seconds.to_string(), work.connections.to_string());
        let duration = format!("{seconds}s");
        let mut command = Command::new(&program);
        match self {
            Self::HyperLoop => {
                command.args([work.url, "--connections", &connections, "--seconds", &seconds]);
            }
            Self::Runtime | Self::RuntimeAllCores => {
                let mut run = Run::new(bench, "post-json-check")
                    .args(&["--quiet", "--vus", &connections, "--duration", &duration])
                    .env("BASE_URL", work.url)
                    .export(&work.folder.join("summary.json"));
                if self == Self::Runtime {
                    run = run.args(&["--shards", "1"]);
                }
                return Ok(run.command());
            }
            Self::Oha => {
                command.args(["-z", &duration, "-c", &connections, "-m", "POST", "-d", BODY, "-T", "application/json"]);
                command.args(["--no-tui", "--output-format", "json", work.url]);
            }
            Self::Wrk => {
                command
                    .args(["-t", "1", "-c", &connections, "-d", &duration, "-s"])
                    .arg(bench.source("wrk/post.lua"))
                    .arg(work.url);
            }
            Self::Goose => {
                command.args([
                    "--host",
                    work.host,
                    "--users",
                    &connections,
                    "--increase-rate",
                    "1000",
                    "--run-time",
                    &duration,
                ]);
                command.args(["--no-telnet", "--no-websocket", "--no-print-metrics", "-qq"]);
            }
            Self::Locust => {
                command.args(["-m", "locust", "-f"]).arg(bench.source("locust/locustfile.py")).args([
                    "--headless",
                    "--json",
                    "--only-summary",
                ]);
                command.args([
                    "-u",
                    &connections,
                    "-r",
                    "1000",
                    "-t",
                    &duration,
                    "--host",
                    work.host,
                    "--loglevel",
                    "WARNING",
                ]);
            }
            Self::K6 => {
                command.args([
                    "run",
                    "--quiet",
                    "--vus",
                    &connections,
                    "--duration",
                    &duration,
                    "-e",
                    &format!("BASE_URL={}", work.url),
                ]);
                command
                    .arg("--summary-export")
                    .arg(work.folder.join("summary.json"))
                    .arg(bench.source("k6/post-json-check.js"));
            }
        }
        Ok(command)
    }

    /// What it told at its end.
    pub(crate) fn told(self, ended: &Ended, work: &Work<'_>) -> Result<Told, Failure> {
        match self {
            Self::HyperLoop | Self::Wrk | Self::Goose => outputs::last_line(&ended.stdout),
            Self::Oha => outputs::oha(&ended.stdout),
            Self::Locust => outputs::locust(&ended.stdout),
            Self::Runtime | Self::RuntimeAllCores | Self::K6 => {
                Ok(Summary::read(work.folder.join("summary.json"))?.told())
            }
        }
        .map_err(|error| format!("{} is not understood: {error}", self.name()).into())
    }
}

/// A program on the PATH, or else in the folder that `--install-peers` fills.
fn installed(name: &str, tools: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([tools.join("bin")])
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// Goose tells no version of itself; the lock file does.
fn goose_version() -> Option<String> {
    let lock = include_str!("../../Cargo.lock");
    let (_, rest) = lock.split_once("name = \"goose\"\nversion = \"")?;
    Some(format!("goose {}", rest.split_once('"')?.0))
}
