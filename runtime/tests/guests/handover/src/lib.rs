//! `create` makes orders, `pay` pays those of others, and `waits` waits in vain. What was paid goes to BASE_URL/NUMBER/PAYER.

use flashcrowd::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    number: i64,
    creator: u64,
}

static OWN: flashcrowd::Counter = flashcrowd::Counter::new("own_orders_paid");

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .data(DataTable::new("buyers").columns(["id"]).help("who orders"))
        .env_var(EnvVar::required("BASE_URL").help("where payments go"))
        .scenario("creating", PerVuIterations::new(50).vus(4).exec("create"))
        .scenario("paying", ConstantVus::new(4).duration(mins(10)).graceful_stop(secs(0)).exec("pay"))
}

#[flashcrowd::setup]
fn set_up() {
    shared::counter("numbers").add(1_000);
}

#[flashcrowd::scenario]
fn create() -> Result<(), shared::PushError> {
    let order = Order { number: shared::counter("numbers").add(1), creator: exec::vu() };
    let _: u32 = data::table("buyers").next();
    shared::queue("orders").push(&order)
}

#[flashcrowd::scenario]
fn pay() {
    let Some(order) = shared::queue("orders").pop_within::<Order>(mins(5)) else {
        fail("no order came");
    };
    if order.creator == exec::vu() {
        OWN.add(1);
    }
    http::post(format!("{}/{}", env("BASE_URL"), order.number)).name("payment").send();
    if shared::counter("paid").add(1) == 200 {
        test::stop("all orders are paid");
    }
}

/// Waits longer than it has; the items that come later are for others.
#[flashcrowd::scenario]
fn wait() {
    let _ = shared::queue("late").pop_bytes_within(mins(60));
    fail("was given what was not there");
}

/// Pushes when those who wait are gone, and takes it itself.
#[flashcrowd::scenario]
fn push_late() -> Result<(), shared::PushError> {
    let late = shared::queue("late");
    late.push_bytes("item")?;
    check("the item is not lost", late.pop_bytes_within(5).as_deref() == Some(b"item"));
    Ok(())
}

/// Fills a queue until it refuses.
#[flashcrowd::scenario]
fn fill() {
    let queue = shared::queue("full");
    let mut pushed = 0;
    let refused = loop {
        match queue.push_bytes(vec![0; 1 << 20]) {
            Ok(()) => pushed += 1,
            Err(error) => break error.to_string(),
        }
    };
    check("a full queue says so", pushed == 63 && refused.contains("more than 64 MiB"));
    check("it goes on when there is room", queue.pop_bytes().is_some() && queue.push_bytes("x").is_ok());
}
