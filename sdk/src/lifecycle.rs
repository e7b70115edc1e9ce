//! What the runtime calls, and what `testing` calls in its place.

use crate::registry::{self, Files};

/// See `describe` in `wit/lifecycle.wit`.
pub(crate) fn describe() -> String {
    start();
    crate::describe::describe()
}

/// See `setup` in `wit/lifecycle.wit`.
pub(crate) fn setup() -> Result<Option<Vec<u8>>, String> {
    start();
    registry::setup().map_or(Ok(None), |setup| (setup.run)())
}

/// See `vu-init` in `wit/vu-lifecycle.wit`.
pub(crate) fn vu_init() -> Result<(), String> {
    start();
    registry::vu_init().map_or(Ok(()), |init| (init.run)())
}

/// See `run` in `wit/lifecycle.wit`.
pub(crate) fn run(function: u32) -> Result<(), String> {
    start();
    let functions = registry::scenarios();
    match functions.get(function as usize) {
        Some(function) => (function.run)(),
        None => Err(format!("there is no scenario function number {function}: the module has {}", functions.len())),
    }
}

/// See `teardown` in `wit/lifecycle.wit`.
pub(crate) fn teardown() -> Result<(), String> {
    start();
    registry::teardown().map_or(Ok(()), |teardown| (teardown.run)())
}

/// See `handle-summary` in `wit/lifecycle.wit`.
pub(crate) fn handle_summary(data: &str) -> Result<Files, String> {
    start();
    registry::handle_summary().map_or(Ok(None), |handle| (handle.run)(data))
}

/// Once per instance: panics are explained to the runtime, and the `log` crate's records go there.
fn start() {
    static STARTED: std::sync::Once = std::sync::Once::new();
    STARTED.call_once(|| {
        #[cfg(target_family = "wasm")]
        std::panic::set_hook(Box::new(explain_panic));
        crate::logger::install();
    });
}

#[cfg(target_family = "wasm")]
fn explain_panic(panic: &std::panic::PanicHookInfo<'_>) {
    use crate::host::execution::report_panic;

    let message = panic.payload_as_str().unwrap_or("a panic without a text");
    match panic.location() {
        Some(at) => report_panic(&format!("{message} ({}:{}:{})", at.file(), at.line(), at.column())),
        None => report_panic(message),
    }
}
