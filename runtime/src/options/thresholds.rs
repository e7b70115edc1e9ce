//! The option `thresholds`: per metric one condition, or a list of them, each an expression or an object that says more.

use std::time::Duration;

use serde_json::{Map, Value};

use super::read;
use crate::duration;
use crate::field_error::FieldError;
use crate::threshold::{LEAST_WINDOW, LONGEST_WINDOW, MOST_WINDOWED, Threshold};

const EXAMPLE: &str = "{\"http_req_duration\": [\"p(95)<500\"]}";
const KEYS: [&str; 4] = ["threshold", "abortOnFail", "delayAbortEval", "window"];

/// Reads all thresholds, in the order in which they stand.
///
/// # Errors
/// The first that is wrong; its path begins with the metric.
pub(crate) fn parse(value: &Value) -> Result<Vec<Threshold>, FieldError> {
    let mut thresholds = Vec::new();
    for (selector, conditions) in read::object(value, EXAMPLE)? {
        match conditions {
            Value::Null => {}
            Value::Array(conditions) => {
                for (index, condition) in conditions.iter().enumerate() {
                    let place = if conditions.len() > 1 { format!("[{index}]") } else { String::new() };
                    thresholds.push(parse_one(selector, condition, &place)?);
                }
            }
            condition => thresholds.push(parse_one(selector, condition, "")?),
        }
        if thresholds.iter().filter(|threshold| threshold.window.is_some()).count() > MOST_WINDOWED {
            let problem = format!("has one threshold with a window too many; give {MOST_WINDOWED} at most");
            return Err(FieldError::bare(selector, problem));
        }
    }
    Ok(thresholds)
}

fn parse_one(selector: &str, condition: &Value, place: &str) -> Result<Threshold, FieldError> {
    let within = |error: FieldError| error.within(place).within(selector);
    match condition {
        // The threshold's own errors bring their path, which begins with this option.
        Value::String(expression) => Threshold::parse(selector, expression).map_err(FieldError::inside_thresholds),
        Value::Object(fields) => {
            let expression = expression_of(fields).map_err(within)?;
            let threshold = Threshold::parse(selector, expression).map_err(FieldError::inside_thresholds)?;
            aborting(threshold, fields).map_err(within)
        }
        other => Err(within(FieldError::json(
            "",
            other,
            "is not a threshold; write \"p(95)<500\" or {\"threshold\": \"p(95)<500\"}",
        ))),
    }
}

fn expression_of(fields: &Map<String, Value>) -> Result<&str, FieldError> {
    for key in fields.keys() {
        if !KEYS.contains(&key.as_str()) {
            return Err(FieldError::unknown_key(key, key, KEYS));
        }
    }
    match fields.get("threshold") {
        Some(expression) => read::text(expression).map_err(|error| error.within("threshold")),
        None => Err(FieldError::missing("threshold", "give an expression such as \"p(95)<500\"")),
    }
}

fn aborting(threshold: Threshold, fields: &Map<String, Value>) -> Result<Threshold, FieldError> {
    let given = |key: &str| fields.get(key).filter(|value| !value.is_null());
    let abort = given("abortOnFail").map_or(Ok(false), read::boolean).map_err(|error| error.within("abortOnFail"))?;
    let delay = given("delayAbortEval")
        .map_or(Ok(Duration::ZERO), read::duration)
        .map_err(|error| error.within("delayAbortEval"))?;
    let threshold = if abort { threshold.aborting(delay) } else { threshold };
    let window = given("window").map(window).transpose().map_err(|error| error.within("window"))?;
    Ok(window.map_or(threshold.clone(), |window| threshold.over(window)))
}

/// As long as it takes to look at it once, and no longer than can be held.
fn window(value: &Value) -> Result<Duration, FieldError> {
    let window = read::duration(value)?;
    if (LEAST_WINDOW..=LONGEST_WINDOW).contains(&window) {
        return Ok(window);
    }
    let (least, longest) = (duration::format(LEAST_WINDOW), duration::format(LONGEST_WINDOW));
    Err(FieldError::json("", value, format!("is no window; give one from {least} to {longest}")))
}

impl FieldError {
    /// The path without the option's own name, which the caller adds to every error.
    fn inside_thresholds(mut self) -> Self {
        let inner = self.path.strip_prefix("thresholds.").or_else(|| self.path.strip_prefix("thresholds"));
        self.path = inner.unwrap_or(&self.path).to_owned();
        self
    }
}
