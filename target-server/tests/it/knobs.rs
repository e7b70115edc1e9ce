//! Added latency, errors and the limit on concurrency, on a paused clock.

use std::time::Duration;

use crate::common::{Local, Result, call, post_json};
use axum::http::StatusCode;
use target_server::knobs::{Shape, ShapeError};
use target_server::seed::SeedFields;
use tokio::task::JoinSet;
use tokio::time::Instant;

fn shape(latency: &str, error_rate: f64, max_concurrency: Option<usize>) -> Shape {
    Shape::try_new(latency.parse().expect("a latency"), error_rate, max_concurrency).expect("a shape")
}

#[tokio::test(start_paused = true)]
async fn latency_is_added_to_calls_and_not_to_operations() -> Result {
    let server = Local::shaped(SeedFields::default(), shape("150ms", 0.0, None))?;
    let began = Instant::now();
    for path in ["/health", "/metrics"] {
        assert_eq!(server.get(path).await?.status, StatusCode::OK);
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(server.get("/points/1").await?.status, StatusCode::OK);
    let took = began.elapsed();
    assert!((Duration::from_millis(150)..Duration::from_millis(152)).contains(&took), "{took:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_servers_own_clock_tells_quantiles_since_the_last_reset() -> Result {
    let server = Local::shaped(SeedFields::default(), shape("uniform:100ms..300ms", 0.0, None))?;
    let mut slowest = Duration::ZERO;
    for _ in 0..200 {
        let began = Instant::now();
        server.get("/points/1").await?;
        slowest = slowest.max(began.elapsed());
    }
    let durations = server.get("/metrics/durations").await?.json();
    let row = &durations[0];
    assert_eq!((row["method"].as_str(), row["route"].as_str()), (Some("GET"), Some("/points/{buyerId}")));
    assert_eq!(row["count"], 200);
    let ms = |name: &str| row[name].as_f64().unwrap_or(f64::NAN);
    assert!((ms("maxMs") / 1e3 / slowest.as_secs_f64() - 1.0).abs() < 0.002, "{row} against {slowest:?}");
    let order = ["p50Ms", "p90Ms", "p95Ms", "p99Ms", "maxMs"].map(ms);
    assert!(order.is_sorted() && order[0] >= 100.0, "{row}");
    // The median of 200 draws is within 50 ms of 200 ms but once in 10^11.
    assert!((order[0] - 200.0).abs() < 50.0, "{row}");
    server.post("/reset").await?;
    let after = server.metrics.durations();
    assert!(after.iter().all(|row| row.route == "/reset"), "{after:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_limit_makes_calls_queue_in_order() -> Result {
    let server = Local::shaped(SeedFields::default(), shape("100ms", 0.0, Some(2)))?;
    let began = Instant::now();
    let mut calls = JoinSet::new();
    for _ in 0..10 {
        let router = server.router.clone();
        calls.spawn(async move {
            let request = axum::http::Request::get("/points/1").body(axum::body::Body::empty())?;
            let answer = call(&router, request).await?;
            assert_eq!(answer.status, StatusCode::OK);
            Result::Ok(began.elapsed())
        });
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!((server.metrics.in_flight.get(), server.metrics.queued.get()), (10, 8));
    let mut took_ms = Vec::new();
    while let Some(took) = calls.join_next().await {
        took_ms.push(took??.as_millis());
    }
    took_ms.sort_unstable();
    let waves: Vec<u128> = took_ms.iter().map(|ms| ms / 100).collect();
    assert_eq!(waves, [1, 1, 2, 2, 3, 3, 4, 4, 5, 5], "{took_ms:?}");
    assert_eq!((server.metrics.in_flight.get(), server.metrics.queued.get()), (0, 0));
    assert_eq!(server.metric("http_queue_wait_seconds_count")?, 8.0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_gives_up_leaves_the_queue() -> Result {
    let server = Local::shaped(SeedFields::default(), shape("1s", 0.0, Some(1)))?;
    let mut calls = JoinSet::new();
    for _ in 0..3 {
        let router = server.router.clone();
        calls.spawn(async move {
            let request = axum::http::Request::get("/points/1").body(axum::body::Body::empty());
            tokio::time::timeout(Duration::from_millis(100), call(&router, request.expect("a request"))).await.is_err()
        });
    }
    while let Some(gave_up) = calls.join_next().await {
        assert!(gave_up?);
    }
    assert_eq!((server.metrics.in_flight.get(), server.metrics.queued.get()), (0, 0));
    assert_eq!(server.get("/points/1").await?.status, StatusCode::OK);
    Ok(())
}

#[tokio::test]
async fn errors_are_answered_before_the_work() -> Result {
    let server = Local::shaped(SeedFields::default(), shape("0", 1.0, None))?;
    for _ in 0..20 {
        let answer = server.post_json("/api/v1/coupons/issue", r#"{"userId":1,"couponId":3}"#).await?;
        assert_eq!(answer.error(), "500 INJECTED -");
    }
    assert_eq!(server.metrics.injected_errors.get(), 20);
    assert_eq!(server.get("/audit/coupons/3/users").await?.text, "");
    assert_eq!(server.post("/reset").await?.status, StatusCode::OK);
    Ok(())
}

#[tokio::test]
async fn the_error_rate_is_kept() -> Result {
    let server = Local::shaped(SeedFields::default(), shape("0", 0.25, None))?;
    let mut failed = 0;
    for _ in 0..4_000 {
        let answer = call(&server.router, post_json("/api/v1/coupons/issue", r#"{"userId":1,"couponId":3}"#)?).await?;
        failed += u32::from(answer.status == StatusCode::INTERNAL_SERVER_ERROR);
    }
    // Six standard deviations of a binomial with n = 4,000 and p = 1/4 are 164.
    assert!((836..=1_164).contains(&failed), "{failed}");
    assert_eq!(u64::from(failed), server.metrics.injected_errors.get());
    Ok(())
}

#[test]
fn a_shape_of_nonsense_cannot_be_built() {
    let build = |rate, limit| Shape::try_new("0".parse().expect("a latency"), rate, limit).map(drop);
    for rate in [-0.1, 1.1, f64::INFINITY] {
        assert_eq!(build(rate, None), Err(ShapeError::ErrorRate(rate)));
    }
    assert!(matches!(build(f64::NAN, None), Err(ShapeError::ErrorRate(_))));
    assert_eq!(build(0.5, Some(0)), Err(ShapeError::NoPlaces));
    assert_eq!(build(0.5, Some(usize::MAX)), Err(ShapeError::TooManyPlaces(usize::MAX)));
}
