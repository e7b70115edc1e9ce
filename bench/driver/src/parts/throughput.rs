//! Every generator does the same work against the same server, on a core of its own, round by round.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use crate::figures::{Spread, ratio};
use crate::outputs::Told;
use crate::process::Running;
use crate::report::{Bar, Section, table};
use crate::target::Latency;
use crate::tools::{Tool, Work};
use crate::{Bench, Failure, say};

pub(crate) const CONNECTIONS: usize = 64;
/// Load before the measuring begins: caches fill, connections open.
const WARM_UP: Duration = Duration::from_secs(1);
/// Load after the measuring has ended, so that its end is not measured.
const AFTER_SECONDS: u64 = 1;
const PATIENCE: Duration = Duration::from_secs(30);

/// One generator in one round.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Measured {
    /// Of the generator's CPU, user and system, while it was under load.
    pub(super) requests_per_cpu_second: f64,
    pub(super) cpu_us_per_request: f64,
    pub(super) requests_per_second: f64,
    /// How many cores it kept busy.
    pub(super) cores: f64,
    /// How many cores the target kept busy.
    pub(super) target_cores: f64,
    /// From its start to the end of the warm-up.
    pub(super) cpu_seconds_before: f64,
    pub(super) peak_kib: u64,
    /// By the target's own clock.
    pub(super) target_latency_us: Latency,
    pub(super) told: Told,
}

pub(super) fn run(bench: &Bench) -> Result<Section, Failure> {
    let folder = tempfile::tempdir()?;
    let mut rows: Vec<(Tool, Vec<Result<Measured, String>>)> = Vec::new();
    let mut missing = Vec::new();
    for tool in Tool::ALL {
        if tool.program(bench).is_some() {
            rows.push((tool, Vec::new()));
        } else {
            say(&format!("NOT MEASURED: {} is not installed; {}", tool.name(), tool.remedy()));
            missing.push(tool);
        }
    }
    for round in 1..=bench.rounds {
        for (tool, rounds) in &mut rows {
            let measured = measure(bench, *tool, folder.path()).map_err(|error| error.to_string());
            match &measured {
                Ok(m) => say(&format!(
                    "round {round}: {}: {:.2} us of CPU a request, {:.0} requests/s",
                    tool.name(),
                    m.cpu_us_per_request,
                    m.requests_per_second
                )),
                Err(error) => say(&format!("round {round}: {} FAILED: {error}", tool.name())),
            }
            rounds.push(measured);
        }
    }
    let failed = |tool: Tool| rows.iter().any(|(t, rounds)| *t == tool && rounds.iter().any(Result::is_err));
    if failed(Tool::Runtime) || failed(Tool::HyperLoop) {
        let errors = rows.iter().flat_map(|(_, rounds)| rounds).filter_map(|round| round.as_ref().err());
        return Err(errors.cloned().collect::<Vec<_>>().join("\n").into());
    }
    let mut section = Section { text: text(bench, &rows), bars: bars(&rows), ..Section::default() };
    for tool in missing {
        let _ = writeln!(section.text, "\n**NOT MEASURED: {} is not installed; {}.**", tool.name(), tool.remedy());
    }
    for (tool, rounds) in &rows {
        let errors = rounds.iter().filter_map(|round| round.as_ref().err());
        section.failures.extend(errors.map(|error| format!("{}: {error}", tool.name())));
    }
    section.raw = rows
        .iter()
        .map(|(tool, rounds)| (tool.name().to_owned(), json!({"version": tool.version(bench), "rounds": rounds})))
        .collect();
    Ok(section)
}

/// Runs a generator, and looks at it from outside between two moments in the middle of its load.
fn measure(bench: &Bench, tool: Tool, folder: &Path) -> Result<Measured, Failure> {
    let target = bench.target(0, true)?;
    let (url, host) = (target.url(), target.host());
    let seconds = WARM_UP.as_secs() + bench.seconds + AFTER_SECONDS;
    let work = Work { url: &url, host, connections: CONNECTIONS, seconds, folder };
    let core = bench.generator_core().filter(|_| tool.pinned());
    let mut generator = Running::start(tool.command(bench, &work)?, core)?;
    let window = watch(bench, &mut generator, &target)?;
    let ended = generator.wait(PATIENCE)?;
    let peak_kib = ended.peak_kib;
    let ended = ended.checked(tool.name())?;
    let told = tool.told(&ended, &work)?;
    if told.failures > 0 {
        return Err(format!("{}: {} requests failed", tool.name(), told.failures).into());
    }
    Ok(window.with(told, peak_kib))
}

