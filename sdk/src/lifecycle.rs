//! What the runtime calls.

use crate::{host, registry};

/// The module as the runtime sees it.
pub struct Module;

impl host::Guest for Module {
    fn describe() -> String {
        start();
        crate::describe::describe()
    }

    fn setup() -> Result<Option<Vec<u8>>, String> {
        start();
        registry::setup().map_or(Ok(None), |setup| (setup.run)())
    }

    fn run(function: u32) -> Result<(), String> {
        start();
        let functions = registry::scenarios();
        match functions.get(function as usize) {
            Some(function) => (function.run)(),
            None => Err(format!("there is no scenario function number {function}: the module has {}", functions.len())),
        }
    }

    fn teardown() -> Result<(), String> {
        start();
        registry::teardown().map_or(Ok(()), |teardown| (teardown.run)())
    }

    fn handle_summary(data: String) -> Result<registry::Files, String> {
        start();
        registry::handle_summary().map_or(Ok(None), |handle| (handle.run)(&data))
    }
}

/// Once per instance: panics are explained to the runtime, and the `log` crate's records go there.
fn start() {
    static STARTED: std::sync::Once = std::sync::Once::new();
    STARTED.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            let message = panic.payload_as_str().unwrap_or("a panic without a text");
            match panic.location() {
                Some(at) => host::execution::report_panic(&format!("{message} ({}:{}:{})", at.file(), at.line(), at.column())),
                None => host::execution::report_panic(message),
            }
        }));
        crate::logger::install();
    });
}
