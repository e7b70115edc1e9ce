//! The work that all generators of the bench do: POST small JSON, check that the status is 200, begin again.

use flashcrowd::prelude::*;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Issue {
    user_id: u32,
    coupon_id: u32,
}

#[flashcrowd::options]
fn options() -> Options {
    Options::new().env_var(EnvVar::required("BASE_URL").help("the bench target's URL, with a path"))
}

#[flashcrowd::scenario]
fn post_json_check() {
    let response = http::post(env("BASE_URL")).json(&Issue { user_id: 1, coupon_id: 3 }).send();
    check!(response, "status is 200" => |r| r.status() == 200);
}
