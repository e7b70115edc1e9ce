//! Virtual users that mostly wait, each with an open connection: what one costs, and how soon all are ready.

use std::fmt::Write as _;
use std::time::Duration;

use bench_plot::{Axis, Chart, Point, Series};
use serde::Serialize;
use serde_json::json;

use crate::figures::Spread;
use crate::machine::MAX_MAP_COUNT;
use crate::process::{Line, Memory, Running, now_ns};
use crate::report::{Bar, Plot, Section, table};
use crate::runtime::Run;
use crate::{Bench, Failure, say};

const VUS: [u64; 4] = [1_000, 5_000, 10_000, 15_000];
/// After the last connection is open, until every user has waited once.
const SETTLING: Duration = Duration::from_millis(3500);
const PATIENCE: Duration = Duration::from_secs(60);
/// Of mappings, when the machine allows fewer than the users need.
const RAISED_MAPPINGS: &str = "1000000";

/// A number of users in one round.
#[derive(Debug, Clone, Serialize)]
struct Measured {
    vus: u64,
    memory: Memory,
    /// From the command to the last user initialised.
    ready_ms: f64,
    /// From when the pool of instances is made.
    ready_from_pool_ms: f64,
    /// As the runtime says: making the users alone.
    making_ms: f64,
    /// From the command to the last connection open.
    connected_ms: f64,
    cores: f64,
    requests_per_second: f64,
}

/// What came of a number of users.
#[derive(Debug, Default)]
struct Size {
    vus: u64,
    rounds: Vec<Measured>,
    /// The runtime's own words.
    refused: Option<String>,
    /// With more mappings than the machine allows by itself.
    raised: bool,
}

pub(super) fn run(bench: &Bench) -> Result<Section, Failure> {
    let counts: Vec<u64> = if bench.quick { vec![1, 100, VUS[0]] } else { std::iter::once(1).chain(VUS).collect() };
    let mut sizes: Vec<_> = counts.into_iter().map(|vus| Size { vus, ..Size::default() }).collect();
    for round in 1..=bench.rounds {
        for size in &mut sizes {
            if size.refused.is_some() && !size.raised {
                continue;
            }
            let measured =
                if size.raised { with_more_mappings(|| measure(bench, size.vus))? } else { measure(bench, size.vus) };
            match measured {
                Ok(measured) => size.note(round, measured),
                Err(error) => match refusal(&*error) {
                    Some(refusal) => {
                        say(&format!("{} VUs were refused: {refusal}", size.vus));
                        size.refused = Some(refusal);
                        size.raised = rustix::process::geteuid().is_root();
                        if size.raised {
                            size.note(round, with_more_mappings(|| measure(bench, size.vus))??);
                        }
                    }
                    None => return Err(error),
                },
            }
        }
    }
    Ok(Section {
        text: text(&sizes),
        raw: sizes
            .iter()
            .map(|size| (size.vus.to_string(), json!({"refused": size.refused, "rounds": size.rounds})))
            .collect(),
        bars: bars(&sizes),
        plots: plots(&sizes)?,
        ..Section::default()
    })
}

impl Size {
    fn note(&mut self, round: u32, measured: Measured) {
        say(&format!(
            "round {round}: {} VUs: {} KiB, ready after {:.0} ms",
            self.vus, measured.memory.resident_kib, measured.ready_ms
        ));
        self.rounds.push(measured);
    }

    fn spread(&self, figure: impl Fn(&Measured) -> f64) -> Option<Spread> {
        Spread::of(self.rounds.iter().map(figure))
    }

    /// What is beyond the median of the runs with one user, which are the first size, divided by the users.
    fn kib_per_vu(&self, sizes: &[Self], figure: fn(&Memory) -> u64) -> Option<Spread> {
        let one = sizes.first()?.spread(|m| figure(&m.memory) as f64)?.median;
        self.spread(|m| (figure(&m.memory) as f64 - one) / m.vus as f64).filter(|_| self.vus > 1)
    }
}

fn measure(bench: &Bench, vus: u64) -> Result<Measured, Failure> {
    let target = bench.target(0, false)?;
    let run = Run::new(bench, "idle-connections")
        .args(&["--verbose", "--vus", &vus.to_string(), "--duration", "10m"])
        .env("BASE_URL", &target.url());
    let mut runtime = Running::start(run.command(), None)?;
    let (pool, ready) = runtime.until("making its VUs", PATIENCE, |runtime| Ok(ready(&runtime.stderr())))?;
    // One connection is the driver's.
    runtime.until("opening its connections", PATIENCE, |_| Ok((target.stats()?.connections > vus).then_some(())))?;
    let connected_ns = now_ns();
    std::thread::sleep(if bench.quick { Duration::from_millis(500) } else { SETTLING });
    target.reset()?;
    let (begun_ns, cpu_begun) = (now_ns(), runtime.cpu_seconds()?);
    std::thread::sleep(Duration::from_secs(if bench.quick { 1 } else { 2 }));
    let stats = target.stats()?;
    let (cpu, seconds) = (runtime.cpu_seconds()? - cpu_begun, stats.now_ns.saturating_sub(begun_ns) as f64 / 1e9);
    let memory = runtime.memory()?;
    if stats.connections <= vus {
        return Err(format!("only {} of {vus} connections were open in the end", stats.connections).into());
    }
    let ms = |from: u64, to: u64| to.saturating_sub(from) as f64 / 1e6;
    Ok(Measured {
        vus,
        memory,
        ready_ms: ms(runtime.started_ns, ready.at_ns),
        ready_from_pool_ms: ms(pool.at_ns, ready.at_ns),
        making_ms: making_ms(&ready.text).ok_or("the runtime does not say how long making its VUs took")?,
        connected_ms: ms(runtime.started_ns, connected_ns),
        cores: cpu / seconds,
        requests_per_second: stats.requests as f64 / seconds,
    })
}

