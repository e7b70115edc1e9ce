//! Every iteration makes series with a tag value never seen before: on a metric of its own, and on a request when BASE_URL
//! is given.

use flashcrowd::prelude::*;

static ORDERS: Counter = Counter::new("orders");

#[flashcrowd::options]
fn options() -> Options {
    Options::new().iterations(20_000).env_var(EnvVar::optional("BASE_URL").help("where to send a request"))
}

#[flashcrowd::scenario]
fn iterate() {
    let order = format!("{}", exec::scenario_iteration());
    ORDERS.add_with_tags(1, &[("order", &order), ("kind", "endless")]);
    if !env_or("BASE_URL", "").is_empty() {
        http::get("/health").tag("order", &order).send();
    }
}
