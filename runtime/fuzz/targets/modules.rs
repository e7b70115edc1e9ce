//! Hostile modules: compiled, instantiated and called as a test does it, with limits as real ones but tighter. Nothing panics, and
//! nothing hangs: what computes without end is interrupted.
//!
//! An input is a component or a core module, as bytes or as text. A core module is put into a component that is a scenario, each function of
//! which calls the module's export `run`. Anything else is a seed from which wasm-smith makes a core module; that one is only instantiated,
//! with its start function.
#![no_main]

mod modules {
    pub mod hostile;
}

use std::sync::OnceLock;
use std::time::Duration;

use flashcrowd_runtime::engine::{Engine, EngineOptions};
use flashcrowd_runtime::fuzzing::{self, InstanceLimits};
use flashcrowd_runtime::log::{Level, Log};
use libfuzzer_sys::{Corpus, fuzz_mutator, fuzz_target, fuzzer_mutate};
use modules::hostile;
use tokio::runtime::Runtime;

const MEMORY_BYTES: usize = 4 << 20;
/// What every call of the module may compute.
const CPU: Duration = Duration::from_millis(20);
/// A module may sleep, which is cut short. What does not give way at all, libFuzzer finds out by its own `-timeout`.
const PATIENCE: Duration = Duration::from_secs(2);
/// Larger modules would be compiled for too long.
const LARGEST: usize = 16 * 1024;

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some(component) = component(bytes) else { return Corpus::Reject };
    let sandbox = sandbox();
    let limits = InstanceLimits { memory_bytes: MEMORY_BYTES, cpu: CPU };
    let calls = fuzzing::exercise(&sandbox.engine, &component, limits, sandbox.log.clone());
    let calls = async { tokio::time::timeout(PATIENCE, calls).await };
    let _ = sandbox.runtime.block_on(calls);
    Corpus::Keep
});

// Text is good to read and bad to mutate.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, _seed: u32| {
    if let Some(binary) = text(&data[..size]).filter(|binary| binary.len() <= max_size.min(data.len())) {
        data[..binary.len()].copy_from_slice(&binary);
        return fuzzer_mutate(data, binary.len(), max_size);
    }
    fuzzer_mutate(data, size, max_size)
});

fn component(bytes: &[u8]) -> Option<Vec<u8>> {
    let (binary, generated) = match bytes {
        [b'(', ..] => (text(bytes)?, false),
        [0, b'a', b's', b'm', ..] => (bytes.to_vec(), false),
        seed => (hostile::module(seed)?, true),
    };
    let is_core_module = binary.get(4..8) == Some(&[1, 0, 0, 0]);
    let component = if is_core_module { hostile::scenario(&binary, !generated) } else { binary };
    (component.len() <= LARGEST).then_some(component)
}

fn text(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.starts_with('('))?;
    wat::parse_str(text).ok()
}

struct Sandbox {
    engine: Engine,
    log: Log,
    runtime: Runtime,
}

fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| {
        let options = EngineOptions { memory_bytes: MEMORY_BYTES, instances: Some(2), cache: false };
        Sandbox {
            engine: Engine::new(options).expect("a small engine"),
            log: Log::start(Level::Error, |_| {}).0,
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"),
        }
    })
}
