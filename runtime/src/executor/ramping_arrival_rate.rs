//! `ramping-arrival-rate`: a number of iterations per time unit that changes over stages, whoever runs them.

use std::time::Duration;

use super::common::fields::Fields;
use super::common::stages::{self, Stage};
use super::constant_arrival_rate::{Reserve, per_second, scale_time_unit};
use super::pacer::Pacer;
use super::{Description, Executor, Model, VuStep};
use crate::duration;
use crate::field_error::FieldError;

/// The options of `ramping-arrival-rate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RampingArrivalRate {
    /// Iterations per `time_unit` at the beginning.
    pub start_rate: u64,
    /// What rates are per; above 0.
    pub time_unit: Duration,
    /// How the rate changes; one at least.
    pub stages: Vec<Stage>,
    /// Who runs the iterations.
    pub vus: Reserve,
}

impl RampingArrivalRate {
    fn highest_rate(&self) -> u64 {
        self.stages.iter().map(|stage| stage.target).fold(self.start_rate, u64::max)
    }
}

impl Executor for RampingArrivalRate {
    const NAME: &'static str = "ramping-arrival-rate";
    const KEYS: &'static [&'static str] = &["startRate", "timeUnit", "stages", "preAllocatedVUs", "maxVUs"];

    fn parse(fields: &mut Fields) -> Result<Self, FieldError> {
        Ok(Self {
            start_rate: fields.number("startRate", 0)?.unwrap_or(0),
            time_unit: fields.duration("timeUnit", Duration::from_nanos(1))?.unwrap_or(Duration::from_secs(1)),
            stages: fields.stages("the number of iterations started per timeUnit")?,
            vus: Reserve::parse(fields)?,
        })
    }

    fn regular_duration(&self) -> Duration {
        stages::total(&self.stages)
    }

    fn steps(&self) -> Vec<VuStep> {
        self.vus.steps()
    }

    fn model(&self) -> Model {
        let stages: Vec<_> = self.stages.iter().map(|stage| (stage.duration, stage.target)).collect();
        Model::Open { pacer: Pacer::ramping(self.start_rate, self.time_unit, &stages) }
    }

    fn scale(&self, load: f64, time: f64) -> Self {
        Self {
            start_rate: self.start_rate,
            time_unit: scale_time_unit(self.time_unit, load),
            stages: stages::scaled(&self.stages, 1.0, time),
            vus: self.vus.scale(load),
        }
    }

    fn describe(&self) -> Description {
        let rate = per_second(self.highest_rate(), self.time_unit);
        let length = duration::format(self.regular_duration());
        Description::new(format!("Up to {rate:.2} iterations/s for {length} over {} stages", self.stages.len()))
            .fact("maxVUs", &self.vus.describe())
    }
}
