//! The hot paths, one at a time and as often as wanted, to be counted by valgrind: `cargo xtask instructions`.
//!
//! `instructions BENCH TIMES MODULE` does everything as often whatever `TIMES` says, except the path itself: the difference of
//! two counts is that path alone, without what comes before and after. Nothing here may depend on time or chance.

mod iteration;
mod measuring;
mod pacing;

use std::path::Path;
use std::process::ExitCode;

/// One hot path.
struct Bench {
    name: &'static str,
    /// The two numbers of times that are compared.
    times: (u64, u64),
    run: fn(u64, &Path),
}

const BENCHES: [Bench; 7] = [
    Bench { name: "iteration", times: (100, 1_100), run: iteration::run },
    Bench { name: "record_http_sample", times: (5_000, 55_000), run: |times, _| measuring::record_http(times) },
    Bench { name: "record_trend_sample", times: (5_000, 105_000), run: |times, _| measuring::record_trend(times) },
    Bench { name: "record_counter_sample", times: (5_000, 105_000), run: |times, _| measuring::record_counter(times) },
    Bench { name: "merge_snapshot", times: (1, 9), run: |times, _| measuring::merge(times) },
    Bench { name: "next_start", times: (1_000, 101_000), run: |times, _| pacing::run(times) },
    Bench { name: "evaluate_thresholds", times: (10, 110), run: |times, _| measuring::thresholds(times) },
];

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "what the task asks for, and what it did wrong")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--list"] => {
            BENCHES.iter().for_each(|bench| println!("{} {} {}", bench.name, bench.times.0, bench.times.1));
            ExitCode::SUCCESS
        }
        [name, times, module] => {
            let found = BENCHES.iter().find(|bench| bench.name == *name).zip(times.parse().ok());
            let Some((bench, times)) = found else {
                eprintln!("{name} {times}: no such bench, or no number; --list names them");
                return ExitCode::FAILURE;
            };
            (bench.run)(times, Path::new(module));
            ExitCode::SUCCESS
        }
        // Cargo's own ways of running benches, which measure nothing here.
        _ => {
            eprintln!("run `cargo xtask instructions`");
            ExitCode::SUCCESS
        }
    }
}
