//! Draws the picture of `docs/coordinated-omission.md`: two runs of the real runtime against a server that stalls for 2 s every
//! 10 s, and what users must have felt, worked out from the stalls alone.
//!
//!     cargo build --release -p flashcrowd-runtime && cargo xtask guests
//!     cargo run --release --manifest-path bench/coordinated-omission/Cargo.toml

mod picture;
mod runs;
#[path = "../../../runtime/tests/it/stalling.rs"]
mod stalling;

use std::path::Path;
use std::time::Duration;

use picture::{Curve, Line};
use runs::{closed_model, open_model};
use stalling::Stalls;

const STALLS: Stalls = Stalls { period: Duration::from_secs(10), length: Duration::from_secs(2) };
const LOAD: Duration = Duration::from_secs(40);
const PER_SECOND: u32 = 200;

/// Where on the way from 0 % to 99.9 % the curves are known: 40 steps bring them ten times closer to 100 %; and round ones.
fn percents() -> impl Iterator<Item = f64> {
    let mut percents: Vec<f64> = (0..=120).map(|step| 100.0 * (1.0 - 10_f64.powf(-f64::from(step) / 40.0))).collect();
    percents.extend([50.0, 80.0, 95.0]);
    percents.sort_unstable_by(f64::total_cmp);
    percents.into_iter()
}

/// The linear interpolation between the two nearest ranks, as the summary has it.
fn percentile(sorted: &[Duration], percent: f64) -> f64 {
    let rank = (sorted.len() - 1) as f64 * percent / 100.0;
    let (low, high) = (sorted[rank.floor() as usize].as_secs_f64(), sorted[rank.ceil() as usize].as_secs_f64());
    low + (high - low) * rank.fract()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let felt = STALLS.felt(PER_SECOND, LOAD);
    let (open, closed) = std::thread::scope(|scope| {
        let open = scope.spawn(|| open_model(&root).map_err(|error| error.to_string()));
        let closed = closed_model(&root);
        (open.join().expect("a run that ends"), closed)
    });
    let (open, closed) = (open?, closed?);
    let truth: Curve = percents().map(|percent| (percent, percentile(&felt, percent))).collect();
    let lines = [
        Line { name: "what users felt (from the stalls alone)", curve: truth, colour: (128, 128, 128), width: 7 },
        Line {
            name: "open model: iteration_duration_from_due",
            curve: open.curve("iteration_duration_from_due")?,
            colour: (47, 129, 247),
            width: 2,
        },
        Line {
            name: "closed loop: http_req_duration",
            curve: closed.curve("http_req_duration")?,
            colour: (219, 97, 9),
            width: 2,
        },
    ];
    for line in &lines {
        let at = |wanted: f64| {
            line.curve.iter().find(|(percent, _)| *percent >= wanted - 1e-9).map_or(f64::NAN, |(_, y)| *y)
        };
        let [p50, p90, p95, p99] = [50.0, 90.0, 95.0, 99.0].map(at);
        println!("{:<42} p50 {p50:.3} s  p90 {p90:.3} s  p95 {p95:.3} s  p99 {p99:.3} s", line.name);
    }
    println!("requests: {} of the open model, {} of the closed loop", open.requests()?, closed.requests()?);
    picture::draw(&root.join("docs/coordinated-omission.svg"), &lines)
}
