//! Sends the requests that STEPS lists, a JSON array of `step::Step`, one after the other, and tells what came of each in a line of JSON. A
//! table of cases in a test is thus sent by one compiled scenario.

mod pieces;
mod step;
mod tell;

use flashcrowd::prelude::*;

use step::Step;

#[flashcrowd::options]
fn options() -> Options {
    Options::new().env_var(EnvVar::required("STEPS").help("what to send: a JSON array of steps"))
}

#[flashcrowd::scenario]
fn iterate() -> Result<(), serde_json::Error> {
    let steps: Vec<Step> = serde_json::from_str(&env("STEPS"))?;
    for mut step in steps {
        step.url = step.url.replace("{vu}", &exec::vu().to_string());
        sleep(step.pause);
        step.prepare();
        let answer = if !step.batch.is_empty() {
            pieces::batch(&step)
        } else if step.stream {
            pieces::stream(&step)
        } else if step.events {
            pieces::events(&step)
        } else {
            tell::answer(&step, &step.request().send())
        };
        if !step.quiet {
            tell::told(&answer);
        }
    }
    Ok(())
}
