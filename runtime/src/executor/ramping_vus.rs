//! `ramping-vus`: looping virtual users whose number changes over stages.

use std::time::Duration;

use super::common::fields::Fields;
use super::common::stages::{self, Stage, scale_duration, scale_vus};
use super::{Budget, Description, Executor, Model, VuStep};
use crate::duration;
use crate::field_error::FieldError;

/// The options of `ramping-vus`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RampingVus {
    /// Virtual users at the beginning.
    pub start_vus: u32,
    /// How their number changes; one at least.
    pub stages: Vec<Stage>,
    /// How long an iteration may go on whose virtual user is over the target.
    pub graceful_ramp_down: Duration,
}

impl RampingVus {
    fn most_vus(&self) -> u64 {
        self.stages.iter().map(|stage| stage.target).fold(self.start_vus.into(), u64::max)
    }
}

impl Executor for RampingVus {
    const NAME: &'static str = "ramping-vus";
    const KEYS: &'static [&'static str] = &["startVUs", "stages", "gracefulRampDown"];

    fn parse(fields: &mut Fields) -> Result<Self, FieldError> {
        let config = Self {
            start_vus: fields.vus("startVUs", 0)?.unwrap_or(1),
            stages: fields.stages("the number of virtual users")?,
            graceful_ramp_down: fields.duration("gracefulRampDown", Duration::ZERO)?.unwrap_or(Duration::from_secs(30)),
        };
        if config.most_vus() == 0 {
            return Err(FieldError::bare("stages", "never reach a virtual user; give a target or startVUs above 0"));
        }
        Ok(config)
    }

    fn regular_duration(&self) -> Duration {
        stages::total(&self.stages)
    }

    fn steps(&self) -> Vec<VuStep> {
        let counts = stages::counts(self.start_vus, &self.stages);
        let step = |(at, planned)| VuStep { at, planned, max_unplanned: 0 };
        stages::held(&counts, self.graceful_ramp_down).into_iter().map(step).collect()
    }

    fn model(&self) -> Model {
        Model::Closed { looping: stages::counts(self.start_vus, &self.stages), budget: Budget::Unlimited }
    }

    fn scale(&self, load: f64, time: f64) -> Self {
        Self {
            start_vus: scale_vus(self.start_vus, load),
            stages: stages::scaled(&self.stages, load, time),
            graceful_ramp_down: scale_duration(self.graceful_ramp_down, time.max(1.0)),
        }
    }

    fn describe(&self) -> Description {
        let length = duration::format(self.regular_duration());
        let text = format!("Up to {} looping VUs for {length} over {} stages", self.most_vus(), self.stages.len());
        Description::new(text).fact("gracefulRampDown", &duration::format(self.graceful_ramp_down))
    }
}
