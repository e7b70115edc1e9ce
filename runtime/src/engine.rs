//! wasmtime, narrowed to what the runtime uses. Every number of the pool follows from one: how many virtual users the plan needs.

use std::path::PathBuf;
use std::time::Duration;

use wasmtime::{Cache, CacheConfig, Config, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::host::limits::MAX_TABLE_ELEMENTS;

/// How often a computing module is looked at. Shorter costs wake-ups, longer makes others wait longer for a module that computes
/// without end.
const EPOCH: Duration = Duration::from_millis(2);

/// What a module's own calls may nest to. The rest of the stack is for the host functions, which run on it too.
const MAX_WASM_STACK_BYTES: usize = 256 * 1024;
/// Address space, not memory: only pages that were touched count.
const STACK_BYTES: usize = 768 * 1024;

/// Core instances, memories and tables that a component may be made of. A Rust scenario is one module with a memory, and two small
/// ones of the linker's making.
const MAX_CORE_INSTANCES: u32 = 16;
const MAX_MEMORIES: u32 = 2;
const MAX_TABLES: u32 = 8;

/// Every linear memory is followed by this much unmapped address space; it must be the same in every engine of a run, as compiled
/// code relies on it.
const GUARD_BYTES: u64 = 64 * 1024;

/// An engine with its epoch ticker.
#[derive(Debug, Clone)]
pub struct Engine {
    inner: wasmtime::Engine,
}

/// What an engine must be fit for.
#[derive(Debug, Clone, Copy)]
pub struct EngineOptions {
    /// Linear memory that an instance may grow to, in bytes.
    pub memory_bytes: usize,
    /// Instances at once. `None`: a few, made one by one, for looking into a module.
    pub instances: Option<u32>,
    /// Whether compiled modules are kept on disk for the next run.
    pub cache: bool,
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The pool does not fit into the address space.
    #[error(
        "{instances} VUs with {memory_mib} MiB of memory each do not fit into this machine's address space ({reason}); lower \
         maxVUs or vus, or --memory-limit"
    )]
    Pool {
        /// As the plan needs.
        instances: u32,
        /// Per instance.
        memory_mib: usize,
        /// wasmtime's word.
        reason: String,
    },
    /// The kernel allows too few mappings.
    #[error(
        "{instances} VUs need about {needed} memory mappings and this machine allows a process {allowed}: at most {fit} VUs fit; lower \
         maxVUs or vus, or raise the limit (`sysctl -w vm.max_map_count={needed}` as root)"
    )]
    Mappings {
        /// As the plan needs.
        instances: u32,
        /// For all of them.
        needed: u64,
        /// `vm.max_map_count`.
        allowed: u64,
        /// Instances that fit.
        fit: u64,
    },
    /// wasmtime does not run here.
    #[error("wasmtime does not start on this machine: {0}")]
    Unsupported(String),
}

impl Engine {
    /// An engine of this kind. Its ticker ends with it.
    ///
    /// # Errors
    /// When the pool is too large for this machine.
    pub fn new(options: EngineOptions) -> Result<Self, EngineError> {
        let engine = Self::without_ticker(options)?;
        tick(&engine.inner);
        Ok(engine)
    }

    /// An engine that lets every module compute for as long as it likes: for counting instructions, which must not depend on time.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn without_ticker(options: EngineOptions) -> Result<Self, EngineError> {
        options.instances.map_or(Ok(()), check_mappings)?;
        let inner = wasmtime::Engine::new(&config(options)).map_err(|error| match options.instances {
            Some(instances) => {
                EngineError::Pool { instances, memory_mib: options.memory_bytes >> 20, reason: format!("{error:#}") }
            }
            None => EngineError::Unsupported(format!("{error:#}")),
        })?;
        Ok(Self { inner })
    }

    pub(crate) const fn wasmtime(&self) -> &wasmtime::Engine {
        &self.inner
    }
}

/// Mappings that an instance takes: its memory's image, heap and guard, its stack and guard. Counted in `/proc/PID/maps` of a run with 5,000
/// VUs: 30,080.
const MAPPINGS_PER_INSTANCE: u64 = 6;
/// What the process has beside.
const OWN_MAPPINGS: u64 = 300;

/// Without this, the kernel would refuse some VU in the middle, and not say why.
fn check_mappings(instances: u32) -> Result<(), EngineError> {
    let needed = u64::from(instances) * MAPPINGS_PER_INSTANCE + OWN_MAPPINGS;
    let limit = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok();
    match limit.and_then(|limit| limit.trim().parse::<u64>().ok()) {
        Some(allowed) if needed > allowed => {
            let fit = allowed.saturating_sub(OWN_MAPPINGS) / MAPPINGS_PER_INSTANCE;
            Err(EngineError::Mappings { instances, needed, allowed, fit })
        }
        _ => Ok(()),
    }
}

fn config(options: EngineOptions) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        // The contract has no `async func`: a call into a module suspends as a whole.
        .concurrency_support(false)
        .max_wasm_stack(MAX_WASM_STACK_BYTES)
        .async_stack_size(STACK_BYTES)
        .memory_init_cow(true)
        .memory_reservation(options.memory_bytes as u64)
        .memory_reservation_for_growth(0)
        .memory_may_move(false)
        .memory_guard_size(GUARD_BYTES)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(8));
    if let Some(instances) = options.instances {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(instances, options.memory_bytes)));
    }
    if options.cache {
        config.cache(compile_cache());
    }
    config
}

fn pool(instances: u32, memory_bytes: usize) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(MAX_CORE_INSTANCES))
        .max_core_instances_per_component(MAX_CORE_INSTANCES)
        // One memory is the rule; a component with two takes two slots, and then fewer fit.
        .total_memories(instances)
        .max_memories_per_component(MAX_MEMORIES)
        .max_memory_size(memory_bytes)
        .total_tables(instances.saturating_mul(3))
        .max_tables_per_component(MAX_TABLES)
        .table_elements(MAX_TABLE_ELEMENTS)
        .total_stacks(instances);
    pool
}

/// Compiled modules are kept in the user's cache folder. Without one, modules are compiled each time.
fn compile_cache() -> Option<Cache> {
    let folder = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))
        .filter(|folder| folder.is_absolute())?;
    let mut config = CacheConfig::new();
    config.with_directory(folder.join("flashcrowd"));
    Cache::new(config).ok()
}

/// The ticker must not keep the engine alive: it looks whether there still is one.
fn tick(engine: &wasmtime::Engine) {
    let engine = engine.weak();
    let ticker = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(EPOCH);
        }
    };
    // Without the thread a module that computes without end could not be interrupted: better not to run at all.
    std::thread::Builder::new().name("epoch".to_owned()).spawn(ticker).expect("a thread for the epoch ticker");
}
