//! `--scale-load` and `--scale-time`: somebody else's heavy test, on a laptop.

use std::time::Duration;

use crate::executor::ScenarioSpec;
use crate::field_error::FieldError;

/// The greatest factor: a million times the load is a typing error.
const GREATEST: f64 = 1e6;

/// By how much rates, virtual users and iterations are multiplied, and by how much durations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    load: f64,
    time: f64,
}

impl Default for Scale {
    fn default() -> Self {
        Self { load: 1.0, time: 1.0 }
    }
}

impl Scale {
    /// Factors above 0, and at most a million.
    ///
    /// # Errors
    /// Any other factor; the error names the flag.
    pub fn new(load: f64, time: f64) -> Result<Self, FieldError> {
        for (flag, factor) in [("--scale-load", load), ("--scale-time", time)] {
            if !(factor > 0.0 && factor <= GREATEST) {
                return Err(FieldError::new(
                    flag,
                    factor,
                    "is no factor; give a number above 0, such as 0.1 for a tenth",
                ));
            }
        }
        Ok(Self { load, time })
    }

    /// The factor of rates, virtual users and iterations.
    pub const fn load(self) -> f64 {
        self.load
    }

    /// The factor of durations and start times; graceful stops stay.
    pub const fn time(self) -> f64 {
        self.time
    }

    /// Whether nothing is scaled.
    pub fn is_one(self) -> bool {
        self == Self::default()
    }

    /// A number of requests a second, at least 1.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded to a whole number from 1; a cast saturates"
    )]
    pub(super) fn load_count(self, number: u64) -> u64 {
        if self.load == 1.0 { number } else { (number as f64 * self.load).round().max(1.0) as u64 }
    }

    pub(super) fn scenario(self, spec: &ScenarioSpec) -> ScenarioSpec {
        if self.is_one() {
            return spec.clone();
        }
        ScenarioSpec {
            start_time: Duration::try_from_secs_f64(spec.start_time.as_secs_f64() * self.time).unwrap_or(Duration::MAX),
            executor: spec.executor.scale(self.load, self.time),
            ..spec.clone()
        }
    }
}
