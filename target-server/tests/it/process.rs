//! The real binary: its flags, its end, and what survives it.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::common::{Client, Process, Result};
use rustix::process::Signal;
use serde_json::Value;
use tokio::task::JoinSet;

fn run(args: &[&str]) -> Result<(Option<i32>, String, String)> {
    let output = Command::new(env!("CARGO_BIN_EXE_target-server")).args(args).output()?;
    Ok((output.status.code(), String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?))
}

#[test]
fn help_tells_units_and_defaults() -> Result {
    let (code, stdout, _) = run(&["--help"])?;
    assert_eq!(code, Some(0));
    insta::assert_snapshot!(stdout);
    Ok(())
}

#[test]
fn wrong_flags_name_the_flag_the_value_and_the_remedy() -> Result {
    let wrong: [&[&str]; 17] = [
        &["--listen", "localhost"],
        &["--listen", "127.0.0.1:99999"],
        &["--latency", "20"],
        &["--latency", "gauss:1ms"],
        &["--latency", "uniform:50ms..10ms"],
        &["--error-rate", "1.5"],
        &["--error-rate", "-0.1"],
        &["--error-rate", "NaN"],
        &["--max-concurrency", "0"],
        &["--threads", "0"],
        &["--grace", "soon"],
        &["--coupon", "3"],
        &["--coupon", "3:-1"],
        &["--coupon", "3:1", "--coupon", "3:2"],
        &["--buyers", "-1"],
        &["--order-price", "0"],
        &["--bogus"],
    ];
    let mut told = Vec::new();
    for args in wrong {
        let (code, stdout, stderr) = run(args)?;
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{args:?}: {stderr}");
        told.push(format!("{args:?}\n  {}", stderr.lines().next().unwrap_or_default()));
    }
    insta::assert_snapshot!(told.join("\n"));
    Ok(())
}

