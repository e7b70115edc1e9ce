//! Calls STRANGER_URL, whose host nobody granted, and BASE_URL, which is granted by being passed with `-e`, when given.

use flashcrowd::prelude::*;

#[flashcrowd::options]
fn options() -> Options {
    // A default is not a grant: it is the module's own word.
    Options::new()
        .env_var(
            EnvVar::with_default("STRANGER_URL", "http://stranger.test/steal").help("a URL whose host was not granted"),
        )
        .env_var(EnvVar::optional("BASE_URL").help("a URL whose host is granted"))
}

#[flashcrowd::scenario]
fn iterate() {
    let response = http::get(env("STRANGER_URL")).send();
    check!(response,
        "a host that was not granted is not called" => |r| r.status() == 0 && (1000..1200).contains(&r.error_code()),
        "the error names the flag" => |r| r.error().is_some_and(|error| error.contains("--allow-host")),
    );
    if !env_or("BASE_URL", "").is_empty() {
        let response = http::get(env("BASE_URL")).send();
        check!(response, "a granted host is called" => |r| r.status() != 0);
    }
}
