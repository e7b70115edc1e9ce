//! `flashcrowd:scenario/checks`.

use super::bindings::flashcrowd::scenario::checks;
use super::limits::short;
use super::state::{MAX_CHECKS, VuState};
use crate::metrics::builtin;

impl checks::Host for VuState {
    fn intern(&mut self, name: String) -> wasmtime::Result<u32> {
        short("a check's name", &name)?;
        if let Some(known) = self.checks.iter().position(|(known, _)| **known == *name) {
            return Ok(u32::try_from(known)?);
        }
        if self.checks.len() >= MAX_CHECKS {
            wasmtime::bail!(
                "more than {MAX_CHECKS} check names; a check's name must not contain what differs from call to call"
            );
        }
        let symbol = self.shard.cached(|cache, _| cache.symbol(&name));
        self.checks.push((name.into(), symbol));
        Ok(u32::try_from(self.checks.len() - 1)?)
    }

    fn add(&mut self, check: u32, passed: bool, tags: u32) -> wasmtime::Result<()> {
        let own = self.tag_set(tags)?;
        let Some((name, symbol)) = self.checks.get(check as usize) else {
            wasmtime::bail!("check handle {check} was never interned by this instance");
        };
        let base = self.tags;
        let tags = self.shard.cached(|cache, registry| cache.check(registry, base, (name, *symbol), own));
        self.shard.record(|recorder| recorder.add(builtin::CHECKS, tags, f64::from(u8::from(passed))));
        Ok(())
    }
}
