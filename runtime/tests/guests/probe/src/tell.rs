//! Telling what came back, in lines that the log neither cuts nor drops.

use std::cell::Cell;
use std::collections::BTreeMap;

use flashcrowd::http::Timings;
use flashcrowd::prelude::*;
use serde_json::Value;

use crate::step::Step;

/// A longer line would be cut.
const LINE_BYTES: usize = 3000;
/// The log holds so many lines a second, and some are others'.
const LINES_AT_ONCE: u32 = 40;
/// How much of a body is told.
const TEXT_BYTES: usize = 8000;

thread_local! {
    static TOLD: Cell<u32> = const { Cell::new(0) };
}

/// What came back.
pub fn answer(step: &Step, response: &Response) -> Value {
    let body = response.bytes();
    let held: BTreeMap<String, String> = if response.status() == 0 {
        BTreeMap::new()
    } else {
        http::cookies(&response.url()).all().into_iter().collect()
    };
    let set: BTreeMap<String, String> =
        response.cookies().into_iter().map(|cookie| (cookie.name, cookie.value)).collect();
    json!({
        "name": step.name,
        "vu": exec::vu(),
        "iteration": exec::iteration(),
        "status": response.status(),
        "error_code": response.error_code(),
        "error": response.error(),
        "url": response.url(),
        "redirects": response.redirects(),
        "expected": response.ok(),
        "cookies": set,
        "held": held,
        "protocol": response.protocol(),
        "headers": response.headers(),
        "length": body.len(),
        "hash": format!("{:016x}", hash(body)),
        "text": start(body),
        "timings": phases(&response.timings()),
    })
}

/// As much of a body as is told.
pub fn start(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(TEXT_BYTES)]).into_owned()
}

/// In nanoseconds.
pub fn phases(timings: &Timings) -> Value {
    let nanoseconds = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    json!({
        "blocked": nanoseconds(timings.blocked),
        "connecting": nanoseconds(timings.connecting),
        "tls_handshaking": nanoseconds(timings.tls_handshaking),
        "sending": nanoseconds(timings.sending),
        "waiting": nanoseconds(timings.waiting),
        "receiving": nanoseconds(timings.receiving),
    })
}

/// FNV-1a: what tells two bodies apart that are not meant to deceive.
pub fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Writes a value as lines of the log: `told VU NUMBER PIECE` each, the last one with `!` instead of the `:` before the piece.
pub fn told(value: &Value) {
    let text = value.to_string();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let piece = &rest[..rest.floor_char_boundary(LINE_BYTES)];
        rest = &rest[piece.len()..];
        let number = TOLD.replace(TOLD.get() + 1);
        if number > 0 && number % LINES_AT_ONCE == 0 {
            sleep(1.1);
        }
        let mark = if rest.is_empty() { '!' } else { ':' };
        log::info!("told {} {number}{mark}{piece}", exec::vu());
    }
}
