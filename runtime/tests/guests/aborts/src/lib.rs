//! The fourth iteration of the scenario aborts the test (exit code 108). With STOP set it stops it gently instead (exit code 0).

use flashcrowd::prelude::*;

#[flashcrowd::options]
fn options() -> Options {
    Options::new().vus(2).iterations(1000).env_var(EnvVar::optional("STOP").help("stop instead of abort"))
}

#[flashcrowd::scenario]
fn iterate() {
    if exec::scenario_iteration() == 3 {
        if env_or("STOP", "").is_empty() {
            test::abort("the fourth iteration aborts");
        }
        test::stop("the fourth iteration stops");
        if env_or("STOP", "") == "then abort" {
            sleep(millis(200));
            test::abort("aborted after a stop");
        }
    }
    sleep(millis(20));
}

#[flashcrowd::teardown]
fn teardown() {
    log::info!("teardown runs after an abort too");
}
