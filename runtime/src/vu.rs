//! One virtual user: an instance of the module, kept from iteration to iteration, replaced after a trap.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wasmtime::component::Instance;
use wasmtime::{Store, Trap};

use crate::host::bindings::Scenario;
use crate::host::context::ShardContext;
use crate::host::cpu::CpuMeter;
use crate::host::flight::Flight;
use crate::host::limits::MAX_TABLE_ELEMENTS;
use crate::host::{Departure, Position, VuState};
use crate::log::Level;
use crate::metrics::builtin;
use crate::module::Module;

/// Said of iterations that the CPU meter slowed.
const SLOWED: &str = "an iteration computed for more than half a second and was slowed to a tenth of a core, so that others keep theirs: \
                      its duration is not the target's doing";

/// How long a virtual user waits after its instance could not be replaced.
const RENEWAL_PAUSE: Duration = Duration::from_millis(100);

/// A virtual user, from 1; or, as number 0, the stage that runs `setup`, `teardown` and the like.
pub struct Vu {
    module: Arc<Module>,
    shard: Arc<ShardContext>,
    id: u64,
    /// `None` only while the instance is being replaced.
    live: Option<Live>,
    /// Set while the module runs: whoever finds it set knows that the last call was cut short.
    spoilt: bool,
    /// Whether `vu_init` ran on this instance.
    initialised: bool,
    iterations: u64,
    /// Iterations begun by scenario; most virtual users know one scenario only.
    by_scenario: Vec<(usize, u64)>,
}

struct Live {
    store: Store<VuState>,
    instance: Instance,
    scenario: Scenario,
    cpu: Arc<CpuMeter>,
    flight: Arc<Flight>,
}

impl std::fmt::Debug for Vu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vu").field("iterations", &self.iterations).field("spoilt", &self.spoilt).finish_non_exhaustive()
    }
}

/// Why a call into a module gave no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The module returned an error.
    #[error("{0}")]
    Returned(String),
    /// The module ended its iteration by `fail`.
    #[error("{0}")]
    Failed(String),
    /// The module aborted the test.
    #[error("aborted: {0}")]
    Aborted(String),
    /// The module found no row left, and ended the load.
    #[error("{0}")]
    RanOut(String),
    /// The module trapped, or there is no instance of it to call.
    #[error("{0}")]
    Trapped(String),
}

/// No instance can be made.
#[derive(Debug, thiserror::Error)]
#[error("VU {vu} cannot be initialised: {reason}")]
pub struct InstantiateError {
    /// Its number.
    pub vu: u64,
    /// wasmtime's word.
    pub reason: String,
}

/// Where an iteration stands in its scenario.
#[derive(Debug, Clone, Copy)]
pub struct IterationPlace {
    /// Index in the plan.
    pub scenario: usize,
    /// Index in the module's functions.
    pub function: u32,
    /// From 0, among all of the scenario's.
    pub number_in_scenario: u64,
    /// When the scenario began.
    pub scenario_started: Instant,
    /// When the iteration begins.
    pub began: Instant,
}

impl Vu {
    /// Makes virtual user `vu` with its instance.
    ///
    /// # Errors
    /// When the pool or the machine's memory is exhausted, or the module traps while it is initialised.
    pub async fn new(module: Arc<Module>, shard: Arc<ShardContext>, vu: u64) -> Result<Self, InstantiateError> {
        let state = VuState::new(Arc::clone(&shard), vu);
        let live = match Live::new(&module, state).await {
            Ok(live) => live,
            Err((_, reason)) => return Err(InstantiateError { vu, reason }),
        };
        Ok(Self {
            module,
            shard,
            id: vu,
            live: Some(live),
            spoilt: false,
            initialised: false,
            iterations: 0,
            by_scenario: Vec::new(),
        })
    }

    /// How many iterations it has begun.
    #[must_use]
    pub const fn iterations(&self) -> u64 {
        self.iterations
    }

    /// Whether the next iteration would run on an instance on which `vu_init` has not run.
    #[must_use]
    pub const fn is_fresh(&self) -> bool {
        !self.initialised || self.spoilt || self.live.is_none()
    }

