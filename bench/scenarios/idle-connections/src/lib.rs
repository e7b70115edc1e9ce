//! Virtual users that mostly wait: each opens a connection, sends a request, and sleeps for `SLEEP_MIN` to `SLEEP_MAX` seconds
//! (1 to 3) before the next one over the same connection.

use flashcrowd::prelude::*;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Issue {
    user_id: u32,
    coupon_id: u32,
}

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .env_var(EnvVar::required("BASE_URL").help("the bench target's URL, with a path"))
        .env_var(EnvVar::with_default("SLEEP_MIN", "1").help("seconds that a user waits at least"))
        .env_var(EnvVar::with_default("SLEEP_MAX", "3").help("seconds that a user waits at most"))
}

#[flashcrowd::scenario]
fn idle_connections() -> Result<(), std::num::ParseFloatError> {
    let response = http::post(env("BASE_URL")).json(&Issue { user_id: 1, coupon_id: 3 }).send();
    check!(response, "status is 200" => |r| r.status() == 200);
    let (least, most): (f64, f64) = (env("SLEEP_MIN").parse()?, env("SLEEP_MAX").parse()?);
    sleep(random::range(least..=most));
    Ok(())
}
