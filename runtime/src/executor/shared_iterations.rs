//! `shared-iterations`: a number of iterations, shared among a number of virtual users; whoever is free takes the next.

use std::time::Duration;

use super::common::fields::Fields;
use super::common::stages::{scale_count, scale_duration, scale_vus};
use super::{Budget, Description, Executor, Model, VuStep};
use crate::duration;
use crate::field_error::FieldError;

/// The options of `shared-iterations`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedIterations {
    /// Virtual users, from 1.
    pub vus: u32,
    /// Iterations of all of them together, at least one each.
    pub iterations: u64,
    /// After so long no iteration starts any more; those that did not are dropped.
    pub max_duration: Duration,
}

/// What `maxDuration` is when nobody says.
pub const DEFAULT_MAX_DURATION: Duration = Duration::from_mins(10);

impl Executor for SharedIterations {
    const NAME: &'static str = "shared-iterations";
    const KEYS: &'static [&'static str] = &["vus", "iterations", "maxDuration"];

    fn parse(fields: &mut Fields) -> Result<Self, FieldError> {
        let vus = fields.vus("vus", 1)?.unwrap_or(1);
        let iterations = fields.number("iterations", 1)?.unwrap_or(1);
        if iterations < u64::from(vus) {
            let problem = format!("is less than vus ({vus}); give at least one iteration for each virtual user");
            return Err(FieldError::new("iterations", iterations, problem));
        }
        let max_duration = fields.duration("maxDuration", Duration::from_secs(1))?.unwrap_or(DEFAULT_MAX_DURATION);
        Ok(Self { vus, iterations, max_duration })
    }

    fn regular_duration(&self) -> Duration {
        self.max_duration
    }

    fn steps(&self) -> Vec<VuStep> {
        vec![VuStep { at: Duration::ZERO, planned: self.vus, max_unplanned: 0 }]
    }

    fn model(&self) -> Model {
        Model::Closed { looping: vec![(Duration::ZERO, self.vus)], budget: Budget::Shared(self.iterations) }
    }

    /// Less time means fewer iterations; `maxDuration` is a limit, and only grows.
    fn scale(&self, load: f64, time: f64) -> Self {
        let vus = scale_vus(self.vus, load);
        let iterations = scale_count(self.iterations, load * time).max(vus.into());
        Self { vus, iterations, max_duration: scale_duration(self.max_duration, time.max(1.0)) }
    }

    fn describe(&self) -> Description {
        let text = format!("{} iterations shared among {} VUs", self.iterations, self.vus);
        Description::new(text).fact("maxDuration", &duration::format(self.max_duration))
    }
}
