//! Calls methods of the target server's points at URL, and writes what happened, a line each.

use std::cell::RefCell;

use flashcrowd::grpc::{Client, Reply, Stream};
use flashcrowd::prelude::*;
use prost::Message as _;

#[derive(Clone, PartialEq, prost::Message)]
struct Buyer {
    #[prost(int64, tag = "1")]
    buyer_id: i64,
    #[prost(int64, tag = "2")]
    number: i64,
    #[prost(uint32, tag = "3")]
    interval_ms: u32,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
struct Details {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

thread_local! {
    static KEPT: RefCell<Option<Stream<Buyer>>> = const { RefCell::new(None) };
}

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .env_var(EnvVar::required("URL").help("what to call"))
        .env_var(EnvVar::with_default("PLAY", "all").help("all, one, keep or hold"))
        .env_var(EnvVar::with_default("BACKEND", "nobody").help("where a proxy passes calls on to"))
}

fn told(what: &str, reply: &Reply<Buyer>) {
    let status = reply.status();
    log::info!(
        "{what}: {:?} {} {} [{}]",
        reply.message().map(|m| m.number),
        status.code,
        status.message,
        status.error_code
    );
}

#[flashcrowd::scenario]
fn play() {
    // Without a scheme, the variable grants nothing.
    let url = env("URL");
    let url = if url.starts_with("//") { format!("http:{url}") } else { url };
    let client = Client::new(url).metadata("x-request-id", "seven").metadata("x-backend", env("BACKEND"));
    let buyer = |buyer_id, number| Buyer { buyer_id, number, interval_ms: 0 };
    match env("PLAY").as_str() {
        "keep" => {
            KEPT.with_borrow_mut(|kept| {
                if let Some(stream) = kept {
                    log::info!("kept: {:?}", stream.next().map(|next| next.map_err(|status| status.to_string())));
                }
            });
            let watch = Buyer { buyer_id: 1, number: 100, interval_ms: 50 };
            let mut stream = client.call("/points.v1.Points/Watch").stream::<Buyer>(&watch);
            assert!(stream.next().is_some_and(|first| first.is_ok()));
            KEPT.set(Some(stream));
            return;
        }
        "one" => {
            told("one", &client.call("/points.v1.Points/Balance").timeout(20).send::<Buyer>(&buyer(1, 0)));
            return;
        }
        "hold" => {
            let watch = Buyer { buyer_id: 1, number: 10_000, interval_ms: 50 };
            for _ in client.call("/points.v1.Points/Watch").stream::<Buyer>(&watch) {}
            return;
        }
        _ => {}
    }
    let call = |method: &'static str, message: Buyer| client.call(method).timeout(20).send::<Buyer>(&message);
    let balance = client.call("/points.v1.Points/Balance").timeout(20).metadata_bytes("x-request-bin", &[0, 255][..]);
    let balance = balance.send::<Buyer>(&buyer(1, 0));
    told("balance", &balance);
    let headers = balance.headers();
    log::info!("metadata: {:?} {:?}", headers.get("x-request-id"), headers.bytes("x-request-bin"));
    told(
        "charge",
        &client.call("/points.v1.Points/Charge").gzip().timeout(20).name("charge").send::<Buyer>(&buyer(1, 5)),
    );
    told("nobody", &call("/points.v1.Points/Balance", buyer(99, 0)));
    let nonsense = call("/points.v1.Points/Balance", buyer(-1, 0));
    told("nonsense", &nonsense);
    let details =
        nonsense.trailers().bytes("grpc-status-details-bin").map(|bytes| Details::decode(bytes).expect("details"));
    log::info!("details: {:?}", details.map(|d| (d.code, d.details[0].type_url.clone())));
    told("nothing", &call("/points.v1.Points/Rob", buyer(1, 0)));
    told("badly", &call("Balance", buyer(1, 0)));
    let bad = client.call("/points.v1.Points/Balance").metadata("grpc-status", "0");
    told("reserved", &bad.send::<Buyer>(&buyer(1, 0)));
    let small = client.call("/points.v1.Points/Balance").max_message(1);
    told("small", &small.send::<Buyer>(&buyer(1, 0)));
    let mut watched = client.call("/points.v1.Points/Watch").timeout(20).stream::<Buyer>(&buyer(1, 1_000));
    let count = watched.by_ref().filter(|next| next.is_ok()).count();
    log::info!("watched {count}: {:?}", watched.status().map(|status| status.code));
    let mut late = client.call("/points.v1.Points/Watch").timeout(0.2).stream::<Buyer>(&Buyer {
        buyer_id: 1,
        number: 1_000,
        interval_ms: 50,
    });
    let last = late.by_ref().last();
    log::info!("late: {:?}", last.map(|last| last.map_err(|status| status.to_string())));
}
