//! Options: k6's names and meanings, from five layers that become one.
//!
//! `defaults < config file < module < environment < flags`. A layer's value replaces that of the layers below it; `tags` and
//! `thresholds` are replaced whole, as k6 does. A layer that says how the load runs (`duration`, `iterations`, `stages` or
//! `scenarios`) replaces all that lower layers say of it; `vus` alone only changes the number.
//!
//! A value is checked when its layer is read, so that the error can name the file, the variable or the flag. What is kept is
//! k6's JSON; [`Plan::resolve`](crate::plan::Plan::resolve) makes types of it.

mod environment;
pub mod known;
pub mod modules;
pub mod read;
mod scenario;
pub mod schema;
mod thresholds;

use serde_json::{Map, Value};

use crate::field_error::{FieldError, nearest};

pub(crate) use environment::from_text;
pub use environment::{PREFIX, SETTINGS};
pub use scenario::{DEFAULT_FUNCTION, DEFAULT_SCENARIO, ScenarioOptions};
pub(crate) use thresholds::parse as parse_thresholds;

/// How the load runs: the options of which a layer replaces all at once.
const EXECUTION: [&str; 4] = ["duration", "iterations", "stages", "scenarios"];

/// One layer of options, or several merged. Every value in it is known and valid.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    values: Map<String, Value>,
}

impl Options {
    /// A layer from k6's options object. A value of null is as good as none.
    ///
    /// # Errors
    /// The first key that is unknown, not supported by this version or has a wrong value; two ways to run the load.
    pub fn from_json(json: &Value) -> Result<Self, FieldError> {
        let fields = match json {
            Value::Null => return Ok(Self::default()),
            Value::Object(fields) => fields,
            other => {
                return Err(FieldError::json(
                    "options",
                    other,
                    "is not an object; write {\"vus\": 10, \"duration\": \"30s\"}",
                ));
            }
        };
        let mut options = Self::default();
        for (name, value) in fields {
            options.set(name, value)?;
        }
        options.check_conflicts(str::to_owned)?;
        Ok(options)
    }

    /// A layer from a config file's text.
    ///
    /// # Errors
    /// Text that is no JSON, and as [`from_json`](Self::from_json). The path begins with `file`.
    pub fn from_json_text(text: &str, file: &str) -> Result<Self, FieldError> {
        let json = serde_json::from_str(text)
            .map_err(|error| FieldError::bare(file, format!("is not JSON ({error}); write a k6 options object")))?;
        Self::from_json(&json).map_err(|error| error.of(file))
    }

    /// A layer from environment variables: `FLASHCROWD_VUS`, or else `K6_VUS`.
    ///
    /// # Errors
    /// As [`from_json`](Self::from_json), naming the variable; also a `FLASHCROWD_` variable that nobody knows.
    pub fn from_environment(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, FieldError> {
        environment::read(variables)
    }

    /// Sets one option.
    ///
    /// # Errors
    /// An unknown or unsupported name, or a wrong value.
    pub(crate) fn set(&mut self, name: &str, value: &Value) -> Result<(), FieldError> {
        let option = known::find(name).ok_or_else(|| unknown(name))?;
        if value.is_null() {
            return Ok(());
        }
        option.check(value)?;
        if option.is_supported() {
            self.values.insert(name.to_owned(), value.clone());
        }
        Ok(())
    }

    /// k6's rule: a layer says in one way how the load runs. `iterations` with `duration` is one way: as many iterations, but no
    /// longer than that. `name` gives the name under which the user knows an option.
    pub(crate) fn check_conflicts(&self, name: impl Fn(&str) -> String) -> Result<(), FieldError> {
        let given: Vec<&str> = EXECUTION.into_iter().filter(|name| self.says(name)).collect();
        match given.as_slice() {
            [] | [_] | ["duration", "iterations"] => Ok(()),
            // The pair that may stand together is not to blame for a third.
            ["duration", "iterations", third, ..] => Err(FieldError::bare(
                name(third),
                format!("stands beside {}, and either says how the load runs; keep one of them", name("duration")),
            )),
            [first, second, ..] => Err(FieldError::bare(
                name(second),
                format!("stands beside {}, and either says how the load runs; keep one of them", name(first)),
            )),
        }
    }

    /// An empty list of stages or scenarios says nothing.
    fn says(&self, name: &str) -> bool {
        match self.values.get(name) {
            None => false,
            Some(Value::Array(list)) => !list.is_empty(),
            Some(Value::Object(map)) => !map.is_empty(),
            Some(_) => true,
        }
    }

    /// This layer with a higher one on top.
    #[must_use]
    pub fn overlay(mut self, upper: Self) -> Self {
        if EXECUTION.into_iter().any(|name| upper.says(name)) {
            for name in EXECUTION {
                self.values.remove(name);
            }
        }
        for (name, value) in upper.values {
            self.values.insert(name, value);
        }
        self
    }

    /// All layers, the lowest first.
    #[must_use]
    pub fn merged(layers: impl IntoIterator<Item = Self>) -> Self {
        layers.into_iter().fold(Self::default(), Self::overlay)
    }

    /// This layer as if nobody had said anything of these.
    pub(crate) fn without(mut self, names: &[&str]) -> Self {
        self.values.retain(|name, _| !names.contains(&name.as_str()));
        self
    }

    pub(crate) fn says_scenarios(&self) -> bool {
        self.says("scenarios")
    }

    /// The value of an option, if any layer gave one.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// k6's options object.
    pub fn to_json(&self) -> Value {
        Value::Object(self.values.clone())
    }

    /// The scenarios that this says, or that its shortcuts stand for.
    ///
    /// # Errors
    /// A shortcut that its executor refuses, such as more VUs than iterations.
    pub(crate) fn scenarios(&self) -> Result<Vec<ScenarioOptions>, FieldError> {
        if self.says("scenarios") {
            return scenario::parse_all(&self.values["scenarios"]);
        }
        scenario::from_shortcuts(self).map(|scenario| vec![scenario])
    }
}

/// There are too many options to name them all.
fn unknown(name: &str) -> FieldError {
    let remedy = match nearest(name, known::OPTIONS.iter().map(|option| option.name)) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "docs/options.md lists the options".to_owned(),
    };
    FieldError::bare(name, format!("unknown key; {remedy}"))
}

#[cfg(test)]
mod tests;
