//! Running a closed model: a virtual user begins its next iteration when the last one ends.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use tokio::time::Instant;

use super::super::Budget;
use super::drive::{Shard, Slot};
use super::iterate::iterate;
use super::timetable::Holding;
use crate::shard::alarm::Alarm;
use crate::shard::control::Waited;
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
    let mut active = Active { vus: &shard.run.progress_of(holding.scenario).active_vus, counts: false };
    let mut own = 0;
    active.set(is_wanted(shard, holding, budget));
    'windows: for window in &holding.windows {
        if !slot.control.reach(clock, window.from, &alarm).await {
            break;
        }
        // The end of the window, and the version of the clock that says so.
        let mut end: Option<(Instant, u64)> = None;
        while !slot.control.finishing() {
            let version = clock.version();
            let wanted = is_wanted(shard, holding, budget);
            active.set(wanted);
            let to = match (end, clock.instant_of(window.to)) {
                (Some((to, known)), _) if known == version => to,
                (_, Some(to)) => end.insert((to, version)).0,
                (_, None) => {
                    // Paused; who is wanted may change meanwhile.
                    match slot.control.unless_changed(clock, version, std::future::pending()).await {
                        Waited::Finishing => break 'windows,
                        Waited::Changed | Waited::Reached => continue,
                    }
                }
            };
            if Instant::now() >= to {
                break;
            }
            if !wanted {
                slot.control.unless_changed(clock, version, tokio::time::sleep_until(to)).await;
                continue;
            }
            if !may_begin(shard, holding, budget, own) {
                break 'windows;
            }
            own += 1;
            if iterate(shard, holding.scenario, &slot.control, vu, slot.id, None).await == Outcome::Interrupted {
                break 'windows;
            }
        }
    }
    active.set(false);
    // What a stop leaves undone was not dropped: as in k6, only maxDuration drops.
    if let Budget::PerVu(each) = budget
        && shard.run.stop.level().is_none()
    {
        shard.dropped(holding.scenario, each.saturating_sub(own));
    }
}

/// Whether a virtual user is one of those that its scenario holds.
struct Active<'a> {
    vus: &'a AtomicU32,
    counts: bool,
}

impl Active<'_> {
    fn set(&mut self, counts: bool) {
        match (self.counts, counts) {
            (false, true) => _ = self.vus.fetch_add(1, Relaxed),
            (true, false) => _ = self.vus.fetch_sub(1, Relaxed),
            _ => {}
        }
        self.counts = counts;
    }
}

/// Whether this virtual user is to loop now: where somebody steers the load, not all of them do.
fn is_wanted<F: VuFactory, O: Observer>(shard: &Shard<F, O>, holding: &Holding, budget: Budget) -> bool {
    match budget {
        Budget::Steered => {
            let steering = shard.run.scenarios[holding.scenario].steering.as_ref();
            steering.is_none_or(|steering| steering.wants(holding.index))
        }
        _ => true,
    }
}

/// May this virtual user, which has begun `own` iterations, begin another?
fn may_begin<F: VuFactory, O: Observer>(shard: &Shard<F, O>, holding: &Holding, budget: Budget, own: u64) -> bool {
    match budget {
        Budget::Unlimited | Budget::Steered => true,
        Budget::PerVu(each) => own < each,
        Budget::Shared(total) => shard.run.scenarios[holding.scenario].taken.fetch_add(1, Relaxed) < total,
    }
}
