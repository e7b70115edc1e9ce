//! What most scenarios do: a small JSON body is posted, and the answer's status is checked. Its cost is guarded by
//! `cargo xtask instructions`.

use flashcrowd::prelude::*;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Issue {
    user_id: u32,
    coupon_id: u32,
}

#[flashcrowd::options]
fn options() -> Options {
    Options::new().env_var(EnvVar::required("BASE_URL").help("the full URL"))
}

#[flashcrowd::scenario]
fn iterate() {
    let issue = Issue { user_id: random::range(1..=10_000), coupon_id: 3 };
    let response = http::post(env("BASE_URL")).json(&issue).send();
    check!(response, "status is 200" => |r| r.status() == 200);
}
