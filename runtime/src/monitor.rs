//! What goes on beside the load: samples are collected, thresholds looked at, bars drawn, signals heeded.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::control::Desk;
use crate::display::{self, Watch};
use crate::exit::Exit;
use crate::ledger::Ledger;
use crate::metrics::{Recorder, TagSetId, builtin};
use crate::shard::progress::Progress;
use crate::signals::Signals;
use crate::stop::{StopReason, StopToken};
use crate::threshold::{self, Threshold};

/// How often samples are taken from the shards and recorded: what a run that is killed can lose.
pub(crate) const COLLECT: Duration = Duration::from_secs(1);

/// Watches over one load.
#[derive(Debug)]
pub struct Monitor {
    /// Live counters.
    pub progress: Arc<Progress>,
    /// Who may be asked to end the load.
    pub stop: StopToken,
    /// What must hold.
    pub thresholds: Arc<[Threshold]>,
    /// Where the gauges of VUs go.
    pub recorder: Arc<Mutex<Recorder>>,
    /// The tags of those gauges.
    pub tags: TagSetId,
    /// How the load is shown.
    pub watch: Watch,
    /// Whether the gauge of active VUs has a sample.
    pub gauged: bool,
}

impl Monitor {
    /// Waits for the load, doing everything beside it meanwhile. Nothing here ends the load but through the stop token.
    pub async fn watch_over<L: Future>(
        mut self,
        load: L,
        ledger: &mut Ledger,
        signals: &mut Signals,
        desk: &mut Desk,
    ) -> L::Output {
        let mut load = std::pin::pin!(load);
        let mut draw = every(display::TICK);
        let mut collect = every(COLLECT);
        let mut evaluate = every(threshold::EVALUATION_INTERVAL);
        let outcome = loop {
            tokio::select! {
                biased;
                outcome = &mut load => break outcome,
                () = signals.next() => self.heed_signal(signals),
                _ = evaluate.tick() => {
                    ledger.collect();
                    // Just done.
                    collect.reset();
                    self.abort_if_crossed(ledger);
                }
                _ = collect.tick() => ledger.collect(),
                question = desk.next() => desk.answer(question, ledger.totals(), ledger.windows()),
                now = draw.tick() => {
                    self.gauge();
                    self.watch.tick(now);
                }
            }
        };
        self.gauge();
        if !self.gauged && self.progress.started().is_some() {
            // A load that was over before the first look had its virtual users all the same.
            let planned = f64::from(self.progress.planned_vus);
            self.recorder.lock().unwrap_or_else(PoisonError::into_inner).add(builtin::VUS, self.tags, planned);
        }
        ledger.collect();
        self.watch.finish(Instant::now());
        outcome
    }

    fn heed_signal(&self, signals: &Signals) {
        if signals.count > 2 {
            signals.display.line("ended by a third signal, without a summary");
            crate::terminal::leave();
            std::process::exit(Exit::Signal as i32);
        }
        if signals.count == 1 {
            // First of all: nobody knows whether the line finds a reader.
            self.stop.graceful(StopReason::Signal);
            signals.display.line("stopping: iterations under way may finish; once more to interrupt them");
        } else {
            self.stop.immediate(StopReason::Signal);
        }
    }

    fn abort_if_crossed(&self, ledger: &Ledger) {
        let Some(elapsed) = self.progress.clock.elapsed() else { return };
        let crossed = threshold::first_to_abort(&self.thresholds, ledger.totals(), elapsed)
            .or_else(|| ledger.windows().first_to_abort(&self.thresholds, elapsed));
        if let Some(threshold) = crossed {
            let text = format!("{}: {}", threshold.selector_text, threshold.label());
            self.stop.immediate(StopReason::Threshold(text));
        }
    }

    /// k6's `vus` and `vus_max`, from the load's beginning on.
    fn gauge(&mut self) {
        if self.progress.started().is_none() {
            return;
        }
        let initialised = self.progress.initialised_vus.load(std::sync::atomic::Ordering::Relaxed);
        let active = self.progress.active_vus(Instant::now());
        let mut recorder = self.recorder.lock().unwrap_or_else(PoisonError::into_inner);
        if active > 0 {
            self.gauged = true;
            recorder.add(builtin::VUS, self.tags, f64::from(active));
        }
        recorder.add(builtin::VUS_MAX, self.tags, f64::from(initialised));
    }
}

/// Ticks at the end of each period.
pub(crate) fn every(period: Duration) -> tokio::time::Interval {
    let mut interval = interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
