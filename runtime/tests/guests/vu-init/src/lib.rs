//! Every virtual user gets a token of its own before its first iteration, from what setup returned. INIT makes `vu_init` fail in another way:
//! `error`, `panic`, `fail`, `abort`, `slow` (sleeps for an hour), `again` (an error on the instance that follows a trap). LATER says that
//! only virtual users from this number on do so. With PANIC set, every virtual user's second iteration panics.

use std::cell::RefCell;

use flashcrowd::prelude::*;

thread_local! {
    static TOKEN: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Nobody calls it: cookies are kept by URL.
const SHOP: &str = "http://shop.test/";

static INITS: Counter = Counter::new("inits");

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .scenario("main", PerVuIterations::new(3).vus(4).tag("team", "shop").env("ONLY", "here"))
        .setup_timeout(secs(2))
        .env_var(EnvVar::with_default("INIT", "fine").help("fine, error, panic, fail, abort, slow or again"))
        .env_var(EnvVar::with_default("LATER", 0).help("the first virtual user that INIT is about"))
        .env_var(EnvVar::optional("PANIC").help("set: every second iteration panics"))
        .env_var(EnvVar::optional("BASE_URL").help("where vu_init and iterations send a request"))
}

#[flashcrowd::setup]
fn setup() -> String {
    "shop".to_owned()
}

#[flashcrowd::vu_init]
fn log_in(shop: &str) -> Result<(), String> {
    INITS.add(1);
    ask();
    check("vu_init stands in no scenario", exec::scenario().is_empty() && env_or("ONLY", "").is_empty());
    check("vu_init knows its VU", exec::vu() >= 1);
    check("vu_init finds a fresh instance", TOKEN.with_borrow(Option::is_none));
    if exec::vu() >= env_parse::<u64>("LATER").unwrap_or(0) {
        match env("INIT").as_str() {
            "error" => return Err("the till is closed".to_owned()),
            "panic" => panic!("vu_init was told to panic"),
            "fail" => fail("vu_init was told to fail"),
            "abort" => test::abort("vu_init was told to abort"),
            "slow" => sleep(hours(1)),
            "again" if exec::iterations_completed() > 0 => return Err("no second log-in".to_owned()),
            _ => {}
        }
    }
    exec::tag("plan", "gold");
    http::cookies(SHOP).set("user", &exec::vu().to_string());
    TOKEN.set(Some(format!("{shop}-{}", exec::vu())));
    Ok(())
}

#[flashcrowd::scenario]
fn iterate() {
    let token = format!("shop-{}", exec::vu());
    check("vu_init ran before", TOKEN.with_borrow(|known| known.as_ref() == Some(&token)));
    check("its tag is there", exec::tags().get("plan").is_some_and(|plan| plan == "gold"));
    let jar = http::cookies(SHOP);
    let own = vec![("user".to_owned(), exec::vu().to_string())];
    check("each iteration begins with vu_init's cookies", jar.all() == own);
    jar.set("cart", "full");
    jar.remove("user");
    ask();
    if exec::iteration() == 1 && !env_or("PANIC", "").is_empty() {
        panic!("told to panic");
    }
}

/// A request, so that a test can see that it is counted.
fn ask() {
    if !env_or("BASE_URL", "").is_empty() {
        http::get("/health").send();
    }
}
