//! `flashcrowd:scenario/timer`.

use std::sync::Arc;
use std::time::Duration;

use super::bindings::flashcrowd::scenario::timer;
use super::state::VuState;

impl timer::Host for VuState {
    async fn sleep(&mut self, nanoseconds: u64) -> wasmtime::Result<()> {
        if nanoseconds == 0 {
            return Ok(());
        }
        let shard = Arc::clone(&self.shard);
        shard.naps.sleep(Duration::from_nanos(nanoseconds)).await;
        Ok(())
    }
}