/// What was seen between the two moments.
pub(super) struct Window {
    requests: f64,
    seconds: f64,
    cpu_seconds: f64,
    cpu_seconds_before: f64,
    target_cpu_seconds: f64,
    target_latency_us: Latency,
}

/// Waits for the load, warms up, and measures: CPU as the kernel tells it, requests as the target counts them.
pub(super) fn watch(bench: &Bench, generator: &mut Running, target: &crate::target::Target) -> Result<Window, Failure> {
    generator.until("its first request", PATIENCE, |_| Ok((target.stats()?.requests > 0).then_some(())))?;
    std::thread::sleep(WARM_UP);
    target.reset()?;
    let begun_ns = crate::process::now_ns();
    let (cpu_begun, target_begun) = (generator.cpu_seconds()?, target.cpu_seconds()?);
    std::thread::sleep(Duration::from_secs(bench.seconds));
    let stats = target.stats()?;
    let (cpu_ended, target_ended) = (generator.cpu_seconds()?, target.cpu_seconds()?);
    generator.note_peak();
    if generator.ended()?.is_some() {
        return Err("it ended before it had been measured".into());
    }
    Ok(Window {
        requests: stats.requests as f64,
        seconds: stats.now_ns.saturating_sub(begun_ns) as f64 / 1e9,
        cpu_seconds: cpu_ended - cpu_begun,
        cpu_seconds_before: cpu_begun,
        target_cpu_seconds: target_ended - target_begun,
        target_latency_us: stats.latency_us,
    })
}

impl Window {
    pub(super) fn with(self, told: Told, peak_kib: u64) -> Measured {
        Measured {
            requests_per_cpu_second: self.requests / self.cpu_seconds,
            cpu_us_per_request: self.cpu_seconds * 1e6 / self.requests,
            requests_per_second: self.requests / self.seconds,
            cores: self.cpu_seconds / self.seconds,
            target_cores: self.target_cpu_seconds / self.seconds,
            cpu_seconds_before: self.cpu_seconds_before,
            peak_kib,
            target_latency_us: self.target_latency_us,
            told,
        }
    }
}

type Rows = [(Tool, Vec<Result<Measured, String>>)];

fn column(rows: &Rows, tool: Tool, figure: impl Fn(&Measured) -> Option<f64>) -> Vec<Option<f64>> {
    let rounds = rows.iter().find(|(t, _)| *t == tool).map_or(&[][..], |(_, rounds)| rounds);
    rounds.iter().map(|round| round.as_ref().ok().and_then(&figure)).collect()
}

