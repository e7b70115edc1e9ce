//! How load is generated: one file per executor, and beside them the pacer that says when an open model's iterations are due.
//!
//! An executor's file holds what makes it differ, as plain data: its options and their rules, the virtual users that it
//! needs over time, and its [`Model`]. What the models have in common, running them included, is in [`common`]. A
//! further executor is a file, and a line in the list below.

pub mod common;
pub mod constant_arrival_rate;
pub mod constant_vus;
pub mod externally_controlled;
pub mod pacer;
pub mod per_vu_iterations;
pub mod ramping_arrival_rate;
pub mod ramping_vus;
pub mod shared_iterations;

use std::time::Duration;

use serde_json::{Map, Value};

pub use common::drive;
pub use common::helm::{Helm, ScaleError, Scaled, Setting};
pub use common::timetable::{Timetable, initial_vus, peak_vus, requirements};
pub use externally_controlled::UNTIL_STOPPED;

use crate::duration;
use crate::field_error::{FieldError, did_you_mean};
use common::fields::Fields;
use pacer::Pacer;

/// From a moment on, how many virtual users an executor may need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VuStep {
    /// After the scenario's beginning (or the test's, where steps of scenarios are merged).
    pub at: Duration,
    /// Made before the load.
    pub planned: u32,
    /// At most so many more, made while it runs.
    pub max_unplanned: u32,
}

/// How an executor's iterations come about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Model {
    /// Virtual users begin the next iteration when one ends.
    Closed {
        /// How many of them loop, from when on, until the regular duration ends.
        looping: Vec<(Duration, u32)>,
        /// How many iterations they run.
        budget: Budget,
    },
    /// Iterations are due at given times, whoever runs them.
    Open {
        /// Those times.
        pacer: Pacer,
    },
}

/// How many iterations the virtual users of a closed model run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// As many as there is time for.
    Unlimited,
    /// So many each.
    PerVu(u64),
    /// So many together.
    Shared(u64),
    /// As many as there is time for, by as many virtual users as somebody wants at the moment.
    Steered,
}

/// What a person reads about an executor: the sentence, and facts for the brackets behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    text: String,
    facts: Vec<String>,
}

/// What each executor's file offers.
trait Executor: Sized {
    /// As in the options.
    const NAME: &'static str;
    /// All its options but the common ones.
    const KEYS: &'static [&'static str];
    /// Reads and checks the options.
    fn parse(fields: &mut Fields) -> Result<Self, FieldError>;
    /// For how long iterations may start.
    fn regular_duration(&self) -> Duration;
    /// The virtual users needed over time, winding down included, as if no graceful stop ever ended it.
    fn steps(&self) -> Vec<VuStep>;
    /// How iterations come about.
    fn model(&self) -> Model;
    /// More or less load, for a longer or a shorter time.
    fn scale(&self, load: f64, time: f64) -> Self;
    /// For people.
    fn describe(&self) -> Description;
}

macro_rules! executors {
    ($($variant:ident = $config:path,)+) => {
        /// The options of one scenario's executor, checked.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each variant is the executor whose file documents it")]
        pub enum ExecutorConfig {
            $($variant($config),)+
        }

        impl ExecutorConfig {
            /// The executors' names, as in the options.
            pub const NAMES: &'static [&'static str] = &[$(<$config as Executor>::NAME),+];

            /// Reads the options of the executor with this name; the options common to all are already taken out.
            ///
            /// # Errors
            /// An executor or an option that does not exist, or a value that is missing or impossible. Paths are relative
            /// to the scenario.
            pub fn parse(executor: &str, fields: Map<String, Value>) -> Result<Self, FieldError> {
                $(if executor == <$config as Executor>::NAME {
                    let mut fields = Fields::new(fields, <$config as Executor>::KEYS)?;
                    return Ok(Self::$variant(<$config as Executor>::parse(&mut fields)?));
                })+
                let remedy = did_you_mean(executor, Self::NAMES.iter().copied());
                Err(FieldError::new("executor", format!("{executor:?}"), format!("is no executor; {remedy}")))
            }

            /// The executor's name, as in the options.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => <$config as Executor>::NAME,)+ }
            }

            /// For how long iterations may start (`maxDuration` where iterations are counted).
            #[must_use]
            pub fn regular_duration(&self) -> Duration {
                match self { $(Self::$variant(config) => config.regular_duration(),)+ }
            }

            /// The virtual users needed over time, from the scenario's beginning, winding down included.
            /// What ends it all is [`ScenarioSpec::steps`]'s business.
            #[must_use]
            pub fn steps(&self) -> Vec<VuStep> {
                match self { $(Self::$variant(config) => config.steps(),)+ }
            }

            /// How iterations come about.
            #[must_use]
            pub fn model(&self) -> Model {
                match self { $(Self::$variant(config) => config.model(),)+ }
            }

            /// The same with `load` times the virtual users, rates and iterations (at least one), and `time` times the
            /// durations. Rates stay exact: a smaller rate becomes the same number in a longer time unit.
            #[must_use]
            pub fn scale(&self, load: f64, time: f64) -> Self {
                match self { $(Self::$variant(config) => Self::$variant(config.scale(load, time)),)+ }
            }

            fn description(&self) -> Description {
                match self { $(Self::$variant(config) => config.describe(),)+ }
            }
        }

        $(impl From<$config> for ExecutorConfig {
            fn from(config: $config) -> Self {
                Self::$variant(config)
            }
        })+
    };
}

