//! Sets up one virtual user for each case and times their iterations in interleaved rounds.

use std::collections::HashMap;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wasmtime::component::{Component, ComponentNamedList, InstancePre, Lift, Linker, Lower, TypedFunc};
use wasmtime::error::Context as _;
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result, Store, UpdateDeadline, ensure,
};

use crate::alloc;
use crate::cases::{BASE, Call, Case, Host};
use crate::host::{State, link_async, link_sync};

/// Many and short, so that whatever else the machine does meets all cases alike. Odd: the median is one of them.
const ROUNDS: usize = 61;
/// CPU time that one case takes in one round.
const ROUND: Duration = Duration::from_millis(6);
const TICK: Duration = Duration::from_millis(10);
const WARM_UP: u64 = 2_000;
const COUNTED: u64 = 1_000;

/// What one case took.
pub(crate) struct Measured {
    pub(crate) label: &'static str,
    /// CPU time of one iteration in each round, in nanoseconds.
    pub(crate) rounds_ns: Vec<f64>,
    /// The same for shape A, measured right before each of them.
    pub(crate) base_ns: Vec<f64>,
    /// Calls of the allocator in one iteration.
    pub(crate) guest_allocations: f64,
    pub(crate) host_allocations: f64,
}

/// How the guest's iteration is entered.
enum Entry {
    Index(TypedFunc<(u32,), (Result<(), String>,)>, u32),
    Nothing(TypedFunc<(u32,), ()>, u32),
    Name(TypedFunc<(&'static str,), (Result<(), String>,)>, &'static str),
}

/// One case with its virtual user.
pub(crate) struct Bench {
    case: Case,
    store: Store<State>,
    entry: Entry,
    allocations: TypedFunc<(), (u64,)>,
    iterations: u64,
    iterations_per_round: u64,
}

/// Compiles the module once for each set of compiler settings, and instantiates it for each case.
pub(crate) fn prepare(module: &Path, cases: &[Case]) -> Result<Vec<Bench>> {
    let mut pres = HashMap::new();
    cases
        .iter()
        .map(|case| {
            let Host { pooling, concurrency, epochs, fiber, .. } = case.host;
            let pre = match pres.entry((pooling, concurrency, epochs, fiber)) {
                std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::hash_map::Entry::Vacant(new) => new.insert(compile(module, case.host)?),
            };
            Bench::new(pre, *case).with_context(|| format!("case {:?}", case.label))
        })
        .collect()
}

fn compile(module: &Path, host: Host) -> Result<InstancePre<State>> {
    let mut config = Config::new();
    config.concurrency_support(host.concurrency).epoch_interruption(host.epochs);
    config.async_stack_size(128 << 10).max_wasm_stack(64 << 10);
    config.memory_reservation(64 << 20).memory_guard_size(64 << 10).memory_init_cow(true);
    if host.pooling {
        let mut pool = PoolingAllocationConfig::default();
        pool.total_component_instances(64)
            .total_core_instances(512)
            .total_memories(64)
            .total_tables(256)
            .total_stacks(64);
        pool.max_memory_size(64 << 20).linear_memory_keep_resident(64 << 10).table_elements(2_000);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    let engine = Engine::new(&config)?;
    if host.epochs {
        let engine = engine.weak();
        std::thread::spawn(move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TICK);
            }
        });
    }
    let component = Component::from_file(&engine, module)?;
    let mut linker = Linker::new(&engine);
    if host.fiber {
        link_async(&mut linker)?;
    } else {
        link_sync(&mut linker)?;
    }
    linker.instantiate_pre(&component)
}

