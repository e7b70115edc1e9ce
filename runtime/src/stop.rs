//! The only arrow that points back: whoever finds a reason to end the load says so here, and the scheduler obeys.

use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// Why the load ends before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// The process got SIGINT or SIGTERM.
    Signal,
    /// A threshold with `abortOnFail` was crossed: which.
    Threshold(String),
    /// A scenario called `stop`: why.
    Scenario(String),
    /// A scenario called `abort`: why.
    Aborted(String),
    /// The runtime cannot go on: why.
    Internal(String),
}

/// How soon the load ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopLevel {
    /// No iteration starts any more; those under way have their `gracefulStop`.
    Graceful,
    /// Iterations under way are interrupted.
    Immediate,
}

/// Shared by all who may end the load, and by the scheduler. The first reason stays; the level only rises.
#[derive(Debug, Clone, Default)]
pub struct StopToken {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    graceful: CancellationToken,
    immediate: CancellationToken,
    reason: Mutex<Option<StopReason>>,
}

impl StopToken {
    /// A token that nobody has used.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the load; iterations under way may finish.
    pub fn graceful(&self, reason: StopReason) {
        self.stop(StopLevel::Graceful, reason);
    }

    /// Ends the load at once.
    pub fn immediate(&self, reason: StopReason) {
        self.stop(StopLevel::Immediate, reason);
    }

    fn stop(&self, level: StopLevel, reason: StopReason) {
        self.inner.reason.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
        self.inner.graceful.cancel();
        if level == StopLevel::Immediate {
            self.inner.immediate.cancel();
        }
    }

    /// How soon the load ends; `None` while nobody asked.
    #[must_use]
    pub fn level(&self) -> Option<StopLevel> {
        if self.inner.immediate.is_cancelled() {
            Some(StopLevel::Immediate)
        } else if self.inner.graceful.is_cancelled() {
            Some(StopLevel::Graceful)
        } else {
            None
        }
    }

    /// The first reason given.
    #[must_use]
    pub fn reason(&self) -> Option<StopReason> {
        self.inner.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until somebody ends the load, on any level.
    pub async fn stopped(&self) {
        self.inner.graceful.cancelled().await;
    }

    /// Waits until somebody ends the load at once.
    pub async fn stopped_immediately(&self) {
        self.inner.immediate.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_stays_and_the_level_only_rises() {
        let token = StopToken::new();
        assert_eq!((token.level(), token.reason()), (None, None));
        token.graceful(StopReason::Signal);
        token.stopped().await;
        assert_eq!(token.level(), Some(StopLevel::Graceful));
        token.clone().immediate(StopReason::Aborted("later".to_owned()));
        token.graceful(StopReason::Aborted("latest".to_owned()));
        token.stopped_immediately().await;
        assert_eq!((token.level(), token.reason()), (Some(StopLevel::Immediate), Some(StopReason::Signal)));
    }
}
