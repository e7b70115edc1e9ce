//! What the virtual users of a test, and of a shard, have in common.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::series_cache::SeriesCache;
use crate::data::Tables;
use crate::http::{ClientSettings, HttpDebug, Statuses};
use crate::log::Log;
use crate::metrics::{Recorder, Registry, TagSetId};
use crate::problems::Problems;
use crate::shard::naps::Naps;
use crate::shard::progress::Progress;
use crate::shared::Shared;
use crate::stop::StopToken;

/// Bodies, and messages of gRPC, that a shard codes or decodes at once.
const CODED_AT_ONCE: usize = 8;

/// One test.
#[derive(Debug)]
pub struct TestContext {
    /// Metrics and tags by number.
    pub registry: Arc<Registry>,
    /// The only arrow back: a scenario may end the test.
    pub stop: StopToken,
    /// Where lines go.
    pub log: Log,
    /// Failed iterations and refused hosts, counted by message.
    pub problems: Arc<Problems>,
    /// Whether exchanges are shown, and how much of them.
    pub http_debug: Option<HttpDebug>,
    /// A request that fails on the network ends its iteration.
    pub throw: bool,
    /// What requests do beyond one exchange.
    pub requests: RequestSettings,
    /// Makes every virtual user's randomness repeatable.
    pub seed: u64,
    /// What each instance may take.
    pub limits: InstanceLimits,
    /// In the order of the plan.
    pub scenarios: Vec<ScenarioContext>,
    /// In the order of the command line; one at least.
    pub modules: Vec<ModuleContext>,
    /// The tags of samples that belong to no module.
    pub tags: TagSetId,
    /// What `--data` gave.
    pub data: Tables,
    /// When the load began, by the wall clock.
    pub started_at: OnceLock<SystemTime>,
    /// What goes on right now, from before the first virtual user on.
    pub progress: OnceLock<Arc<Progress>>,
    /// Why the scenario said that the test failed.
    pub failed_by_scenario: OnceLock<String>,
}

/// What one module's virtual users have in common, and no other module sees.
#[derive(Debug, Default)]
pub struct ModuleContext {
    /// What it is called in a test of several; `None` in a test of one.
    pub name: Option<Arc<str>>,
    /// How its requests are sent, and whom they may reach.
    pub http: Arc<ClientSettings>,
    /// The environment outside of scenarios: `setup`, `vu_init`, `teardown`.
    pub env: Arc<BTreeMap<String, String>>,
    /// The tags of all of its samples.
    pub tags: TagSetId,
    /// Filled in by `setup`.
    pub setup_data: OnceLock<Bytes>,
    /// k6's options object as it was resolved, in JSON; empty where nothing was.
    pub options: Arc<str>,
    /// The counters and queues that its virtual users share.
    pub shared: Shared,
}

/// One scenario of the plan.
#[derive(Debug)]
pub struct ScenarioContext {
    /// Its name in the test.
    pub name: Arc<str>,
    /// Its name in its module.
    pub own_name: Arc<str>,
    /// Its executor's name.
    pub executor: &'static str,
    /// The tags of its samples, the test's included.
    pub tags: TagSetId,
    /// Its environment, the test's included.
    pub env: Arc<BTreeMap<String, String>>,
    /// How long its load lasts at the longest: what `scenario-progress` is a share of.
    pub duration: Duration,
    /// The statuses that count as a success in it; `None` for what everybody expects.
    pub expected_statuses: Option<Statuses>,
}

/// What the requests of a test do beyond one exchange.
#[derive(Debug, Clone, Default)]
pub struct RequestSettings {
    /// Redirects that a request follows unless it says otherwise.
    pub max_redirects: u32,
    /// Cookies stay from one iteration to the next.
    pub keep_cookies: bool,
    /// The files that were granted, by the names under which they were.
    pub files: Arc<BTreeMap<String, Bytes>>,
    /// Requests of one batch that are under way at once.
    pub batch: usize,
    /// Those of them to one origin; 0 for no limit.
    pub batch_per_host: usize,
}

/// What one instance may take from the machine.
#[derive(Debug, Clone, Copy)]
pub struct InstanceLimits {
    /// Linear memory, in bytes.
    pub memory_bytes: usize,
    /// Computing time of one call.
    pub cpu: Duration,
}

/// One shard: what its virtual users share without contention.
#[derive(Debug)]
pub struct ShardContext {
    /// The test.
    pub test: Arc<TestContext>,
    /// Index of the module whose virtual users these are.
    module: usize,
    /// How their requests are sent: the module's, at hand.
    pub(super) http: Arc<ClientSettings>,
    /// Where samples go.
    pub recorder: Arc<Mutex<Recorder>>,
    pub(super) cache: Mutex<SeriesCache>,
    /// Bodies that are being coded or decoded at once: each takes memory of its sender's choosing, and there is one thread for all.
    pub(super) coding: Arc<Semaphore>,
    /// Short sleeps.
    pub(super) naps: Naps,
}

impl ShardContext {
    /// A shard of this test, for the module with this index.
    #[must_use]
    pub fn new(test: Arc<TestContext>, module: usize, recorder: Arc<Mutex<Recorder>>) -> Self {
        let http = Arc::clone(&test.modules[module].http);
        Self {
            test,
            module,
            http,
            recorder,
            cache: Mutex::default(),
            coding: Arc::new(Semaphore::new(CODED_AT_ONCE)),
            naps: Naps::default(),
        }
    }

    /// The module's index among the test's.
    pub(super) const fn module_index(&self) -> usize {
        self.module
    }

    /// What this module's virtual users have in common.
    #[must_use]
    pub fn module(&self) -> &ModuleContext {
        &self.test.modules[self.module]
    }

    /// Records samples. The lock is held for nanoseconds, and contended only a few times a second, when the aggregator collects.
    pub(crate) fn record<R>(&self, record: impl FnOnce(&mut Recorder) -> R) -> R {
        record(&mut self.recorder.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn cached<R>(&self, look_up: impl FnOnce(&mut SeriesCache, &Registry) -> R) -> R {
        look_up(&mut self.cache.lock().unwrap_or_else(PoisonError::into_inner), &self.test.registry)
    }
}
