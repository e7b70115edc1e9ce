//! Reading an executor's options from JSON, with errors that name the option, the value and the remedy.

use std::time::Duration;

use serde_json::{Map, Value};

use super::stages::Stage;
use crate::duration;
use crate::field_error::FieldError;

/// The options of one executor, each of which is read once.
#[derive(Debug)]
pub struct Fields {
    values: Map<String, Value>,
}

impl Fields {
    /// All keys must be among `known`. A `null` is as good as nothing.
    ///
    /// # Errors
    /// A key that is not known.
    pub fn new(mut values: Map<String, Value>, known: &[&str]) -> Result<Self, FieldError> {
        values.retain(|_, value| !value.is_null());
        check_keys(&values, known)?;
        Ok(Self { values })
    }

    /// Whether this option is given.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// A whole number from `least` on.
    ///
    /// # Errors
    /// A value that is none.
    pub fn number(&self, key: &str, least: u64) -> Result<Option<u64>, FieldError> {
        let Some(value) = self.values.get(key) else { return Ok(None) };
        whole_number(key, value, least, u64::MAX).map(Some)
    }

    /// A number of virtual users, from `least` on.
    ///
    /// # Errors
    /// A value that is none.
    pub fn vus(&self, key: &str, least: u32) -> Result<Option<u32>, FieldError> {
        let Some(value) = self.values.get(key) else { return Ok(None) };
        let number = whole_number(key, value, least.into(), u32::MAX.into())?;
        Ok(u32::try_from(number).ok())
    }

    /// A duration of at least `least`.
    ///
    /// # Errors
    /// A value that is none, or shorter.
    pub fn duration(&self, key: &str, least: Duration) -> Result<Option<Duration>, FieldError> {
        let Some(value) = self.values.get(key) else { return Ok(None) };
        let parsed = duration::from_json(value).map_err(|error| error.at(key))?;
        if parsed < least {
            // Who writes 10 means ten seconds, and k6's options mean milliseconds.
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let bare = text.parse::<f64>().is_ok_and(|number| number > 0.0);
            let hint =
                if bare { format!(" (a bare number is milliseconds; `{text}s` is seconds)") } else { String::new() };
            let problem = format!("is too short; give at least {}{hint}", duration::format(least));
            return Err(FieldError::json(key, value, problem));
        }
        Ok(Some(parsed))
    }

    /// The stages; there must be one at least.
    ///
    /// # Errors
    /// Stages that are missing or malformed.
    pub fn stages(&self, what_target_is: &str) -> Result<Vec<Stage>, FieldError> {
        let remedy = "give a list such as [{\"duration\": \"30s\", \"target\": 10}]";
        let Some(value) = self.values.get("stages") else { return Err(FieldError::missing("stages", remedy)) };
        let Some(list) = value.as_array() else {
            return Err(FieldError::json("stages", value, format!("is not a list of stages; {remedy}")));
        };
        if list.is_empty() {
            return Err(FieldError::json("stages", value, format!("has no stage; {remedy}")));
        }
        let parse = |(index, stage): (usize, &Value)| {
            parse_stage(stage, what_target_is).map_err(|error| error.within(&format!("stages[{index}]")))
        };
        list.iter().enumerate().map(parse).collect()
    }
}

/// The value, or an error that says to give it.
///
/// # Errors
/// When there is none.
pub fn required<T>(value: Option<T>, key: &str, remedy: &str) -> Result<T, FieldError> {
    value.ok_or_else(|| FieldError::missing(key, remedy))
}

fn parse_stage(value: &Value, what_target_is: &str) -> Result<Stage, FieldError> {
    let Some(object) = value.as_object() else {
        let problem = "is not a stage; give {\"duration\": \"30s\", \"target\": 10}";
        return Err(FieldError::json("", value, problem));
    };
    check_keys(object, &["duration", "target"])?;
    let given = |key: &str| object.get(key).filter(|value| !value.is_null());
    let length = required(given("duration"), "duration", "give the stage's length, such as 30s, or 0s to jump")?;
    let target = required(given("target"), "target", &format!("give {what_target_is} at the stage's end"))?;
    Ok(Stage {
        duration: duration::from_json(length).map_err(|error| error.at("duration"))?,
        target: whole_number("target", target, 0, u32::MAX.into())?,
    })
}

fn check_keys(values: &Map<String, Value>, known: &[&str]) -> Result<(), FieldError> {
    match values.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(FieldError::unknown_key(key.as_str(), key, known.iter().copied())),
        None => Ok(()),
    }
}

/// Also takes `10.0`: JavaScript knows no other whole numbers.
fn whole_number(key: &str, value: &Value, least: u64, most: u64) -> Result<u64, FieldError> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be whole and in range")]
    let whole = |float: f64| (float.fract() == 0.0 && (0.0..9e15).contains(&float)).then_some(float as u64);
    let too_small = || FieldError::json(key, value, format!("is too small; give a whole number of {least} or more"));
    match value.as_u64().or_else(|| value.as_f64().and_then(whole)) {
        Some(number) if number < least => Err(too_small()),
        Some(number) if number > most => {
            Err(FieldError::json(key, value, format!("is too large; give a whole number of at most {most}")))
        }
        Some(number) => Ok(number),
        None if value.as_i64().is_some() => Err(too_small()),
        None => Err(FieldError::json(key, value, format!("is not a whole number; give one of {least} or more"))),
    }
}
