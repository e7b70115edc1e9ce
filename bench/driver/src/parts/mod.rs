//! The parts of the bench, in the order in which they run.

mod first_request;
mod latency;
mod open_model;
mod rate;
mod samples;
mod sdk_calls;
mod throughput;
mod vus;

use std::time::Duration;

use clap::ValueEnum;

use crate::process::{Ended, Running};
use crate::report::Section;
use crate::{Bench, Failure};

/// A part of the bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Name {
    /// CPU per request, rate, latency and memory of every generator.
    Throughput,
    /// Memory per virtual user, and how soon all are ready.
    Vus,
    /// How late iterations of an open model start.
    OpenModel,
    /// Reported latency against the server's own clock.
    Latency,
    /// Memory after millions of samples.
    Samples,
    /// What each call of the SDK costs.
    SdkCalls,
    /// From the command to the first request.
    FirstRequest,
    /// CPU and memory against the rate of requests.
    Rate,
}

impl Name {
    pub(crate) const ALL: [Self; 8] = [
        Self::Throughput,
        Self::Vus,
        Self::OpenModel,
        Self::Latency,
        Self::Samples,
        Self::SdkCalls,
        Self::FirstRequest,
        Self::Rate,
    ];

    /// As `--only` takes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::Vus => "vus",
            Self::OpenModel => "open-model",
            Self::Latency => "latency",
            Self::Samples => "samples",
            Self::SdkCalls => "sdk-calls",
            Self::FirstRequest => "first-request",
            Self::Rate => "rate",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Throughput => "What a request costs, here and elsewhere",
            Self::Vus => "What a virtual user costs, and how soon all are ready",
            Self::OpenModel => "How late iterations start in an open model",
            Self::Latency => "Reported latency against the server's own clock",
            Self::Samples => "Memory over millions of samples",
            Self::SdkCalls => "What each call of the SDK costs",
            Self::FirstRequest => "From the command to the first request",
            Self::Rate => "How cost grows with the rate",
        }
    }

    pub(crate) fn run(self, bench: &Bench) -> Result<Section, Failure> {
        match self {
            Self::Throughput => throughput::run(bench),
            Self::Vus => vus::run(bench),
            Self::OpenModel => open_model::run(bench),
            Self::Latency => latency::run(bench),
            Self::Samples => samples::run(bench),
            Self::SdkCalls => sdk_calls::run(bench),
            Self::FirstRequest => first_request::run(bench),
            Self::Rate => rate::run(bench),
        }
    }
}

/// Waits for a `runtime run` whose load lasts so long, and says what went wrong if something did.
fn load_ended(runtime: Running, seconds: u64) -> Result<Ended, Failure> {
    const PATIENCE_SECONDS: u64 = 60;
    runtime.wait(Duration::from_secs(seconds + PATIENCE_SECONDS))?.checked("the runtime")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_run_under_the_name_that_only_takes() {
        assert_eq!(
            Name::ALL.map(|part| part.name().to_owned()).to_vec(),
            Name::value_variants()
                .iter()
                .map(|part| { part.to_possible_value().unwrap().get_name().to_owned() })
                .collect::<Vec<_>>()
        );
    }
}
