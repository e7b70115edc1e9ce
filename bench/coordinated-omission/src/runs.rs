//! Runs of the runtime's release build.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::picture::Curve;
use crate::{LOAD, PER_SECOND, STALLS, percents, stalling};

/// What `--summary-export` wrote.
pub(crate) struct Summary(Value);

impl Summary {
    /// Percents, and the metric's values there in seconds.
    pub(crate) fn curve(&self, metric: &str) -> Result<Curve, Box<dyn Error>> {
        let values = &self.0["metrics"][metric];
        let value = |percent| values[stat(percent)].as_f64().map(|ms| (percent, ms / 1e3));
        percents().map(value).collect::<Option<_>>().ok_or_else(|| format!("the summary has no {metric}").into())
    }

    pub(crate) fn requests(&self) -> Result<u64, Box<dyn Error>> {
        self.0["metrics"]["http_reqs"]["count"].as_u64().ok_or_else(|| "the summary has no http_reqs".into())
    }
}

fn stat(percent: f64) -> String {
    format!("p({})", (percent * 1e4).round() / 1e4)
}

/// Iterations start when they are due. While the server stalls, 400 users come.
pub(crate) fn open_model(root: &Path) -> Result<Summary, Box<dyn Error>> {
    let config = std::env::temp_dir().join(format!("coordinated-omission-{}.json", std::process::id()));
    let options = json!({ "scenarios": { "users": {
        "executor": "constant-arrival-rate", "rate": PER_SECOND, "duration": LOAD.as_millis() as u64, "preAllocatedVUs": 500,
    }}});
    std::fs::write(&config, options.to_string())?;
    let summary = run(root, "open", &[&"-c", &config]);
    std::fs::remove_file(&config)?;
    summary
}

/// Two virtual users who wait for each answer, and 10 ms more: about as many requests a second while the server answers.
pub(crate) fn closed_model(root: &Path) -> Result<Summary, Box<dyn Error>> {
    let seconds = format!("{}s", LOAD.as_secs());
    run(root, "sleepy", &[&"--vus", &"2", &"--duration", &seconds, &"-e", &"PAUSE=0.01"])
}

fn run(root: &Path, module: &str, args: &[&dyn AsRef<std::ffi::OsStr>]) -> Result<Summary, Box<dyn Error>> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let export = std::env::temp_dir().join(format!("coordinated-omission-{module}-{}.json", std::process::id()));
    let mut runtime = Command::new(target.join("release/runtime"));
    runtime.arg("run").arg(target.join(format!("guests/wasm32-wasip2/release/{module}.wasm"))).args(args);
    runtime.args(["-e", &format!("BASE_URL=http://{}/", stalling::start(STALLS))]);
    runtime.args(["--summary-trend-stats", &percents().map(stat).collect::<Vec<_>>().join(",")]);
    runtime.arg("--summary-export").arg(&export).args(["--no-summary", "--quiet"]).stdout(Stdio::null());
    let status = runtime.status().map_err(|error| format!("{runtime:?}: {error}"))?;
    if !status.success() {
        return Err(format!("{runtime:?}: {status}").into());
    }
    let summary = Summary(serde_json::from_slice(&std::fs::read(&export)?)?);
    std::fs::remove_file(&export)?;
    Ok(summary)
}
