//! A run at one glance, as JSON.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::live::{Live, Stage};
use crate::duration;
use crate::executor::Setting;
use crate::shard::progress::{Phase, ScenarioProgress};

/// A run at one glance. What its fields are, `docs/live-control.md` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "docs/live-control.md and the OpenAPI document say what the fields are")]
pub struct Status {
    pub name: String,
    pub state: State,
    pub paused: bool,
    pub elapsed_seconds: f64,
    pub paused_seconds: f64,
    pub stop_reason: Option<String>,
    pub exit_code: Option<u8>,
    #[serde(rename = "activeVUs")]
    pub active_vus: u32,
    #[serde(rename = "initialisedVUs")]
    pub initialised_vus: u32,
    pub scenarios: Vec<Scenario>,
}

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// `setup` runs, or will.
    Setup,
    /// Virtual users are made.
    Initialising,
    /// Iterations start.
    Running,
    /// None starts, until somebody resumes the run.
    Paused,
    /// None starts any more.
    Stopping,
    /// `teardown` runs.
    Teardown,
    /// The summary is made.
    Summary,
    /// All is done.
    Over,
}

/// One scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "docs/live-control.md and the OpenAPI document say what the fields are")]
pub struct Scenario {
    pub name: String,
    pub executor: String,
    pub phase: String,
    #[serde(rename = "activeVUs")]
    pub active_vus: u32,
    #[serde(rename = "busyVUs")]
    pub busy_vus: u32,
    pub iterations: Iterations,
    pub iterations_per_second: f64,
    /// Where it can be changed.
    pub control: Option<Control>,
}

/// Iterations so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "docs/live-control.md and the OpenAPI document say what the fields are")]
pub struct Iterations {
    pub started: u64,
    pub completed: u64,
    pub failed: u64,
    pub interrupted: u64,
    pub dropped: u64,
}

/// What a scenario's load is set to, where somebody may change it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "docs/live-control.md and the OpenAPI document say what the fields are")]
pub enum Control {
    Vus {
        vus: u32,
        #[serde(rename = "maxVUs")]
        max_vus: u32,
    },
    Rate {
        rate: u64,
        #[serde(rename = "timeUnit")]
        time_unit: String,
    },
}

pub(super) fn of(live: &Live) -> Status {
    let progress = live.helm().progress();
    let clock = &progress.clock;
    let now = Instant::now();
    let elapsed = live.elapsed();
    let names = live.helm().names().zip(&live.executors).zip(&progress.scenarios).enumerate();
    let scenario = |(index, ((name, executor), counters)): (usize, ((&str, &&'static str), &ScenarioProgress))| {
        let inside = elapsed.saturating_sub(counters.start_time).min(counters.regular_duration);
        Scenario {
            name: name.to_owned(),
            executor: (*executor).to_owned(),
            phase: phase(progress.phase(index, now)).to_owned(),
            active_vus: counters.active_vus.load(Relaxed),
            busy_vus: counters.busy_vus.load(Relaxed),
            iterations: Iterations {
                started: counters.started.load(Relaxed),
                completed: counters.completed.load(Relaxed),
                failed: counters.failed.load(Relaxed),
                interrupted: counters.interrupted.load(Relaxed),
                dropped: counters.dropped.load(Relaxed),
            },
            iterations_per_second: per_second(counters.started.load(Relaxed), inside),
            control: live.helm().setting(index).map(Control::from),
        }
    };
    Status {
        name: live.name.clone(),
        state: state(live),
        paused: live.stage() <= Stage::Load && clock.is_paused(),
        elapsed_seconds: elapsed.as_secs_f64(),
        paused_seconds: clock.paused_for().as_secs_f64(),
        stop_reason: live.stop_token().reason().map(|reason| reason.in_words()),
        exit_code: live.exit().map(|exit| exit as u8),
        active_vus: progress.active_vus(now),
        initialised_vus: progress.initialised_vus.load(Relaxed),
        scenarios: names.map(scenario).collect(),
    }
}

fn state(live: &Live) -> State {
    match live.stage() {
        Stage::Setup => State::Setup,
        Stage::Load if live.stop_token().level().is_some() => State::Stopping,
        Stage::Load if live.helm().progress().clock.began().is_none() => State::Initialising,
        Stage::Load if live.helm().progress().clock.is_paused() => State::Paused,
        Stage::Load => State::Running,
        Stage::Teardown => State::Teardown,
        Stage::Summary => State::Summary,
        Stage::Over => State::Over,
    }
}

const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Waiting => "waiting",
        Phase::Running => "running",
        Phase::GracefulStop => "stopping",
        Phase::Done => "done",
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn per_second(count: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { count as f64 / time.as_secs_f64() }
}

impl From<Setting> for Control {
    fn from(setting: Setting) -> Self {
        match setting {
            Setting::Vus { vus, max_vus } => Self::Vus { vus, max_vus },
            Setting::Rate { rate, time_unit } => Self::Rate { rate, time_unit: duration::format(time_unit) },
        }
    }
}

impl State {
    /// As in the JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Initialising => "initialising",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopping => "stopping",
            Self::Teardown => "teardown",
            Self::Summary => "summary",
            Self::Over => "over",
        }
    }
}
