//! `flashcrowd:scenario/shared`.

use std::sync::Arc;
use std::time::Duration;

use super::bindings::flashcrowd::scenario::shared;
use super::limits::short;
use super::state::{Position, VuState};
use crate::shared::queue::Queue;

impl shared::Host for VuState {
    fn counter(&mut self, name: String) -> wasmtime::Result<Result<u32, String>> {
        self.check_shared("counter", &name)?;
        Ok(self.shard.module().shared.counter(&name))
    }

    fn add(&mut self, counter: u32, delta: i64) -> wasmtime::Result<i64> {
        known("counter", counter, self.shard.module().shared.add(counter, delta))
    }

    fn value(&mut self, counter: u32) -> wasmtime::Result<i64> {
        known("counter", counter, self.shard.module().shared.value(counter))
    }

    fn queue(&mut self, name: String) -> wasmtime::Result<Result<u32, String>> {
        self.check_shared("queue", &name)?;
        Ok(self.shard.module().shared.queue(&name))
    }

    fn push(&mut self, queue: u32, item: Vec<u8>) -> wasmtime::Result<Result<(), String>> {
        Ok(self.shared_queue(queue)?.push(item).map_err(|full| full.to_string()))
    }

    fn pop(&mut self, queue: u32) -> wasmtime::Result<Option<Vec<u8>>> {
        Ok(self.shared_queue(queue)?.pop())
    }

    async fn pop_within(&mut self, queue: u32, nanoseconds: u64) -> wasmtime::Result<Option<Vec<u8>>> {
        let shard = Arc::clone(&self.shard);
        let queue = known("queue", queue, shard.module().shared.get_queue(queue))?;
        Ok(queue.pop_within(Duration::from_nanos(nanoseconds)).await)
    }

    fn len(&mut self, queue: u32) -> wasmtime::Result<u64> {
        Ok(self.shared_queue(queue)?.len() as u64)
    }
}

impl VuState {
    /// A name that the host will keep, asked for where there is something to share.
    fn check_shared(&self, what: &str, name: &str) -> wasmtime::Result<()> {
        short("a counter's or queue's name", name)?;
        if matches!(self.position, Position::Describe) {
            wasmtime::bail!("`describe` shares nothing: use the {what} `{name}` in `setup` or the scenario function");
        }
        Ok(())
    }

    fn shared_queue(&self, number: u32) -> wasmtime::Result<&Queue> {
        known("queue", number, self.shard.module().shared.get_queue(number))
    }
}

/// What a module's number stands for, or the trap for a number that was never given.
fn known<T>(what: &str, number: u32, found: Option<T>) -> wasmtime::Result<T> {
    match found {
        Some(found) => Ok(found),
        None => wasmtime::bail!("{what} number {number} was never asked for by name"),
    }
}
