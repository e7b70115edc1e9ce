//! Answers that come piece by piece, or several at once.

use flashcrowd::http::StreamError;
use flashcrowd::prelude::*;
use serde_json::Value;

use crate::step::Step;
use crate::tell;

/// What came of each request of a batch, in order.
pub fn batch(step: &Step) -> Value {
    let answers = http::batch(step.batch.iter().map(|url| step.request_to(url)));
    let each = |what: fn(&Response) -> Value| answers.iter().map(what).collect::<Vec<_>>();
    json!({
        "name": step.name,
        "statuses": each(|answer| json!(answer.status())),
        "error_codes": each(|answer| json!(answer.error_code())),
        "protocols": each(|answer| json!(answer.protocol())),
        "texts": each(|answer| json!(tell::start(answer.bytes()))),
    })
}

/// What came of an answer by its end, and how many pieces that was.
pub fn stream(step: &Step) -> Value {
    let mut answer = step.request().stream();
    let (mut body, mut pieces) = (Vec::new(), 0);
    let end = loop {
        if step.leave == Some(pieces) {
            break "left";
        }
        match answer.read(step.patience) {
            Ok(Some(piece)) => body.extend(piece),
            Ok(None) => break "end",
            Err(StreamError::Late) => break "late",
            Err(_) => break "failed",
        }
        pieces += 1;
    };
    json!({
        "name": step.name,
        "status": answer.status(),
        "error_code": answer.error_code(),
        "error": answer.error(),
        "url": answer.url(),
        "protocol": answer.protocol(),
        "headers": answer.headers(),
        "length": body.len(),
        "hash": format!("{:016x}", tell::hash(&body)),
        "text": tell::start(&body),
        "pieces": pieces,
        "end": end,
        "timings": tell::phases(&answer.timings()),
    })
}

/// The events that came: id, type and data of each.
pub fn events(step: &Step) -> Value {
    let mut stream = step.request().events();
    let mut events = Vec::new();
    let end = loop {
        if step.leave == Some(events.len()) {
            break "left";
        }
        match stream.next(step.patience) {
            Ok(Some(event)) => events.push(json!([event.id, event.kind, tell::start(event.data.as_bytes())])),
            Ok(None) => break "end",
            Err(StreamError::Late) => break "late",
            Err(_) => break "failed",
        }
    };
    json!({
        "name": step.name,
        "status": stream.status(),
        "error_code": stream.error_code(),
        "error": stream.error(),
        "events": events,
        "end": end,
        "timings": tell::phases(&stream.timings()),
    })
}
