//! A simulated day of an open model: every iteration's due time against the definition, over one to eight shards.

use super::*;
use crate::executor::tests::exact::{Rate, days};

/// What a due time may be wrong by. The arithmetic promises two nanoseconds.
const MICROSECOND: Duration = Duration::from_micros(1);

/// Keeps the due times, and nothing else of a million iterations.
#[derive(Clone, Default)]
struct Dues {
    due: Arc<Mutex<Vec<Instant>>>,
    dropped: Arc<Mutex<u64>>,
}

impl Observer for Dues {
    fn iteration_ended(&self, ended: &EndedIteration) {
        let due = ended.iteration.due.unwrap();
        // What is measured from the due time is never negative, and the paused clock is late by its own millisecond at most.
        assert!(ended.started >= due && ended.started - due <= Duration::from_millis(1), "{ended:?}");
        self.due.lock().unwrap().push(due);
    }
    fn iterations_dropped(&self, _: usize, count: u64) {
        *self.dropped.lock().unwrap() += count;
    }
}

/// Runs the scenario, and gives the due times in order, from the load's beginning.
fn dues(scenario: ScenarioSpec, shards: usize) -> Vec<Duration> {
    paused(async {
        let seen = Dues::default();
        let observer = seen.clone();
        let schedule = Schedule::new(vec![scenario], shards, Placement::Local, StopToken::new());
        let build = move |_| {
            let factory = Factory { behaviour: takes!(0), creation_ms: 0, made: Arc::default() };
            (factory, observer.clone())
        };
        let running = schedule.prepare(build).await.unwrap().start();
        let began = running.started();
        running.finish().await.unwrap();
        assert_eq!(*seen.dropped.lock().unwrap(), 0);
        let mut dues: Vec<_> = seen.due.lock().unwrap().iter().map(|due| *due - began).collect();
        dues.sort_unstable();
        dues
    })
}

fn check(name: &str, rate: &Rate, mut options: serde_json::Value, shards: usize) {
    options["preAllocatedVUs"] = (2 * shards).into();
    let dues = dues(scenario(options), shards);
    assert_eq!(dues.len() as u64, rate.starts(), "{name} over {shards} shards");
    (0..).zip(dues).for_each(|(k, due)| rate.check(k, due, MICROSECOND));
}

#[test]
fn a_day_does_not_drift_whatever_the_number_of_shards() {
    for (index, (name, rate, options)) in days().into_iter().enumerate() {
        // Each rate over two numbers of shards, so that each number from one to eight has two rates.
        for shards in [1 + index % 8, 8 - index % 8] {
            check(name, &rate, options.clone(), shards);
        }
    }
}

#[test]
fn fifty_per_second_do_not_drift_in_a_day() {
    let rate = Rate::constant(50, Duration::from_secs(1), Duration::from_hours(24));
    let options = serde_json::json!({"executor": "constant-arrival-rate", "rate": 50, "duration": "24h"});
    check("50 per second", &rate, options, 7);
}
