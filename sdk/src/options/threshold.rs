//! Thresholds that say more than an expression.

use serde_json::{Map, Value};

use super::Span;

/// A condition that the test must meet: an expression such as `p(95)<500`, and what to do when it is crossed. Given to
/// [`Options::threshold`](crate::Options::threshold), which also takes a bare expression.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Threshold(Map<String, Value>);

impl Threshold {
    /// A threshold with this expression: an aggregation (`count`, `rate`, `value`, `avg`, `min`, `max`, `med`, `p(N)`), an
    /// operator and a number.
    pub fn new(expression: impl Into<String>) -> Self {
        Self(Map::from_iter([("threshold".to_owned(), Value::String(expression.into()))]))
    }

    /// Ends the test at once when it is crossed.
    pub fn abort_on_fail(self) -> Self {
        self.put("abortOnFail", true)
    }

    /// Does not end the test before this much of it is over.
    pub fn delay_abort_eval(self, delay: impl Into<Span>) -> Self {
        self.put("delayAbortEval", delay.into())
    }

    /// Looks at the last so much of the test only, at every evaluation, instead of at all of it.
    pub fn window(self, window: impl Into<Span>) -> Self {
        self.put("window", window.into())
    }

    fn put(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    /// A bare expression stays a text, as people write it in k6.
    pub(super) fn into_json(self) -> Value {
        match self.0.get("threshold") {
            Some(expression) if self.0.len() == 1 => expression.clone(),
            _ => Value::Object(self.0),
        }
    }
}

impl From<&str> for Threshold {
    fn from(expression: &str) -> Self {
        Self::new(expression)
    }
}

impl From<String> for Threshold {
    fn from(expression: String) -> Self {
        Self::new(expression)
    }
}
