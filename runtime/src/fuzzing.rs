//! What the fuzz targets (`runtime/fuzz`) need and nobody else: entries to what is private for good reasons. Compiled only
//! with the feature of this name, which they ask for: the runtime that people install has nothing of it.

use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::time::Instant;

pub use crate::host::context::InstanceLimits;

use crate::engine::Engine;
use crate::host::context::{ScenarioContext, ShardContext};
use crate::http::{Decoder, ErrorCode, Failure, Wants};
use crate::log::Log;
use crate::metrics::{Recorder, TagSetId};
use crate::module::{Module, ModuleError};
use crate::run::sandbox;
use crate::vu::{IterationPlace, Vu};

/// Compiles a module, makes an instance and calls each of its functions once, without any grant. What the calls return is of no
/// interest: the target looks for panics and for calls that do not end.
///
/// # Errors
/// When it is no module that can be instantiated.
pub async fn exercise(engine: &Engine, bytes: &[u8], limits: InstanceLimits, log: Log) -> Result<(), ModuleError> {
    let module = Arc::new(Module::from_bytes(engine, Path::new("fuzzed.wasm"), bytes)?);
    let _ = module.imports();
    let mut test = sandbox(log, limits.memory_bytes);
    if let Some(test) = Arc::get_mut(&mut test) {
        test.limits = limits;
        test.scenarios.push(ScenarioContext {
            name: "default".into(),
            own_name: "default".into(),
            executor: "shared-iterations",
            tags: TagSetId::EMPTY,
            env: Arc::default(),
            duration: std::time::Duration::from_secs(1),
            expected_statuses: None,
        });
    }
    let recorder = Arc::new(Mutex::new(Recorder::new(Arc::clone(&test.registry))));
    let shard = Arc::new(ShardContext::new(test, 0, recorder));
    let Ok(mut vu) = Vu::new(module, shard, 0).await else { return Ok(()) };
    let _ = vu.describe().await;
    let _ = vu.setup().await;
    let now = Instant::now();
    let place = IterationPlace { scenario: 0, function: 0, number_in_scenario: 0, scenario_started: now, began: now };
    let _ = vu.iterate(place).await;
    let _ = vu.teardown().await;
    let _ = vu.handle_summary("{}").await;
    Ok(())
}

/// What came of an answer's bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// Of the final answer.
    pub status: u16,
    /// As far as it is kept.
    pub body: Vec<u8>,
    /// Whether another request may follow on the connection.
    pub keep: bool,
    /// All headers, with names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Bytes of the head that are kept.
    pub head_bytes: usize,
    /// Whether it was complete before the connection was closed.
    pub complete: bool,
}

/// Reads an answer from pieces, as they might come from a socket, up to the end of the connection. `to_head` and `discard` are what the
/// request was and wants; a body of more than `max_body_bytes` is refused.
///
/// # Errors
/// When the bytes are no answer, or not a whole one.
pub fn answer(pieces: &[&[u8]], to_head: bool, discard: bool, max_body_bytes: usize) -> Result<Answer, Failure> {
    let mut decoder = Decoder::new(Wants { to_head, discard, max_body_bytes });
    for piece in pieces {
        decoder.feed(piece)?;
    }
    let complete = decoder.is_over();
    decoder.end_of_stream()?;
    let Some(answer) = decoder.answer() else { return Err(Failure::new(ErrorCode::OTHER, "nothing came", "")) };
    Ok(Answer {
        status: answer.status,
        keep: answer.keep,
        headers: answer.head.all(),
        head_bytes: answer.head.len(),
        body: std::mem::take(&mut answer.body),
        complete,
    })
}
