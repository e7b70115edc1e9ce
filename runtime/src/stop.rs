//! The only arrow that points back: whoever finds a reason to end the load says so here, and the scheduler obeys.

use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// Why the load ends before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// The process got SIGINT or SIGTERM.
    Signal,
    /// Somebody said so while the load ran: by which way, such as `the API`.
    Control(String),
    /// A threshold with `abortOnFail` was crossed: which.
    Threshold(String),
    /// A scenario called `stop`: why.
    Scenario(String),
    /// A scenario called `abort`: why.
    Aborted(String),
    /// The runtime cannot go on: why.
    Internal(String),
}

impl StopReason {
    /// Words that continue `stopped early: `.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::Signal => "a signal".to_owned(),
            Self::Control(way) => way.clone(),
            Self::Threshold(threshold) => format!("threshold {threshold} was crossed"),
            Self::Scenario(reason) => format!("the scenario stopped the load ({reason})"),
            Self::Aborted(reason) => format!("the scenario aborted the test ({reason})"),
            Self::Internal(reason) => reason.clone(),
        }
    }
}

/// How soon the load ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopLevel {
    /// No iteration starts any more; those under way have their `gracefulStop`.
    Graceful,
    /// Iterations under way are interrupted.
    Immediate,
}

/// Shared by all who may end the load, and by the scheduler. The level only rises, and the reason for the highest level stays; a
/// gentle stop by the scenario gives way to any other reason.
#[derive(Debug, Clone, Default)]
pub struct StopToken {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    graceful: CancellationToken,
    immediate: CancellationToken,
    reason: Mutex<Option<(StopLevel, StopReason)>>,
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
        let mut kept = self.inner.reason.lock().unwrap_or_else(PoisonError::into_inner);
        let replaces = match &*kept {
            None => true,
            // Whoever lost patience with a signal or a command sends another: the first word was the same.
            Some((_, StopReason::Signal | StopReason::Control(_))) => false,
            Some((before, was)) => level > *before || matches!(was, StopReason::Scenario(_)),
        };
        if replaces {
            *kept = Some((level, reason));
        }
        drop(kept);
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

    /// Why the load ends.
    #[must_use]
    pub fn reason(&self) -> Option<StopReason> {
        let kept = self.inner.reason.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().map(|(_, reason)| reason.clone())
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
    async fn a_gentle_stop_gives_way_and_an_abort_stays() {
        let token = StopToken::new();
        token.graceful(StopReason::Scenario("enough".to_owned()));
        token.graceful(StopReason::Scenario("more".to_owned()));
        token.immediate(StopReason::Aborted("broken".to_owned()));
        token.immediate(StopReason::Signal);
        assert_eq!(token.reason(), Some(StopReason::Aborted("broken".to_owned())));
        let token = StopToken::new();
        token.graceful(StopReason::Scenario("enough".to_owned()));
        token.graceful(StopReason::Signal);
        assert_eq!(token.reason(), Some(StopReason::Signal));
    }

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
