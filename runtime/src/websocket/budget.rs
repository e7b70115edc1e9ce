//! How much memory the connections of one virtual user may take together.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of incoming messages, held by all connections of a virtual user. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    held: Arc<AtomicUsize>,
    limit: usize,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Self {
        Self { held: Arc::default(), limit }
    }

    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    /// Takes so many bytes, unless they are too many.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        let held = self.held.fetch_add(bytes, Relaxed) + bytes;
        if held > self.limit {
            self.give_back(bytes);
            return false;
        }
        true
    }

    /// Takes so many bytes for as long as the result lives, unless they are too many.
    pub(crate) fn hold(&self, bytes: usize) -> Option<Held> {
        self.take(bytes).then(|| Held { budget: self.clone(), bytes })
    }

    pub(crate) fn give_back(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Relaxed);
    }

    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.held.load(Relaxed)
    }
}

/// Bytes that are taken out of a budget until this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    budget: Budget,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

/// A stream that takes what is read from it out of a budget.
///
/// A message is put together from what is read, and the memory that the longest one took stays with its connection: that much is held until
/// the connection is dropped.
#[derive(Debug)]
pub(super) struct Budgeted<S> {
    stream: S,
    budget: Budget,
    /// Bytes read for the message that is on its way.
    unfinished: usize,
    /// The most that `unfinished` ever was: what is taken out of the budget.
    taken: usize,
    /// What is read beyond this is too much.
    exhausted: bool,
}

impl<S> Budgeted<S> {
    pub(super) const fn new(stream: S, budget: Budget) -> Self {
        Self { stream, budget, unfinished: 0, taken: 0, exhausted: false }
    }

    /// So many bytes were read before it was known that a message is in them.
    pub(super) fn said(&mut self, bytes: usize) {
        // Too many of them end the next read.
        let _ = self.count(bytes);
    }

    /// Whether reading ended because there is no room left.
    pub(super) const fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// A message of text or bytes is complete.
    pub(super) const fn message(&mut self) {
        self.unfinished = 0;
    }

    /// A ping or a pong of this length is complete: it may have come between the parts of a message.
    pub(super) const fn control(&mut self, bytes: usize) {
        self.unfinished = self.unfinished.saturating_sub(bytes + 2);
    }

    fn count(&mut self, bytes: usize) -> io::Result<()> {
        self.unfinished += bytes;
        if let Some(more) = self.unfinished.checked_sub(self.taken) {
            if !self.budget.take(more) {
                self.exhausted = true;
                return Err(io::Error::other("the messages of this virtual user take more than its memory limit"));
            }
            self.taken = self.unfinished;
        }
        Ok(())
    }
}

impl<S> Drop for Budgeted<S> {
    fn drop(&mut self) {
        self.budget.give_back(self.taken);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Budgeted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let read = buffer.filled().len() - before;
        Poll::Ready(self.count(read))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Budgeted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
