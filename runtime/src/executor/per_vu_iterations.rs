//! `per-vu-iterations`: a number of iterations for each virtual user.

use std::time::Duration;

use super::common::fields::Fields;
use super::common::stages::{scale_count, scale_duration, scale_vus};
use super::shared_iterations::DEFAULT_MAX_DURATION;
use super::{Budget, Description, Executor, Model, VuStep};
use crate::duration;
use crate::field_error::FieldError;

/// The options of `per-vu-iterations`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerVuIterations {
    /// Virtual users, from 1.
    pub vus: u32,
    /// Iterations of each, from 1.
    pub iterations: u64,
    /// After so long no iteration starts any more; those that did not are dropped.
    pub max_duration: Duration,
}

impl Executor for PerVuIterations {
    const NAME: &'static str = "per-vu-iterations";
    const KEYS: &'static [&'static str] = &["vus", "iterations", "maxDuration"];

    fn parse(fields: &mut Fields) -> Result<Self, FieldError> {
        Ok(Self {
            vus: fields.vus("vus", 1)?.unwrap_or(1),
            iterations: fields.number("iterations", 1)?.unwrap_or(1),
            max_duration: fields.duration("maxDuration", Duration::from_secs(1))?.unwrap_or(DEFAULT_MAX_DURATION),
        })
    }

    fn regular_duration(&self) -> Duration {
        self.max_duration
    }

    fn steps(&self) -> Vec<VuStep> {
        vec![VuStep { at: Duration::ZERO, planned: self.vus, max_unplanned: 0 }]
    }

    fn model(&self) -> Model {
        Model::Closed { looping: vec![(Duration::ZERO, self.vus)], budget: Budget::PerVu(self.iterations) }
    }

    /// Less load means fewer virtual users, less time means fewer iterations of each; `maxDuration` is a limit, and only
    /// grows.
    fn scale(&self, load: f64, time: f64) -> Self {
        Self {
            vus: scale_vus(self.vus, load),
            iterations: scale_count(self.iterations, time),
            max_duration: scale_duration(self.max_duration, time.max(1.0)),
        }
    }

    fn describe(&self) -> Description {
        let text = format!("{} iterations for each of {} VUs", self.iterations, self.vus);
        Description::new(text).fact("maxDuration", &duration::format(self.max_duration))
    }
}
