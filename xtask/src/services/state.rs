//! Which services were started to stay, in `target/services/state.json`.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::{Facts, home};
use crate::shell::Failure;

/// A service that was started.
pub(super) struct Started {
    pub(super) pid: u32,
    /// When the process began, in the kernel's ticks: another process with this number began at another time.
    pub(super) began: u64,
    pub(super) folder: PathBuf,
    pub(super) facts: Facts,
}

impl Started {
    /// Whether the process is still there, and the same.
    pub(super) fn is_alive(&self) -> bool {
        began(self.pid) == Some(self.began)
    }
}

/// Held while services are installed, started or stopped by name.
pub(super) fn lock() -> Result<File, Failure> {
    std::fs::create_dir_all(home())?;
    let file = File::create(home().join("lock"))?;
    file.lock()?;
    Ok(file)
}

/// When a process began; nothing if there is none, or if it is dead and merely not collected yet.
pub(super) fn began(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name, which may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if state == "Z" { None } else { fields.nth(18)?.parse().ok() }
}

fn file() -> PathBuf {
    home().join("state.json")
}

/// What was written last.
pub(super) fn read() -> Result<BTreeMap<String, Started>, Failure> {
    let text = match std::fs::read_to_string(file()) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(format!("{}: {error}", file().display()).into()),
    };
    let all: Map<String, Value> =
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file().display()))?;
    let started = |value: &Value| {
        let fact = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
        Some(Started {
            pid: value["pid"].as_u64()?.try_into().ok()?,
            began: value["began"].as_u64()?,
            folder: value["folder"].as_str()?.into(),
            facts: value["facts"].as_object()?.iter().filter_map(fact).collect(),
        })
    };
    Ok(all.iter().filter_map(|(name, value)| Some((name.clone(), started(value)?))).collect())
}

/// Writes it all anew.
pub(super) fn write(all: &BTreeMap<String, Started>) -> Result<(), Failure> {
    let value = |started: &Started| {
        json!({
            "pid": started.pid,
            "began": started.began,
            "folder": started.folder.display().to_string(),
            "facts": started.facts,
        })
    };
    let all: Map<String, Value> = all.iter().map(|(name, started)| (name.clone(), value(started))).collect();
    std::fs::write(file(), serde_json::to_string_pretty(&all)?)?;
    Ok(())
}
