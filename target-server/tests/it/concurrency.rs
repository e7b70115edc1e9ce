//! Many at once: never oversold, once per user, each order paid once, every point accounted for.

use std::collections::HashSet;

use crate::common::{Local, Result, call, post_json};
use axum::Router;
use serde_json::{Value, json};
use target_server::seed::SeedFields;
use tokio::task::JoinSet;

fn fields(json: Value) -> SeedFields {
    serde_json::from_value(json).expect("seed fields")
}

/// Makes all the calls at once and returns their answers' bodies.
async fn all_at_once(router: &Router, calls: impl Iterator<Item = (&'static str, String)>) -> Result<Vec<Value>> {
    let mut tasks = JoinSet::new();
    for (path, body) in calls {
        let router = router.clone();
        tasks.spawn(async move {
            let answer = call(&router, post_json(path, &body)?).await?;
            assert_eq!(answer.status, 200, "{}", answer.text);
            Result::Ok(answer.json())
        });
    }
    let mut answers = Vec::new();
    while let Some(answer) = tasks.join_next().await {
        answers.push(answer??);
    }
    Ok(answers)
}

fn count(answers: &[Value], result: &str) -> usize {
    answers.iter().filter(|answer| answer["result"] == result).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_users_on_a_hundred_coupons() -> Result {
    let server = Local::new(fields(json!({"coupons": [{"id": 3, "stock": 100}]})))?;
    let calls = (1..=5_000).map(|user| ("/api/v1/coupons/issue", format!(r#"{{"userId":{user},"couponId":3}}"#)));
    let answers = all_at_once(&server.router, calls).await?;
    assert_eq!((count(&answers, "ISSUED"), count(&answers, "SOLD_OUT")), (100, 4_900));
    let serials: HashSet<i64> = answers.iter().filter_map(|answer| answer["serial"].as_i64()).collect();
    assert_eq!(serials, (1..=100).collect());
    server.assert_clean().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_users_asking_a_hundred_times_each_have_one_coupon_each() -> Result {
    let server = Local::new(fields(json!({"coupons": [{"id": 3, "stock": 1000}]})))?;
    let calls = (0..5_000).map(|n| ("/api/v1/coupons/issue", format!(r#"{{"userId":{},"couponId":3}}"#, n % 50 + 1)));
    let answers = all_at_once(&server.router, calls).await?;
    assert_eq!((count(&answers, "ISSUED"), count(&answers, "ALREADY_ISSUED")), (50, 4_950));
    // Whoever asked again was told the serial of the one they have.
    let pairs: HashSet<(i64, i64)> =
        answers.iter().filter_map(|answer| Some((answer["userId"].as_i64()?, answer["serial"].as_i64()?))).collect();
    assert_eq!(pairs.len(), 50);
    server.assert_clean().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_coupons_among_users_who_ask_twice() -> Result {
    let server = Local::new(fields(json!({"coupons": [{"id": 3, "stock": 100}]})))?;
    let calls =
        (0..4_000).map(|n| ("/api/v1/coupons/issue", format!(r#"{{"userId":{},"couponId":3}}"#, n % 2_000 + 1)));
    let answers = all_at_once(&server.router, calls).await?;
    let holders: HashSet<i64> =
        answers.iter().filter(|a| a["result"] != "SOLD_OUT").filter_map(|a| a["userId"].as_i64()).collect();
    assert_eq!((count(&answers, "ISSUED"), holders.len()), (100, 100));
    server.assert_clean().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_orders_paid_by_everyone_at_once_are_paid_once() -> Result {
    let server = Local::new(SeedFields::default())?;
    let calls = (0..4_000)
        .map(|n| ("/orders/payment/kafka", format!(r#"{{"buyerId":{},"orderId":{}}}"#, n % 7 + 1, n % 107 + 1)));
    let answers = all_at_once(&server.router, calls).await?;
    assert_eq!((count(&answers, "PAID"), count(&answers, "ALREADY_PAID")), (107, 3_893));
    for order in 1..=107 {
        let told: HashSet<String> = answers
            .iter()
            .filter(|answer| answer["orderId"] == order)
            .map(|answer| format!("{} {} {}", answer["paymentId"], answer["buyerId"], answer["balance"]))
            .collect();
        assert_eq!(told.len(), 1, "order {order}: {told:?}");
    }
    let audit = server.get("/audit").await?.json();
    let paid: i64 = (1..=107).map(|n| n * 100).sum();
    assert_eq!((audit["totals"]["payments"].as_i64(), audit["totals"]["pointsPaid"].as_i64()), (Some(107), Some(paid)));
    server.assert_clean().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn charges_and_payments_of_few_buyers_add_up() -> Result {
    let server = Local::new(fields(json!({"balance": 0, "orders": 500, "orderPrice": 1})))?;
    let mut tasks = JoinSet::new();
    for n in 0..3_000_i64 {
        let router = server.router.clone();
        tasks.spawn(async move {
            let buyer = n % 7 + 1;
            let request = if n % 3 == 0 {
                post_json("/orders/payment/kafka", &format!(r#"{{"buyerId":{buyer},"orderId":{}}}"#, n % 500 + 1))?
            } else {
                axum::http::Request::post(format!("/points/{buyer}?point={}", n % 1_000 + 1))
                    .body(axum::body::Body::empty())?
            };
            let answer = call(&router, request).await?;
            let charged = answer.json()["charged"].as_i64().unwrap_or(0);
            let refused = answer.status == 409;
            assert!(answer.status == 200 || refused, "{}", answer.text);
            Result::Ok(charged)
        });
    }
    let mut charged = 0;
    while let Some(task) = tasks.join_next().await {
        charged += task??;
    }
    let totals = server.get("/audit").await?.json()["totals"].clone();
    assert_eq!(totals["pointsCharged"], charged);
    let mut held = 0;
    for buyer in 1..=7 {
        held += server.get(&format!("/points/{buyer}")).await?.json()["balance"].as_i64().unwrap_or(0);
    }
    assert_eq!(totals["pointsHeld"], held);
    assert_eq!(Some(held), totals["pointsPaid"].as_i64().map(|paid| charged - paid));
    server.assert_clean().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_share_a_commit() -> Result {
    let server = Local::new(SeedFields::default())?;
    let calls = (1..=2_000).map(|user| ("/api/v1/coupons/issue", format!(r#"{{"userId":{user},"couponId":3}}"#)));
    all_at_once(&server.router, calls).await?;
    let (commits, requests) = (server.metric("store_batch_size_count")?, server.metric("store_batch_size_sum")?);
    assert!(requests >= 2_000.0, "{requests}");
    assert!(commits < 1_000.0, "{commits} commits for 2,000 requests");
    server.assert_clean().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_in_the_middle_leaves_a_clean_store() -> Result {
    let server = Local::new(fields(json!({"coupons": [{"id": 3, "stock": 1000}]})))?;
    let mut calls: Vec<(&str, String)> = (1..=3_000)
        .map(|user| ("/api/v1/coupons/issue", format!(r#"{{"userId":{},"couponId":3}}"#, user % 1_500 + 1)))
        .collect();
    for place in [700, 1_400, 2_100] {
        calls.insert(place, ("/reset", String::from(r#"{"coupons":[{"id":3,"stock":500}]}"#)));
    }
    all_at_once(&server.router, calls.into_iter()).await?;
    server.assert_clean().await?;
    // What the server answers from memory is what the store holds.
    let users = server.get("/audit/coupons/3/users").await?;
    for line in users.text.lines().take(20) {
        let row: Value = serde_json::from_str(line)?;
        let again = server
            .post_json("/api/v1/coupons/issue", &format!(r#"{{"userId":{},"couponId":3}}"#, row["userId"]))
            .await?;
        assert_eq!(
            (again.json()["result"].as_str(), &again.json()["serial"]),
            (Some("ALREADY_ISSUED"), &row["serial"])
        );
    }
    Ok(())
}
