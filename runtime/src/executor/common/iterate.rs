//! One iteration of one virtual user: numbered, timed, counted.

use std::pin::pin;
use std::sync::atomic::Ordering::Relaxed;

use tokio::time::Instant;

use super::drive::Shard;
use crate::shard::control::Control;
use crate::shard::progress::LATE;
use crate::shard::{EndedIteration, Iteration, Observer, Outcome, VirtualUser, VuFactory};

/// Runs an iteration; `due` is when it was meant to start, in an open model.
pub(super) async fn iterate<F: VuFactory, O: Observer>(
    shard: &Shard<F, O>,
    scenario: usize,
    control: &Control,
    vu: &mut F::Vu,
    vu_id: u64,
    due: Option<Instant>,
) -> Outcome {
    let progress = shard.run.progress_of(scenario);
    let iteration = Iteration {
        scenario,
        function: shard.run.scenarios[scenario].spec.function,
        vu_id,
        number_in_scenario: progress.started.fetch_add(1, Relaxed),
        due,
        scenario_started: shard.begin_of(scenario),
    };
    progress.busy_vus.fetch_add(1, Relaxed);
    let started = Instant::now();
    if due.is_some_and(|due| started.saturating_duration_since(due) > LATE) {
        progress.late.fetch_add(1, Relaxed);
    }
    let end = {
        let running = pin!(vu.iterate(&iteration));
        control.unless_interrupted(running).await
    };
    let actual = vu.actual();
    let started = actual.began.unwrap_or(started);
    let (ended, end) = actual.ended.map_or_else(|| (Instant::now(), end), |(at, end)| (at, Some(end)));
    progress.busy_vus.fetch_sub(1, Relaxed);
    let outcome = end.map_or(Outcome::Interrupted, Outcome::from);
    let counter = match outcome {
        Outcome::Completed => &progress.completed,
        Outcome::Failed => &progress.failed,
        Outcome::Interrupted => &progress.interrupted,
    };
    counter.fetch_add(1, Relaxed);
    shard.parts.observer.iteration_ended(&EndedIteration { iteration, outcome, started, ended });
    // An iteration that never waits must not keep the shard from its other virtual users; least of all one that traps, as the fresh
    // instance costs more than most iterations do.
    if outcome == Outcome::Failed {
        tokio::task::yield_now().await;
    } else {
        tokio::task::coop::consume_budget().await;
    }
    outcome
}
