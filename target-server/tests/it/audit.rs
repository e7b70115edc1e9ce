//! The audit finds a store that is broken behind the server's back, and says how.

use crate::common::{Local, Result};
use serde_json::json;
use target_server::seed::SeedFields;

/// Takes the keys away, so that rows can be written which the server never would.
const WITHOUT_KEYS: &str = "
    PRAGMA ignore_check_constraints = ON;
    CREATE TABLE copy AS SELECT * FROM issue; DROP TABLE issue; ALTER TABLE copy RENAME TO issue;
    CREATE TABLE copy AS SELECT * FROM payment; DROP TABLE payment; ALTER TABLE copy RENAME TO payment;
    CREATE TABLE copy AS SELECT * FROM outbox; DROP TABLE outbox; ALTER TABLE copy RENAME TO outbox;
";

/// A damage, and the checks that must notice it.
const DAMAGES: [(&str, &[&str]); 17] = [
    ("UPDATE coupon SET remaining = remaining + 1 WHERE id = 3", &["coupon_issues_match_stock"]),
    ("DELETE FROM issue WHERE user_id = 2", &["coupon_issues_match_stock", "coupon_serials_without_gap"]),
    (
        "INSERT INTO issue SELECT coupon_id, user_id, 4 FROM issue WHERE user_id = 2; UPDATE coupon SET remaining = remaining - 1 WHERE id = 3",
        &["coupon_once_per_user"],
    ),
    ("UPDATE issue SET serial = 1 WHERE serial = 2", &["coupon_serials_without_gap"]),
    ("UPDATE coupon SET stock = 2, remaining = -1 WHERE id = 3", &["coupon_not_oversold", "coupon_remaining_in_range"]),
    ("DELETE FROM coupon WHERE id = 3", &["coupon_exists"]),
    ("UPDATE buyer SET balance = balance + 5 WHERE id = 1", &["points_conserved"]),
    ("DELETE FROM charge", &["points_conserved"]),
    ("UPDATE buyer SET balance = -1, seeded = -1 WHERE id = 7", &["points_not_negative"]),
    ("INSERT INTO charge (buyer_id, amount) VALUES (99, 5)", &["points_owner_exists"]),
    (
        "INSERT INTO payment SELECT 2, order_id, buyer_id, amount, balance FROM payment",
        &["points_conserved", "payment_once_per_order", "outbox_matches_payments"],
    ),
    ("UPDATE purchase_order SET price = price + 1", &["payment_matches_order"]),
    ("DELETE FROM purchase_order", &["payment_matches_order"]),
    ("DELETE FROM outbox", &["outbox_matches_payments"]),
    ("INSERT INTO outbox SELECT 2, payment_id, topic, payload, NULL FROM outbox", &["outbox_matches_payments"]),
    ("UPDATE outbox SET payload = '{}'", &["outbox_matches_payments"]),
    ("UPDATE idempotency SET payment_id = 9", &["idempotency_keys_resolve"]),
];

async fn busy() -> Result<Local> {
    let fields: SeedFields = serde_json::from_value(json!({"coupons": [{"id": 3, "stock": 10}]}))?;
    let server = Local::new(fields)?;
    for user in 1..=3 {
        server.post_json("/api/v1/coupons/issue", &format!(r#"{{"userId":{user},"couponId":3}}"#)).await?;
    }
    server.post("/points/1?point=10").await?;
    let pay = axum::http::Request::post("/orders/payment/kafka").header("idempotency-key", "k");
    let pay = pay.header("content-type", "application/json").body(r#"{"buyerId":2,"orderId":5}"#.into())?;
    assert_eq!(server.call(pay).await?.status, 200);
    Ok(server)
}

#[tokio::test]
async fn each_damage_is_noticed_by_its_check() -> Result {
    let mut told = Vec::new();
    for (damage, expected) in DAMAGES {
        let server = busy().await?;
        server.assert_clean().await?;
        let store = server.store()?;
        store.execute_batch(WITHOUT_KEYS)?;
        server.assert_clean().await?;
        store.execute_batch(damage)?;
        let audit = server.get("/audit").await?;
        assert_eq!(audit.status, 409, "{damage}");
        let report = audit.json();
        assert_eq!(report["clean"], false);
        let broken: Vec<&serde_json::Value> =
            report["checks"].as_array().into_iter().flatten().filter(|check| check["ok"] == false).collect();
        let names: Vec<&str> = broken.iter().filter_map(|check| check["name"].as_str()).collect();
        for name in expected {
            assert!(names.contains(name), "{damage}: {name} did not notice; {names:?} did");
        }
        told.push(damage.to_owned());
        for check in broken {
            told.push(format!("    {}: {} {}", check["name"], check["violations"], check["examples"]));
        }
    }
    insta::assert_snapshot!(told.join("\n"));
    Ok(())
}

#[tokio::test]
async fn every_check_that_rows_can_break_is_broken_by_some_damage() -> Result {
    let server = busy().await?;
    let report = server.get("/audit").await?.json();
    let noticed: Vec<&str> = DAMAGES.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    for check in report["checks"].as_array().into_iter().flatten() {
        let name = check["name"].as_str().unwrap_or_default();
        // The soundness of the file is another test's.
        assert!(name == "store_intact" || noticed.contains(&name), "no damage breaks {name}");
    }
    Ok(())
}

#[tokio::test]
async fn a_damaged_file_does_not_pass() -> Result {
    let server = busy().await?;
    let store = server.store()?;
    store.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    // The first free page map of a table's root is overwritten with noise.
    let root: i64 =
        store.query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'charge'", [], |row| row.get(0))?;
    let page: i64 = store.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    let path = server.data.path().join(target_server::embedded::STORE_FILE);
    let file = std::fs::File::options().write(true).open(path)?;
    let offset = u64::try_from((root - 1) * page)?;
    std::os::unix::fs::FileExt::write_all_at(&file, &[0xA5; 512], offset)?;
    let audit = server.get("/audit").await?;
    // Damage may be found by a check, or keep the audit from being made at all; it never passes.
    assert!(audit.status == 409 || audit.status == 503, "{} {}", audit.status, audit.text);
    Ok(())
}

#[tokio::test]
async fn a_store_that_refuses_is_503_and_keeps_nothing() -> Result {
    let server = busy().await?;
    let store = server.store()?;
    store.execute_batch(
        "CREATE TRIGGER refuse BEFORE INSERT ON charge BEGIN SELECT RAISE(ABORT, 'refused by the test'); END",
    )?;
    let answer = server.post("/points/1?point=10").await?;
    assert_eq!(answer.error(), "503 STORE_UNAVAILABLE -");
    assert_eq!(server.get("/points/1").await?.json()["balance"], 1_000_010);
    assert_eq!(server.metrics.store.failures.get(), 1);
    store.execute_batch("DROP TRIGGER refuse")?;
    assert_eq!(server.post("/points/1?point=10").await?.json()["balance"], 1_000_020);
    server.assert_clean().await
}
