//! Opens a WebSocket to URL, does what PLAY says, and writes what happened, a line each.

use std::cell::RefCell;

use flashcrowd::prelude::*;
use flashcrowd::websocket::{Event, Socket};

thread_local! {
    /// What outlives its iteration.
    static KEPT: RefCell<Option<Socket>> = const { RefCell::new(None) };
}

#[flashcrowd::options]
fn options() -> Options {
    Options::new()
        .env_var(EnvVar::required("URL").help("what to connect to"))
        .env_var(EnvVar::with_default("PLAY", "talk").help("talk, listen, collect, twice, hold, keep, many or refused"))
        .env_var(EnvVar::with_default("SUBPROTOCOL", "chat").help("what is offered"))
        .env_var(EnvVar::with_default("COUNT", "1").help("messages to collect"))
        .env_var(EnvVar::with_default("BACKEND", "").help("where a proxy passes this on to"))
}

#[flashcrowd::scenario]
fn play() {
    let play = env("PLAY");
    if play == "keep" {
        // Of the iteration before.
        KEPT.with_borrow(|kept| {
            if let Some(socket) = kept {
                log::info!("kept: {:?} {:?}", socket.send("late").is_ok(), socket.closing());
            }
        });
    }
    // Without a scheme, the variable grants nothing.
    let url = env("URL");
    let url = if url.starts_with("//") { format!("ws:{url}") } else { url };
    let connect = websocket::connect(url).subprotocol(env("SUBPROTOCOL")).header("X-Play", &play).timeout(20);
    let connect = connect.header("X-Backend", env("BACKEND"));
    let socket = match connect.open() {
        Ok(socket) => socket,
        Err(error) => {
            log::info!("refused: status={} code={} {error}", error.status(), error.error_code());
            return;
        }
    };
    log::info!("open: subprotocol={:?} url={}", socket.subprotocol(), socket.url());
    match play.as_str() {
        "talk" => talk(&socket),
        "listen" => listen(&socket),
        "collect" => {
            let texts: Vec<String> = (0..env_parse::<u32>("COUNT").unwrap_or(1))
                .map(|_| socket.receive_text(60).expect("it comes"))
                .collect();
            let bytes: usize = texts.iter().map(String::len).sum();
            let last = texts.last().map_or("", |last| &last[last.len().saturating_sub(16)..]);
            log::info!("collected {} of {bytes} bytes, the last: {last}", texts.len());
            socket.close();
        }
        "twice" => {
            tell_cookie("first", &socket);
            tell_cookie("second", &connect.open().expect("it opens again"));
        }
        "hold" => sleep(600),
        "keep" => KEPT.set(Some(socket)),
        "many" => {
            let mut open = vec![socket];
            loop {
                match websocket::connect(env("URL")).name("many").open() {
                    Ok(socket) => open.push(socket),
                    Err(error) => {
                        log::info!("refused after {}: {error}", open.len());
                        break;
                    }
                }
            }
        }
        other => panic!("PLAY={other}"),
    }
}

/// Of a server that says back what headers it was sent.
fn tell_cookie(which: &str, socket: &Socket) {
    let said = socket.receive_text(60).expect("it comes");
    let cookie = said.lines().find_map(|line| line.to_lowercase().strip_prefix("cookie: ").map(str::to_owned));
    log::info!("{which} cookie: {cookie:?}");
}

fn talk(socket: &Socket) {
    group("talk", || {
        for number in 0..10 {
            let text = format!("hello {number}");
            socket.send(&text).expect("it is sent");
            check!(socket.receive_text(20).expect("it comes back"), "the text comes back" => |t| *t == text);
            let bytes = vec![number; 5_000];
            socket.send_bytes(&bytes).expect("it is sent");
            check!(socket.receive_bytes(20).expect("it comes back"), "the bytes come back" => |b| *b == bytes);
        }
        check!(socket.ping(20), "a ping is answered" => |p| p.is_some());
        check!(socket.receive(0), "nothing else came" => |e| *e == Event::Timeout);
        let closing = socket.close_with(4000, "bye", 20);
        log::info!("closed: {} {:?} {}", closing.code, closing.reason, closing.error_code);
        check!(socket.send("late"), "nothing is sent after closing" => |s| s.is_err());
    });
}

fn listen(socket: &Socket) {
    loop {
        match socket.receive(60) {
            Event::Text(text) => log::info!("text: {text}"),
            Event::Closed(closing) => {
                log::info!("closed: {} {:?} {}", closing.code, closing.reason, closing.error_code);
                return;
            }
            other => log::info!("{other:?}"),
        }
    }
}