impl Bench {
    fn new(pre: &InstancePre<State>, case: Case) -> Result<Self> {
        let Host { epochs, fiber, suspends, own_slots, body_bytes, .. } = case.host;
        let mut store = Store::new(pre.engine(), State::new(body_bytes, suspends, own_slots));
        match (epochs, fiber) {
            (true, true) => store.epoch_deadline_async_yield_and_update(1),
            (true, false) => {
                store.set_epoch_deadline(1);
                store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Continue(1)));
            }
            (false, _) => {}
        }
        let instance = if fiber { block_on(pre.instantiate_async(&mut store))? } else { pre.instantiate(&mut store)? };
        let functions = instance.get_typed_func::<(), (Vec<String>,)>(&mut store, "functions")?;
        let (names,) = call(&functions, &mut store, (), fiber)?;
        let index =
            names.iter().position(|name| name == case.function).context("the guest has no such function")? as u32;
        let entry = match case.call {
            Call::Index => Entry::Index(instance.get_typed_func(&mut store, "run")?, index),
            Call::Nothing => Entry::Nothing(instance.get_typed_func(&mut store, "run-nothing")?, index),
            Call::Name => Entry::Name(instance.get_typed_func(&mut store, "run-named")?, case.function),
        };
        let allocations = instance.get_typed_func(&mut store, "allocations")?;
        Ok(Self { case, store, entry, allocations, iterations: 0, iterations_per_round: WARM_UP })
    }

    /// Runs so many iterations and gives the CPU time that one of them took, in nanoseconds.
    fn iterate(&mut self, iterations: u64) -> Result<f64> {
        let begin = cpu_time();
        if self.case.host.fiber {
            block_on(async {
                for _ in 0..iterations {
                    self.iterate_on_fiber().await?;
                }
                Ok::<_, wasmtime::Error>(())
            })?;
        } else {
            for _ in 0..iterations {
                self.iterate_synchronously()?;
            }
        }
        self.iterations += iterations;
        Ok((cpu_time() - begin).as_nanos() as f64 / iterations as f64)
    }

    fn round(&mut self) -> Result<f64> {
        self.iterate(self.iterations_per_round)
    }

    async fn iterate_on_fiber(&mut self) -> Result<()> {
        match &self.entry {
            Entry::Index(run, index) => passed(run.call_async(&mut self.store, (*index,)).await?.0),
            Entry::Nothing(run, index) => run.call_async(&mut self.store, (*index,)).await,
            Entry::Name(run, name) => passed(run.call_async(&mut self.store, (*name,)).await?.0),
        }
    }

    fn iterate_synchronously(&mut self) -> Result<()> {
        match &self.entry {
            Entry::Index(run, index) => passed(run.call(&mut self.store, (*index,))?.0),
            Entry::Nothing(run, index) => run.call(&mut self.store, (*index,)),
            Entry::Name(run, name) => passed(run.call(&mut self.store, (*name,))?.0),
        }
    }

    /// Calls of the guest's and of the host's allocator in one iteration.
    fn count_allocations(&mut self) -> Result<(f64, f64)> {
        let (guest_before,) = call(&self.allocations, &mut self.store, (), self.case.host.fiber)?;
        let host_before = alloc::count();
        self.iterate(COUNTED)?;
        let host_calls = alloc::count() - host_before;
        let (guest_after,) = call(&self.allocations, &mut self.store, (), self.case.host.fiber)?;
        Ok(((guest_after - guest_before) as f64 / COUNTED as f64, host_calls as f64 / COUNTED as f64))
    }

    /// Every iteration did what its case says: a shape that skips its work would look fast.
    fn verify(&self) -> Result<()> {
        let state = self.store.data();
        ensure!(state.sent == self.case.requests * self.iterations, "{}: {} requests", self.case.label, state.sent);
        ensure!(
            state.checked() == self.case.checks * self.iterations,
            "{}: {} checks",
            self.case.label,
            state.checked()
        );
        Ok(())
    }
}

/// Times all cases in interleaved rounds, each right after shape A: on a machine that does other work too, a core's speed changes
/// from one second to the next, and only neighbours compare.
pub(crate) fn run(benches: &mut [Bench]) -> Result<Vec<Measured>> {
    let base = benches.iter().position(|bench| bench.case.label == BASE).context("shape A is not among the cases")?;
    let mut results = Vec::with_capacity(benches.len());
    for bench in benches.iter_mut() {
        bench.iterate(WARM_UP)?;
        let (guest_allocations, host_allocations) = bench.count_allocations()?;
        bench.iterations_per_round = (ROUND.as_nanos() as f64 / bench.iterate(WARM_UP)?).max(1.0) as u64;
        let (rounds_ns, base_ns) = (Vec::new(), Vec::new());
        results.push(Measured { label: bench.case.label, rounds_ns, base_ns, guest_allocations, host_allocations });
    }
    for _ in 0..ROUNDS {
        for (at, result) in results.iter_mut().enumerate() {
            result.base_ns.push(benches[base].round()?);
            result.rounds_ns.push(benches[at].round()?);
        }
    }
    benches.iter().try_for_each(Bench::verify)?;
    Ok(results)
}

fn passed(outcome: Result<(), String>) -> Result<()> {
    outcome.map_err(wasmtime::Error::msg)
}

fn call<P, R>(function: &TypedFunc<P, R>, store: &mut Store<State>, params: P, fiber: bool) -> Result<R>
where
    P: ComponentNamedList + Lower + Send + Sync + 'static,
    R: ComponentNamedList + Lift + Send + Sync + 'static,
{
    if fiber { block_on(function.call_async(store, params)) } else { function.call(store, params) }
}

/// Polls until there is an answer. There is nothing to wait for here, so no reactor adds its own cost.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
    }
}

/// CPU time of this thread: other work on the machine does not count.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