/// The lines that say when the pool is made and when all users are ready.
fn ready(lines: &[Line]) -> Option<(Line, Line)> {
    let line = |part: &str| lines.iter().find(|line| line.text.starts_with("debug: ") && line.text.contains(part));
    Some((line("reserving ")?.clone(), line("VUs ready after")?.clone()))
}

/// `debug: 1000 VUs ready after 12.3 ms`.
fn making_ms(line: &str) -> Option<f64> {
    line.split_once("ready after ")?.1.strip_suffix(" ms")?.parse().ok()
}

/// What the runtime says when the machine does not allow so many, if that is what went wrong.
fn refusal(error: &(dyn std::error::Error + Send + Sync)) -> Option<String> {
    let text = error.to_string();
    let line = text.lines().map(str::trim).find(|line| line.starts_with("error:") || line.starts_with("Error:"))?;
    ["max_map_count", "mappings", "open files", "ulimit"]
        .iter()
        .any(|part| text.contains(part))
        .then(|| line.to_owned())
}

/// Raises the limit of mappings while something is measured, and puts it back.
fn with_more_mappings<T>(measure: impl FnOnce() -> T) -> Result<T, Failure> {
    struct Restore(String);
    impl Drop for Restore {
        fn drop(&mut self) {
            if let Err(error) = std::fs::write(MAX_MAP_COUNT, &self.0) {
                say(&format!("warn: {MAX_MAP_COUNT} cannot be put back to {}: {error}", self.0.trim()));
            }
        }
    }
    let _restore = Restore(std::fs::read_to_string(MAX_MAP_COUNT)?);
    std::fs::write(MAX_MAP_COUNT, RAISED_MAPPINGS)
        .map_err(|error| format!("{MAX_MAP_COUNT} cannot be raised: {error}"))?;
    Ok(measure())
}

fn text(sizes: &[Size]) -> String {
    let shown = |size: &Size, digits, figure: fn(&Measured) -> f64| {
        size.spread(figure).map_or("-".to_owned(), |s| s.shown(digits))
    };
    let memory = table(
        &[
            "VUs",
            "resident, MiB",
            "in huge pages, MiB",
            "KiB a VU",
            "shared pages once, KiB a VU",
            "requests/s",
            "cores kept busy",
            "CPU a request, us",
        ],
        sizes.iter().map(|size| {
            vec![
                size.vus.to_string(),
                shown(size, 1, |m| m.memory.resident_kib as f64 / 1024.0),
                shown(size, 1, |m| m.memory.huge_kib as f64 / 1024.0),
                size.kib_per_vu(sizes, |memory| memory.resident_kib).map_or("-".to_owned(), |spread| spread.shown(1)),
                size.kib_per_vu(sizes, |memory| memory.proportional_kib)
                    .map_or("-".to_owned(), |spread| spread.shown(1)),
                shown(size, 0, |m| m.requests_per_second),
                shown(size, 3, |m| m.cores),
                if size.vus > 1 { shown(size, 1, |m| m.cores * 1e6 / m.requests_per_second) } else { "-".to_owned() },
            ]
        }),
    );
    let times = table(
        &[
            "VUs",
            "command to ready, ms",
            "pool to ready, ms",
            "making the VUs, ms",
            "command to all connections open, ms",
        ],
        sizes.iter().map(|size| {
            vec![
                size.vus.to_string(),
                shown(size, 0, |m| m.ready_ms),
                shown(size, 0, |m| m.ready_from_pool_ms),
                shown(size, 0, |m| m.making_ms),
                shown(size, 0, |m| m.connected_ms),
            ]
        }),
    );
    let mut text = format!(
        "Every VU opens a connection, sends a request, and waits for 1 to 3 seconds before the next one. Memory is what the process has \
         resident after all have waited at least once; a VU's share is what is beyond a run with 1 VU, divided by the VUs. Resident memory counts a page as often as it is mapped: every \
         instance maps the module's data, and those pages that it has only read are there once for all of them; so beside it stands the share \
         with shared pages counted once (`Pss`).\n\n{memory}\n\
         Ready is when the last VU's instance is made, as the runtime's log tells (`--verbose`); the compiled module comes from the \
         cache. Neither the runtime nor the target is pinned here.\n\n{times}"
    );
    for size in sizes {
        if let Some(refusal) = &size.refused {
            let vus = size.vus;
            let _ = writeln!(
                text,
                "\n{vus} VUs were **refused** by the machine's limits. The runtime said:\n\n> {refusal}"
            );
            text += if size.raised {
                "\nThe figures above are of runs with `vm.max_map_count` raised to 1000000 (and put back afterwards).\n"
            } else {
                ""
            };
        }
    }
    text
}

