//! Issues a coupon to users of its own and prints those whose issue was acknowledged, so that a test can look for them after the
//! server crashed. The numbers are printed some dozens to a line, as a flood of lines would be thinned out.

use std::cell::RefCell;

use flashcrowd::prelude::*;

const NUMBERS_IN_A_LINE: usize = 50;

std::thread_local! {
    static ACKNOWLEDGED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

#[flashcrowd::options]
fn options() -> Options {
    Options::new().env_var(EnvVar::required("BASE_URL").help("the target server"))
}

#[flashcrowd::scenario]
fn iterate() {
    let user = exec::vu() * 1_000_000 + exec::iteration();
    let response = http::post("/api/v1/coupons/issue").json(&json!({"userId": user, "couponId": 3})).send();
    ACKNOWLEDGED.with_borrow_mut(|numbers| {
        if response.status() == 200 {
            numbers.push(user);
        }
        if !numbers.is_empty() && (response.status() != 200 || numbers.len() == NUMBERS_IN_A_LINE) {
            let line: Vec<String> = numbers.drain(..).map(|user| user.to_string()).collect();
            println!("acknowledged: {}", line.join(" "));
        }
    });
    sleep(millis(10));
}
