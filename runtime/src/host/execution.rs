//! `flashcrowd:scenario/execution`.

use std::sync::atomic::Ordering::Relaxed;
use std::time::SystemTime;

use tokio::time::Instant;

use super::bindings::flashcrowd::scenario::execution;
use super::limits::short;
use super::state::{Departure, Position, VuState};
use crate::log::Level;
use crate::shard::progress::ScenarioProgress;
use crate::stop::StopReason;

/// Tags that a virtual user may carry.
const MAX_VU_TAGS: usize = 32;

impl execution::Host for VuState {
    fn vu_id(&mut self) -> wasmtime::Result<u64> {
        Ok(self.vu)
    }

    fn iteration_in_vu(&mut self) -> wasmtime::Result<u64> {
        Ok(match self.position {
            Position::Iteration { number_in_vu, .. } => number_in_vu,
            _ => 0,
        })
    }

    fn iteration_in_scenario(&mut self) -> wasmtime::Result<u64> {
        Ok(match self.position {
            Position::Iteration { number_in_scenario, .. } => number_in_scenario,
            _ => 0,
        })
    }

    fn scenario_name(&mut self) -> wasmtime::Result<String> {
        Ok(self.scenario().map(|scenario| scenario.own_name.to_string()).unwrap_or_default())
    }

    fn scenario_executor(&mut self) -> wasmtime::Result<String> {
        Ok(self.scenario().map(|scenario| scenario.executor.to_owned()).unwrap_or_default())
    }

    fn scenario_elapsed(&mut self) -> wasmtime::Result<u64> {
        Ok(match self.position {
            Position::Iteration { scenario_started, .. } => nanoseconds(scenario_started),
            _ => 0,
        })
    }

    fn scenario_progress(&mut self) -> wasmtime::Result<f64> {
        let (Position::Iteration { scenario_started, .. }, Some(scenario)) = (&self.position, self.scenario()) else {
            return Ok(0.0);
        };
        Ok((scenario_started.elapsed().as_secs_f64() / scenario.duration.as_secs_f64()).clamp(0.0, 1.0))
    }

    fn test_elapsed(&mut self) -> wasmtime::Result<u64> {
        let elapsed = self.test().progress.get().and_then(|progress| progress.clock.elapsed()).unwrap_or_default();
        Ok(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }

    fn setup_data(&mut self) -> wasmtime::Result<Option<Vec<u8>>> {
        Ok(self.shard.module().setup_data.get().map(|data| data.to_vec()))
    }

    fn set_vu_tag(&mut self, name: String, value: String) -> wasmtime::Result<()> {
        short("a tag's name", &name)?;
        short("a tag's value", &value)?;
        self.vu_tags.retain(|(known, _)| *known != name);
        if !value.is_empty() {
            if self.vu_tags.len() >= MAX_VU_TAGS {
                wasmtime::bail!(
                    "VU tag `{name}`: a VU has {MAX_VU_TAGS} tags at most; take one away with an empty value"
                );
            }
            self.vu_tags.push((name, value));
        }
        self.retag();
        Ok(())
    }

    fn stop(&mut self, reason: String) -> wasmtime::Result<()> {
        self.say(Level::Info, &format!("the scenario ends the load: {reason}"));
        self.test().stop.graceful(StopReason::Scenario(reason));
        Ok(())
    }

    fn abort(&mut self, reason: String) -> wasmtime::Result<()> {
        self.test().stop.immediate(StopReason::Aborted(reason.clone()));
        self.departure = Some(Departure::Abort(reason));
        wasmtime::bail!("aborted")
    }

    fn fail(&mut self, reason: String) -> wasmtime::Result<()> {
        if self.test().failed_by_scenario.set(reason.clone()).is_ok() {
            self.say(Level::Error, &format!("the scenario marks the test as failed: {reason}"));
        }
        Ok(())
    }

    fn fail_iteration(&mut self, reason: String) -> wasmtime::Result<()> {
        self.departure = Some(Departure::FailIteration(reason));
        wasmtime::bail!("iteration failed")
    }

    fn iteration_elapsed(&mut self) -> wasmtime::Result<u64> {
        Ok(match self.position {
            Position::Iteration { began, .. } => nanoseconds(began),
            _ => 0,
        })
    }

    fn iteration_of_vu_in_scenario(&mut self) -> wasmtime::Result<u64> {
        Ok(match self.position {
            Position::Iteration { number_in_vu_and_scenario, .. } => number_in_vu_and_scenario,
            _ => 0,
        })
    }

    fn scenario_began(&mut self) -> wasmtime::Result<u64> {
        let load_began = self.test().progress.get().and_then(|progress| progress.started());
        let (Position::Iteration { scenario_started, .. }, Some(load_began), Some(at)) =
            (&self.position, load_began, self.test().started_at.get())
        else {
            return Ok(0);
        };
        let began = *at + scenario_started.saturating_duration_since(load_began);
        let since_1970 = began.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Ok(u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX))
    }

    fn iterations_completed(&mut self) -> wasmtime::Result<u64> {
        Ok(self.sum(ScenarioProgress::over))
    }

    fn iterations_interrupted(&mut self) -> wasmtime::Result<u64> {
        Ok(self.sum(|scenario| scenario.interrupted.load(Relaxed)))
    }

    fn vus_active(&mut self) -> wasmtime::Result<u64> {
        Ok(self.test().progress.get().map_or(0, |progress| progress.active_vus(Instant::now()).into()))
    }

    fn vus_initialised(&mut self) -> wasmtime::Result<u64> {
        Ok(self.test().progress.get().map_or(0, |progress| progress.initialised_vus.load(Relaxed).into()))
    }

    fn tags(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        let pairs = self.test().registry.tags(self.tags);
        Ok(pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect())
    }

    fn options(&mut self) -> wasmtime::Result<String> {
        Ok(self.shard.module().options.to_string())
    }

    fn report_panic(&mut self, message: String) -> wasmtime::Result<()> {
        self.panic = Some(message);
        Ok(())
    }
}

impl VuState {
    fn sum(&self, count: impl Fn(&ScenarioProgress) -> u64) -> u64 {
        self.test().progress.get().map_or(0, |progress| progress.scenarios.iter().map(count).sum())
    }
}

fn nanoseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
