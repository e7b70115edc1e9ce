//! The virtual user whose number is in LOOP_VU (1 if it is not given) loops for ever. The others send a request to BASE_URL
//! and check it; without BASE_URL they only check.

use flashcrowd::prelude::*;

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .env_var(EnvVar::with_default("LOOP_VU", 1).help("the number of the virtual user that loops for ever"))
        .env_var(EnvVar::optional("BASE_URL").help("where the others send a request"))
}

#[flashcrowd::scenario]
fn iterate() {
    if Some(exec::vu()) == env_parse("LOOP_VU") {
        let mut rounds = 0_u64;
        loop {
            rounds = std::hint::black_box(rounds.wrapping_add(1));
        }
    }
    if !env_or("BASE_URL", "").is_empty() {
        let response = http::get("/health").send();
        check!(response, "health is 200" => |r| r.status() == 200);
    }
    check("the others work", true);
    sleep(millis(10));
}
