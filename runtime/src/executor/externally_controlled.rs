//! `externally-controlled`: a number of looping virtual users, or a rate, that somebody changes while the test runs.
//!
//! With `vus` it is k6's executor: so many virtual users loop, and `maxVUs` of them are there to be called upon. With `rate` it is an open
//! model whose rate can be changed.

use std::time::Duration;

use super::common::fields::{Fields, required};
use super::common::stages::{scale_duration, scale_vus};
use super::constant_arrival_rate::{Reserve, per_second, scale_time_unit};
use super::pacer::Pacer;
use super::{Budget, Description, Executor, Model, VuStep};
use crate::duration;
use crate::field_error::FieldError;

/// How long a scenario lasts that only a stop ends: a century.
pub const UNTIL_STOPPED: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// The options of `externally-controlled`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternallyControlled {
    /// What can be changed, and what it is at the beginning.
    pub load: Load,
    /// For how long iterations start; a second or more. `None` until somebody stops the run.
    pub duration: Option<Duration>,
}

/// What can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// The number of virtual users that loop.
    Vus {
        /// At the beginning.
        vus: u32,
        /// At most, and made before the load; at least 1.
        max: u32,
    },
    /// The rate at which iterations start.
    Rate {
        /// At the beginning: iterations per `time_unit`; 0 for none.
        rate: u64,
        /// What `rate` is per; above 0.
        time_unit: Duration,
        /// Who runs them.
        vus: Reserve,
    },
}

impl ExternallyControlled {
    /// The starts of an open model, for as long as nobody changes the rate.
    pub(super) fn pacer(&self, rate: u64, time_unit: Duration) -> Pacer {
        Pacer::constant(rate, time_unit, self.regular_duration())
    }
}

fn parse_load(fields: &Fields) -> Result<Load, FieldError> {
    let vus = fields.vus("vus", 0)?;
    if let Some(rate) = fields.number("rate", 0)? {
        if let Some(vus) = vus {
            let problem = "stands beside rate; keep vus for looping virtual users, or rate for an open model";
            return Err(FieldError::new("vus", vus, problem));
        }
        let time_unit = fields.duration("timeUnit", Duration::from_nanos(1))?.unwrap_or(Duration::from_secs(1));
        return Ok(Load::Rate { rate, time_unit, vus: Reserve::parse(fields)? });
    }
    for key in ["timeUnit", "preAllocatedVUs"] {
        if fields.has(key) {
            return Err(FieldError::missing("rate", format!("give it with {key}, or leave {key} out")));
        }
    }
    let max = fields.vus("maxVUs", 1)?;
    let (vus, max) = match (vus, max) {
        (Some(vus), None) => (vus, vus),
        (vus, max) => {
            (vus.unwrap_or(0), required(max, "vus", "give how many virtual users loop, or rate for an open model")?)
        }
    };
    if max < vus {
        return Err(FieldError::new("maxVUs", max, format!("is less than vus ({vus}); give that or more")));
    }
    if max == 0 {
        return Err(FieldError::new("vus", vus, "leaves nobody to call upon; give maxVUs as well"));
    }
    Ok(Load::Vus { vus, max })
}

impl Executor for ExternallyControlled {
    const NAME: &'static str = "externally-controlled";
    const KEYS: &'static [&'static str] = &["vus", "maxVUs", "duration", "rate", "timeUnit", "preAllocatedVUs"];

    fn parse(fields: &mut Fields) -> Result<Self, FieldError> {
        let load = parse_load(fields)?;
        let given = fields.duration("duration", Duration::ZERO)?.filter(|duration| !duration.is_zero());
        let duration = if given.is_some() { fields.duration("duration", Duration::from_secs(1))? } else { None };
        Ok(Self { load, duration })
    }

    fn regular_duration(&self) -> Duration {
        self.duration.unwrap_or(UNTIL_STOPPED)
    }

    fn steps(&self) -> Vec<VuStep> {
        match self.load {
            Load::Vus { max, .. } => vec![VuStep { at: Duration::ZERO, planned: max, max_unplanned: 0 }],
            Load::Rate { vus, .. } => vus.steps(),
        }
    }

    fn model(&self) -> Model {
        match self.load {
            Load::Vus { max, .. } => Model::Closed { looping: vec![(Duration::ZERO, max)], budget: Budget::Steered },
            Load::Rate { rate, time_unit, .. } => Model::Open { pacer: self.pacer(rate, time_unit) },
        }
    }

    fn scale(&self, load: f64, time: f64) -> Self {
        Self {
            load: match self.load {
                Load::Vus { vus, max } => Load::Vus { vus: scale_vus(vus, load), max: scale_vus(max, load) },
                Load::Rate { rate, time_unit, vus } => {
                    Load::Rate { rate, time_unit: scale_time_unit(time_unit, load), vus: vus.scale(load) }
                }
            },
            duration: self.duration.map(|duration| scale_duration(duration, time)),
        }
    }

    fn describe(&self) -> Description {
        let length = match self.duration {
            Some(duration) => format!("for {}", duration::format(duration)),
            None => "until stopped".to_owned(),
        };
        match self.load {
            Load::Vus { vus, max } => {
                Description::new(format!("{vus} looping VUs at first, controlled from outside, {length}"))
                    .fact("maxVUs", &max.to_string())
            }
            Load::Rate { rate, time_unit, vus } => {
                let rate = per_second(rate, time_unit);
                Description::new(format!("{rate:.2} iterations/s at first, controlled from outside, {length}"))
                    .fact("maxVUs", &vus.describe())
            }
        }
    }
}
