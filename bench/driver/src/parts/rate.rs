//! How CPU and memory grow with the rate of requests.

use bench_plot::{Axis, Chart, Point, Series};
use serde_json::json;

use super::throughput::{CONNECTIONS, Measured, watch};
use crate::figures::{Spread, fixed};
use crate::parts::load_ended;
use crate::process::Running;
use crate::report::{Plot, Section, table};
use crate::runtime::{Run, Summary};
use crate::{Bench, Failure, say};

const RATES: [u64; 5] = [1_000, 2_500, 5_000, 10_000, 20_000];
/// Beside the seconds that are measured: a warm-up before, and time until the driver has looked.
const AROUND_SECONDS: u64 = 2;

pub(super) fn run(bench: &Bench) -> Result<Section, Failure> {
    let folder = tempfile::tempdir()?;
    let mut rates = RATES.map(|rate| (rate, Vec::new()));
    for round in 1..=bench.rounds {
        for (rate, rounds) in &mut rates {
            let measured = measure(bench, *rate, folder.path())?;
            say(&format!("round {round}: {rate}/s: {:.3} cores", measured.cores));
            rounds.push(measured);
        }
    }
    let spread = |rounds: &[Measured], figure: fn(&Measured) -> f64| Spread::of(rounds.iter().map(figure));
    let shown =
        |rounds: &[Measured], digits, figure| spread(rounds, figure).map_or("-".to_owned(), |s| s.shown(digits));
    let table = table(
        &["requests/s asked for", "requests/s seen", "cores kept busy", "CPU a request, us", "peak memory, MiB"],
        rates.iter().map(|(rate, rounds)| {
            vec![
                fixed(*rate as f64, 0),
                shown(rounds, 0, |m| m.requests_per_second),
                shown(rounds, 3, |m| m.cores),
                shown(rounds, 1, |m| m.cpu_us_per_request),
                shown(rounds, 1, |m| m.peak_kib as f64 / 1024.0),
            ]
        }),
    );
    let plot = |name, shows, title, y, figure: fn(&Measured) -> f64| -> Result<Plot, Failure> {
        let point = |(rate, rounds): &(u64, Vec<Measured>)| {
            spread(rounds, figure).map(|s| Point::spread(*rate as f64, s.median, s.min, s.max))
        };
        let series = vec![Series::new(y, rates.iter().filter_map(point).collect())];
        let x = Axis::linear("requests a second asked for");
        Ok(Plot { name, shows, svg: Chart { title, x, y: Axis::linear(y), series }.svg()? })
    };
    Ok(Section {
        text: format!(
            "`constant-arrival-rate` of the same POST and check, with {CONNECTIONS} VUs, one shard on a core of its own; CPU and requests are \
             counted as above.\n\n{table}"
        ),
        plots: vec![
            plot("cpu-by-rate", "CPU against the rate", "CPU against the rate of requests", "cores kept busy", |m| {
                m.cores
            })?,
            plot(
                "cpu-per-request-by-rate",
                "CPU a request against the rate",
                "CPU a request against the rate of requests",
                "CPU a request, us",
                |m| m.cpu_us_per_request,
            )?,
            plot(
                "memory-by-rate",
                "Peak memory against the rate",
                "Peak memory against the rate of requests",
                "peak memory, MiB",
                |m| m.peak_kib as f64 / 1024.0,
            )?,
        ],
        raw: rates.iter().map(|(rate, rounds)| (rate.to_string(), json!(rounds))).collect(),
        ..Section::default()
    })
}

fn measure(bench: &Bench, rate: u64, folder: &std::path::Path) -> Result<Measured, Failure> {
    let target = bench.target(0, true)?;
    let seconds = bench.seconds + AROUND_SECONDS;
    let options = json!({"scenarios": {"requests": {
        "executor": "constant-arrival-rate", "rate": rate, "timeUnit": "1s", "duration": format!("{seconds}s"),
        "preAllocatedVUs": CONNECTIONS, "maxVUs": CONNECTIONS,
    }}});
    let export = folder.join("summary.json");
    let run = Run::new(bench, "post-json-check")
        .args(&["--quiet", "--shards", "1"])
        .env("BASE_URL", &target.url())
        .config(folder, &options)?
        .export(&export);
    let mut runtime = Running::start(run.command(), bench.generator_core())?;
    let window = watch(bench, &mut runtime, &target)?;
    let ended = load_ended(runtime, seconds)?;
    Ok(window.with(Summary::read(export)?.told(), ended.peak_kib))
}
