//! Uses every call of the SDK once, and checks what can be checked from inside: every check must pass.
//!
//! BASE_URL is a server with `GET /health`. With ECHO set it is one that answers every request with status 200, the header
//! `X-Echo: yes` and the request as JSON: `{"method", "path" (with the query), "headers" (lower case names), "body"}`.

use std::collections::BTreeMap;

use flashcrowd::http::Timings;
use flashcrowd::prelude::*;

mod echo;

static ORDERS: Counter = Counter::new("sink_orders");
static BYTES: Counter = Counter::data("sink_bytes");
static LEFT: Gauge = Gauge::new("sink_left");
static AGE: Gauge = Gauge::time("sink_age");
static HEAP: Gauge = Gauge::data("sink_heap");
static SOLD_OUT: Rate = Rate::new("sink_sold_out");
static SCORE: Trend = Trend::new("sink_score");
static LOCK: Trend = Trend::time("sink_lock_time");
static SIZE: Trend = Trend::data("sink_size");
static KEPT: Check = Check::new("a constant check");

#[derive(Serialize, Deserialize)]
struct Data {
    name: String,
    numbers: BTreeMap<String, f64>,
}

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .name("kitchen sink")
        .version("9.8.7")
        .description("Every call of the SDK")
        .author("Ann")
        .author("Bob")
        .scenario(
            "sink",
            PerVuIterations::new(2).vus(2).env("ONLY_HERE", "yes").tag("kind", "sink").max_duration(mins(1)),
        )
        .threshold("checks", "rate==1")
        .threshold("sink_orders", Threshold::new("count>0").delay_abort_eval(secs(1)))
        .env_var(EnvVar::required("BASE_URL").help("a server with GET /health"))
        .env_var(EnvVar::with_default("LIMIT", 7).help("a number"))
        .env_var(EnvVar::optional("ECHO").help("the server answers with the request"))
}

#[flashcrowd::setup]
fn setup() -> Data {
    Data { name: "쿠폰".to_owned(), numbers: BTreeMap::from([("half".to_owned(), 0.5)]) }
}

#[flashcrowd::scenario]
fn iterate(data: &Data) {
    check!(data,
        "setup's data is what setup returned" => |d| d.name == "쿠폰" && d.numbers["half"] == 0.5,
    );
    execution();
    environment();
    randomness();
    metrics();
    logs();
    let nested = group("outer", || group("inner", || check("inside two groups", true)));
    check!(nested, tags: [("where", "outside")], "a group gives back what its section returns" => |n| *n);
    KEPT.record(true);
    KEPT.record_with_tags(true, &[("tagged", "yes")]);
    let before = std::time::Instant::now();
    sleep(millis(20));
    sleep(0.01);
    sleep(0);
    sleep(-1);
    check("sleep waits", before.elapsed() >= millis(30));
    requests();
    if !env_or("ECHO", "").is_empty() {
        echo::requests();
    }
}

fn execution() {
    check!((),
        "vu is from 1" => |_| exec::vu() >= 1,
        "iteration is from 0" => |_| exec::iteration() < 2,
        "scenario_iteration is from 0" => |_| exec::scenario_iteration() < 4,
        "the scenario has its name" => |_| exec::scenario() == "sink",
        "the scenario has its executor" => |_| exec::executor() == "per-vu-iterations",
        "progress is a share" => |_| (0.0..=1.0).contains(&exec::scenario_progress()),
        "the scenario began no earlier than the test" => |_| exec::scenario_elapsed() <= exec::test_elapsed() + millis(5),
    );
    exec::tag("added", "yes");
    exec::untag("added");
}

fn environment() {
    check!((),
        "env gives the scenario's own" => |_| env("ONLY_HERE") == "yes",
        "env gives a declared default" => |_| env("LIMIT") == "7",
        "env_or gives its default" => |_| env_or("NOBODY_SET_THIS", "x") == "x",
        "env_parse reads a number" => |_| env_parse::<u8>("LIMIT") == Some(7),
        "env_parse gives nothing for nothing" => |_| env_parse::<u8>("NOBODY_SET_THIS").is_none(),
    );
}

