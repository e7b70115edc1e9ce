//! What each call of the SDK costs: an iteration takes one of them, makes it `CALLS` times (20,000) in a loop, and says on standard
//! output how long one took, an empty loop's share subtracted: `call NAME NANOSECONDS`.
//!
//! One call an iteration, so that none computes so long that the runtime makes it rest.

use std::hint::black_box;
use std::time::Instant;

use flashcrowd::Check;
use flashcrowd::prelude::*;

static COUNTER: Counter = Counter::new("bench_counter");
static GAUGE: Gauge = Gauge::new("bench_gauge");
static RATE: Rate = Rate::new("bench_rate");
static TREND: Trend = Trend::time("bench_trend");
static CHECK: Check = Check::new("a check by its handle");

type Call = (&'static str, fn());

const CALLS: &[Call] = &[
    ("check(name, passed)", || {
        flashcrowd::check("a check by its name", black_box(true));
    }),
    ("Check::record(passed)", || {
        CHECK.record(black_box(true));
    }),
    ("Counter::add", || COUNTER.add(black_box(1))),
    ("Gauge::set", || GAUGE.set(black_box(7))),
    ("Rate::add", || RATE.add(black_box(true))),
    ("Trend::add", || TREND.add(black_box(12.5))),
    ("Trend::add_with_tags, one tag", || TREND.add_with_tags(black_box(12.5), &[("lock", "coupon:1")])),
    ("exec::tag and untag", || {
        exec::tag("shop", black_box("north"));
        exec::untag("shop");
    }),
    ("group, empty", || group("a group", || ())),
    ("env", || {
        black_box(env("SHOP"));
    }),
    ("env_parse::<u32>", || {
        black_box(env_parse::<u32>("COUPON_ID"));
    }),
    ("exec::vu", || {
        black_box(exec::vu());
    }),
    ("exec::iteration", || {
        black_box(exec::iteration());
    }),
    ("exec::test_elapsed", || {
        black_box(exec::test_elapsed());
    }),
    ("std::time::Instant::now", || {
        black_box(Instant::now());
    }),
    ("random::range", || {
        black_box(random::range(black_box(1)..=10_000));
    }),
    ("random::uuid", || {
        black_box(random::uuid());
    }),
    ("random::string(16)", || {
        black_box(random::string(black_box(16)));
    }),
    ("sleep(0)", || sleep(black_box(0))),
];

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .iterations(CALLS.len() as u64)
        .env_var(EnvVar::with_default("CALLS", 20_000).help("how often a call is made"))
        .env_var(EnvVar::with_default("SHOP", "north").help("what `env` reads"))
        .env_var(EnvVar::with_default("COUPON_ID", 3).help("what `env_parse` reads"))
}

#[flashcrowd::scenario]
#[expect(clippy::print_stdout, reason = "a module's standard output becomes lines of the log, which the bench reads")]
fn sdk_calls() {
    let times: u32 = env_parse("CALLS").unwrap_or(1).max(1);
    let (name, call) = CALLS[exec::scenario_iteration() as usize % CALLS.len()];
    call();
    let empty = nanoseconds(times, || {});
    let cost = nanoseconds(times, call) - empty;
    println!("call {name} {cost:.2}");
}

/// What one call takes in a loop of so many.
fn nanoseconds(times: u32, call: fn()) -> f64 {
    // Hidden from the compiler, so that the empty loop is a loop and each call is one.
    let call = black_box(call);
    let begun = Instant::now();
    for _ in 0..times {
        call();
    }
    begun.elapsed().as_secs_f64() * 1e9 / f64::from(times)
}
