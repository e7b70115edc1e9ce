//! When bytes moved, and how many: the only honest place to time a request's phases is the socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

/// What a client's connection saw since the last [`Meter::restart`]. Whoever breaks an exchange off reads it as well: everything happens in one
/// task, so the atomics are never contended.
#[derive(Debug)]
pub(crate) struct Meter {
    epoch: Instant,
    /// Nanoseconds since `epoch`; 0 for never.
    first_write_ns: AtomicU64,
    last_write_ns: AtomicU64,
    first_read_ns: AtomicU64,
    bytes_written: AtomicU64,
    bytes_read: AtomicU64,
}

impl Meter {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            epoch: Instant::now(),
            first_write_ns: AtomicU64::new(0),
            last_write_ns: AtomicU64::new(0),
            first_read_ns: AtomicU64::new(0),
            bytes_written: AtomicU64::new(0),
            bytes_read: AtomicU64::new(0),
        })
    }

    /// Forgets what was seen: a new request begins.
    pub(crate) fn restart(&self) {
        for cell in
            [&self.first_write_ns, &self.last_write_ns, &self.first_read_ns, &self.bytes_written, &self.bytes_read]
        {
            cell.store(0, Relaxed);
        }
    }

    pub(crate) fn first_write(&self) -> Option<Instant> {
        self.at(&self.first_write_ns)
    }

    pub(crate) fn last_write(&self) -> Option<Instant> {
        self.at(&self.last_write_ns)
    }

    pub(crate) fn first_read(&self) -> Option<Instant> {
        self.at(&self.first_read_ns)
    }

    pub(crate) fn bytes_written(&self) -> u64 {
        self.bytes_written.load(Relaxed)
    }

    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Relaxed)
    }

    fn at(&self, cell: &AtomicU64) -> Option<Instant> {
        match cell.load(Relaxed) {
            0 => None,
            ns => Some(self.epoch + Duration::from_nanos(ns)),
        }
    }

    /// Something left that is not counted here.
    pub(super) fn left(&self) {
        self.first_write_ns.store(self.now_ns(), Relaxed);
    }

    /// Takes over what somebody else counted.
    pub(super) fn note(&self, written: u64, read: u64) {
        self.bytes_written.fetch_add(written, Relaxed);
        self.bytes_read.fetch_add(read, Relaxed);
    }

    /// What was read so far was not the answer: its first byte is still to come.
    pub(super) fn answer_is_to_come(&self) {
        self.first_read_ns.store(0, Relaxed);
    }

    pub(super) fn now_ns(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1)
    }

    /// `started` is when the write was handed to the kernel: the first byte leaves then, not when the call returns.
    pub(super) fn wrote(&self, bytes: usize, started_ns: u64) {
        if bytes == 0 {
            return;
        }
        if self.first_write_ns.load(Relaxed) == 0 {
            self.first_write_ns.store(started_ns, Relaxed);
        }
        self.last_write_ns.store(self.now_ns(), Relaxed);
        self.bytes_written.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn read(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        if self.first_read_ns.load(Relaxed) == 0 {
            self.first_read_ns.store(self.now_ns(), Relaxed);
        }
        self.bytes_read.fetch_add(bytes as u64, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn first_and_last_moves_are_noted_to_the_nanosecond() {
        let meter = Meter::new();
        tokio::time::advance(Duration::from_millis(5)).await;
        let start = Instant::now();
        meter.wrote(3, meter.now_ns());
        tokio::time::advance(Duration::from_millis(7)).await;
        meter.wrote(2, meter.now_ns());
        tokio::time::advance(Duration::from_millis(11)).await;
        meter.read(3);
        tokio::time::advance(Duration::from_millis(1)).await;
        meter.read(0);
        meter.read(4);

        assert_eq!(meter.first_write().unwrap() - start, Duration::ZERO);
        assert_eq!(meter.last_write().unwrap() - start, Duration::from_millis(7));
        assert_eq!(meter.first_read().unwrap() - start, Duration::from_millis(18));
        assert_eq!((meter.bytes_written(), meter.bytes_read()), (5, 7));

        meter.restart();
        assert!(meter.first_write().is_none() && meter.last_write().is_none() && meter.first_read().is_none());
        assert_eq!((meter.bytes_written(), meter.bytes_read()), (0, 0));
    }
}
