//! A whole iteration, from the executor to the samples: a real module, real host functions, a real connection. The server
//! is a task of the same thread that answers without looking, so that everything happens in the same order each time.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use flashcrowd_runtime::data::Tables;
use flashcrowd_runtime::engine::{Engine, EngineOptions};
use flashcrowd_runtime::executor::ScenarioSpec;
use flashcrowd_runtime::executor::shared_iterations::SharedIterations;
use flashcrowd_runtime::grants::Grants;
use flashcrowd_runtime::host::context::{
    InstanceLimits, ModuleContext, RequestSettings, ScenarioContext, ShardContext, TestContext,
};
use flashcrowd_runtime::http::ClientSettings;
use flashcrowd_runtime::log::{Level, Log};
use flashcrowd_runtime::metrics::{Aggregate, Aggregator, Recorder, Registry, SystemTags, builtin};
use flashcrowd_runtime::module::Module;
use flashcrowd_runtime::scheduler::Schedule;
use flashcrowd_runtime::shard::Placement;
use flashcrowd_runtime::stop::StopToken;
use flashcrowd_runtime::worker::{Guest, Rules, worker};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const MEMORY_BYTES: usize = 16 << 20;
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n{\"issued\": true}";

pub(crate) fn run(times: u64, module: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, load(times, module));
}

/// Answers whatever ends like a JSON object.
async fn serve(listener: TcpListener) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::with_capacity(4_096);
    while stream.read_buf(&mut request).await.unwrap() > 0 {
        if request.ends_with(b"}") {
            request.clear();
            stream.write_all(ANSWER).await.unwrap();
        }
    }
}

async fn load(times: u64, path: &Path) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/v1/coupons/issue", listener.local_addr().unwrap());
    tokio::task::spawn_local(serve(listener));

    let options = EngineOptions { memory_bytes: MEMORY_BYTES, instances: Some(1), cache: false };
    let module = Arc::new(Module::load(&Engine::without_ticker(options).unwrap(), path).unwrap());
    let registry = Arc::new(Registry::new(1_000, SystemTags::default()));
    let recorder = Arc::new(Mutex::new(Recorder::new(Arc::clone(&registry))));
    let mut aggregator = Aggregator::new(Arc::clone(&registry), vec![Arc::clone(&recorder)]);
    let shard = Arc::new(ShardContext::new(Arc::new(test(&registry, url)), 0, recorder));

    let executor = SharedIterations { vus: 1, iterations: times, max_duration: Duration::from_hours(1) };
    let spec = ScenarioSpec {
        name: "iterate".to_owned(),
        module: 0,
        function: 0,
        start_time: Duration::ZERO,
        graceful_stop: Duration::ZERO,
        executor: executor.into(),
    };
    let schedule = Schedule::new(vec![spec], 1, Placement::Local, StopToken::new());
    let guest = Guest { module, shard, rules: Rules::default() };
    let build = move |_| worker(vec![guest.clone()], Arc::default());
    schedule.prepare(build).await.unwrap().start().finish().await.unwrap();

    // An iteration that fails is another path, and perhaps a cheaper one.
    aggregator.collect();
    let checks = aggregator.totals().metric(builtin::CHECKS);
    assert!(
        matches!(checks, Some(Aggregate::Rate { passes, total }) if (*passes, *total) == (times, times)),
        "{checks:?} of {times} iterations"
    );
}

fn test(registry: &Arc<Registry>, url: String) -> TestContext {
    let mut grants = Grants::none();
    grants.allow_urls_in(&url);
    let env = Arc::new(BTreeMap::from([("BASE_URL".to_owned(), url)]));
    let scenario = ScenarioContext {
        name: "iterate".into(),
        own_name: "iterate".into(),
        executor: "shared-iterations",
        tags: registry.intern(&[("scenario", "iterate")]),
        env: Arc::clone(&env),
        duration: Duration::from_hours(1),
        expected_statuses: None,
    };
    let http = ClientSettings {
        grants,
        user_agent: "flashcrowd".to_owned(),
        max_body_bytes: MEMORY_BYTES,
        ..ClientSettings::default()
    };
    let (log, _) = Log::start(Level::Error, |_| {});
    TestContext {
        stop: StopToken::new(),
        log,
        problems: Arc::default(),
        http_debug: None,
        throw: false,
        requests: RequestSettings { max_redirects: 10, ..RequestSettings::default() },
        seed: 42,
        limits: InstanceLimits { memory_bytes: MEMORY_BYTES, cpu: Duration::from_hours(1) },
        scenarios: vec![scenario],
        modules: vec![ModuleContext { env, http: Arc::new(http), ..ModuleContext::default() }],
        tags: registry.intern(&[]),
        data: Tables::default(),
        started_at: OnceLock::new(),
        progress: OnceLock::new(),
        failed_by_scenario: OnceLock::new(),
        registry: Arc::clone(registry),
    }
}
