//! Iterations end in turn: well, by `fail`, by an `Err`. With REASON_PER_ITERATION every reason is another one.

use flashcrowd::prelude::*;

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .iterations(9)
        .env_var(EnvVar::optional("REASON_PER_ITERATION").help("every failure has a reason of its own"))
}

#[flashcrowd::scenario]
fn iterate() -> Result<(), Box<dyn std::error::Error>> {
    let number = exec::scenario_iteration();
    let own =
        if env_or("REASON_PER_ITERATION", "").is_empty() { String::new() } else { format!(" in iteration {number}") };
    match number % 3 {
        1 => fail(format!("no seat left{own}")),
        2 => Err(format!("the seat was taken{own}").into()),
        _ => Ok(()),
    }
}