fn bars(sizes: &[Size]) -> Vec<Bar> {
    let size = sizes.iter().find(|size| size.vus == 10_000);
    let share = |figure| size.and_then(|size| size.kib_per_vu(sizes, figure));
    let memory = share(|memory| memory.resident_kib).zip(share(|memory| memory.proportional_kib));
    let ready = size.and_then(|size| size.spread(|m| m.ready_ms / 1000.0));
    vec![
        Bar::new(
            "memory per VU at 10,000 VUs, each with an open connection",
            "<= 64 KiB",
            memory.map(|(resident, once)| {
                // What one VU more takes from the machine: a page that all instances map is taken once.
                let figure = format!("{} KiB; {} KiB as `top` counts shared pages", once.shown(1), resident.shown(1));
                (figure, once.median <= 64.0)
            }),
        ),
        Bar::new(
            "10,000 VUs instantiated and ready, from the command on",
            "< 1.5 s",
            ready.map(|spread| (format!("{} s", spread.shown(2)), spread.median < 1.5)),
        ),
    ]
}

fn plots(sizes: &[Size]) -> Result<Vec<Plot>, Failure> {
    let line = |figure: fn(&Measured) -> f64| -> Vec<Point> {
        let point = |size: &Size| size.spread(figure).map(|s| Point::spread(size.vus as f64, s.median, s.min, s.max));
        sizes.iter().filter_map(point).collect()
    };
    let x = Axis::linear("virtual users, each with an open connection");
    let chart = |title, y, points| Chart { title, x, y: Axis::linear(y), series: vec![Series::new(y, points)] }.svg();
    Ok(vec![
        Plot {
            name: "memory-by-vus",
            shows: "Resident memory against virtual users",
            svg: chart(
                "Memory against virtual users",
                "resident memory, MiB",
                line(|m| m.memory.resident_kib as f64 / 1024.0),
            )?,
        },
        Plot {
            name: "cpu-by-vus",
            shows: "CPU against virtual users",
            svg: chart("CPU against virtual users that mostly wait", "cores kept busy", line(|m| m.cores))?,
        },
        Plot {
            name: "ready-by-vus",
            shows: "Time until all virtual users are ready",
            svg: chart("Time until all virtual users are ready", "command to ready, ms", line(|m| m.ready_ms))?,
        },
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_tells_when_the_users_are_ready() {
        let line = |at_ns, text: &str| Line { at_ns, text: text.to_owned() };
        let lines = [
            line(1, "initialising, 0/10 VUs ready"),
            line(2, "debug: reserving 11 instances"),
            line(3, "debug: 10 VUs ready after 1.5 ms"),
        ];
        assert!(ready(&lines[..2]).is_none());
        let (pool, ready) = ready(&lines).unwrap();
        assert_eq!((pool.at_ns, ready.at_ns, making_ms(&ready.text)), (2, 3, Some(1.5)));
    }

    #[test]
    fn only_a_limit_of_the_machine_is_a_refusal() {
        let error = |text: &str| -> Failure { text.into() };
        let refused = error(
            "runtime ended (exit status: 1) before making its VUs:\n    error: 15001 instances need more mappings (vm.max_map_count)\n",
        );
        assert_eq!(refusal(&*refused).as_deref(), Some("error: 15001 instances need more mappings (vm.max_map_count)"));
        assert_eq!(refusal(&*error("runtime ended:\n    error: no such module\n")), None);
    }

    #[test]
    fn a_users_share_is_what_is_beyond_a_run_with_one() {
        let measured = |vus, resident_kib| Measured {
            vus,
            memory: Memory { resident_kib, ..Memory::default() },
            ready_ms: 0.0,
            ready_from_pool_ms: 0.0,
            making_ms: 0.0,
            connected_ms: 0.0,
            cores: 0.0,
            requests_per_second: 0.0,
        };
        let size =
            |vus, kib: [u64; 2]| Size { vus, rounds: kib.map(|kib| measured(vus, kib)).to_vec(), ..Size::default() };
        let sizes = [size(1, [10_000, 12_000]), size(1000, [61_000, 71_000])];
        let shares = |size: &Size| size.kib_per_vu(&sizes, |memory| memory.resident_kib);
        assert_eq!(shares(&sizes[1]), Some(Spread { median: 55.0, min: 50.0, max: 60.0 }));
        assert_eq!(shares(&sizes[0]), None);
    }
}