executors! {
    SharedIterations = shared_iterations::SharedIterations,
    PerVuIterations = per_vu_iterations::PerVuIterations,
    ConstantVus = constant_vus::ConstantVus,
    RampingVus = ramping_vus::RampingVus,
    ConstantArrivalRate = constant_arrival_rate::ConstantArrivalRate,
    RampingArrivalRate = ramping_arrival_rate::RampingArrivalRate,
    ExternallyControlled = externally_controlled::ExternallyControlled,
}

impl ExecutorConfig {
    /// Are iterations started at given times, whether or not earlier ones have ended?
    #[must_use]
    pub fn is_open_model(&self) -> bool {
        matches!(self.model(), Model::Open { .. })
    }

    /// How many iterations there will be, where the options say so.
    #[must_use]
    pub fn total_iterations(&self) -> Option<u64> {
        match self.model() {
            Model::Closed { budget: Budget::Shared(total), .. } => Some(total),
            Model::Closed { budget: Budget::PerVu(each), looping } => {
                Some(each.saturating_mul(looping.first().map_or(0, |(_, vus)| u64::from(*vus))))
            }
            Model::Closed { budget: Budget::Unlimited | Budget::Steered, .. } | Model::Open { .. } => None,
        }
    }

    /// For people: `Up to 50 looping VUs for 1m0s over 3 stages (gracefulRampDown: 30s)`.
    #[must_use]
    pub fn describe(&self) -> String {
        self.description().with([])
    }
}

impl Description {
    fn new(text: String) -> Self {
        Self { text, facts: Vec::new() }
    }

    fn fact(mut self, name: &str, value: &str) -> Self {
        self.facts.push(format!("{name}: {value}"));
        self
    }

    fn with(mut self, more: impl IntoIterator<Item = String>) -> String {
        self.facts.extend(more);
        if self.facts.is_empty() { self.text } else { format!("{} ({})", self.text, self.facts.join(", ")) }
    }
}

/// One scenario, ready to be scheduled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioSpec {
    /// Its name.
    pub name: String,
    /// Index of its module among the test's.
    pub module: usize,
    /// Index of its function in the module's list.
    pub function: u32,
    /// When it begins, after the load's beginning.
    pub start_time: Duration,
    /// How long iterations under way may go on after the last one began.
    pub graceful_stop: Duration,
    /// What it does.
    pub executor: ExecutorConfig,
}

impl ScenarioSpec {
    /// The virtual users needed over time, from the scenario's beginning, down to none when `gracefulStop` is over.
    #[must_use]
    pub fn steps(&self) -> Vec<VuStep> {
        let end = self.executor.regular_duration() + self.graceful_stop;
        let mut steps = self.executor.steps();
        steps.retain(|step| step.at < end);
        steps.push(VuStep { at: end, planned: 0, max_unplanned: 0 });
        steps
    }

    /// When all is over at the latest, after the load's beginning.
    #[must_use]
    pub fn end(&self) -> Duration {
        self.start_time + self.executor.regular_duration() + self.graceful_stop
    }

    /// For people, with what is common to all executors:
    /// `10 looping VUs for 1m0s (startTime: 10s, gracefulStop: 30s)`.
    #[must_use]
    pub fn describe(&self) -> String {
        let start = (!self.start_time.is_zero()).then(|| format!("startTime: {}", duration::format(self.start_time)));
        let stop = format!("gracefulStop: {}", duration::format(self.graceful_stop));
        self.executor.description().with(start.into_iter().chain([stop]))
    }
}

#[cfg(test)]
pub(crate) mod tests;
