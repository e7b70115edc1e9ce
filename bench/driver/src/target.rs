//! The server under load, as the driver sees it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::process::Running;

/// The server, ended when dropped.
#[derive(Debug)]
pub(crate) struct Target {
    process: Running,
    url: String,
    agent: ureq::Agent,
}

/// What the server has seen since the last reset.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Stats {
    pub(crate) requests: u64,
    pub(crate) first_request_ns: Option<u64>,
    pub(crate) now_ns: u64,
    pub(crate) connections: u64,
    pub(crate) latency_us: Latency,
}

/// Percentiles in microseconds; `None` where nothing was measured or where a tool does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50: Option<f64>,
    pub(crate) p95: Option<f64>,
    pub(crate) p99: Option<f64>,
    #[serde(default)]
    pub(crate) max: Option<f64>,
}

impl Target {
    pub(crate) fn start(program: &Path, core: Option<usize>, delay_ms: u64) -> Result<Self, Failure> {
        let mut command = Command::new(program);
        command.arg("--delay-ms").arg(delay_ms.to_string());
        let mut process = Running::start(command, core)?;
        let url = process.until("saying where it listens", Duration::from_secs(10), |process| {
            let lines = process.stdout();
            Ok(lines.first().and_then(|line| line.text.strip_prefix("listening on ").map(str::to_owned)))
        })?;
        let agent = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(30))).build().new_agent();
        Ok(Self { process, url, agent })
    }

    /// Where requests go.
    pub(crate) fn url(&self) -> String {
        format!("{}/coupons", self.url)
    }

    /// Without a path.
    pub(crate) fn host(&self) -> &str {
        &self.url
    }

    pub(crate) fn stats(&self) -> Result<Stats, Failure> {
        Ok(self.agent.get(format!("{}/stats", self.url)).call()?.body_mut().read_json()?)
    }

    pub(crate) fn reset(&self) -> Result<(), Failure> {
        self.agent.post(format!("{}/reset", self.url)).send_empty()?;
        Ok(())
    }

    pub(crate) fn cpu_seconds(&self) -> Result<f64, Failure> {
        self.process.cpu_seconds()
    }
}
