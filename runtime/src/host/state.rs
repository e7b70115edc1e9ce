//! What one instance carries: who it is, where it stands in its iteration, and what it holds.

use std::borrow::Cow;
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use tokio::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::context::{ScenarioContext, ShardContext, TestContext};
use super::cpu::CpuMeter;
use super::flight::Flight;
use super::limits::MemoryLimit;
use super::series_cache::{Symbol, extend};
use super::stdio::{LogStream, Speaker};
use crate::http::Statuses;
use crate::log::{Level, Source};
use crate::metrics::{SystemTag, TagSetId};

/// Resources an instance may hold at once: answers, parameters and WASI's own.
const MAX_RESOURCES: usize = 10_000;
/// Names of checks that one instance may use.
pub(super) const MAX_CHECKS: usize = 10_000;

/// The group of what virtual users do before their first iteration.
const VU_INIT_GROUP: &str = "::vu_init";

/// Where an instance's code is being run.
#[derive(Debug, Clone)]
pub enum Position {
    /// In `describe`: nothing outside the sandbox can be reached.
    Describe,
    /// In `setup`, `teardown` or `handle-summary`, by name.
    Stage(&'static str),
    /// In `vu-init`.
    VuInit,
    /// In `run`.
    Iteration {
        /// Index in the plan.
        scenario: usize,
        /// Among all iterations of the scenario, from 0.
        number_in_scenario: u64,
        /// Among this virtual user's iterations, from 0.
        number_in_vu: u64,
        /// Among this virtual user's iterations in the scenario, from 0.
        number_in_vu_and_scenario: u64,
        /// When the scenario began.
        scenario_started: Instant,
        /// When the iteration began.
        began: Instant,
    },
}

/// Why a module left its call by a trap of our making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Departure {
    /// It called `fail-iteration`.
    FailIteration(String),
    /// It called `abort`.
    Abort(String),
    /// It called `run-out`.
    RunOut(String),
}

/// The data of an instance's store.
pub struct VuState {
    pub(crate) shard: Arc<ShardContext>,
    pub(crate) vu: u64,
    pub(crate) position: Position,
    pub(crate) flight: Arc<Flight>,
    pub(crate) cpu: Arc<CpuMeter>,
    pub(crate) memory: MemoryLimit,
    /// Set when the module ends its call through the host.
    pub(crate) departure: Option<Departure>,
    /// What the module said before it trapped.
    pub(crate) panic: Option<String>,
    pub(super) table: ResourceTable,
    /// Bytes of answers that the module holds.
    pub(super) held_bytes: usize,
    pub(super) checks: Vec<(Arc<str>, Symbol)>,
    pub(super) groups: Vec<OpenGroup>,
    /// The tags of the scenario or stage.
    pub(super) outer_tags: TagSetId,
    /// `outer_tags` with what `set-vu-tag` added, inside the current group.
    pub(super) tags: TagSetId,
    pub(super) vu_tags: Vec<(String, String)>,
    /// What `set-expected-statuses` said.
    pub(super) expected: Option<Statuses>,
    pub(super) rng: StdRng,
    speaker: Arc<Speaker>,
    wasi: WasiCtx,
}

impl std::fmt::Debug for VuState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VuState").field("vu", &self.vu).field("position", &self.position).finish_non_exhaustive()
    }
}

/// A group that was entered and not left.
#[derive(Debug)]
pub(super) struct OpenGroup {
    pub(super) path: String,
    pub(super) entered: Instant,
    /// The tags to go back to.
    pub(super) outside: TagSetId,
}

