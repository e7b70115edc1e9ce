//! A connection that notes when a request's head was read and when its answer was handed to the kernel.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::stats::{Stats, now_ns};

/// No answer is under way.
const NONE: u64 = 0;

/// What one connection's stream and its service tell each other. Times are in nanoseconds of the monotonic clock.
#[derive(Debug)]
pub(crate) struct Clock {
    stats: Arc<Stats>,
    last_read_ns: AtomicU64,
    /// When the head of the request was read whose answer is about to be written; [`NONE`] without one.
    answering_ns: AtomicU64,
}

impl Clock {
    pub(crate) fn new(stats: Arc<Stats>) -> Self {
        stats.opened();
        Self { stats, last_read_ns: AtomicU64::new(NONE), answering_ns: AtomicU64::new(NONE) }
    }

    pub(crate) fn stats(&self) -> &Stats {
        &self.stats
    }

    /// When the bytes came that completed the head; called as soon as hyper has parsed it.
    pub(crate) fn head_read(&self) -> u64 {
        let at = self.last_read_ns.load(Relaxed);
        self.stats.arrived(at);
        at
    }

    /// What is written next answers the request of that time.
    pub(crate) fn answers(&self, begun_ns: u64) {
        self.answering_ns.store(begun_ns, Relaxed);
    }

    fn wrote(&self) {
        let begun = self.answering_ns.swap(NONE, Relaxed);
        if begun != NONE {
            self.stats.answered(now_ns().saturating_sub(begun));
        }
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.stats.closed();
    }
}

/// A stream whose reads and writes are timed.
pub(crate) struct Timed {
    stream: TokioIo<TcpStream>,
    clock: Arc<Clock>,
}

impl Timed {
    pub(crate) fn new(stream: TokioIo<TcpStream>, clock: Arc<Clock>) -> Self {
        Self { stream, clock }
    }
}

impl Read for Timed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
        self.clock.last_read_ns.store(now_ns(), Relaxed);
        Poll::Ready(result)
    }
}

impl Write for Timed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.stream).poll_write(cx, buf));
        self.clock.wrote();
        Poll::Ready(result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, bufs));
        self.clock.wrote();
        Poll::Ready(result)
    }
}
