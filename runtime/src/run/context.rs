//! What the plan and the request mean for the virtual users.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;

use crate::data::Tables;
use crate::grants::Grants;
use crate::host::context::{InstanceLimits, RequestSettings, ScenarioContext, TestContext};
use crate::http::{ClientSettings, RateLimit};
use crate::log::Log;
use crate::metrics::{DEFAULT_MAX_SERIES, Registry, SystemTag, SystemTags, TagSetId};
use crate::plan::{Plan, PlannedScenario};
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
        http: Arc::default(),
        http_debug: None,
        throw: false,
        requests: RequestSettings::default(),
        seed: 0,
        limits: InstanceLimits { memory_bytes, cpu: DESCRIBE_CPU },
        scenarios: Vec::new(),
        env: Arc::default(),
        tags: TagSetId::EMPTY,
        data: Tables::default(),
        shared: Shared::default(),
        setup_data: OnceLock::new(),
        started_at: OnceLock::new(),
        progress: OnceLock::new(),
        options: "".into(),
        failed_by_scenario: OnceLock::new(),
    })
}

/// What the request says beside the plan.
pub(super) struct Surroundings {
    pub(super) registry: Arc<Registry>,
    pub(super) log: Log,
    pub(super) grants: Grants,
    pub(super) network: ClientSettings,
    pub(super) env: BTreeMap<String, String>,
    pub(super) seed: u64,
    pub(super) limits: InstanceLimits,
    pub(super) data: Tables,
    pub(super) files: BTreeMap<String, Bytes>,
}

/// The context of a test.
pub(super) fn of_plan(plan: &Plan, surroundings: Surroundings) -> TestContext {
    let Surroundings { registry, log, grants, network, env, seed, limits, data, files } = surroundings;
    let tags: Vec<(&str, &str)> = plan.tags.iter().map(|(name, value)| (&**name, &**value)).collect();
    let test_tags = registry.intern(&tags);
    let scenario = |planned: &PlannedScenario| {
        let mut own: Vec<(&str, &str)> = Vec::new();
        if registry.system_tags().contains(SystemTag::Scenario) {
            own.push((SystemTag::Scenario.name(), &planned.spec.name));
        }
        own.extend(planned.tags.iter().map(|(name, value)| (&**name, &**value)));
        let mut scenario_env = env.clone();
        scenario_env.extend(planned.env.clone());
        ScenarioContext {
            name: planned.spec.name.as_str().into(),
            executor: planned.spec.executor.name(),
            tags: registry.extend(test_tags, &own),
            env: Arc::new(scenario_env),
            duration: planned.spec.executor.regular_duration(),
            expected_statuses: planned.expected_statuses.clone(),
        }
    };
    TestContext {
        stop: StopToken::new(),
        problems: Arc::default(),
        http: Arc::new(ClientSettings {
            grants,
            user_agent: plan.user_agent.clone(),
            #[expect(clippy::cast_precision_loss, reason = "nobody asks for 2^53 requests a second")]
            rate_limit: plan.rps.and_then(|rps| RateLimit::new(rps as f64)),
            discard_response_bodies: plan.discard_response_bodies,
            no_connection_reuse: plan.no_connection_reuse,
            no_vu_connection_reuse: plan.no_vu_connection_reuse,
            max_body_bytes: limits.memory_bytes,
            ..network
        }),
        http_debug: plan.http_debug,
        throw: plan.throw,
        requests: RequestSettings {
            max_redirects: plan.max_redirects,
            keep_cookies: plan.no_cookies_reset,
            files: Arc::new(files),
        },
        scenarios: plan.scenarios.iter().map(scenario).collect(),
        tags: test_tags,
        env: Arc::new(env),
        data,
        shared: Shared::default(),
        setup_data: OnceLock::new(),
        started_at: OnceLock::new(),
        progress: OnceLock::new(),
        options: plan.options_json().to_string().into(),
        failed_by_scenario: OnceLock::new(),
        registry,
        log,
        seed,
        limits,
    }
}
