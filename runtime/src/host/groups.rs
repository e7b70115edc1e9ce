//! `flashcrowd:scenario/groups`.

use tokio::time::Instant;

use super::bindings::flashcrowd::scenario::groups;
use super::limits::short;
use super::state::{OpenGroup, VuState};
use crate::metrics::builtin;

/// Groups within groups.
const MAX_DEPTH: usize = 64;

impl groups::Host for VuState {
    fn enter(&mut self, name: String) -> wasmtime::Result<()> {
        short("a group's name", &name)?;
        if name.contains("::") {
            wasmtime::bail!(
                "group `{name}`: a group's name must not contain `::`, which separates the names of a path"
            );
        }
        if self.groups.len() >= MAX_DEPTH {
            wasmtime::bail!("group `{name}`: groups are nested more than {MAX_DEPTH} deep; is one never left?");
        }
        let outside = self.tags;
        let path = format!("{}::{name}", self.groups.last().map_or("", |group| &group.path));
        self.tags = self.shard.cached(|cache, registry| cache.group(registry, outside, &path));
        self.groups.push(OpenGroup { path, entered: Instant::now(), outside });
        Ok(())
    }

    fn leave(&mut self) -> wasmtime::Result<()> {
        if self.groups.is_empty() {
            wasmtime::bail!("a group is left that was never entered");
        }
        self.leave_group();
        Ok(())
    }
}

impl VuState {
    pub(super) fn leave_group(&mut self) {
        if let Some(group) = self.groups.pop() {
            let tags = self.tags;
            self.shard.record(|recorder| recorder.duration(builtin::GROUP_DURATION, tags, group.entered.elapsed()));
            self.tags = group.outside;
        }
    }
}
