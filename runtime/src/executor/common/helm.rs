//! A hand on the wheel of a run: pause, resume, and more or less load where the options leave that to somebody outside.

use std::fmt;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Acquire;
use std::time::Duration;

use super::drive::{Run, ScenarioRun};
use super::steering::Steering;
use crate::duration;
use crate::field_error::did_you_mean;
use crate::shard::progress::{Phase, Progress};
use tokio::time::Instant;

/// Steers a run, from any thread.
#[derive(Debug, Clone)]
pub struct Helm {
    run: Arc<Run>,
}

/// The load of a scenario whose executor is `externally-controlled`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// Virtual users that loop.
    Vus {
        /// How many of them.
        vus: u32,
        /// How many at most.
        max_vus: u32,
    },
    /// Iterations that start.
    Rate {
        /// How many per `time_unit`.
        rate: u64,
        /// What `rate` is per.
        time_unit: Duration,
    },
}

/// A change that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scaled {
    /// The scenario.
    pub scenario: String,
    /// What it was.
    pub before: Setting,
    /// What it is.
    pub after: Setting,
}

/// Why a scenario's load was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScaleError {
    /// There is no such scenario.
    #[error("scenario \"{name}\": there is none of this name; {remedy}")]
    Unknown {
        /// The name.
        name: String,
        /// What to do.
        remedy: String,
    },
    /// Its executor follows the options.
    #[error(
        "scenario `{name}`: its executor is {executor}, whose load is settled by the options; use externally-controlled for one that can be changed"
    )]
    Settled {
        /// The name.
        name: String,
        /// The executor.
        executor: &'static str,
    },
    /// It takes the other number.
    #[error("scenario `{name}`: its load is {is}, so {wanted} cannot be set; give {is}")]
    OtherKind {
        /// The name.
        name: String,
        /// `vus` or `rate`.
        is: &'static str,
        /// The other.
        wanted: &'static str,
    },
    /// There are not so many virtual users.
    #[error("vus: {vus} is more than the scenario's maxVUs ({max}); give that or less, or raise maxVUs before the run")]
    TooMany {
        /// How many were wanted.
        vus: u64,
        /// How many there are.
        max: u32,
    },
    /// A rate that no run reaches.
    #[error("rate: {rate} is out of range; give at most {}", Helm::MOST_RATE)]
    TooFast {
        /// What was wanted.
        rate: u64,
    },
    /// Its time is over.
    #[error("scenario `{name}`: it is over")]
    Over {
        /// The name.
        name: String,
    },
}

impl Helm {
    /// The greatest rate that can be set, per time unit.
    pub const MOST_RATE: u64 = 1_000_000_000;

    pub(crate) fn new(run: Arc<Run>) -> Self {
        Self { run }
    }

    /// The live counters.
    #[must_use]
    pub fn progress(&self) -> &Arc<Progress> {
        &self.run.progress
    }

    /// From now on no iteration starts; those under way finish, and virtual users that sleep go on. False if it was paused already.
    #[must_use]
    pub fn pause(&self) -> bool {
        self.run.progress.clock.pause()
    }

    /// Goes on. False if it was not paused.
    #[must_use]
    pub fn resume(&self) -> bool {
        self.run.progress.clock.resume()
    }

    /// The load of a scenario that can be changed.
    #[must_use]
    pub fn setting(&self, scenario: usize) -> Option<Setting> {
        Some(match self.run.scenarios.get(scenario)?.steering.as_ref()? {
            Steering::Vus { wanted, max } => Setting::Vus { vus: wanted.load(Acquire), max_vus: *max },
            Steering::Rate(rate) => {
                let rate = rate.lock().unwrap_or_else(PoisonError::into_inner);
                Setting::Rate { rate: rate.rate, time_unit: rate.time_unit }
            }
        })
    }