    /// Runs `vu_init`, on a fresh instance if the last call spoilt it. A module without it has nothing to run.
    ///
    /// # Errors
    /// When it returns an error or traps: the next call begins on a fresh instance.
    pub async fn init(&mut self) -> Result<(), CallError> {
        let begun = Instant::now();
        let Some(index) = self.module.vu_init().copied() else { return Ok(()) };
        let live = self.enter(Position::VuInit).await?;
        let Live { store, instance, cpu, flight, .. } = live;
        let result = {
            let call = pin!(async {
                let init = instance.get_typed_func::<(), (Result<(), String>,)>(&mut *store, index)?;
                let (result,) = init.call_async(&mut *store, ()).await?;
                Ok(result)
            });
            flight.drive(cpu, cpu.measure(call)).await
        };
        let result = self.leave(result);
        self.initialised = result.is_ok();
        let tags = self.shard.module().tags;
        self.shard.record(|recorder| recorder.duration(builtin::VU_INIT_DURATION, tags, begun.elapsed()));
        result
    }

    /// Runs one iteration. Dropping the future interrupts the module; the next iteration then begins on a fresh instance.
    ///
    /// # Errors
    /// When the iteration fails, however it does.
    pub async fn iterate(&mut self, place: IterationPlace) -> Result<(), CallError> {
        let number_in_vu = self.iterations;
        self.iterations += 1;
        let position = Position::Iteration {
            scenario: place.scenario,
            number_in_scenario: place.number_in_scenario,
            number_in_vu,
            number_in_vu_and_scenario: self.count(place.scenario),
            scenario_started: place.scenario_started,
            began: place.began,
        };
        let live = self.enter(position).await?;
        let Live { store, scenario, cpu, flight, .. } = live;
        let result = {
            let call = pin!(scenario.flashcrowd_scenario_lifecycle().call_run(store, place.function));
            flight.drive(cpu, cpu.measure(call)).await
        };
        self.leave(result)
    }

    /// How many iterations of this scenario it began before the one that begins now.
    fn count(&mut self, scenario: usize) -> u64 {
        if let Some((_, begun)) = self.by_scenario.iter_mut().find(|(known, _)| *known == scenario) {
            *begun += 1;
            return *begun - 1;
        }
        self.by_scenario.push((scenario, 1));
        0
    }

    /// Asks the module what it is, as JSON.
    ///
    /// # Errors
    /// When it traps.
    pub async fn describe(&mut self) -> Result<String, CallError> {
        let live = self.enter(Position::Describe).await?;
        let Live { store, scenario, cpu, flight, .. } = live;
        let result = {
            let call = pin!(scenario.flashcrowd_scenario_lifecycle().call_describe(store));
            flight.drive(cpu, cpu.measure(call)).await
        };
        self.leave(result.map(Ok))
    }

    /// Runs `setup`.
    ///
    /// # Errors
    /// When it returns an error or traps.
    pub async fn setup(&mut self) -> Result<Option<Vec<u8>>, CallError> {
        let live = self.enter(Position::Stage("setup")).await?;
        let Live { store, scenario, cpu, flight, .. } = live;
        let result = {
            let call = pin!(scenario.flashcrowd_scenario_lifecycle().call_setup(store));
            flight.drive(cpu, cpu.measure(call)).await
        };
        self.leave(result)
    }

    /// Runs `teardown`.
    ///
    /// # Errors
    /// When it returns an error or traps.
    pub async fn teardown(&mut self) -> Result<(), CallError> {
        let live = self.enter(Position::Stage("teardown")).await?;
        let Live { store, scenario, cpu, flight, .. } = live;
        let result = {
            let call = pin!(scenario.flashcrowd_scenario_lifecycle().call_teardown(store));
            flight.drive(cpu, cpu.measure(call)).await
        };
        self.leave(result)
    }

    /// Runs `handle-summary`; gives pairs of destination and content.
    ///
    /// # Errors
    /// When it returns an error or traps.
    pub async fn handle_summary(&mut self, data: &str) -> Result<Option<Vec<(String, Vec<u8>)>>, CallError> {
        let live = self.enter(Position::Stage("handle_summary")).await?;
        let Live { store, scenario, cpu, flight, .. } = live;
        let result = {
            let call = pin!(scenario.flashcrowd_scenario_lifecycle().call_handle_summary(store, data));
            flight.drive(cpu, cpu.measure(call)).await
        };
        self.leave(result)
    }

    /// Gets the instance ready for a call, on a fresh one if the last call spoilt it.
    async fn enter(&mut self, position: Position) -> Result<&mut Live, CallError> {
        if self.spoilt || self.live.is_none() {
            self.renew().await?;
        }
        self.spoilt = true;
        let Some(live) = &mut self.live else {
            return Err(CallError::Trapped("there is no instance".to_owned()));
        };
        live.store.data_mut().enter(position);
        Ok(live)
    }

