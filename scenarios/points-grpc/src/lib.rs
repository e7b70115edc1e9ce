//! Do point balances keep up by gRPC? Each user asks for a balance, charges some points, and watches the balance.

use flashcrowd::grpc;
use flashcrowd::prelude::*;

#[derive(Clone, PartialEq, prost::Message)]
struct BalanceRequest {
    #[prost(int64, tag = "1")]
    buyer_id: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ChargeRequest {
    #[prost(int64, tag = "1")]
    buyer_id: i64,
    #[prost(int64, tag = "2")]
    point: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WatchRequest {
    #[prost(int64, tag = "1")]
    buyer_id: i64,
    #[prost(uint32, tag = "2")]
    times: u32,
    #[prost(uint32, tag = "3")]
    interval_ms: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct BalanceReply {
    #[prost(int64, tag = "1")]
    buyer_id: i64,
    #[prost(int64, tag = "2")]
    balance: i64,
}

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .scenario("points", ConstantVus::new(20).duration(mins(1)))
        .threshold("grpc_req_duration", "p(95)<200")
        .threshold("checks", "rate>0.99")
        .env_var(EnvVar::required("GRPC_URL").help("the target server's gRPC address, such as http://127.0.0.1:9090"))
}

#[flashcrowd::scenario]
fn points() -> Result<(), grpc::Status> {
    let points = grpc::Client::new(env("GRPC_URL"));
    // The target server seeds buyers 1 to 7.
    let buyer_id = random::range(1..=7);

    let balance =
        points.call("/points.v1.Points/Balance").timeout(5).send::<BalanceReply>(&BalanceRequest { buyer_id });
    check!(balance, "a balance is told" => |r| r.message().is_some_and(|m| m.buyer_id == buyer_id));
    let before = balance.into_result()?.balance;

    let charge = ChargeRequest { buyer_id, point: random::range(1..=100) };
    let charged = points.call("/points.v1.Points/Charge").timeout(5).send::<BalanceReply>(&charge);
    check!(charged, "a charge adds up" => |r| r.message().is_some_and(|m| m.balance >= before + charge.point));

    let watch = WatchRequest { buyer_id, times: 10, interval_ms: 10 };
    let mut seen = 0;
    for balance in points.call("/points.v1.Points/Watch").timeout(10).stream::<BalanceReply>(&watch) {
        balance?;
        seen += 1;
    }
    check!(seen, "ten balances are watched" => |s| *s == 10);
    sleep(random::range(0.1..0.5));
    Ok(())
}
