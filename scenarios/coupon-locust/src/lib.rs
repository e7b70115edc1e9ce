//! Does the distributed lock of a coupon hold while users click as fast as they can? Seed 001's Locust test: `wait_time`
//! is 0, 204 means sold out and is no failure. The write-up ran it with 10, 30 and 200 users: `--vus N --duration T` chooses.

use flashcrowd::prelude::*;

const COUPON_ID: u32 = 1;

#[flashcrowd::options]
fn options() -> Options {
    // Locust runs until it is stopped, which no load test here does: ten users for a minute unless flags say otherwise.
    Options::new()
        .vus(10)
        .duration(mins(1))
        .env_var(EnvVar::required("BASE_URL").help("where the server is, such as http://127.0.0.1:8080"))
}

#[flashcrowd::scenario]
fn issue_coupon() -> Result<(), String> {
    let response = http::post(url!("{base}/api/v1/user-coupons/{coupon_id}/issue", env("BASE_URL"), COUPON_ID)).send();
    // The write-up's prints; standard output becomes log lines.
    #[expect(clippy::print_stdout, reason = "the seed prints")]
    match response.status() {
        200 => println!("쿠폰 발급 성공"),
        204 => println!("쿠폰 재고 소진"),
        _ => return Err(format!("발급 실패: {}", response.text())),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The write-up's first run; flags give the others.
    #[test]
    fn ten_users_without_a_pause() {
        assert_eq!(flashcrowd::testing::describe()["options"], json!({"vus": 10, "duration": "1m"}));
    }
}