    /// The scenarios' names, in the plan's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.run.scenarios.iter().map(|scenario| scenario.spec.name.as_str())
    }

    /// Sets how many virtual users loop. One that is over the number finishes its iteration.
    ///
    /// # Errors
    /// A scenario that cannot be changed so; more virtual users than its maximum.
    pub fn set_vus(&self, name: &str, vus: u64) -> Result<Scaled, ScaleError> {
        let (index, scenario, steering) = self.steered(name)?;
        let Steering::Vus { max, .. } = steering else {
            return Err(ScaleError::OtherKind { name: name.to_owned(), is: "rate", wanted: "vus" });
        };
        let few = u32::try_from(vus).ok().filter(|vus| vus <= max);
        let vus = few.ok_or(ScaleError::TooMany { vus, max: *max })?;
        let before = steering.set_vus(vus).unwrap_or(vus);
        self.run.progress.clock.changed();
        let setting = |vus| Setting::Vus { vus, max_vus: *max };
        debug_assert_eq!(self.setting(index).is_some(), scenario.steering.is_some());
        Ok(Scaled { scenario: name.to_owned(), before: setting(before), after: setting(vus) })
    }

    /// Sets how many iterations start per the scenario's `timeUnit`.
    ///
    /// # Errors
    /// A scenario that cannot be changed so; a rate of more than [`MOST_RATE`](Self::MOST_RATE).
    pub fn set_rate(&self, name: &str, rate: u64) -> Result<Scaled, ScaleError> {
        let (_, scenario, steering) = self.steered(name)?;
        let Steering::Rate(steered) = steering else {
            return Err(ScaleError::OtherKind { name: name.to_owned(), is: "vus", wanted: "rate" });
        };
        if rate > Self::MOST_RATE {
            return Err(ScaleError::TooFast { rate });
        }
        let time_unit = steered.lock().unwrap_or_else(PoisonError::into_inner).time_unit;
        let elapsed = self.run.progress.clock.elapsed().unwrap_or_default();
        let before = steering.set_rate(elapsed.saturating_sub(scenario.spec.start_time), rate).unwrap_or(rate);
        self.run.progress.clock.changed();
        let setting = |rate| Setting::Rate { rate, time_unit };
        Ok(Scaled { scenario: name.to_owned(), before: setting(before), after: setting(rate) })
    }

    /// A step up or down of every scenario that can be changed and is not over: a tenth of what it is, and at least 1.
    #[must_use]
    pub fn step(&self, up: bool) -> Vec<Scaled> {
        let step = |now: u64| if up { now.saturating_add((now / 10).max(1)) } else { now - (now / 10).max(1).min(now) };
        let names: Vec<String> = self.names().map(str::to_owned).collect();
        let change = |(index, name): (usize, &String)| match self.setting(index)? {
            Setting::Vus { vus, max_vus } => self.set_vus(name, step(vus.into()).min(max_vus.into())).ok(),
            Setting::Rate { rate, .. } => self.set_rate(name, step(rate).min(Self::MOST_RATE)).ok(),
        };
        names.iter().enumerate().filter_map(change).collect()
    }

    fn steered(&self, name: &str) -> Result<(usize, &ScenarioRun, &Steering), ScaleError> {
        let Some(index) = self.names().position(|known| known == name) else {
            return Err(ScaleError::Unknown { name: name.to_owned(), remedy: did_you_mean(name, self.names()) });
        };
        let scenario = &self.run.scenarios[index];
        let Some(steering) = &scenario.steering else {
            return Err(ScaleError::Settled { name: name.to_owned(), executor: scenario.spec.executor.name() });
        };
        if self.run.progress.phase(index, Instant::now()) == Phase::Done {
            return Err(ScaleError::Over { name: name.to_owned() });
        }
        Ok((index, scenario, steering))
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vus { vus, .. } => write!(f, "{vus} VUs"),
            Self::Rate { rate, time_unit } if *time_unit == Duration::from_secs(1) => write!(f, "{rate} iterations/s"),
            Self::Rate { rate, time_unit } => write!(f, "{rate} iterations per {}", duration::format(*time_unit)),
        }
    }
}

impl fmt::Display for Scaled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} -> {}", self.scenario, self.before, self.after)
    }
}
