//! What a request does beyond one exchange, checked from inside. `PART` says which part; BASE_URL and OTHER_URL are servers with
//!
//! * `/echo`: answers with the request as JSON,
//! * `/to?status=…&url=…`: redirects there,
//! * `/set?cookie=…`: sets these cookies,
//! * `/same`: answers with the body as it came, coding and all,
//! * `/broken`, `/bomb`: say that they are gzip,
//! * `/length`: answers with the body's length, and the one that was announced,
//! * `/digest`, `/digest-never`: challenge whoever brings no answer, or everybody.

use flashcrowd::prelude::*;
use serde_json::Value;

mod bodies;
mod cookies;
mod redirects;

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .env_var(EnvVar::required("PART").help("the function to run"))
        .env_var(EnvVar::required("BASE_URL").help("a server"))
        .env_var(EnvVar::with_default("OTHER_URL", "").help("another one"))
        .env_var(EnvVar::with_default("STRANGER_URL", "").help("one that is not granted"))
}

#[flashcrowd::scenario]
fn run() {
    match env("PART").as_str() {
        "redirects" => redirects::followed(),
        "secrets" => redirects::secrets(),
        "refused" => redirects::refused(),
        "statuses" => redirects::statuses(),
        "cookies" => cookies::rules(),
        "own-cookies" => cookies::own(),
        "private-cookies" => cookies::private(),
        "kept-cookies" => cookies::kept(),
        "codings" => bodies::codings(),
        "files" => bodies::files(),
        "missing" => bodies::missing(),
        "digest" => bodies::digest(),
        "versions" => bodies::versions(),
        other => fail(format!("there is no part `{other}`")),
    }
}

/// `/to?status=…&url=…` of the server at BASE_URL.
pub(crate) fn redirect(status: u16, url: &str) -> String {
    let encoded: String = url.bytes().map(|byte| format!("%{byte:02x}")).collect();
    format!("{}/to?status={status}&url={encoded}", env("BASE_URL"))
}

/// What the echo says it got.
pub(crate) fn echoed(response: &Response) -> Value {
    response.json().unwrap_or_default()
}
