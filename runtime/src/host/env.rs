//! `flashcrowd:scenario/env`.

use super::bindings::flashcrowd::scenario::env;
use super::state::VuState;

impl env::Host for VuState {
    fn get(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        let env = self.scenario().map_or(&self.shard.module().env, |scenario| &scenario.env);
        Ok(env.get(&name).cloned())
    }
}
