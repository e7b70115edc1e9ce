//! Setup's data reaches every virtual user and teardown. SETUP makes setup fail in another way: `error`, `panic`, `nothing`,
//! `slow` (sleeps for an hour). TEARDOWN does the same for teardown.

use flashcrowd::prelude::*;

#[derive(Serialize, Deserialize)]
struct Data {
    token: String,
    users: Vec<u32>,
}

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .scenario("main", PerVuIterations::new(2).vus(3))
        .setup_timeout(secs(2))
        .teardown_timeout(secs(2))
        .env_var(EnvVar::with_default("SETUP", "fine").help("fine, error, panic, nothing or slow"))
        .env_var(EnvVar::with_default("TEARDOWN", "fine").help("fine, error, panic or slow"))
        .env_var(EnvVar::optional("BASE_URL").help("where setup and teardown send a request"))
}

#[flashcrowd::setup]
fn setup() -> Result<Option<Data>, String> {
    ask("setup");
    misbehave("SETUP")?;
    let data = Data { token: format!("token-{}", random::string(8)), users: vec![3, 5, 8] };
    log::info!("setup made {}", data.token);
    Ok(if env("SETUP") == "nothing" { None } else { Some(data) })
}

#[flashcrowd::scenario]
fn iterate(data: Option<Data>) {
    check!(data,
        "setup's data is there" => |d| d.as_ref().is_some_and(|d| d.token.starts_with("token-") && d.users == [3, 5, 8]),
    );
}

#[flashcrowd::teardown]
fn teardown(data: &Option<Data>) -> Result<(), String> {
    ask("teardown");
    match data {
        Some(data) => log::info!("teardown saw {}", data.token),
        None => log::info!("teardown saw nothing"),
    }
    misbehave("TEARDOWN")
}

/// A request, so that a test can see that it is counted.
fn ask(who: &str) {
    if !env_or("BASE_URL", "").is_empty() {
        http::get("/health").tag("from", who).send();
    }
}

fn misbehave(variable: &str) -> Result<(), String> {
    match env(variable).as_str() {
        "error" => Err(format!("{variable} was told to fail")),
        "panic" => panic!("{variable} was told to panic"),
        "slow" => {
            sleep(hours(1));
            Ok(())
        }
        _ => Ok(()),
    }
}
