//! How long a person waits from the command to the first request, with and without a compiled module in the cache.

use std::path::Path;

use serde_json::json;

use crate::figures::Spread;
use crate::parts::load_ended;
use crate::process::Running;
use crate::report::{Section, table};
use crate::runtime::Run;
use crate::{Bench, Failure, say};

const MODULES: [&str; 2] = ["post-json-check", "large-module"];

/// What the cache has of the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cached {
    /// There is no cache.
    Off,
    /// An empty cache: the module is compiled and kept.
    Cold,
    /// The module is there.
    Warm,
}

impl Cached {
    const ALL: [(Self, &str); 3] =
        [(Self::Off, "without a cache"), (Self::Cold, "cache empty"), (Self::Warm, "from the cache")];
}

pub(super) fn run(bench: &Bench) -> Result<Section, Failure> {
    let mut rows: Vec<(&str, &str, Vec<f64>)> =
        MODULES.iter().flat_map(|module| Cached::ALL.map(|(_, name)| (*module, name, Vec::new()))).collect();
    for round in 1..=bench.rounds {
        for module in MODULES {
            let folder = tempfile::tempdir()?;
            for (cached, name) in Cached::ALL {
                let ms = measure(bench, module, Some(folder.path()).filter(|_| cached != Cached::Off))?;
                say(&format!("round {round}: {module}, {name}: {ms:.0} ms"));
                for (_, _, rounds) in rows.iter_mut().filter(|row| (row.0, row.1) == (module, name)) {
                    rounds.push(ms);
                }
            }
        }
    }
    let mut cells = Vec::new();
    for (module, name, rounds) in &rows {
        let megabytes = std::fs::metadata(bench.module(module))?.len() as f64 / 1e6;
        let spread = Spread::of(rounds.iter().copied()).map_or("-".to_owned(), |spread| spread.shown(0));
        cells.push(vec![format!("{module}, {megabytes:.1} MB"), (*name).to_owned(), spread]);
    }
    let table = table(&["module", "compiled", "ms to the first request"], cells);
    Ok(Section {
        text: format!(
            "From starting the process to when the target reads the first request, by the clock that both share; 1 VU. Nearly all of the \
             large module is code, so this is about the worst that a module of its size can do.\n\n{table}"
        ),
        raw: rows.iter().map(|(module, name, rounds)| (format!("{module}, {name}"), json!(rounds))).collect(),
        ..Section::default()
    })
}

fn measure(bench: &Bench, module: &str, cache: Option<&Path>) -> Result<f64, Failure> {
    let target = bench.target(0, false)?;
    let run = Run::new(bench, module)
        .args(&["--quiet", "--no-summary", "--iterations", "1"])
        .env("BASE_URL", &target.url())
        .cache(cache);
    let runtime = Running::start(run.command(), None)?;
    let started_ns = runtime.started_ns;
    load_ended(runtime, 60)?;
    let first_ns = target.stats()?.first_request_ns.ok_or("no request came")?;
    Ok(first_ns.saturating_sub(started_ns) as f64 / 1e6)
}