impl VuState {
    /// The state of virtual user `vu` (0 outside of iterations), before its first instance.
    #[must_use]
    pub fn new(shard: Arc<ShardContext>, vu: u64) -> Self {
        let test = &shard.test;
        // A virtual user's stream depends on the seed and on its number alone, not on the order in which users begin.
        let mut rng = StdRng::seed_from_u64(test.seed ^ vu.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let speaker = Arc::new(Speaker::new(test.log.clone()));
        let wasi = wasi(&speaker, &shard, &mut rng);
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        Self {
            flight: Flight::new(Arc::clone(&shard)),
            cpu: CpuMeter::new(test.limits.cpu),
            memory: MemoryLimit::new(test.limits.memory_bytes),
            outer_tags: shard.module().tags,
            tags: shard.module().tags,
            vu,
            position: Position::Describe,
            departure: None,
            panic: None,
            table,
            held_bytes: 0,
            checks: Vec::new(),
            groups: Vec::new(),
            vu_tags: Vec::new(),
            expected: None,
            rng,
            speaker,
            wasi,
            shard,
        }
    }

    /// The state for a fresh instance of the same virtual user: its connections and its stream of random numbers live on, and
    /// what the trapped instance held is let go.
    #[must_use]
    pub fn reborn(mut self) -> Self {
        self.table = ResourceTable::new();
        self.table.set_max_capacity(MAX_RESOURCES);
        self.held_bytes = 0;
        self.checks.clear();
        self.groups.clear();
        self.expected = None;
        self.departure = None;
        self.panic = None;
        self.memory = MemoryLimit::new(self.memory.max_bytes());
        self.wasi = wasi(&self.speaker, &self.shard, &mut self.rng);
        self
    }

    /// Goes to where the next call into the module takes place.
    pub fn enter(&mut self, position: Position) {
        let (test, own) = (&self.shard.test, self.shard.module().tags);
        let (tags, source) = match &position {
            Position::Describe => (own, Source::Stage("describe".into())),
            Position::Stage(stage) => {
                let path = format!("::{stage}");
                let tags = self.shard.cached(|cache, registry| cache.group(registry, own, &path));
                let stage = match &self.shard.module().name {
                    Some(module) => format!("{module} {stage}").into(),
                    None => Cow::Borrowed(*stage),
                };
                (tags, Source::Stage(stage))
            }
            Position::VuInit => {
                let tags = self.shard.cached(|cache, registry| cache.group(registry, own, VU_INIT_GROUP));
                (tags, Source::VuInit(self.vu))
            }
            Position::Iteration { scenario, number_in_vu, .. } => {
                (test.scenarios[*scenario].tags, Source::Vu { vu: self.vu, iteration: *number_in_vu })
            }
        };
        // What an interrupted call left behind belongs to it.
        self.speaker.flush();
        self.flight.end_iteration();
        match &position {
            Position::Iteration { .. } => self.flight.begin_iteration(),
            Position::VuInit => self.flight.begin_vu(),
            Position::Describe | Position::Stage(_) => {}
        }
        self.memory.forget();
        self.panic = None;
        self.cpu.set_alone(!matches!(position, Position::Iteration { .. } | Position::VuInit));
        if let Position::Stage(stage) = &position {
            // Each stage of each module has an instance of its own, and each a stream of its own.
            let salt = stage.bytes().fold(self.shard.module_index() as u64, |salt, byte| {
                salt.wrapping_mul(31).wrapping_add(u64::from(byte))
            });
            self.rng = StdRng::seed_from_u64(test.seed ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        }
        let tags = self.tag_iteration(tags, &position);
        self.speaker.speaks_as(source);
        self.position = position;
        self.groups.clear();
        self.outer_tags = tags;
        self.retag();
    }

    /// The tags `vu` and `iter`, which are off unless asked for: each of their values is a series.
    fn tag_iteration(&self, tags: TagSetId, position: &Position) -> TagSetId {
        let registry = &self.shard.test.registry;
        let kept = registry.system_tags();
        let Position::Iteration { number_in_vu, .. } = position else {
            return tags;
        };
        if !kept.contains(SystemTag::Vu) && !kept.contains(SystemTag::Iter) {
            return tags;
        }
        let (vu, iteration) = (self.vu.to_string(), number_in_vu.to_string());
        extend(registry, tags, &[(SystemTag::Vu, &vu), (SystemTag::Iter, &iteration)])
    }

    /// Takes `vu_tags` into account.
    pub(super) fn retag(&mut self) {
        let registry = &self.shard.test.registry;
        let vu_tags: Vec<(&str, &str)> = self.vu_tags.iter().map(|(name, value)| (&**name, &**value)).collect();
        let mut tags = registry.extend(self.outer_tags, &vu_tags);
        for group in &mut self.groups {
            group.outside = tags;
            tags = self.shard.cached(|cache, registry| cache.group(registry, tags, &group.path));
        }
        self.tags = tags;
    }

    /// Closes the groups that the module left open, and writes out an unfinished line.
    pub fn leave(&mut self) {
        while !self.groups.is_empty() {
            self.leave_group();
        }
        self.speaker.flush();
        if matches!(self.position, Position::VuInit) {
            self.flight.keep_cookies();
        }
        self.flight.end_iteration();
    }

    pub(super) fn test(&self) -> &TestContext {
        &self.shard.test
    }

    /// The scenario that is being run; `None` outside of iterations.
    pub(super) fn scenario(&self) -> Option<&ScenarioContext> {
        match self.position {
            Position::Iteration { scenario, .. } => Some(&self.shard.test.scenarios[scenario]),
            _ => None,
        }
    }

    /// Who shows the virtual user's exchanges, if they are to be shown.
    pub(super) fn shower(&self) -> Option<Arc<Speaker>> {
        self.test().http_debug.is_some().then(|| Arc::clone(&self.speaker))
    }

    pub(super) fn say(&self, level: Level, text: &str) {
        self.speaker.say(level, text);
    }
}

/// WASI with nothing behind it: no files, no sockets, no process environment; randomness from the virtual user's stream.
fn wasi(speaker: &Arc<Speaker>, shard: &ShardContext, rng: &mut StdRng) -> WasiCtx {
    let mut wasi = WasiCtx::builder();
    wasi.stdout(LogStream::new(Arc::clone(speaker), Level::Info))
        .stderr(LogStream::new(Arc::clone(speaker), Level::Warn))
        .secure_random(StdRng::seed_from_u64(rng.next_u64()))
        .insecure_random(StdRng::seed_from_u64(rng.next_u64()))
        .insecure_random_seed(rng.random())
        .max_random_size(1 << 20);
    for (name, value) in shard.module().env.iter() {
        wasi.env(name, value);
    }
    wasi.build()
}

impl WasiView for VuState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}
