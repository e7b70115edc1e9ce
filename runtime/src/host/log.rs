//! `flashcrowd:scenario/log`.

use super::bindings::flashcrowd::scenario::log;
use super::state::VuState;
use crate::log::Level;

impl log::Host for VuState {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
            log::Level::Error => Level::Error,
        };
        self.say(level, &message);
        Ok(())
    }
}
