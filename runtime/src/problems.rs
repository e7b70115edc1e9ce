//! What went wrong, counted by message: ten thousand equal failures are one line in the log and one in the summary.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Distinct messages that are kept; further ones are counted together.
const MAX_MESSAGES: usize = 100;
/// A longer message is cut.
const MAX_MESSAGE_BYTES: usize = 1024;
/// Stands for the messages beyond the limit.
const FURTHER: &str = "(further messages)";

/// Counted messages of a whole test.
#[derive(Debug, Default)]
pub struct Problems {
    iteration_errors: Mutex<Messages>,
    refused_hosts: Mutex<Messages>,
    failed_requests: Mutex<Messages>,
    warnings: Mutex<Messages>,
}

type Messages = BTreeMap<String, u64>;

impl Problems {
    /// Counts a failed iteration. True for the first of its message: the one to log.
    pub fn iteration_failed(&self, message: &str) -> bool {
        count(&self.iteration_errors, message)
    }

    /// Counts a request to a host that is not granted. True for the first to this host.
    pub fn host_refused(&self, host: &str) -> bool {
        count(&self.refused_hosts, host)
    }

    /// Counts a request that has no complete answer, by the kind of failure. True for the first of its kind.
    pub fn request_failed(&self, kind: &str) -> bool {
        count(&self.failed_requests, kind)
    }

    /// Counts anything else that the person should know. True for the first of its message.
    pub fn warn(&self, message: &str) -> bool {
        count(&self.warnings, message)
    }

    /// Failed iterations by message.
    #[must_use]
    pub fn iteration_errors(&self) -> BTreeMap<String, u64> {
        copy(&self.iteration_errors)
    }

    /// Refused requests by `host:port`.
    #[must_use]
    pub fn refused_hosts(&self) -> BTreeMap<String, u64> {
        copy(&self.refused_hosts)
    }

    /// Warnings by message.
    #[must_use]
    pub fn warnings(&self) -> BTreeMap<String, u64> {
        copy(&self.warnings)
    }
}

fn count(messages: &Mutex<Messages>, message: &str) -> bool {
    let end = message.floor_char_boundary(MAX_MESSAGE_BYTES);
    let message = message[..end].trim_end();
    let mut messages = messages.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(count) = messages.get_mut(message) {
        *count += 1;
        return false;
    }
    let message = if messages.len() < MAX_MESSAGES { message } else { FURTHER };
    let count = messages.entry(message.to_owned()).or_default();
    *count += 1;
    *count == 1
}

fn copy(messages: &Mutex<Messages>) -> Messages {
    messages.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_messages_are_counted_and_distinct_ones_are_bounded() {
        let problems = Problems::default();
        assert!(problems.iteration_failed("a"));
        assert!(!problems.iteration_failed("a"));
        for message in 0..1000 {
            problems.iteration_failed(&format!("message {message}"));
        }
        let errors = problems.iteration_errors();
        assert_eq!(errors.len(), MAX_MESSAGES + 1);
        assert_eq!(errors["a"], 2);
        assert_eq!(errors.values().sum::<u64>(), 1002);
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let problems = Problems::default();
        problems.warn(&"é".repeat(1000));
        assert!(problems.warnings().keys().all(|message| message.len() <= MAX_MESSAGE_BYTES));
    }
}