fn text(bench: &Bench, rows: &Rows) -> String {
    let spread = |tool, digits, figure: fn(&Measured) -> Option<f64>| {
        Spread::of(column(rows, tool, figure).into_iter().flatten())
            .map_or("-".to_owned(), |spread| spread.shown(digits))
    };
    let runtime = column(rows, Tool::Runtime, |m| Some(m.requests_per_cpu_second));
    let tools = || rows.iter().map(|(tool, _)| *tool);
    let costs = table(
        &[
            "generator",
            "version",
            "CPU a request, us",
            "requests per CPU-second",
            "runtime's requests per CPU-second against it",
        ],
        tools().map(|tool| {
            let against = ratio(&runtime, &column(rows, tool, |m| Some(m.requests_per_cpu_second)));
            vec![
                tool.name().to_owned(),
                tool.version(bench).unwrap_or_default(),
                spread(tool, 2, |m| Some(m.cpu_us_per_request)),
                spread(tool, 0, |m| Some(m.requests_per_cpu_second)),
                against
                    .filter(|_| tool != Tool::Runtime)
                    .map_or("-".to_owned(), |ratio| format!("{}x", ratio.shown(2))),
            ]
        }),
    );
    let loads = table(
        &["generator", "requests/s", "cores it kept busy", "cores the target kept busy", "peak memory, MiB"],
        tools().map(|tool| {
            vec![
                tool.name().to_owned(),
                spread(tool, 0, |m| Some(m.requests_per_second)),
                spread(tool, 2, |m| Some(m.cores)),
                spread(tool, 2, |m| Some(m.target_cores)),
                spread(tool, 1, |m| Some(m.peak_kib as f64 / 1024.0)),
            ]
        }),
    );
    let latencies = table(
        &["generator", "p50 as it says, us", "p95", "p99", "p50 by the target's clock, us", "p95", "p99"],
        tools().map(|tool| {
            vec![
                tool.name().to_owned(),
                spread(tool, 0, |m| m.told.latency_us.p50),
                spread(tool, 0, |m| m.told.latency_us.p95),
                spread(tool, 0, |m| m.told.latency_us.p99),
                spread(tool, 1, |m| m.target_latency_us.p50),
                spread(tool, 1, |m| m.target_latency_us.p95),
                spread(tool, 1, |m| m.target_latency_us.p99),
            ]
        }),
    );
    format!(
        "{CONNECTIONS} connections, each sending a POST with a small JSON body as fast as it can, and checking that the status is 200. \
         The target stays on one core and the generator on the other, except where it says otherwise. CPU is that of the generator's \
         processes, user and system, between two moments in the middle of the load; requests are those that the target counted between \
         the same moments. So neither starting nor compiling is in it.\n\n{costs}\n{loads}\n\
         A closed loop waits: with {CONNECTIONS} connections on one busy core, latency is mostly the queue that the generator makes itself. \
         The target's clock runs from having read a request's head to having written the answer.\n\n{latencies}"
    )
}

fn bars(rows: &Rows) -> Vec<Bar> {
    let per_cpu_second = |tool| column(rows, tool, |m| Some(m.requests_per_cpu_second));
    let cost = |tool| column(rows, tool, |m| Some(m.cpu_us_per_request));
    let hyper = ratio(&cost(Tool::Runtime), &cost(Tool::HyperLoop));
    let mut bars = vec![Bar::new(
        "CPU per request (POST small JSON, check status, 64 VUs) against a bare hyper keep-alive loop",
        "<= 1.2x",
        hyper.map(|ratio| (format!("{}x", ratio.shown(2)), ratio.median <= 1.2)),
    )];
    for (tool, least) in [(Tool::Oha, 0.9), (Tool::Goose, 2.0), (Tool::Locust, 8.0), (Tool::K6, 6.0)] {
        let ratio = ratio(&per_cpu_second(Tool::Runtime), &per_cpu_second(tool));
        bars.push(Bar::new(
            format!("requests per CPU-second against {}", tool.name()),
            format!(">= {least}x"),
            ratio.map(|ratio| (format!("{}x", ratio.shown(2)), ratio.median >= least)),
        ));
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(cpu_us_per_request: f64) -> Measured {
        let window = Window {
            requests: 1000.0,
            seconds: 2.0,
            cpu_seconds: cpu_us_per_request / 1000.0,
            cpu_seconds_before: 0.0,
            target_cpu_seconds: 1.0,
            target_latency_us: Latency::default(),
        };
        window.with(Told { requests: None, failures: 0, latency_us: Latency::default() }, 0)
    }

    #[test]
    fn figures_are_of_the_window() {
        let measured = measured(20.0);
        assert_eq!((measured.cpu_us_per_request, measured.requests_per_cpu_second), (20.0, 50_000.0));
        assert_eq!((measured.requests_per_second, measured.cores, measured.target_cores), (500.0, 0.01, 0.5));
    }

    #[test]
    fn bars_are_held_against_ratios_within_rounds() {
        let rounds = |costs: [f64; 2]| costs.map(|cost| Ok(measured(cost))).to_vec();
        let rows = [
            (Tool::HyperLoop, rounds([10.0, 20.0])),
            (Tool::Runtime, rounds([11.0, 22.0])),
            (Tool::Goose, rounds([11.0, 33.0])),
        ];
        let bars = bars(&rows);
        assert_eq!((bars[0].figure.as_str(), bars[0].reached), ("1.10x", Some(true)));
        assert_eq!((bars[1].figure.as_str(), bars[1].reached), ("not measured", None));
        assert_eq!((bars[2].figure.as_str(), bars[2].reached), ("1.25 (1.00 to 1.50)x", Some(false)));
    }
}
