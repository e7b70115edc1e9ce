//! `handle_summary` writes to standard output, standard error and two files. SUMMARY makes it do otherwise: `error`, `panic`,
//! `none` (the usual summary), `outside` (a path outside the folder).

use flashcrowd::prelude::*;

static ORDERS: Counter = Counter::new("orders");
static WAIT: Trend = Trend::time("queue_wait");
static LEFT: Gauge = Gauge::new("seats_left");
static SOLD_OUT: Rate = Rate::new("sold_out");

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .iterations(4)
        .threshold("orders", "count==4")
        .threshold("queue_wait", "p(95)<1000")
        .env_var(EnvVar::with_default("SUMMARY", "files").help("files, error, panic, none or outside"))
}

#[flashcrowd::setup]
fn setup() -> serde_json::Value {
    json!({"opened": true})
}

#[flashcrowd::scenario]
fn iterate() {
    ORDERS.add(1);
    WAIT.add(millis(exec::scenario_iteration() + 1));
    LEFT.set(10 - exec::scenario_iteration());
    SOLD_OUT.add(exec::scenario_iteration() == 3);
    group("outer", || {
        check("outer check", true);
        group("inner", || check("inner check", exec::scenario_iteration() != 2));
    });
}

#[flashcrowd::handle_summary]
fn summary(data: serde_json::Value) -> Result<Option<Summary>, String> {
    let orders = &data["metrics"]["orders"]["values"]["count"];
    match env("SUMMARY").as_str() {
        "error" => Err("the summary was told to fail".to_owned()),
        "panic" => panic!("the summary was told to panic"),
        "none" => Ok(None),
        "outside" => Ok(Some(Summary::new().file("../outside.txt", "must not be written"))),
        _ => Ok(Some(
            Summary::new()
                .stdout(format!("orders: {orders}\n"))
                .stderr("a line for standard error\n")
                .json("summary.json", &data)
                .file("orders.txt", format!("{orders}\n")),
        )),
    }
}