fn randomness() {
    let mut order = [1, 2, 3, 4];
    random::shuffle(&mut order);
    order.sort_unstable();
    check!((),
        "range of integers" => |_| (1..=6).contains(&random::range(1..=6)),
        "range of floats" => |_| (1.0..3.0).contains(&random::range(1.0..3.0)),
        "uniform" => |_| (0.0..1.0).contains(&random::uniform()),
        "normal" => |_| random::normal(10.0, 1.0).is_finite(),
        "exponential" => |_| random::exponential(2.0) >= 0.0,
        "zipf" => |_| (1..=100).contains(&random::zipf(100, 1.2)),
        "chance" => |_| random::chance(1.0) && !random::chance(0.0),
        "bool" => |_| [true, false].contains(&random::bool()),
        "choose" => |_| [1, 2].contains(random::choose(&[1, 2])),
        "shuffle keeps what is there" => |_| order == [1, 2, 3, 4],
        "string" => |_| random::string(9).len() == 9,
        "bytes" => |_| random::bytes(9).len() == 9,
        "uuid" => |_| random::uuid() != random::uuid(),
    );
}

fn metrics() {
    ORDERS.add(1);
    ORDERS.add_with_tags(2, &[("kind", "gift")]);
    BYTES.add(1024_u64);
    LEFT.set(9);
    AGE.add(secs(1));
    HEAP.add(4096);
    SOLD_OUT.add(false);
    SCORE.add(1.5);
    LOCK.add(millis(12));
    SIZE.add(100);
    check("measure gives back what its section returns", LOCK.measure(|| 5) == 5);
}

fn logs() {
    log::debug!("a debug line");
    log::info!("an info line from {}", exec::vu());
    log::warn!("a warning");
    log::error!("an error");
}

fn requests() {
    let response = http::get("/health").timeout(secs(5)).tag("kind", "health").send();
    let timings = response.timings();
    check!(response,
        "health is 200" => |r| r.status() == 200 && r.ok(),
        "there is no error" => |r| r.error_code() == 0 && r.error().is_none(),
        "the URL is resolved against BASE_URL" => |r| r.url().ends_with("/health") && r.url().starts_with("http://"),
        "the protocol is HTTP" => |r| r.protocol().starts_with("HTTP/"),
        "there are headers" => |r| r.headers().iter().any(|(name, _)| name == "content-length" || name == "transfer-encoding"),
        "a header's name has no case" => |r| r.header("Content-Type") == r.header("content-type"),
        "bytes and text are the same body" => |r| r.text().as_bytes() == r.bytes(),
    );
    check!(timings,
        "waiting for an answer takes time" => |t| t.waiting > Duration::ZERO,
        "there is no TLS" => |t| t.tls_handshaking == Duration::ZERO,
        "the duration is its parts" => |t| t.duration == t.sending + t.waiting + t.receiving,
        "timings can be compared" => |t| *t != Timings::default(),
    );
    // Nothing listens on port 1 of the loopback address.
    let refused = http::post("http://127.0.0.1:1/").name("refused").body(b"x").send();
    check!(refused,
        "a refused connection is no answer" => |r| r.status() == 0 && !r.ok(),
        "a refused connection has its code" => |r| r.error_code() == 1212 || r.error_code() == 1110 || r.error_code() == 1111,
        "a refused connection has its text" => |r| r.error().is_some_and(|error| !error.is_empty()),
        "no answer has no body" => |r| r.bytes().is_empty() && r.json::<u8>().is_err(),
    );
}

#[flashcrowd::teardown]
fn teardown(data: Data) -> Result<(), String> {
    if data.name == "쿠폰" { Ok(()) } else { Err(format!("teardown got {:?}", data.name)) }
}
