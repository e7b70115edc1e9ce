//! `constant-arrival-rate`: a fixed number of iterations per time unit, whoever runs them.

use std::time::Duration;

use super::common::fields::{Fields, required};
use super::common::stages::{scale_duration, scale_vus};
use super::pacer::Pacer;
use super::{Description, Executor, Model, VuStep};
use crate::duration;
use crate::field_error::FieldError;

/// The options of `constant-arrival-rate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConstantArrivalRate {
    /// Iterations per `time_unit`, from 1.
    pub rate: u64,
    /// What `rate` is per; above 0.
    pub time_unit: Duration,
    /// For how long iterations start; a second or more.
    pub duration: Duration,
    /// Who runs them.
    pub vus: Reserve,
}

/// The virtual users that an open model may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserve {
    /// Made before the load.
    pub pre_allocated: u32,
    /// With those made while it runs; no less than `pre_allocated`, and at least 1.
    pub max: u32,
}

impl Reserve {
    pub(super) fn parse(fields: &Fields) -> Result<Self, FieldError> {
        let remedy = "give how many virtual users to make before the load: about rate times the length of an iteration";
        let pre_allocated = required(fields.vus("preAllocatedVUs", 0)?, "preAllocatedVUs", remedy)?;
        let max = fields.vus("maxVUs", 0)?.unwrap_or(pre_allocated);
        if max < pre_allocated {
            let problem = format!("is less than preAllocatedVUs ({pre_allocated}); give that or more");
            return Err(FieldError::new("maxVUs", max, problem));
        }
        if max == 0 {
            return Err(FieldError::new("maxVUs", max, "leaves nobody to run an iteration; give 1 or more"));
        }
        Ok(Self { pre_allocated, max })
    }

    pub(super) fn steps(self) -> Vec<VuStep> {
        let max_unplanned = self.max - self.pre_allocated;
        vec![VuStep { at: Duration::ZERO, planned: self.pre_allocated, max_unplanned }]
    }

    pub(super) fn scale(self, load: f64) -> Self {
        let pre_allocated = scale_vus(self.pre_allocated, load);
        Self { pre_allocated, max: scale_vus(self.max, load).max(pre_allocated) }
    }

    pub(super) fn describe(self) -> String {
        if self.max > self.pre_allocated {
            format!("{}-{}", self.pre_allocated, self.max)
        } else {
            self.max.to_string()
        }
    }
}

/// A rate per second, for people.
#[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
pub(super) fn per_second(rate: u64, time_unit: Duration) -> f64 {
    rate as f64 / time_unit.as_secs_f64()
}

/// Less load is the same rate in a longer time unit: nothing is rounded.
pub(super) fn scale_time_unit(time_unit: Duration, load: f64) -> Duration {
    scale_duration(time_unit, 1.0 / load).max(Duration::from_nanos(1))
}

impl Executor for ConstantArrivalRate {
    const NAME: &'static str = "constant-arrival-rate";
    const KEYS: &'static [&'static str] = &["rate", "timeUnit", "duration", "preAllocatedVUs", "maxVUs"];

    fn parse(fields: &mut Fields) -> Result<Self, FieldError> {
        let rate = fields.number("rate", 1)?;
        let duration = fields.duration("duration", Duration::from_secs(1))?;
        Ok(Self {
            rate: required(rate, "rate", "give the number of iterations started per timeUnit")?,
            time_unit: fields.duration("timeUnit", Duration::from_nanos(1))?.unwrap_or(Duration::from_secs(1)),
            duration: required(duration, "duration", "give for how long to run, such as 30s")?,
            vus: Reserve::parse(fields)?,
        })
    }

    fn regular_duration(&self) -> Duration {
        self.duration
    }

    fn steps(&self) -> Vec<VuStep> {
        self.vus.steps()
    }

    fn model(&self) -> Model {
        Model::Open { pacer: Pacer::constant(self.rate, self.time_unit, self.duration) }
    }

    fn scale(&self, load: f64, time: f64) -> Self {
        Self {
            rate: self.rate,
            time_unit: scale_time_unit(self.time_unit, load),
            duration: scale_duration(self.duration, time),
            vus: self.vus.scale(load),
        }
    }

    fn describe(&self) -> Description {
        let rate = per_second(self.rate, self.time_unit);
        Description::new(format!("{rate:.2} iterations/s for {}", duration::format(self.duration)))
            .fact("maxVUs", &self.vus.describe())
    }
}
