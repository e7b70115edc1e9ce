//! A module of about 3 MB, nearly all of it code: what compiling costs before the first request. Its build script writes the code.

use flashcrowd::prelude::*;

include!(concat!(env!("OUT_DIR"), "/functions.rs"));

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Issue {
    user_id: u64,
    coupon_id: u32,
}

#[flashcrowd::options]
fn options() -> Options {
    Options::new().env_var(EnvVar::required("BASE_URL").help("the bench target's URL, with a path"))
}

#[flashcrowd::scenario]
fn large_module() {
    // Which function is called is decided at run time, so that none can be left out.
    let mut words = Vec::new();
    let user_id = ALL[random::range(0..ALL.len())](random::range(0..=u64::MAX), &mut words);
    let response = http::post(env("BASE_URL")).json(&Issue { user_id, coupon_id: 3 }).send();
    check!(response, "status is 200" => |r| r.status() == 200);
}
