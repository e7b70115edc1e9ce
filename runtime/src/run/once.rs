//! `--once`: one virtual user of each module runs every scenario function once, one after the other.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::Instant;

use super::Test;
use crate::exit::Exit;
use crate::log::Printer;
use crate::metrics::{Aggregate, builtin};
use crate::output::{Tried, TriedCheck, tried};
use crate::plan::PlannedScenario;
use crate::scheduler::Schedule;
use crate::shard::{
    EndedIteration, Iteration, IterationEnd, Observer as _, Outcome, Placement, VirtualUser as _, VuFactory as _,
};
use crate::worker::{Sampler, WasmVu, WasmVus, worker};

/// The number of a module's only virtual user.
const fn vu_id(module: usize) -> u64 {
    module as u64 + 1
}

impl Test {
    /// Runs every scenario of the plan, which has one iteration each, and says what came of them.
    pub(super) async fn try_out(&mut self) -> Vec<Tried> {
        let mut all = Vec::new();
        if self.verdict.is_some() {
            return all;
        }
        // The counters and the clock that scenarios ask for; nobody schedules anything.
        let stop = self.prepared.context.stop.clone();
        let progress = Schedule::new(self.prepared.plan.specs(), 1, Placement::Local, stop.clone()).progress();
        let _ = self.prepared.context.progress.set(Arc::clone(&progress));
        // Virtual user 1 is an instance of the first module, and so on.
        let (factory, sampler) = worker(self.prepared.guests(0), (0..self.prepared.modules.len()).collect());
        let mut vus = Vec::new();
        for module in 0..self.prepared.modules.len() {
            if !self.prepared.plan.modules[module].runs {
                vus.push(None);
                continue;
            }
            let Some(vu) = self.only_vu(&factory, module).await else { return all };
            vus.push(Some(vu));
        }
        let begun = Instant::now();
        progress.clock.begin(begun);
        let _ = self.prepared.context.started_at.set(SystemTime::now());
        self.prepared.ledger.load_begins(progress);
        for index in 0..self.prepared.plan.scenarios.len() {
            if stop.level().is_some() {
                break;
            }
            let module = self.prepared.plan.scenarios[index].spec.module;
            let Some(vu) = &mut vus[module] else { continue };
            match self.try_one(index, vu, &sampler).await {
                Some(one) => all.push(one),
                None => break,
            }
        }
        self.duration = begun.elapsed();
        self.prepared.ledger.load_ends(self.duration);
        if let Some(reason) = stop.reason() {
            self.heed(&reason);
        }
        all
    }

    /// The only virtual user of a module; `None` when it cannot be made; why is said.
    async fn only_vu(&mut self, factory: &WasmVus, module: usize) -> Option<WasmVu> {
        let stop = self.prepared.context.stop.clone();
        let made = tokio::select! {
            biased;
            () = self.prepared.signals.next() => {
                self.decide(Exit::Signal);
                return None;
            }
            () = stop.stopped() => {
                stop.reason().iter().for_each(|reason| self.heed(reason));
                return None;
            }
            made = factory.create(vu_id(module)) => made,
        };
        match made {
            Ok(vu) => Some(vu),
            Err(error) => {
                self.vu_failed(&error);
                None
            }
        }
    }

    /// One iteration; `None` when it was interrupted.
    async fn try_one(&mut self, index: usize, vu: &mut WasmVu, sampler: &Sampler) -> Option<Tried> {
        // What came before belongs to others.
        self.prepared.ledger.collect();
        let stop = self.prepared.context.stop.clone();
        let errors = self.prepared.context.problems.iteration_errors();
        let PlannedScenario { spec, exec, .. } = &self.prepared.plan.scenarios[index];
        let mut one = Tried { scenario: spec.name.clone(), function: exec.clone(), ..Tried::default() };
        let started = Instant::now();
        let iteration = Iteration {
            scenario: index,
            function: spec.function,
            vu_id: vu_id(spec.module),
            number_in_scenario: 0,
            due: None,
            scenario_started: started,
        };
        let end = tokio::select! {
            biased;
            () = self.prepared.signals.next() => {
                self.decide(Exit::Signal);
                return None;
            }
            () = stop.stopped_immediately() => return None,
            end = vu.iterate(&iteration) => end,
        };
        let ended = Instant::now();
        sampler.iteration_ended(&EndedIteration { iteration, outcome: Outcome::from(end), started, ended });
        one.took_ms = (ended - started).as_secs_f64() * 1e3;
        if end == IterationEnd::Failed {
            let now = self.prepared.context.problems.iteration_errors();
            let new = now.into_iter().find(|(message, count)| errors.get(message) != Some(count));
            one.error = Some(new.map_or_else(|| "for a reason that was not kept".to_owned(), |(message, _)| message));
            self.decide(Exit::ScenarioException);
        }
        self.prepared.ledger.collect();
        self.count(&mut one);
        Some(one)
    }

    /// What the last collection brought: nothing else has happened since the one before it.
    fn count(&self, one: &mut Tried) {
        let (totals, window) = (self.prepared.ledger.totals(), self.prepared.ledger.window());
        for (series, news) in window.series() {
            let Some((metric, tags)) = totals.identity(series) else { continue };
            match news {
                Aggregate::Counter { samples, .. } if metric == builtin::HTTP_REQS => one.requests += samples,
                Aggregate::Rate { passes, .. } if metric == builtin::HTTP_REQ_FAILED => one.failed_requests += passes,
                Aggregate::Rate { passes, total } if metric == builtin::CHECKS => {
                    let pairs = totals.registry().tags(tags);
                    let value = |name: &str| pairs.iter().find(|pair| *pair.0 == *name).map_or("", |pair| &pair.1);
                    let group = value("group");
                    let separator = if group.is_empty() { "" } else { "::" };
                    one.checks.push(TriedCheck {
                        name: format!("{group}{separator}{}", value("check")),
                        passes: *passes,
                        fails: total - passes,
                    });
                }
                _ => {}
            }
        }
    }

    /// Says what came of it all.
    pub(super) async fn conclude_once(mut self, tried_out: &[Tried], printer: Printer) -> Exit {
        let summary = self.summarise();
        if let Some(rendering) = self.prepared.summary {
            let text = tried::render(tried_out, self.prepared.plan.scenarios.len(), &rendering);
            self.write("the summary: ", "stdout".to_owned(), text.into_bytes()).await;
        }
        self.export(&summary);
        if summary.failed_by_checks() {
            self.decide(Exit::ThresholdsCrossed);
        }
        if self.prepared.context.failed_by_scenario.get().is_some() {
            self.decide(Exit::FailedByScenario);
        }
        let exit = self.verdict.unwrap_or(Exit::Passed);
        drop(self);
        printer.finish();
        exit
    }
}
