//! Does a message come back in time while many people are connected? Each user opens a WebSocket, says some things, waits for each to come
//! back, and closes.

use std::time::Instant;

use flashcrowd::prelude::*;

static ROUND_TRIP: Trend = Trend::time("message_round_trip");

#[derive(Serialize, Deserialize, PartialEq)]
struct Said {
    user: u64,
    number: u32,
    text: String,
}

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .scenario("chat", ConstantVus::new(50).duration(mins(1)))
        .threshold("ws_connecting", "p(95)<500")
        .threshold("message_round_trip", "p(95)<200")
        .threshold("checks", "rate>0.99")
        .env_var(EnvVar::required("BASE_URL").help("the target server, such as http://127.0.0.1:8080"))
        .env_var(EnvVar::with_default("MESSAGES", 20).help("what a user says before leaving"))
}

#[flashcrowd::scenario]
fn chat() -> Result<(), websocket::Error> {
    let opened = websocket::connect("/ws/echo").subprotocol("chat").timeout(10).open();
    check!(opened, "is connected" => |o| o.is_ok());
    let socket = opened?;
    for number in 1..=env_parse("MESSAGES").unwrap_or(20) {
        let said = Said { user: exec::vu(), number, text: random::string(20) };
        let begun = Instant::now();
        socket.send_json(&said)?;
        let heard: Said = socket.receive_json(5)?;
        ROUND_TRIP.add(begun.elapsed());
        check!(heard, "comes back as it was said" => |h| *h == said);
        sleep(random::range(0.05..0.15));
    }
    check!(socket.ping(5), "a ping is answered" => |p| p.is_some());
    let closing = socket.close();
    check!(closing, "the server closes too" => |c| c.code == 1000 && c.error_code == 0);
    Ok(())
}
