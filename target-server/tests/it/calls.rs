//! Every call, with every shape of answer and error.

use crate::common::{Local, Result};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;
use target_server::seed::SeedFields;

fn fields(json: serde_json::Value) -> SeedFields {
    serde_json::from_value(json).expect("seed fields")
}

#[tokio::test]
async fn a_coupon_is_issued_once_per_user_until_it_is_sold_out() -> Result {
    let server = Local::new(fields(json!({"coupons": [{"id": 3, "stock": 2}]})))?;
    let issue = |user: i64| {
        let server = &server;
        async move { server.post_json("/api/v1/coupons/issue", &format!(r#"{{"userId":{user},"couponId":3}}"#)).await }
    };
    let cases = [
        (7, json!({"result": "ISSUED", "couponId": 3, "userId": 7, "serial": 1})),
        (7, json!({"result": "ALREADY_ISSUED", "couponId": 3, "userId": 7, "serial": 1})),
        (8, json!({"result": "ISSUED", "couponId": 3, "userId": 8, "serial": 2})),
        (9, json!({"result": "SOLD_OUT", "couponId": 3, "userId": 9})),
        (8, json!({"result": "ALREADY_ISSUED", "couponId": 3, "userId": 8, "serial": 2})),
    ];
    for (user, expected) in cases {
        let answer = issue(user).await?;
        assert_eq!((answer.status, answer.json()), (StatusCode::OK, expected));
    }
    server.assert_clean().await
}

#[tokio::test]
async fn the_path_form_answers_200_then_204() -> Result {
    let server = Local::new(fields(json!({"coupons": [{"id": 1, "stock": 3}]})))?;
    let path = "/api/v1/user-coupons/1/issue";
    assert_eq!(server.post(path).await?.json(), json!({"result": "ISSUED", "couponId": 1, "serial": 1}));
    let named = || Request::post(path).header("X-User-Id", "42").body(Body::empty());
    let first = server.call(named()?).await?;
    assert_eq!(first.json(), json!({"result": "ISSUED", "couponId": 1, "userId": 42, "serial": 2}));
    let again = server.post(&format!("{path}?userId=42")).await?;
    assert_eq!(again.json(), json!({"result": "ALREADY_ISSUED", "couponId": 1, "userId": 42, "serial": 2}));
    assert_eq!(server.post(path).await?.status, StatusCode::OK);
    let sold_out = server.post(path).await?;
    assert_eq!((sold_out.status, sold_out.text.as_str()), (StatusCode::NO_CONTENT, ""));
    let users = server.get("/audit/coupons/1/users").await?;
    let mut lines: Vec<&str> = users.text.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [r#"{"userId":42,"serial":2}"#, r#"{"userId":null,"serial":1}"#, r#"{"userId":null,"serial":3}"#]
    );
    server.assert_clean().await
}

#[tokio::test]
async fn points_are_charged_and_read() -> Result {
    let server = Local::new(fields(json!({"buyers": 2, "balance": 100})))?;
    assert_eq!(server.get("/points/2").await?.json(), json!({"buyerId": 2, "balance": 100}));
    let charged = server.post("/points/2?point=55").await?;
    assert_eq!(charged.json(), json!({"buyerId": 2, "charged": 55, "balance": 155}));
    assert_eq!(server.get("/points/2").await?.json()["balance"], 155);
    assert_eq!(server.get("/points/1").await?.json()["balance"], 100);
    server.assert_clean().await
}

#[tokio::test]
async fn a_balance_that_would_overflow_is_refused() -> Result {
    let server = Local::new(fields(json!({"buyers": 1})))?;
    server.store()?.execute_batch(&format!("UPDATE buyer SET seeded = {0}, balance = {0}", i64::MAX - 5))?;
    assert_eq!(server.post("/points/1?point=6").await?.error(), "409 BALANCE_LIMIT -");
    assert_eq!(server.post("/points/1?point=5").await?.json()["balance"], i64::MAX);
    Ok(())
}

#[tokio::test]
async fn an_order_is_paid_once_and_the_first_payment_is_told_to_all() -> Result {
    let server = Local::new(fields(json!({"buyers": 2, "balance": 1000, "orders": 3, "orderPrice": 100})))?;
    let pay = |body: &'static str| {
        let server = &server;
        async move { server.post_json("/orders/payment/kafka", body).await }
    };
    let payment = json!({"paymentId": 1, "orderId": 3, "buyerId": 1, "amount": 300, "balance": 700});
    let mut expected = payment.clone();
    expected["result"] = "PAID".into();
    assert_eq!(pay(r#"{"buyerId":1,"orderId":3}"#).await?.json(), expected);
    expected["result"] = "ALREADY_PAID".into();
    for body in [r#"{"buyerId":1,"orderId":3}"#, r#"{"buyerId":2,"orderId":3}"#] {
        let again = pay(body).await?;
        assert_eq!((again.status, again.json()), (StatusCode::OK, expected.clone()));
    }
    assert_eq!(server.get("/points/1").await?.json()["balance"], 700);
    assert_eq!(server.get("/points/2").await?.json()["balance"], 1000);
    server.assert_clean().await
}

#[tokio::test]
async fn an_idempotency_key_replays_the_first_answer() -> Result {
    let server = Local::new(fields(json!({"buyers": 2, "orders": 3})))?;
    let pay = |key: &'static str, body: &'static str| {
        let server = &server;
        async move {
            let request = Request::post("/orders/payment/kafka").header("Idempotency-Key", key);
            server.call(request.header("content-type", "application/json").body(Body::from(body))?).await
        }
    };
    let first = pay("k1", r#"{"buyerId":1,"orderId":2}"#).await?;
    assert_eq!(first.json()["result"], "PAID");
    assert!(!first.headers.contains_key("idempotency-replayed"));
    let again = pay("k1", r#"{"buyerId":1,"orderId":2}"#).await?;
    assert_eq!(again.text, first.text);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let other_key = pay("k2", r#"{"buyerId":1,"orderId":2}"#).await?;
    assert_eq!(other_key.json()["result"], "ALREADY_PAID");
    assert_eq!(pay("k2", r#"{"buyerId":1,"orderId":2}"#).await?.text, other_key.text);
    assert_eq!(pay("k1", r#"{"buyerId":1,"orderId":3}"#).await?.error(), "422 IDEMPOTENCY_KEY_REUSED -");
    assert_eq!(pay("k1", r#"{"buyerId":2,"orderId":2}"#).await?.error(), "422 IDEMPOTENCY_KEY_REUSED -");
    assert_eq!(pay("", r#"{"buyerId":2,"orderId":2}"#).await?.error(), "400 INVALID_FIELD Idempotency-Key");
    let long = "k".repeat(256).leak();
    assert_eq!(pay(long, r#"{"buyerId":2,"orderId":2}"#).await?.error(), "400 INVALID_FIELD Idempotency-Key");
    server.assert_clean().await
}

#[tokio::test]
async fn a_balance_that_is_too_small_changes_nothing_and_may_be_charged_up() -> Result {
    let server = Local::new(fields(json!({"buyers": 1, "balance": 150, "orders": 2, "orderPrice": 100})))?;
    let pay = || {
        let request = Request::post("/orders/payment/kafka").header("Idempotency-Key", "same");
        request.header("content-type", "application/json").body(Body::from(r#"{"buyerId":1,"orderId":2}"#))
    };
    let refused = server.call(pay()?).await?;
    insta::assert_snapshot!(refused.text);
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(server.get("/points/1").await?.json()["balance"], 150);
    server.post("/points/1?point=50").await?;
    assert_eq!(server.call(pay()?).await?.json()["balance"], 0);
    server.assert_clean().await
}

#[tokio::test]
async fn wrong_calls_are_explained() -> Result {
    let server = Local::new(SeedFields::default())?;
    let issue = "/api/v1/coupons/issue";
    let pay = "/orders/payment/kafka";
    let bodies = [
        (issue, r#"{"userId":0,"couponId":3}"#),
        (issue, r#"{"userId":1,"couponId":-3}"#),
        (issue, r#"{"userId":"1","couponId":3}"#),
        (issue, r#"{"userId":1.5,"couponId":3}"#),
        (issue, r#"{"userId":9223372036854775808,"couponId":3}"#),
        (issue, r#"{"userId":null,"couponId":3}"#),
        (issue, r#"{"couponId":3}"#),
        (issue, r#"{"userId":1}"#),
        (issue, r#"{"userId":1,"couponId":3"#),
        (issue, r#"{"userId":1,"couponId":3} x"#),
        (issue, "userId=1"),
        (issue, ""),
        (issue, " "),
        (issue, "[1,3]"),
        (issue, "7"),
        (issue, r#"{"userId":1,"couponId":4}"#),
        (pay, r#"{"buyerId":0,"orderId":1}"#),
        (pay, r#"{"buyerId":1}"#),
        (pay, r#"{"buyerId":8,"orderId":1}"#),
        (pay, r#"{"buyerId":1,"orderId":108}"#),
        ("/reset", r#"{"coupons":[{"id":1,"stock":-1}]}"#),
        ("/reset", r#"{"coupons":[{"id":1,"stock":1},{"id":1,"stock":1}]}"#),
        ("/reset", r#"{"coupons":[{"id":1}]}"#),
        ("/reset", r#"{"coupons":[{"id":1,"stock":1,"sold":0}]}"#),
        ("/reset", r#"{"copons":[]}"#),
        ("/reset", r#"{"buyers":-1}"#),
        ("/reset", r#"{"orderPrice":0}"#),
        ("/reset", r#"{"balance":1e3}"#),
    ];
    let mut told = Vec::new();
    for (path, body) in bodies {
        let answer = server.post_json(path, body).await?;
        told.push(format!("POST {path} {body}\n  {} {}", answer.status.as_u16(), answer.text));
    }
    let paths = [
        ("POST", "/api/v1/user-coupons/x/issue"),
        ("POST", "/api/v1/user-coupons/0/issue"),
        ("POST", "/api/v1/user-coupons/99/issue"),
        ("POST", "/api/v1/user-coupons/1/issue?userId=me"),
        ("POST", "/points/1"),
        ("POST", "/points/1?point="),
        ("POST", "/points/1?point=0"),
        ("POST", "/points/1?point=-5"),
        ("POST", "/points/1?point=1.5"),
        ("POST", "/points/1?point=1000000001"),
        ("POST", "/points/1?point=1&point=2"),
        ("POST", "/points/8?point=1"),
        ("POST", "/points/me?point=1"),
        ("GET", "/points/8"),
        ("GET", "/points/-1"),
        ("GET", "/audit/coupons/99/users"),
        ("GET", "/audit/coupons/all/users"),
        ("GET", "/nowhere"),
        ("GET", "/reset"),
        ("DELETE", "/points/1"),
    ];
    for (method, path) in paths {
        let answer = server.call(Request::builder().method(method).uri(path).body(Body::empty())?).await?;
        told.push(format!("{method} {path}\n  {} {}", answer.status.as_u16(), answer.text));
    }
    let form = Request::post(issue).header("content-type", "application/x-www-form-urlencoded");
    let answer = server.call(form.body(Body::from("userId=1"))?).await?;
    told.push(format!("POST {issue} as a form\n  {} {}", answer.status.as_u16(), answer.text));
    let answer = server.post_json(issue, &" ".repeat(1024 * 1024 + 1)).await?;
    told.push(format!("POST {issue} with too long a body\n  {} {}", answer.status.as_u16(), answer.text));
    insta::assert_snapshot!(told.join("\n"));
    server.assert_clean().await
}

#[tokio::test]
async fn a_reset_seeds_what_it_is_told_and_says_so() -> Result {
    let server = Local::new(fields(json!({"coupons": [{"id": 3, "stock": 5}], "buyers": 1, "orders": 1})))?;
    server.post_json("/api/v1/coupons/issue", r#"{"userId":1,"couponId":3}"#).await?;
    server.post_json("/orders/payment/kafka", r#"{"buyerId":1,"orderId":1}"#).await?;
    let answer = server
        .post_json("/reset", r#"{"coupons":[{"id":9,"stock":1}],"buyers":2,"balance":7,"orders":3,"orderPrice":4}"#)
        .await?;
    let seeded = json!({"coupons": [{"id": 9, "stock": 1}], "buyers": 2, "balance": 7, "orders": 3, "orderPrice": 4});
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, seeded));
    assert_eq!(server.get("/points/2").await?.json()["balance"], 7);
    let gone = server.post_json("/api/v1/coupons/issue", r#"{"userId":1,"couponId":3}"#).await?;
    assert_eq!(gone.error(), "404 COUPON_NOT_FOUND -");
    let issued = server.post_json("/api/v1/coupons/issue", r#"{"userId":1,"couponId":9}"#).await?;
    assert_eq!(issued.json()["serial"], 1);
    let defaults = server.post("/reset").await?;
    let seeded =
        json!({"coupons": [{"id": 3, "stock": 5}], "buyers": 1, "balance": 1_000_000, "orders": 1, "orderPrice": 100});
    assert_eq!(defaults.json(), seeded);
    let anew = server.post_json("/orders/payment/kafka", r#"{"buyerId":1,"orderId":1}"#).await?;
    assert_eq!(anew.json()["result"], "PAID");
    server.assert_clean().await
}

#[tokio::test]
async fn the_outbox_is_drained() -> Result {
    let server = Local::new(SeedFields::default())?;
    for order in 1..=5 {
        server.post_json("/orders/payment/kafka", &format!(r#"{{"buyerId":1,"orderId":{order}}}"#)).await?;
    }
    loop {
        let audit = server.get("/audit").await?.json();
        assert_eq!(audit["totals"]["outbox"], 5);
        if audit["totals"]["outboxPublished"] == 5 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(server.get("/metrics").await?.text.contains("\noutbox_pending 0\n"));
    server.assert_clean().await
}

#[tokio::test]
async fn health_names_the_strategy() -> Result {
    let server = Local::new(SeedFields::default())?;
    let health = server.get("/health").await?.json();
    assert_eq!((health["status"].as_str(), health["coupon"].as_str()), (Some("UP"), Some("embedded")));
    Ok(())
}

#[tokio::test]
async fn metrics_count_what_was_answered() -> Result {
    let server = Local::new(fields(json!({"coupons": [{"id": 3, "stock": 1}]})))?;
    for user in [1, 1, 2] {
        server.post_json("/api/v1/coupons/issue", &format!(r#"{{"userId":{user},"couponId":3}}"#)).await?;
    }
    server.post_json("/api/v1/coupons/issue", "{").await?;
    server.post("/points/1?point=1").await?;
    let metrics = server.get("/metrics").await?;
    assert_eq!(metrics.headers["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    for line in [
        r#"http_request_duration_seconds_count{method="POST",route="/api/v1/coupons/issue",status="200"} 3"#,
        r#"http_request_duration_seconds_count{method="POST",route="/api/v1/coupons/issue",status="400"} 1"#,
        r#"http_request_duration_seconds_count{method="POST",route="/points/{buyerId}",status="200"} 1"#,
        r#"coupon_requests_total{coupon="3",result="ISSUED"} 1"#,
        r#"coupon_requests_total{coupon="3",result="ALREADY_ISSUED"} 1"#,
        r#"coupon_requests_total{coupon="3",result="SOLD_OUT"} 1"#,
        "point_charges_total 1",
        "http_requests_in_flight 0",
        "store_waiting 0",
        // The second and third request for the coupon are answered from what is committed.
        "store_batch_size_count 2",
        "store_batch_size_sum 2.0",
        "# EOF",
    ] {
        assert!(metrics.text.lines().any(|have| have == line), "{line} is missing in\n{}", metrics.text);
    }
    Ok(())
}
