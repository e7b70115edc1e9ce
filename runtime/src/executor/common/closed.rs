//! Running a closed model: a virtual user begins its next iteration when the last one ends.

use std::sync::atomic::Ordering::Relaxed;

use tokio::time::Instant;

use super::super::Budget;
use super::drive::{Shard, Slot};
use super::iterate::iterate;
use super::timetable::Holding;
use crate::shard::alarm::Alarm;
use crate::shard::{Observer, Outcome, VuFactory};

/// Runs one holding to its end.
pub(super) async fn run<F: VuFactory, O: Observer>(
    shard: &Shard<F, O>,
    slot: &Slot,
    holding: &Holding,
    budget: Budget,
    vu: &mut F::Vu,
) {
    let clock = shard.run.clock();
    let alarm = Alarm::coarse();
    if !slot.control.reach(clock, holding.from, &alarm).await {
        return;
    }
    let progress = shard.run.progress_of(holding.scenario);
    progress.active_vus.fetch_add(1, Relaxed);
    let mut own = 0;
    'windows: for window in &holding.windows {
        if !slot.control.reach(clock, window.from, &alarm).await {
            break;
        }
        // The end of the window, and the version of the clock that says so.
        let mut end: Option<(Instant, u64)> = None;
        while !slot.control.finishing() {
            let version = clock.version();
            let to = match (end, clock.instant_of(window.to)) {
                (Some((to, known)), _) if known == version => to,
                (_, Some(to)) => end.insert((to, version)).0,
                (_, None) => {
                    if !slot.control.while_paused(clock).await {
                        break 'windows;
                    }
                    continue;
                }
            };
            if Instant::now() >= to {
                break;
            }
            match take(shard, holding, budget, own) {
                Taken::Begin => {}
                Taken::Wait => {
                    progress.active_vus.fetch_sub(1, Relaxed);
                    slot.control.unless_changed(clock, version, tokio::time::sleep_until(to)).await;
                    progress.active_vus.fetch_add(1, Relaxed);
                    continue;
                }
                Taken::Over => break 'windows,
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

/// What a virtual user is to do next.
enum Taken {
    /// Another iteration.
    Begin,
    /// Nothing, until somebody changes the load.
    Wait,
    /// Nothing any more.
    Over,
}

/// May this virtual user, which has begun `own` iterations, begin another?
fn take<F: VuFactory, O: Observer>(shard: &Shard<F, O>, holding: &Holding, budget: Budget, own: u64) -> Taken {
    let scenario = &shard.run.scenarios[holding.scenario];
    let may = match budget {
        Budget::Unlimited => true,
        Budget::PerVu(each) => own < each,
        Budget::Shared(total) => scenario.taken.fetch_add(1, Relaxed) < total,
        Budget::Steered => {
            let wanted = scenario.steering.as_ref().is_none_or(|steering| steering.wants(holding.index));
            return if wanted { Taken::Begin } else { Taken::Wait };
        }
    };
    if may { Taken::Begin } else { Taken::Over }
}
