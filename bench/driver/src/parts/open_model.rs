//! Iterations that are due at a rate: how late they start, and how many do not.

use serde::Serialize;
use serde_json::json;

use crate::figures::Spread;
use crate::parts::load_ended;
use crate::process::Running;
use crate::report::{Bar, Section, table};
use crate::runtime::{Run, Summary};
use crate::target::Latency;
use crate::{Bench, Failure, say};

const RATES: [u64; 3] = [1_000, 5_000, 10_000];

/// A rate in one round.
#[derive(Debug, Clone, Serialize)]
struct Measured {
    lag_us: Latency,
    started: f64,
    missed: f64,
    peak_kib: u64,
}

pub(super) fn run(bench: &Bench) -> Result<Section, Failure> {
    let folder = tempfile::tempdir()?;
    let mut rates = RATES.map(|rate| (rate, Vec::new()));
    for round in 1..=bench.rounds {
        for (rate, rounds) in &mut rates {
            let seconds = bench.seconds;
            let options = json!({"scenarios": {"starts": {
                "executor": "constant-arrival-rate", "rate": rate, "timeUnit": "1s", "duration": format!("{seconds}s"),
                "preAllocatedVUs": 200, "maxVUs": 1000,
            }}});
            let export = folder.path().join("summary.json");
            let run = Run::new(bench, "no-op").args(&["--quiet"]).config(folder.path(), &options)?.export(&export);
            let ended = load_ended(Running::start(run.command(), None)?, seconds)?;
            let summary = Summary::read(export)?;
            let measured = Measured {
                lag_us: summary.latency("iteration_start_lag"),
                started: summary.count("iterations"),
                missed: summary.count("dropped_iterations"),
                peak_kib: ended.peak_kib,
            };
            say(&format!(
                "round {round}: {rate} starts/s: lag {:?} us at p99, {} missed",
                measured.lag_us.p99, measured.missed
            ));
            rounds.push(measured);
        }
    }
    let shown = |rounds: &[Measured], digits, figure: fn(&Measured) -> Option<f64>| {
        Spread::of(rounds.iter().filter_map(figure)).map_or("-".to_owned(), |spread| spread.shown(digits))
    };
    let table = table(
        &["starts a second", "lag p50, us", "lag p99, us", "lag max, us", "started", "missed"],
        rates.iter().map(|(rate, rounds)| {
            vec![
                rate.to_string(),
                shown(rounds, 0, |m| m.lag_us.p50),
                shown(rounds, 0, |m| m.lag_us.p99),
                shown(rounds, 0, |m| m.lag_us.max),
                shown(rounds, 0, |m| Some(m.started)),
                shown(rounds, 0, |m| Some(m.missed)),
            ]
        }),
    );
    let lag = rates
        .iter()
        .find(|(rate, _)| *rate == 5000)
        .and_then(|(_, rounds)| Spread::of(rounds.iter().filter_map(|m| Some(m.lag_us.p99? / 1000.0))));
    Ok(Section {
        text: format!(
            "`constant-arrival-rate` with iterations that do nothing, 200 VUs made before and 1,000 at most, for {} s. Lag is how long after \
             it was due an iteration started (`iteration_start_lag`); missed are those for which no VU was free (`dropped_iterations`).\n\n\
             {table}",
            bench.seconds
        ),
        raw: rates.iter().map(|(rate, rounds)| (rate.to_string(), json!(rounds))).collect(),
        bars: vec![Bar::new(
            "open model at 5,000 starts/s: p99 of start lag, while a core is free",
            "<= 2 ms",
            lag.map(|spread| (format!("{} ms", spread.shown(3)), spread.median <= 2.0)),
        )],
        ..Section::default()
    })
}
