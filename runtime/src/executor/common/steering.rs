//! What a hand on the wheel may change of a scenario while it runs.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::super::ExecutorConfig;
use super::super::externally_controlled::Load;
use super::super::pacer::Pacer;

/// The load of one scenario that is controlled from outside.
#[derive(Debug)]
pub(crate) enum Steering {
    /// Virtual users that loop.
    Vus {
        /// How many of them now.
        wanted: AtomicU32,
        /// How many at most.
        max: u32,
    },
    /// Iterations that start at a rate.
    Rate(Mutex<Rate>),
}

/// A rate that changes.
#[derive(Debug)]
pub(crate) struct Rate {
    pub(super) pacer: Pacer,
    /// Iterations per `time_unit`.
    pub(super) rate: u64,
    pub(super) time_unit: Duration,
}

impl Steering {
    /// That of a scenario which can be steered.
    pub(super) fn of(executor: &ExecutorConfig) -> Option<Self> {
        let ExecutorConfig::ExternallyControlled(config) = executor else { return None };
        Some(match config.load {
            Load::Vus { vus, max } => Self::Vus { wanted: AtomicU32::new(vus), max },
            Load::Rate { rate, time_unit, .. } => {
                Self::Rate(Mutex::new(Rate { pacer: config.pacer(rate, time_unit), rate, time_unit }))
            }
        })
    }

    /// Is the virtual user with this number, from 0, to loop now?
    pub(super) fn wants(&self, index: u32) -> bool {
        match self {
            Self::Vus { wanted, .. } => index < wanted.load(Acquire),
            Self::Rate(_) => true,
        }
    }

    /// The pacer of this version of the load; `known` keeps it until the version changes.
    pub(super) fn pacer<'a>(&self, version: u64, known: &'a mut Option<(Pacer, u64)>) -> Option<&'a Pacer> {
        let Self::Rate(rate) = self else { return None };
        if known.as_ref().is_none_or(|(_, known)| *known != version) {
            *known = Some((rate.lock().unwrap_or_else(PoisonError::into_inner).pacer.clone(), version));
        }
        known.as_ref().map(|(pacer, _)| pacer)
    }

    /// How many virtual users loop from now on. Gives how many did.
    pub(super) fn set_vus(&self, vus: u32) -> Option<u32> {
        match self {
            Self::Vus { wanted, .. } => Some(wanted.swap(vus, AcqRel)),
            Self::Rate(_) => None,
        }
    }

    /// The rate from this time of the scenario on. Gives what it was.
    pub(super) fn set_rate(&self, at: Duration, rate: u64) -> Option<u64> {
        let Self::Rate(steered) = self else { return None };
        let mut steered = steered.lock().unwrap_or_else(PoisonError::into_inner);
        steered.pacer.change_rate(at, rate);
        Some(std::mem::replace(&mut steered.rate, rate))
    }
}
