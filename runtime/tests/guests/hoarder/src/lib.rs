//! Hands the host texts of a megabyte that it would have to keep: WHAT says where. Each iteration must fail, but for a URL, which is
//! an answer with an error.

use flashcrowd::prelude::*;

static ORDERS: Counter = Counter::new("orders");

#[flashcrowd::options]
fn options() -> Options {
    Options::new().iterations(3).env_var(EnvVar::required("WHAT").help("tag, tags, group, check, vu-tag, name or url"))
}

#[flashcrowd::scenario]
fn iterate() {
    let long = "x".repeat(1 << 20);
    match env("WHAT").as_str() {
        "tag" => ORDERS.add_with_tags(1, &[("order", &long)]),
        "tags" => {
            let names: Vec<String> = (0..1000).map(|number| format!("tag{number}")).collect();
            let tags: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "value")).collect();
            ORDERS.add_with_tags(1, &tags);
        }
        "group" => group(&long, || ()),
        "check" => {
            check(&long, true);
        }
        "vu-tag" => exec::tag("order", &long),
        "name" => {
            http::get("http://127.0.0.1:1/").name(&long).send();
        }
        _ => {
            let response = http::get(format!("http://127.0.0.1:1/{long}")).send();
            check!(response, "a long URL is refused" => |r| r.error_code() == 1020);
        }
    }
}
