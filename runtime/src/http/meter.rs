//! A stream that notes when bytes moved and how many: the only honest place to time a request's phases.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// What a connection's stream saw since the last [`Meter::restart`]. Shared between the stream, which hyper owns, and the
/// client; both run in one task, so the atomics are never contended.
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

    fn now_ns(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1)
    }

    /// `started` is when the write was handed to the kernel: the first byte leaves then, not when the call returns.
    fn wrote(&self, bytes: usize, started_ns: u64) {
        if bytes == 0 {
            return;
        }
        if self.first_write_ns.load(Relaxed) == 0 {
            self.first_write_ns.store(started_ns, Relaxed);
        }
        self.last_write_ns.store(self.now_ns(), Relaxed);
        self.bytes_written.fetch_add(bytes as u64, Relaxed);
    }

    fn read(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        if self.first_read_ns.load(Relaxed) == 0 {
            self.first_read_ns.store(self.now_ns(), Relaxed);
        }
        self.bytes_read.fetch_add(bytes as u64, Relaxed);
    }
}

/// A stream under a [`Meter`].
#[derive(Debug)]
pub(crate) struct Metered<S> {
    stream: S,
    meter: Arc<Meter>,
}

impl<S> Metered<S> {
    pub(crate) const fn new(stream: S, meter: Arc<Meter>) -> Self {
        Self { stream, meter }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let result = Pin::new(&mut this.stream).poll_read(cx, buf);
        if matches!(result, Poll::Ready(Ok(()))) {
            this.meter.read(buf.filled().len() - before);
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let started_ns = this.meter.now_ns();
        let result = Pin::new(&mut this.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(bytes)) = result {
            this.meter.wrote(bytes, started_ns);
        }
        result
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let started_ns = this.meter.now_ns();
        let result = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        if let Poll::Ready(Ok(bytes)) = result {
            this.meter.wrote(bytes, started_ns);
        }
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn first_and_last_moves_are_noted_to_the_nanosecond() {
        let (near, mut far) = tokio::io::duplex(64);
        let meter = Meter::new();
        let mut near = Metered::new(near, Arc::clone(&meter));
        tokio::time::advance(Duration::from_millis(5)).await;
        let start = Instant::now();
        near.write_all(b"abc").await.unwrap();
        tokio::time::advance(Duration::from_millis(7)).await;
        near.write_all(b"de").await.unwrap();
        tokio::time::advance(Duration::from_millis(11)).await;
        far.write_all(b"xyz").await.unwrap();
        let mut answer = [0; 3];
        near.read_exact(&mut answer).await.unwrap();

        assert_eq!(meter.first_write().unwrap() - start, Duration::ZERO);
        assert_eq!(meter.last_write().unwrap() - start, Duration::from_millis(7));
        assert_eq!(meter.first_read().unwrap() - start, Duration::from_millis(18));
        assert_eq!((meter.bytes_written(), meter.bytes_read()), (5, 3));

        meter.restart();
        assert!(meter.first_write().is_none() && meter.last_write().is_none() && meter.first_read().is_none());
        assert_eq!((meter.bytes_written(), meter.bytes_read()), (0, 0));
    }
}
