//! What the plan and the request mean for the virtual users.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;

use crate::data::Tables;
use crate::grants::Grants;
use crate::host::context::{InstanceLimits, ModuleContext, RequestSettings, ScenarioContext, TestContext};
use crate::http::{ClientSettings, RateLimit};
use crate::log::Log;
use crate::metrics::{DEFAULT_MAX_SERIES, Registry, SystemTag, SystemTags, TagSetId};
use crate::options::modules::MODULE_TAG;
use crate::plan::{Plan, PlannedModule, PlannedScenario};
use crate::shared::Shared;
use crate::stop::StopToken;

/// Computing time that `describe` may take: it only says what a module is.
const DESCRIBE_CPU: Duration = Duration::from_secs(2);

/// The sandbox that a module describes itself in: no network, no environment.
pub(crate) fn sandbox(log: Log, memory_bytes: usize) -> Arc<TestContext> {
    Arc::new(TestContext {
        registry: Arc::new(Registry::new(DEFAULT_MAX_SERIES, SystemTags::default())),
        stop: StopToken::new(),
        log,
        problems: Arc::default(),
        http_debug: None,
        throw: false,
        requests: RequestSettings::default(),
        seed: 0,
        limits: InstanceLimits { memory_bytes, cpu: DESCRIBE_CPU },
        scenarios: Vec::new(),
        modules: vec![ModuleContext::default()],
        tags: TagSetId::EMPTY,
        data: Tables::default(),
        started_at: OnceLock::new(),
        progress: OnceLock::new(),
        failed_by_scenario: OnceLock::new(),
    })
}

/// What the request says beside the plan.
pub(super) struct Surroundings {
    pub(super) registry: Arc<Registry>,
    pub(super) log: Log,
    /// By module.
    pub(super) modules: Vec<ModuleSurroundings>,
    pub(super) seed: u64,
    pub(super) limits: InstanceLimits,
    pub(super) data: Tables,
    pub(super) files: BTreeMap<String, Bytes>,
}

/// What the request says of one module.
pub(super) struct ModuleSurroundings {
    pub(super) grants: Grants,
    pub(super) network: ClientSettings,
    pub(super) env: BTreeMap<String, String>,
}

/// The context of a test.
pub(super) fn of_plan(plan: &Plan, surroundings: Surroundings) -> TestContext {
    let Surroundings { registry, log, modules, seed, limits, data, files } = surroundings;
    #[expect(clippy::cast_precision_loss, reason = "nobody asks for 2^53 requests a second")]
    let rate_limit = plan.rps.and_then(|rps| RateLimit::new(rps as f64)).map(Arc::new);
    let module = |(planned, ModuleSurroundings { grants, network, env }): (&PlannedModule, _)| ModuleContext {
        name: planned.name.as_deref().map(Arc::from),
        http: Arc::new(ClientSettings {
            grants,
            user_agent: plan.user_agent.clone(),
            // One for all modules.
            rate_limit: rate_limit.clone(),
            discard_response_bodies: plan.discard_response_bodies,
            no_connection_reuse: plan.no_connection_reuse,
            no_vu_connection_reuse: plan.no_vu_connection_reuse,
            max_body_bytes: limits.memory_bytes,
            ..network
        }),
        env: Arc::new(env),
        tags: registry.extend(registry.intern(&pairs(&planned.tags)), module_tag(planned).as_slice()),
        setup_data: OnceLock::new(),
        options: planned.options.to_string().into(),
        shared: Shared::default(),
    };
    let modules: Vec<ModuleContext> = plan.modules.iter().zip(modules).map(module).collect();
    let scenario = |planned: &PlannedScenario| {
        let mut own: Vec<(&str, &str)> = Vec::new();
        if registry.system_tags().contains(SystemTag::Scenario) {
            own.push((SystemTag::Scenario.name(), &planned.spec.name));
        }
        own.extend(pairs(&planned.tags));
        // Last: thresholds of the module rely on it.
        own.extend(module_tag(&plan.modules[planned.spec.module]));
        let module = &modules[planned.spec.module];
        let mut scenario_env = BTreeMap::clone(&module.env);
        scenario_env.extend(planned.env.clone());
        ScenarioContext {
            name: planned.spec.name.as_str().into(),
            own_name: planned.own_name.as_str().into(),
            executor: planned.spec.executor.name(),
            tags: registry.extend(module.tags, &own),
            env: Arc::new(scenario_env),
            duration: planned.spec.executor.regular_duration(),
            expected_statuses: planned.expected_statuses.clone(),
        }
    };
    TestContext {
        stop: StopToken::new(),
        problems: Arc::default(),
        http_debug: plan.http_debug,
        throw: plan.throw,
        requests: RequestSettings {
            max_redirects: plan.max_redirects,
            keep_cookies: plan.no_cookies_reset,
            files: Arc::new(files),
            batch: plan.batch,
            batch_per_host: plan.batch_per_host,
        },
        scenarios: plan.scenarios.iter().map(scenario).collect(),
        modules,
        tags: registry.intern(&pairs(&plan.tags)),
        data,
        started_at: OnceLock::new(),
        progress: OnceLock::new(),
        failed_by_scenario: OnceLock::new(),
        registry,
        log,
        seed,
        limits,
    }
}

fn pairs(tags: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
    tags.iter().map(|(name, value)| (&**name, &**value)).collect()
}

/// Says whose samples these are, where there are several modules.
fn module_tag(module: &PlannedModule) -> Option<(&str, &str)> {
    module.name.as_deref().map(|name| (MODULE_TAG, name))
}
