//! `flashcrowd:scenario/random`.

use rand::Rng;

use super::bindings::flashcrowd::scenario::random;
use super::state::VuState;

impl random::Host for VuState {
    fn next_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.rng.next_u64())
    }
}
