//! `constant-vus`: a fixed number of virtual users, looping for a given time.

use std::time::Duration;

use super::common::fields::{Fields, required};
use super::common::stages::{scale_duration, scale_vus};
use super::{Budget, Description, Executor, Model, VuStep};
use crate::duration;
use crate::field_error::FieldError;

/// The options of `constant-vus`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConstantVus {
    /// Virtual users, from 1.
    pub vus: u32,
    /// For how long iterations start; a second or more.
    pub duration: Duration,
}

impl Executor for ConstantVus {
    const NAME: &'static str = "constant-vus";
    const KEYS: &'static [&'static str] = &["vus", "duration"];

    fn parse(fields: &mut Fields) -> Result<Self, FieldError> {
        let vus = fields.vus("vus", 1)?.unwrap_or(1);
        let duration = fields.duration("duration", Duration::from_secs(1))?;
        Ok(Self { vus, duration: required(duration, "duration", "give for how long to run, such as 30s")? })
    }

    fn regular_duration(&self) -> Duration {
        self.duration
    }

    fn steps(&self) -> Vec<VuStep> {
        vec![VuStep { at: Duration::ZERO, planned: self.vus, max_unplanned: 0 }]
    }

    fn model(&self) -> Model {
        Model::Closed { looping: vec![(Duration::ZERO, self.vus)], budget: Budget::Unlimited }
    }

    fn scale(&self, load: f64, time: f64) -> Self {
        Self { vus: scale_vus(self.vus, load), duration: scale_duration(self.duration, time) }
    }

    fn describe(&self) -> Description {
        Description::new(format!("{} looping VUs for {}", self.vus, duration::format(self.duration)))
    }
}
