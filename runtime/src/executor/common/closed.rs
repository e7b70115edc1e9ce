//! Running a closed model: a virtual user begins its next iteration when the last one ends.

use std::sync::atomic::Ordering::Relaxed;

use tokio::time::Instant;

use super::super::Budget;
use super::drive::{Shard, Slot};
use super::iterate::iterate;
use super::timetable::Holding;
use crate::shard::{Observer, Outcome, VuFactory};

/// Runs one holding to its end.
pub(super) async fn run<F: VuFactory, O: Observer>(
    shard: &Shard<F, O>,
    slot: &Slot,
    holding: &Holding,
    budget: Budget,
    vu: &mut F::Vu,
) {
    let Some(load_began) = shard.load_began(&slot.control).await else { return };
    let begin = load_began + holding.from;
    if slot.control.unless_finishing(tokio::time::sleep_until(begin)).await.is_none() {
        return;
    }
    let progress = shard.run.progress_of(holding.scenario);
    progress.active_vus.fetch_add(1, Relaxed);
    let mut own = 0;
    'windows: for window in &holding.windows {
        let (from, to) = (load_began + window.from, load_began + window.to);
        if from > Instant::now() && slot.control.unless_finishing(tokio::time::sleep_until(from)).await.is_none() {
            break;
        }
        while !slot.control.finishing() && Instant::now() < to {
            if !take(shard, holding.scenario, budget, own) {
                break 'windows;
            }
            own += 1;
            if iterate(shard, holding.scenario, &slot.control, vu, slot.id, None).await == Outcome::Interrupted {
                break 'windows;
            }
        }
    }
    progress.active_vus.fetch_sub(1, Relaxed);
    // What a stop leaves undone was not dropped: as in k6, only maxDuration drops.
    if let Budget::PerVu(each) = budget
        && shard.run.stop.level().is_none()
    {
        shard.dropped(holding.scenario, each.saturating_sub(own));
    }
}

/// May this virtual user, which has begun `own` iterations, begin another?
fn take<F: VuFactory, O: Observer>(shard: &Shard<F, O>, scenario: usize, budget: Budget, own: u64) -> bool {
    match budget {
        Budget::Unlimited => true,
        Budget::PerVu(each) => own < each,
        Budget::Shared(total) => shard.run.scenarios[scenario].taken.fetch_add(1, Relaxed) < total,
    }
}
