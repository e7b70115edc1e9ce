//! The latency that the runtime reports, against what the server's own clock saw of the same requests.

use serde::Serialize;
use serde_json::json;

use crate::figures::Spread;
use crate::parts::load_ended;
use crate::process::Running;
use crate::report::{Bar, Section, table};
use crate::runtime::{Run, Summary};
use crate::target::Latency;
use crate::{Bench, Failure, say};

const VUS: [u64; 3] = [100, 1_000, 10_000];
const DELAY_MS: u64 = 200;
/// While users are added. All at once would measure the queue of their first requests.
const RAMP_SECONDS: u64 = 3;
const TOLERANCE: f64 = 0.02;

/// A number of users in one round.
#[derive(Debug, Clone, Serialize)]
struct Measured {
    reported_us: Latency,
    target_us: Latency,
    requests: f64,
    target_requests: u64,
}

pub(super) fn run(bench: &Bench) -> Result<Section, Failure> {
    let folder = tempfile::tempdir()?;
    let mut sizes = VUS.map(|vus| (vus, Vec::new()));
    for round in 1..=bench.rounds {
        for (vus, rounds) in &mut sizes {
            let measured = measure(bench, *vus, folder.path())?;
            say(&format!(
                "round {round}: {vus} VUs: reported {:?}, target {:?}",
                measured.reported_us, measured.target_us
            ));
            rounds.push(measured);
        }
    }
    let shown = |rounds: &[Measured], digits, figure: fn(&Measured) -> Option<f64>| {
        Spread::of(rounds.iter().filter_map(figure)).map_or("-".to_owned(), |spread| spread.shown(digits))
    };
    let table = table(
        &[
            "VUs",
            "requests",
            "p50 reported, ms",
            "p50 target, ms",
            "p95 reported, ms",
            "p95 target, ms",
            "p50 off by, %",
            "p95 off by, %",
        ],
        sizes.iter().map(|(vus, rounds)| {
            vec![
                vus.to_string(),
                shown(rounds, 0, |m| Some(m.requests)),
                shown(rounds, 2, |m| ms(m.reported_us.p50)),
                shown(rounds, 2, |m| ms(m.target_us.p50)),
                shown(rounds, 2, |m| ms(m.reported_us.p95)),
                shown(rounds, 2, |m| ms(m.target_us.p95)),
                shown(rounds, 2, |m| Some(100.0 * off(m.reported_us.p50, m.target_us.p50)?)),
                shown(rounds, 2, |m| Some(100.0 * off(m.reported_us.p95, m.target_us.p95)?)),
            ]
        }),
    );
    let most = &sizes[VUS.len() - 1].1;
    let worst = |figure: fn(&Latency) -> Option<f64>| {
        Spread::of(most.iter().filter_map(|m| off(figure(&m.reported_us), figure(&m.target_us))))
    };
    let figure = worst(|l| l.p50).zip(worst(|l| l.p95)).map(|(p50, p95)| {
        let percent = |s: Spread| Spread { median: 100.0 * s.median, min: 100.0 * s.min, max: 100.0 * s.max }.shown(2);
        let reached = p50.median.abs() <= TOLERANCE && p95.median.abs() <= TOLERANCE;
        (format!("p50 {}%, p95 {}%", percent(p50), percent(p95)), reached)
    });
    Ok(Section {
        text: format!(
            "The target answers {DELAY_MS} ms after it has read a request. VUs are added over {RAMP_SECONDS} s; each waits 1 to 3 s between its \
             requests: without that, 10,000 VUs would send 50,000 requests a second, which is more than two cores serve beside the load. \
             Reported is `http_req_duration` of the whole run; the target's clock runs from having read a request's head to having \
             written the answer, so what is off is the way through the kernel and the waiting of both programs for a core.\n\n{table}"
        ),
        raw: sizes.iter().map(|(vus, rounds)| (vus.to_string(), json!(rounds))).collect(),
        bars: vec![Bar::new(
            "reported p50/p95 at 10,000 VUs against a 200 ms server, off from the server's own clock",
            "within 2%",
            figure,
        )],
        ..Section::default()
    })
}

fn measure(bench: &Bench, vus: u64, folder: &std::path::Path) -> Result<Measured, Failure> {
    let target = bench.target(DELAY_MS, false)?;
    let export = folder.join("summary.json");
    let (ramp, steady) = (if bench.quick { 1 } else { RAMP_SECONDS }, bench.seconds.max(2));
    let run = Run::new(bench, "idle-connections")
        .args(&["--quiet", "--stage", &format!("{ramp}s:{vus}"), "--stage", &format!("{steady}s:{vus}")])
        .env("BASE_URL", &target.url())
        .export(&export);
    load_ended(Running::start(run.command(), None)?, ramp + steady)?;
    let (summary, stats) = (Summary::read(export)?, target.stats()?);
    Ok(Measured {
        reported_us: summary.latency("http_req_duration"),
        target_us: stats.latency_us,
        requests: summary.count("http_reqs"),
        target_requests: stats.requests,
    })
}

fn ms(us: Option<f64>) -> Option<f64> {
    us.map(|us| us / 1000.0)
}

/// How much of the target's figure the reported one is beyond it: 0.01 for 1%.
fn off(reported: Option<f64>, target: Option<f64>) -> Option<f64> {
    Some(reported? / target? - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_202_ms_for_200_is_off_by_a_hundredth() {
        assert!((off(Some(202.0), Some(200.0)).unwrap() - 0.01).abs() < 1e-9);
        assert_eq!(off(None, Some(200.0)), None);
    }
}
