//! The executors.

use serde_json::{Map, Value, json};

use super::Span;
use crate::http::Statuses;

/// A stage of a ramp: over `duration`, the value goes in a straight line to `target`.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage(Value);

/// A stage that takes this long and ends at this target: virtual users, or iterations per time unit.
///
/// ```
/// use flashcrowd::prelude::*;
///
/// RampingVus::new().stages([stage(mins(1), 100), stage(mins(3), 100), stage(mins(1), 0)]);
/// ```
#[must_use]
pub fn stage(duration: impl Into<Span>, target: u64) -> Stage {
    Stage(json!({"duration": Value::from(duration.into()), "target": target}))
}

impl Stage {
    pub(super) fn into_json(self) -> Value {
        self.0
    }
}

/// A scenario: an executor with its options. The executors become one by themselves.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario(Map<String, Value>);

impl Scenario {
    pub(super) fn into_json(self) -> Value {
        Value::Object(self.0)
    }
}

/// Times are taken in any writing, numbers as they are: a literal then needs no suffix.
macro_rules! argument {
    (Span) => { impl Into<Span> };
    ($ty:ty) => { $ty };
}

macro_rules! executor {
    ($(#[$doc:meta])* $name:ident = $executor:literal { $($(#[$method_doc:meta])* $method:ident($ty:ident) = $key:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        #[must_use]
        pub struct $name(Map<String, Value>);

        impl $name {
            fn with(key: &str, value: impl Into<Value>) -> Self {
                Self(Map::from_iter([("executor".to_owned(), Value::from($executor))])).put(key, value)
            }

            fn put(mut self, key: &str, value: impl Into<Value>) -> Self {
                self.0.insert(key.to_owned(), value.into());
                self
            }

            $(
                $(#[$method_doc])*
                pub fn $method(self, $method: argument!($ty)) -> Self {
                    let value: $ty = $method.into();
                    self.put($key, value)
                }
            )*

            /// Which scenario function runs; `default` if it is not said.
            pub fn exec(self, function: impl Into<String>) -> Self {
                self.put("exec", function.into())
            }

            /// When the scenario starts, counted from the beginning of the test; at once by default.
            pub fn start_time(self, time: impl Into<Span>) -> Self {
                self.put("startTime", time.into())
            }

            /// How long iterations that are under way at the end may still take; 30 seconds by default.
            pub fn graceful_stop(self, time: impl Into<Span>) -> Self {
                self.put("gracefulStop", time.into())
            }

            /// An environment variable for this scenario alone.
            pub fn env(self, name: impl Into<String>, value: impl Into<String>) -> Self {
                self.put_in("env", name.into(), value.into())
            }

            /// A tag for all samples of this scenario.
            pub fn tag(self, name: impl Into<String>, value: impl Into<String>) -> Self {
                self.put_in("tags", name.into(), value.into())
            }

            /// The statuses that count as a success in this scenario, instead of 200 to 399: `[200..=299, 404..=404]`.
            pub fn expected_statuses<S: Into<Statuses>>(self, statuses: impl IntoIterator<Item = S>) -> Self {
                let ranges = statuses.into_iter().map(Into::into).map(|range| format!("{}-{}", range.first, range.last));
                self.put("expectedStatuses", ranges.collect::<Vec<_>>())
            }

            fn put_in(mut self, key: &str, name: String, value: String) -> Self {
                if let Value::Object(object) = self.0.entry(key).or_insert_with(|| json!({})) {
                    object.insert(name, Value::String(value));
                }
                self
            }
        }

        impl From<$name> for Scenario {
            fn from(executor: $name) -> Self {
                Self(executor.0)
            }
        }
    };
}

macro_rules! stages {
    ($name:ident) => {
        impl $name {
            /// Adds a stage; see [`stage`].
            pub fn stage(mut self, duration: impl Into<Span>, target: u64) -> Self {
                if let Value::Array(stages) = self.0.entry("stages").or_insert_with(|| json!([])) {
                    stages.push(stage(duration, target).into_json());
                }
                self
            }

            /// Sets all stages.
            pub fn stages(self, stages: impl IntoIterator<Item = Stage>) -> Self {
                let stages: Vec<Value> = stages.into_iter().map(Stage::into_json).collect();
                self.put("stages", stages)
            }
        }
    };
}

/// Where iterations start at a rate.
macro_rules! rates {
    ($name:ident, $when:literal) => {
        impl $name {
            #[doc = concat!("So many iterations a second", $when, ".")]
            pub fn per_second(rate: u64) -> Self {
                Self::per(rate, "1s")
            }

            #[doc = concat!("So many iterations a minute", $when, ".")]
            pub fn per_minute(rate: u64) -> Self {
                Self::per(rate, "1m")
            }

            #[doc = concat!("So many iterations in a time unit", $when, ".")]
            pub fn per(rate: u64, time_unit: impl Into<Span>) -> Self {
                Self::with("rate", rate).put("timeUnit", time_unit.into())
            }
        }
    };
}

executor! {
    /// The virtual users share a number of iterations: who is free takes the next one.
    ///
    /// ```
    /// use flashcrowd::prelude::*;
    ///
    /// Options::new().scenario("import", SharedIterations::new(10_000).vus(20).max_duration(mins(30)));
    /// ```
    SharedIterations = "shared-iterations" {
        /// How many virtual users; 1 by default.
        vus(u32) = "vus";
        /// The end, even if iterations are left; 10 minutes by default.
        max_duration(Span) = "maxDuration";
    }
}

impl SharedIterations {
    /// So many iterations in all.
    pub fn new(iterations: u64) -> Self {
        Self::with("iterations", iterations)
    }
}

executor! {
    /// Each virtual user runs a number of iterations of its own.
    ///
    /// ```
    /// use flashcrowd::prelude::*;
    ///
    /// Options::new().scenario("once_each", PerVuIterations::new(1).vus(1_000));
    /// ```
    PerVuIterations = "per-vu-iterations" {
        /// How many virtual users; 1 by default.
        vus(u32) = "vus";
        /// The end, even if iterations are left; 10 minutes by default.
        max_duration(Span) = "maxDuration";
    }
}

impl PerVuIterations {
    /// So many iterations for each virtual user.
    pub fn new(iterations: u64) -> Self {
        Self::with("iterations", iterations)
    }
}

executor! {
    /// A fixed number of virtual users runs iterations one after the other.
    ///
    /// ```
    /// use flashcrowd::prelude::*;
    ///
    /// Options::new().scenario("browse", ConstantVus::new(50).duration(mins(5)));
    /// ```
    ConstantVus = "constant-vus" {
        /// How long. Must be given.
        duration(Span) = "duration";
    }
}

impl ConstantVus {
    /// So many virtual users.
    pub fn new(vus: u32) -> Self {
        Self::with("vus", vus)
    }
}

executor! {
    /// A number of virtual users that changes by stages.
    ///
    /// ```
    /// use flashcrowd::prelude::*;
    ///
    /// Options::new().scenario("spike", RampingVus::new().start_vus(0)
    ///     .stage(secs(10), 10).stage(secs(10), 100).stage(secs(30), 100).stage(secs(10), 0));
    /// ```
    RampingVus = "ramping-vus" {
        /// How many virtual users at the beginning; 1 by default.
        start_vus(u32) = "startVUs";
        /// How long an iteration may still take when its virtual user is no longer wanted; 30 seconds by default.
        graceful_ramp_down(Span) = "gracefulRampDown";
    }
}

stages!(RampingVus);

impl RampingVus {
    /// No stages yet: at least one must be given.
    pub fn new() -> Self {
        Self::with("stages", json!([]))
    }
}

impl Default for RampingVus {
    fn default() -> Self {
        Self::new()
    }
}

executor! {
    /// Iterations start at a fixed rate, however long they take.
    ///
    /// ```
    /// use flashcrowd::prelude::*;
    ///
    /// Options::new().scenario("coupons",
    ///     ConstantArrivalRate::per_second(400).duration(mins(5)).pre_allocated_vus(400).max_vus(1000));
    /// ```
    ConstantArrivalRate = "constant-arrival-rate" {
        /// How long. Must be given.
        duration(Span) = "duration";
        /// How many virtual users are made ready before the test. Must be given.
        pre_allocated_vus(u32) = "preAllocatedVUs";
        /// How many virtual users there may be; as many as are made ready by default.
        max_vus(u32) = "maxVUs";
    }
}

rates!(ConstantArrivalRate, "");

executor! {
    /// Iterations start at a rate that changes by stages, however long they take.
    ///
    /// ```
    /// use flashcrowd::prelude::*;
    ///
    /// Options::new().scenario("opening", RampingArrivalRate::per_second().start_rate(50).pre_allocated_vus(200)
    ///     .stage(secs(30), 50).stage(secs(5), 1000).stage(mins(1), 1000));
    /// ```
    RampingArrivalRate = "ramping-arrival-rate" {
        /// The rate at the beginning; 0 by default.
        start_rate(u64) = "startRate";
        /// How many virtual users are made ready before the test. Must be given.
        pre_allocated_vus(u32) = "preAllocatedVUs";
        /// How many virtual users there may be; as many as are made ready by default.
        max_vus(u32) = "maxVUs";
    }
}

stages!(RampingArrivalRate);

impl RampingArrivalRate {
    /// Rates are iterations a second. At least one stage must be given.
    pub fn per_second() -> Self {
        Self::per("1s")
    }

    /// Rates are iterations a minute.
    pub fn per_minute() -> Self {
        Self::per("1m")
    }

    /// Rates are iterations in a time unit.
    pub fn per(time_unit: impl Into<Span>) -> Self {
        Self::with("stages", json!([])).put("timeUnit", time_unit.into())
    }
}

executor! {
    /// Load that somebody changes while the test runs: by `runtime scale`, a key or the HTTP API. Either a number of virtual users that
    /// loop, or a rate at which iterations start.
    ///
    /// ```
    /// use flashcrowd::prelude::*;
    ///
    /// Options::new()
    ///     .scenario("browse", ExternallyControlled::new(10).max_vus(200).exec("browse"))
    ///     .scenario("buy", ExternallyControlled::per_second(20).pre_allocated_vus(50).duration(mins(30)).exec("buy"));
    /// ```
    ExternallyControlled = "externally-controlled" {
        /// How long; until somebody stops the test by default.
        duration(Span) = "duration";
        /// With a rate: how many virtual users are made ready before the test. Must be given with it.
        pre_allocated_vus(u32) = "preAllocatedVUs";
        /// How many virtual users there may be; as many as there are at the beginning by default.
        max_vus(u32) = "maxVUs";
    }
}

impl ExternallyControlled {
    /// So many virtual users at the beginning, each of which runs iterations one after the other.
    pub fn new(vus: u32) -> Self {
        Self::with("vus", vus)
    }
}

rates!(ExternallyControlled, " at the beginning");
