//! Records of the `log` crate become the runtime's lines.

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::host;

struct Logger;

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let level = match record.level() {
            Level::Error => host::log::Level::Error,
            Level::Warn => host::log::Level::Warn,
            Level::Info => host::log::Level::Info,
            Level::Debug | Level::Trace => host::log::Level::Debug,
        };
        match record.args().as_str() {
            Some(text) => host::log::write(level, text),
            None => host::log::write(level, &record.args().to_string()),
        }
    }

    fn flush(&self) {}
}

/// Takes the `log` crate's records, unless the scenario has installed a logger of its own.
pub(crate) fn install() {
    if log::set_logger(&Logger).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
}