    async fn renew(&mut self) -> Result<(), CallError> {
        // The old instance goes first: it holds the pool's slot that the new one will take. If replacing it failed or was cut short
        // before, what it knew is lost.
        let state = match self.live.take() {
            Some(live) => live.store.into_data().reborn(),
            None => VuState::new(Arc::clone(&self.shard), self.id),
        };
        match Live::new(&self.module, state).await {
            Ok(live) => {
                self.live = Some(live);
                self.spoilt = false;
                self.initialised = false;
                Ok(())
            }
            Err((_, reason)) => {
                // Whoever tries again at once would try a million times a second.
                tokio::time::sleep(RENEWAL_PAUSE).await;
                Err(CallError::Trapped(format!("no fresh instance: {reason}")))
            }
        }
    }

    fn leave<T>(&mut self, result: wasmtime::Result<Result<T, String>>) -> Result<T, CallError> {
        let Some(live) = &mut self.live else {
            return Err(CallError::Trapped("there is no instance".to_owned()));
        };
        live.store.data_mut().leave();
        if live.store.data().cpu.was_slowed() {
            self.shard.test.problems.warn(SLOWED);
        }
        match result {
            Ok(result) => {
                self.spoilt = false;
                result.map_err(CallError::Returned)
            }
            Err(trap) => Err(explain(&trap, live.store.data_mut())),
        }
    }
}

impl Live {
    async fn new(module: &Module, state: VuState) -> Result<Self, (Box<VuState>, String)> {
        let mut store = Store::new(module.engine().wasmtime(), state);
        store.limiter(|state| &mut state.memory);
        store.epoch_deadline_callback(|store| Ok(store.data().cpu.at_epoch().into()));
        store.set_epoch_deadline(1);
        let (cpu, flight) = (Arc::clone(&store.data().cpu), Arc::clone(&store.data().flight));
        let instantiated = {
            let call = pin!(async {
                let instance = module.pre().instantiate_async(&mut store).await?;
                let scenario = module.indices().load(&mut store, &instance)?;
                Ok::<_, wasmtime::Error>((instance, scenario))
            });
            flight.drive(&cpu, cpu.measure(call)).await
        };
        match instantiated {
            Ok((instance, scenario)) => Ok(Self { store, instance, scenario, cpu, flight }),
            Err(error) => {
                let mut state = store.into_data();
                let reason = explain(&error, &mut state).to_string();
                Err((Box::new(state), reason))
            }
        }
    }
}

/// Says why a module trapped in words that its author understands.
fn explain(trap: &wasmtime::Error, state: &mut VuState) -> CallError {
    let panic = state.panic.take();
    match state.departure.take() {
        Some(Departure::FailIteration(reason)) => return CallError::Failed(reason),
        Some(Departure::Abort(reason)) => return CallError::Aborted(reason),
        Some(Departure::RunOut(reason)) => return CallError::RanOut(reason),
        None => {}
    }
    let text = if let Some(message) = panic {
        message
    } else if state.memory.denied() {
        format!(
            "out of memory: the instance wanted more than its {} MiB (raise --memory-limit, or free what is no longer needed)",
            state.memory.max_bytes() >> 20
        )
    } else if state.memory.tables_denied() {
        format!(
            "out of table room: the instance wanted more than {MAX_TABLE_ELEMENTS} elements in a table, which no flag raises"
        )
    } else {
        match trap.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => format!(
                "interrupted: computed for more than {:?} in one call (an endless loop? raise --cpu-limit if it is meant)",
                state.shard.test.limits.cpu
            ),
            Some(Trap::StackOverflow) => "call stack exhausted: a recursion without end?".to_owned(),
            // A module's own stack lies at the bottom of its memory: what runs out of it runs out of the memory.
            Some(Trap::MemoryOutOfBounds) => {
                "out of bounds memory access: the module's stack is exhausted (a recursion without end, or very large values on it?), or \
                 its unsafe code is wrong"
                    .to_owned()
            }
            Some(trap) => format!("trap: {trap}"),
            None => match trap.downcast_ref::<wasmtime_wasi::I32Exit>() {
                Some(exit) => format!("the module called exit({})", exit.0),
                None => format!("{:#}", Brief(trap)),
            },
        }
    };
    state.shard.test.log.write(Level::Debug, crate::log::Source::Runtime, &format!("{trap:?}"));
    CallError::Trapped(text)
}

/// An error without the wasm backtrace that wasmtime puts around it.
struct Brief<'a>(&'a wasmtime::Error);

impl std::fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.root_cause().to_string())
    }
}
