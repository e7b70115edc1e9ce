//! Memory while samples come in by the million.

use std::time::Duration;

use bench_plot::{Axis, Chart, Point, Series};
use serde::Serialize;
use serde_json::json;

use crate::figures::{Spread, fixed};
use crate::process::Running;
use crate::report::{Bar, Plot, Section, table};
use crate::runtime::Run;
use crate::{Bench, Failure, say};

const SAMPLES_PER_ITERATION: u64 = 1_000;
const ITERATIONS_PER_SECOND: u64 = 1_000;
const MARKS: [u64; 3] = [100_000, 1_000_000, 10_000_000];
const QUICK_MARKS: [u64; 3] = [100_000, 300_000, 1_000_000];
/// Longer than the last mark takes, so that the process is still there when it is read.
const SPARE_SECONDS: u64 = 20;
const POLL: Duration = Duration::from_millis(10);

/// Memory at one moment.
#[derive(Debug, Clone, Copy, Serialize)]
struct Reading {
    samples: u64,
    resident_kib: u64,
}

pub(super) fn run(bench: &Bench) -> Result<Section, Failure> {
    let marks = if bench.quick { QUICK_MARKS } else { MARKS };
    let mut rounds = Vec::new();
    for round in 1..=bench.rounds {
        let readings = measure(bench, marks[2])?;
        let at = marks.map(|mark| at(&readings, mark));
        say(&format!("round {round}: resident {at:?} KiB at {marks:?} samples"));
        rounds.push(readings);
    }
    let marked = |mark| Spread::of(rounds.iter().filter_map(|readings| Some(at(readings, mark)? as f64)));
    let growth = |mark| {
        Spread::of(
            rounds.iter().filter_map(|readings| Some(at(readings, mark)? as f64 / at(readings, marks[0])? as f64)),
        )
    };
    let table = table(
        &["samples", "resident, MiB", "against the first"],
        marks.map(|mark| {
            let mib =
                marked(mark).map(|s| Spread { median: s.median / 1024.0, min: s.min / 1024.0, max: s.max / 1024.0 });
            vec![
                fixed(mark as f64, 0),
                mib.map_or("-".to_owned(), |spread| spread.shown(2)),
                growth(mark).map_or("-".to_owned(), |spread| format!("{}x", spread.shown(3))),
            ]
        }),
    );
    let curve = |(round, readings): (usize, &Vec<Reading>)| {
        let from_mark = readings.iter().filter(|reading| reading.samples >= marks[0] / 10);
        let points = from_mark
            .map(|reading| Point::exact(reading.samples.min(marks[2]) as f64, reading.resident_kib as f64 / 1024.0));
        Series::curve(format!("round {}", round + 1), points.collect())
    };
    let svg = Chart {
        title: "Memory over the samples of one run",
        x: Axis::logarithmic("samples so far"),
        y: Axis::linear("resident memory, MiB"),
        series: rounds.iter().enumerate().map(curve).collect(),
    }
    .svg()?;
    let last = growth(marks[2]).filter(|_| !bench.quick);
    Ok(Section {
        text: format!(
            "One run at {ITERATIONS_PER_SECOND} iterations a second, each with a request and {SAMPLES_PER_ITERATION} samples of four trends whose values spread over \
             four orders of magnitude. Samples are counted by the requests that the target saw; memory is read every {} ms while the run \
             goes on. The samples that every request and iteration bring themselves (about 10) are not counted.\n\n{table}",
            POLL.as_millis()
        ),
        raw: json!(rounds.iter().map(|readings| thinned(readings)).collect::<Vec<_>>()),
        bars: vec![Bar::new(
            "resident memory after 10 million samples against after 100,000",
            "< 1.05x",
            last.map(|spread| (format!("{}x", spread.shown(3)), spread.median < 1.05)),
        )],
        plots: vec![Plot { name: "memory-by-samples", shows: "Resident memory against samples", svg }],
        ..Section::default()
    })
}

fn measure(bench: &Bench, last: u64) -> Result<Vec<Reading>, Failure> {
    let target = bench.target(0, false)?;
    let folder = tempfile::tempdir()?;
    let seconds = last / SAMPLES_PER_ITERATION / ITERATIONS_PER_SECOND + SPARE_SECONDS;
    let options = json!({"scenarios": {"samples": {
        "executor": "constant-arrival-rate", "rate": ITERATIONS_PER_SECOND, "timeUnit": "1s", "duration": format!("{seconds}s"),
        "preAllocatedVUs": 10, "maxVUs": 10,
    }}});
    let run = Run::new(bench, "samples")
        .args(&["--quiet", "--no-summary"])
        .env("BASE_URL", &target.url())
        .env("SAMPLES", &SAMPLES_PER_ITERATION.to_string())
        .config(folder.path(), &options)?;
    let mut runtime = Running::start(run.command(), None)?;
    let mut readings: Vec<Reading> = Vec::new();
    while readings.last().is_none_or(|reading| reading.samples < last) {
        std::thread::sleep(POLL);
        let samples = target.stats()?.requests * SAMPLES_PER_ITERATION;
        readings.push(Reading { samples, resident_kib: runtime.resident_kib()? });
        if runtime.ended()?.is_some() {
            return Err(format!("the runtime ended after {samples} of {last} samples").into());
        }
    }
    Ok(readings)
}

/// The first reading from so many samples on.
fn at(readings: &[Reading], samples: u64) -> Option<u64> {
    readings.iter().find(|reading| reading.samples >= samples).map(|reading| reading.resident_kib)
}

/// Enough readings to draw the curve again: those where memory changed, and every fiftieth.
fn thinned(readings: &[Reading]) -> Vec<Reading> {
    let changed = |at: usize| at == 0 || readings[at].resident_kib != readings[at - 1].resident_kib;
    (0..readings.len()).filter(|at| changed(*at) || at % 50 == 0).map(|at| readings[at]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_as_soon_as_there_are_so_many_samples() {
        let readings =
            [(0, 10), (90, 11), (110, 12), (200, 13)].map(|(samples, resident_kib)| Reading { samples, resident_kib });
        assert_eq!([at(&readings, 100), at(&readings, 200), at(&readings, 300)], [Some(12), Some(13), None]);
    }
}