#[tokio::test]
async fn a_second_server_on_the_same_data_is_refused() -> Result {
    let data = tempfile::tempdir()?;
    let folder = data.path().to_str().ok_or("a path")?;
    let first = Process::start(data.path(), &[])?;
    let (code, _, stderr) = run(&["--data", folder])?;
    assert_eq!(code, Some(1));
    let expected = format!(
        "error: --data: {folder} is in use by another target-server (process {}); stop that one, or give another folder\n",
        first.pid()
    );
    assert_eq!(stderr, expected);
    assert_eq!(first.client().await?.get("/health").await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn an_address_in_use_is_named() -> Result {
    let (one, two) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let first = Process::start(one.path(), &[])?;
    let address = first.address.to_string();
    let (code, _, stderr) = run(&["--data", two.path().to_str().ok_or("a path")?, "--listen", &address])?;
    assert_eq!(code, Some(1));
    assert!(stderr.starts_with(&format!("error: --listen: {address}: ")), "{stderr}");
    Ok(())
}

#[test]
fn data_that_is_not_ours_is_refused_and_left_alone() -> Result {
    let data = tempfile::tempdir()?;
    let folder = data.path().to_str().ok_or("a path")?;
    let file = data.path().join(target_server::embedded::STORE_FILE);
    std::fs::write(&file, "these are my notes, not a database ".repeat(100))?;
    let before = std::fs::read(&file)?;
    let (code, _, stderr) = run(&["--data", folder])?;
    assert_eq!(code, Some(1));
    assert!(stderr.starts_with(&format!("error: --data: {}: ", file.display())), "{stderr}");
    assert_eq!(std::fs::read(&file)?, before);
    std::fs::remove_file(&file)?;
    rusqlite::Connection::open(&file)?.execute_batch("CREATE TABLE theirs (x); PRAGMA user_version = 77")?;
    let (code, _, stderr) = run(&["--data", folder])?;
    assert_eq!(code, Some(1));
    assert!(stderr.contains("holds a store of format 77, this server reads format 1"), "{stderr}");
    let (code, _, stderr) = run(&["--data", &format!("{folder}/{}/sub", target_server::embedded::STORE_FILE)])?;
    assert_eq!(code, Some(1));
    assert!(stderr.starts_with("error: --data: "), "{stderr}");
    Ok(())
}

#[tokio::test]
async fn data_is_kept_unless_fresh_is_asked_for() -> Result {
    let data = tempfile::tempdir()?;
    let mut server = Process::start(data.path(), &[])?;
    server.client().await?.post("/points/1?point=5").await?;
    server.signal(Signal::TERM)?;
    assert_eq!(server.wait()?.code(), Some(0));
    // Seed flags are for an empty store: they do not touch what is there.
    let mut server = Process::start(data.path(), &["--balance", "7"])?;
    assert_eq!(server.client().await?.get("/points/1").await?.json()["balance"], 1_000_005);
    server.kill()?;
    let server = Process::start(data.path(), &["--balance", "7", "--fresh"])?;
    assert_eq!(server.client().await?.get("/points/1").await?.json()["balance"], 7);
    Ok(())
}

/// What callers were told, as told.
#[derive(Default)]
struct Acknowledged {
    issues: Mutex<BTreeSet<(i64, i64)>>,
    payments: Mutex<BTreeSet<(i64, i64)>>,
    points: AtomicU64,
    answers: AtomicU64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_9() -> Result {
    let data = tempfile::tempdir()?;
    let flags = ["--coupon", "3:1000000", "--orders", "100000", "--balance", "0", "--order-price", "1"];
    let acknowledged = Arc::new(Acknowledged::default());
    let user = Arc::new(AtomicU64::new(1));
    // Three deaths in a row, each after some thousand answers: what the second server found must survive the third too.
    for round in 1..=3_u64 {
        let mut server = Process::start(data.path(), &flags)?;
        let dead = Arc::new(AtomicBool::new(false));
        let mut callers = JoinSet::new();
        for caller in 0..64_u64 {
            let (acknowledged, user, dead, address) =
                (Arc::clone(&acknowledged), Arc::clone(&user), Arc::clone(&dead), server.address);
            callers.spawn(async move {
                let mut client = Client::connect(address).await?;
                loop {
                    let n = user.fetch_add(1, Ordering::Relaxed);
                    if let Err(error) = one_call(&mut client, &acknowledged, caller, n).await {
                        // Only the death of the server may end a caller.
                        return if dead.load(Ordering::SeqCst) { Ok(()) } else { Err(error) };
                    }
                    acknowledged.answers.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        while acknowledged.answers.load(Ordering::SeqCst) < round * 4_000 {
            if let Some(ended) = callers.try_join_next() {
                ended??;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        dead.store(true, Ordering::SeqCst);
        server.kill()?;
        while let Some(ended) = callers.join_next().await {
            Result::<()>::Ok(ended??)?;
        }
    }
    let server = Process::start(data.path(), &flags)?;
    let mut client = server.client().await?;
    let audit = client.get("/audit").await?;
    assert_eq!(audit.status, 200, "{}", audit.text);
    let issued = client.get("/audit/coupons/3/users").await?;
    let stored: BTreeSet<(i64, i64)> = issued
        .text
        .lines()
        .map(|line| {
            let row: Value = serde_json::from_str(line)?;
            Ok((row["userId"].as_i64().ok_or("a user")?, row["serial"].as_i64().ok_or("a serial")?))
        })
        .collect::<Result<_>>()?;
    let told = acknowledged.issues.lock().map_err(|_| "poisoned")?.clone();
    assert!(told.len() > 1_000, "only {} issues were acknowledged", told.len());
    let lost: Vec<_> = told.difference(&stored).collect();
    assert!(lost.is_empty(), "{} acknowledged issues are not stored: {lost:?}", lost.len());
    let totals = audit.json()["totals"].clone();
    let charged = acknowledged.points.load(Ordering::SeqCst);
    assert!(totals["pointsCharged"].as_u64() >= Some(charged), "{charged} points acknowledged, {totals}");
    let payments = acknowledged.payments.lock().map_err(|_| "poisoned")?.clone();
    assert!(payments.len() > 100, "only {} payments were acknowledged", payments.len());
    for (order, payment) in payments {
        let again = client.post_json("/orders/payment/kafka", format!(r#"{{"buyerId":1,"orderId":{order}}}"#)).await?;
        let again = again.json();
        assert_eq!((again["result"].as_str(), again["paymentId"].as_i64()), (Some("ALREADY_PAID"), Some(payment)));
    }
    Ok(())
}

async fn one_call(client: &mut Client, acknowledged: &Acknowledged, caller: u64, n: u64) -> Result {
    match n % 4 {
        0 => {
            let point = n % 10 + 100;
            let answer = client.post(&format!("/points/{}?point={point}", caller % 7 + 1)).await?;
            assert_eq!(answer.status, 200, "{}", answer.text);
            acknowledged.points.fetch_add(point, Ordering::SeqCst);
        }
        1 => {
            let order = n % 100_000 + 1;
            let body = format!(r#"{{"buyerId":{},"orderId":{order}}}"#, caller % 7 + 1);
            let answer = client.post_json("/orders/payment/kafka", body).await?;
            if answer.status == 200 {
                let payment = answer.json()["paymentId"].as_i64().ok_or("a payment")?;
                acknowledged.payments.lock().map_err(|_| "poisoned")?.insert((i64::try_from(order)?, payment));
            } else {
                assert_eq!(answer.error(), "409 INSUFFICIENT_BALANCE -");
            }
        }
        _ => {
            let answer = client.post_json("/api/v1/coupons/issue", format!(r#"{{"userId":{n},"couponId":3}}"#)).await?;
            let answer = answer.json();
            assert_eq!(answer["result"], "ISSUED", "{answer}");
            let serial = answer["serial"].as_i64().ok_or("a serial")?;
            acknowledged.issues.lock().map_err(|_| "poisoned")?.insert((i64::try_from(n)?, serial));
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_graceful_end_answers_what_is_in_flight() -> Result {
    for (signal, threads) in [(Signal::TERM, "1"), (Signal::INT, "2")] {
        let data = tempfile::tempdir()?;
        let flags = ["--latency", "400ms", "--threads", threads];
        let mut server = Process::start(data.path(), &flags)?;
        let mut calls = JoinSet::new();
        for user in 1..=50 {
            let mut client = server.client().await?;
            calls.spawn(async move {
                client.post_json("/api/v1/coupons/issue", format!(r#"{{"userId":{user},"couponId":3}}"#)).await
            });
        }
        let mut watcher = server.client().await?;
        while !watcher.get("/metrics").await?.text.contains("\nhttp_requests_in_flight 50\n") {}
        server.signal(signal)?;
        while let Some(answer) = calls.join_next().await {
            assert_eq!(answer??.json()["result"], "ISSUED");
        }
        assert_eq!(server.wait()?.code(), Some(0));
        let server = Process::start(data.path(), &[])?;
        assert_eq!(server.client().await?.get("/audit/coupons/3/users").await?.text.lines().count(), 50);
    }
    Ok(())
}

#[tokio::test]
async fn a_call_longer_than_the_grace_period_is_cut_off() -> Result {
    let data = tempfile::tempdir()?;
    let mut server = Process::start(data.path(), &["--latency", "60m", "--grace", "50ms"])?;
    let mut client = server.client().await?;
    let call = tokio::spawn(async move { client.get("/points/1").await.map(|answer| answer.status) });
    let mut watcher = server.client().await?;
    while !watcher.get("/metrics").await?.text.contains("\nhttp_requests_in_flight 1\n") {}
    server.signal(Signal::TERM)?;
    assert_eq!(server.wait()?.code(), Some(0));
    assert!(call.await?.is_err());
    Ok(())
}

#[tokio::test]
async fn several_threads_serve_as_one() -> Result {
    let data = tempfile::tempdir()?;
    let server = Process::start(data.path(), &["--threads", "3", "--coupon", "3:50"])?;
    let mut calls = JoinSet::new();
    for user in 1..=200 {
        let mut client = server.client().await?;
        calls.spawn(async move {
            client.post_json("/api/v1/coupons/issue", format!(r#"{{"userId":{user},"couponId":3}}"#)).await
        });
    }
    let mut issued = 0;
    while let Some(answer) = calls.join_next().await {
        issued += u32::from(answer??.json()["result"] == "ISSUED");
    }
    assert_eq!(issued, 50);
    assert_eq!(server.client().await?.get("/audit").await?.status, 200);
    Ok(())
}
