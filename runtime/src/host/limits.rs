//! How much memory an instance may take.

use wasmtime::ResourceLimiter;

/// Elements in an instance's tables: functions that may be called indirectly. Rust programs have some thousands.
pub(crate) const MAX_TABLE_ELEMENTS: usize = 20_000;

/// The longest text that the host keeps for a module: a name, a tag.
const MAX_TEXT_BYTES: usize = 1024;

/// Refuses a text that the host would have to keep and that is longer than anybody reads: a module must not use the host's memory in
/// place of its own.
pub(crate) fn short(what: &str, text: &str) -> wasmtime::Result<()> {
    if text.len() > MAX_TEXT_BYTES {
        wasmtime::bail!("{what} has {} bytes; {MAX_TEXT_BYTES} is the most", text.len());
    }
    Ok(())
}

/// Denies growth beyond the limit and remembers that it did, so that the trap which follows can be explained.
#[derive(Debug)]
pub(crate) struct MemoryLimit {
    max_bytes: usize,
    denied: bool,
    tables_denied: bool,
}

impl MemoryLimit {
    pub(crate) const fn new(max_bytes: usize) -> Self {
        Self { max_bytes, denied: false, tables_denied: false }
    }

    /// A new call begins.
    pub(crate) const fn forget(&mut self) {
        self.denied = false;
        self.tables_denied = false;
    }

    /// Whether the module asked for more than it may have.
    pub(crate) const fn denied(&self) -> bool {
        self.denied
    }

    /// Whether the module asked for more elements of a table than it may have.
    pub(crate) const fn tables_denied(&self) -> bool {
        self.tables_denied
    }

    pub(crate) const fn max_bytes(&self) -> usize {
        self.max_bytes
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let granted = desired <= self.max_bytes;
        self.denied |= !granted;
        Ok(granted)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let granted = desired <= MAX_TABLE_ELEMENTS;
        self.tables_denied |= !granted;
        Ok(granted)
    }
}
