//! Reads rows of the table `users` (id, name, premium, discount) in the way that MODE says, and calls BASE_URL/ID for each.

use flashcrowd::prelude::*;

#[derive(Debug, Deserialize)]
struct User {
    id: u32,
    name: String,
    premium: bool,
    discount: Option<f64>,
}

static PREMIUM: Counter = Counter::new("premium_users");
static DISCOUNT: Trend = Trend::new("discount");
static LEFT_OUT: Counter = Counter::new("left_out");

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .env_var(EnvVar::with_default("BASE_URL", "").help("where rows are called; none calls nothing"))
        .env_var(EnvVar::with_default("MODE", "next").help("next, unique, gentle, random, first, login or wrong"))
        .env_var(EnvVar::with_default("PAUSE", 0).help("how long to sleep after a row, in seconds"))
}

thread_local! {
    static OWN: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

#[flashcrowd::vu_init]
fn log_in() {
    if env("MODE") == "login" {
        let user: User = data::table("users").unique();
        OWN.set(user.id);
    }
}

#[flashcrowd::scenario]
fn read() -> Result<(), String> {
    let users = data::table("users");
    let user: User = match env("MODE").as_str() {
        "next" => users.next(),
        "unique" => users.unique(),
        "gentle" => match users.try_unique() {
            Some(user) => user,
            None => {
                LEFT_OUT.add(1);
                return Ok(());
            }
        },
        "random" => users.random(),
        "first" => users.row(exec::iteration() as usize % users.len()),
        "login" => users.row(OWN.get() as usize - 1),
        "wrong" => {
            let (_, _): (u32, u32) = users.next();
            return Ok(());
        }
        other => return Err(format!("there is no mode {other}")),
    };
    if user.premium {
        PREMIUM.add(1);
    }
    if let Some(discount) = user.discount {
        DISCOUNT.add(discount);
    }
    if user.name != format!("user {}", user.id) {
        return Err(format!("{user:?} is mixed up"));
    }
    let base = env("BASE_URL");
    if !base.is_empty() {
        let response = http::get(format!("{base}/{}", user.id)).name("user").send();
        check!(response, "status is 200" => |r| r.status() == 200);
    }
    sleep(env_parse::<f64>("PAUSE").unwrap_or(0.0));
    Ok(())
}
