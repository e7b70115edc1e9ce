//! Every iteration makes series with tag values never seen before: on a metric of its own, as many as PER_ITERATION says, and on a
//! request when BASE_URL is given.

use flashcrowd::prelude::*;

static ORDERS: Counter = Counter::new("orders");

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .iterations(20_000)
        .env_var(EnvVar::with_default("PER_ITERATION", 1).help("new series in each iteration"))
        .env_var(EnvVar::optional("BASE_URL").help("where to send a request"))
}

#[flashcrowd::scenario]
fn iterate() {
    let each: u64 = env_parse("PER_ITERATION").unwrap_or(1);
    let first = exec::scenario_iteration() * each;
    for order in first..first + each {
        ORDERS.add_with_tags(1, &[("order", &order.to_string()), ("kind", "endless")]);
    }
    if !env_or("BASE_URL", "").is_empty() {
        http::get("/health").tag("order", first).send();
    }
}
