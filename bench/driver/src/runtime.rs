//! `runtime run`, and what its summary tells.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::outputs::Told;
use crate::target::Latency;
use crate::{Bench, Failure};

/// What the summary should tell of trends.
const TREND_STATS: &str = "avg,p(50),p(95),p(99),max,count";

/// Builds a `runtime run` of one of the bench's modules.
#[derive(Debug)]
pub(crate) struct Run {
    command: Command,
}

impl Run {
    /// With everything as it is by default; what it records goes to the bench's own folder.
    pub(crate) fn new(bench: &Bench, module: &str) -> Self {
        let mut command = Command::new(&bench.runtime);
        command.env("XDG_STATE_HOME", bench.scratch.path());
        command.arg("run").arg(bench.module(module)).args(["--no-color", "--summary-trend-stats", TREND_STATS]);
        Self { command }
    }

    pub(crate) fn args(mut self, args: &[&str]) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(self, name: &str, value: &str) -> Self {
        self.args(&["-e", &format!("{name}={value}")])
    }

    /// Where the summary goes as JSON.
    pub(crate) fn export(mut self, path: &Path) -> Self {
        self.command.arg("--summary-export").arg(path);
        self
    }

    /// Options that flags do not reach, as a `--config` file in that folder.
    pub(crate) fn config(mut self, folder: &Path, options: &Value) -> Result<Self, Failure> {
        let path = folder.join("options.json");
        std::fs::write(&path, options.to_string())?;
        self.command.arg("--config").arg(path);
        Ok(self)
    }

    /// Compiled modules are kept in that folder; without one, nowhere.
    pub(crate) fn cache(mut self, folder: Option<&Path>) -> Self {
        match folder {
            Some(folder) => self.command.env("XDG_CACHE_HOME", folder),
            None => self.command.env_remove("XDG_CACHE_HOME").env_remove("HOME"),
        };
        self
    }

    pub(crate) fn command(self) -> Command {
        self.command
    }
}

/// A summary as `--summary-export` writes it, which is also how k6 does.
#[derive(Debug)]
pub(crate) struct Summary {
    metrics: Value,
}

impl Summary {
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let mut json: Value = serde_json::from_str(text).map_err(|error| format!("the summary is no JSON: {error}"))?;
        match json.get_mut("metrics").map(Value::take) {
            Some(metrics) if metrics.is_object() => Ok(Self { metrics }),
            _ => Err("the summary has no metrics".into()),
        }
    }

    pub(crate) fn read(path: PathBuf) -> Result<Self, Failure> {
        Self::parse(&std::fs::read_to_string(path)?)
    }

    /// One figure of one metric; `None` if it has no samples.
    pub(crate) fn figure(&self, metric: &str, name: &str) -> Option<f64> {
        self.metrics.get(metric)?.get(name)?.as_f64()
    }

    /// A counter's sum: 0 if nobody counted.
    pub(crate) fn count(&self, metric: &str) -> f64 {
        self.figure(metric, "count").unwrap_or(0.0)
    }

    /// A trend of milliseconds.
    pub(crate) fn latency(&self, metric: &str) -> Latency {
        let us = |name| self.figure(metric, name).map(|ms| ms * 1000.0);
        Latency { p50: us("p(50)"), p95: us("p(95)"), p99: us("p(99)"), max: us("max") }
    }

    /// What every generator is asked.
    pub(crate) fn told(&self) -> Told {
        let failed_checks = self.figure("checks", "fails").unwrap_or(0.0);
        Told {
            requests: Some(self.count("http_reqs") as u64),
            failures: failed_checks as u64,
            latency_us: self.latency("http_req_duration"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_tells_what_every_generator_is_asked() {
        let told = Summary::parse(include_str!("../outputs/runtime.json")).unwrap().told();
        assert_eq!((told.requests, told.failures), (Some(48_119), 0));
        assert_eq!(told.latency_us.p95, Some(8_450.0));
    }

    #[test]
    fn what_is_no_summary_is_an_error() {
        assert!(Summary::parse("{}").unwrap_err().to_string().contains("no metrics"));
        assert!(Summary::parse("running").unwrap_err().to_string().contains("no JSON"));
    }
}
