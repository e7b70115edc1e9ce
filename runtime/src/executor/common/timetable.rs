//! Who runs what when, settled before anything starts.
//!
//! Each scenario's virtual users, index by index, hold a virtual user of the test from a moment to a moment. These holdings
//! are known from the options, graceful ramp-down and graceful stop included, so they are given out beforehand, like rooms
//! to meetings: in the order of their beginnings, each to a virtual user that is free. As many are needed as hold at once at
//! the worst moment, and no more; one that a scenario gives back is used again by the next. At run time there is no pool to
//! share, nothing to lock, and no shard can run short: virtual user k (from 1) lives on shard (k - 1) mod the number of
//! shards, with its list of holdings.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::time::Duration;

use super::super::{Model, ScenarioSpec, VuStep};

/// What all virtual users of a test do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timetable {
    /// Virtual user k's line is number k - 1.
    pub lines: Vec<Line>,
}

/// What one virtual user does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// Whose virtual user it is: each is an instance of one module.
    pub module: usize,
    /// In order, and never two at once.
    pub holdings: Vec<Holding>,
}

/// One scenario's use of one virtual user. Times are measured from the load's beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// Index in the plan.
    pub scenario: usize,
    /// Which of the scenario's virtual users this is, from 0.
    pub index: u32,
    /// Made before the load, or only when wanted.
    pub planned: bool,
    /// When it begins.
    pub from: Duration,
    /// When whatever still runs is interrupted.
    pub until: Duration,
    /// When iterations may start, in a closed model.
    pub windows: Vec<Window>,
}

/// From when until before when iterations may start, measured from the load's beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first moment.
    pub from: Duration,
    /// The first moment after it.
    pub to: Duration,
}

/// The virtual users that all scenarios together may need, from when on.
#[must_use]
pub fn requirements<'a>(scenarios: impl IntoIterator<Item = &'a ScenarioSpec>) -> Vec<VuStep> {
    let mut changes: Vec<(Duration, i64, i64)> = Vec::new();
    for scenario in scenarios {
        let mut before = VuStep::default();
        for step in scenario.steps() {
            let planned = i64::from(step.planned) - i64::from(before.planned);
            let unplanned = i64::from(step.max_unplanned) - i64::from(before.max_unplanned);
            changes.push((scenario.start_time + step.at, planned, unplanned));
            before = step;
        }
    }
    changes.sort_by_key(|(at, ..)| *at);
    let (mut planned, mut unplanned) = (0, 0);
    let mut merged: Vec<VuStep> = Vec::new();
    for (at, more_planned, more_unplanned) in changes {
        planned += more_planned;
        unplanned += more_unplanned;
        let count = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
        let step = VuStep { at, planned: count(planned), max_unplanned: count(unplanned) };
        match merged.last_mut() {
            Some(last) if last.at == at => *last = step,
            _ => merged.push(step),
        }
    }
    merged.dedup_by_key(|step| (step.planned, step.max_unplanned));
    merged
}

/// How many virtual users the test may need at once, those made on demand included. A module's virtual users are no other module's, and are
/// kept to the end.
#[must_use]
pub fn peak_vus(scenarios: &[ScenarioSpec]) -> u32 {
    modules(scenarios).map(|module| peak_vus_of(scenarios, module)).fold(0, u32::saturating_add)
}

fn peak_vus_of(scenarios: &[ScenarioSpec], module: usize) -> u32 {
    let steps = requirements(scenarios.iter().filter(|scenario| scenario.module == module));
    steps.iter().map(|step| step.planned.saturating_add(step.max_unplanned)).max().unwrap_or(0)
}

/// The modules that have a scenario.
fn modules(scenarios: &[ScenarioSpec]) -> impl Iterator<Item = usize> {
    scenarios.iter().map(|scenario| scenario.module).collect::<BTreeSet<_>>().into_iter()
}

/// How many virtual users are made before the load.
#[must_use]
pub fn initial_vus(scenarios: &[ScenarioSpec]) -> u32 {
    Timetable::new(scenarios).initial_vus()
}

impl Timetable {
    /// Gives out the holdings of all scenarios.
    #[must_use]
    pub fn new(scenarios: &[ScenarioSpec]) -> Self {
        Self { lines: modules(scenarios).flat_map(|module| Self::lines_of(scenarios, module)).collect() }
    }

    /// The virtual users of one module.
    fn lines_of(scenarios: &[ScenarioSpec], module: usize) -> Vec<Line> {
        let own = scenarios.iter().enumerate().filter(|(_, scenario)| scenario.module == module);
        let mut wanted: Vec<Holding> = own.flat_map(|(i, s)| holdings(i, s)).collect();
        // Planned ones choose first: they begin with virtual users that are ready.
        wanted.sort_by_key(|holding| (holding.from, !holding.planned));
        let mut lines = vec![Line { module, holdings: Vec::new() }; peak_vus_of(scenarios, module) as usize];
        let mut free: BTreeSet<usize> = (0..lines.len()).collect();
        let mut busy: BinaryHeap<Reverse<(Duration, usize)>> = BinaryHeap::new();
        for holding in wanted {
            while let Some(&Reverse((until, line))) = busy.peek().filter(|Reverse((until, _))| *until <= holding.from) {
                debug_assert!(until <= holding.from);
                busy.pop();
                free.insert(line);
            }
            // From either end, so that those made on demand do not displace those made before the load.
            let chosen = if holding.planned { free.pop_first() } else { free.pop_last() };
            let Some(line) = chosen else {
                debug_assert!(false, "peak_vus is the greatest number of holdings at once");
                continue;
            };
            busy.push(Reverse((holding.until, line)));
            lines[line].holdings.push(holding);
        }
        lines
    }

    /// How many virtual users are made before the load.
    #[must_use]
    pub fn initial_vus(&self) -> u32 {
        u32::try_from(self.lines.iter().filter(|line| line.planned()).count()).unwrap_or(u32::MAX)
    }
}

impl Line {
    /// Is it made before the load?
    #[must_use]
    pub fn planned(&self) -> bool {
        self.holdings.iter().any(|holding| holding.planned)
    }
}

/// What one scenario wants.
fn holdings(scenario: usize, spec: &ScenarioSpec) -> Vec<Holding> {
    let steps = spec.steps();
    let end = steps.last().map_or(Duration::ZERO, |step| step.at);
    let planned: Vec<_> = steps.iter().map(|step| (step.at, step.planned)).collect();
    let unplanned: Vec<_> = steps.iter().map(|step| (step.at, step.max_unplanned)).collect();
    let mut windows: Vec<Vec<Window>> = Vec::new();
    if let Model::Closed { looping, .. } = spec.executor.model() {
        for (index, from, to) in intervals(&looping, spec.executor.regular_duration()) {
            if windows.len() <= index {
                windows.resize(index + 1, Vec::new());
            }
            windows[index].push(Window { from: spec.start_time + from, to: spec.start_time + to });
        }
    }
    let holding = |planned: bool| {
        move |(index, from, until): (usize, Duration, Duration)| {
            (planned, index, spec.start_time + from, spec.start_time + until)
        }
    };
    let all = intervals(&planned, end)
        .into_iter()
        .map(holding(true))
        .chain(intervals(&unplanned, end).into_iter().map(holding(false)));
    all.map(|(planned, index, from, until)| {
        let inside = |window: &&Window| window.from >= from && window.to <= until;
        let windows = windows.get(index).filter(|_| planned);
        let windows = windows.map_or_else(Vec::new, |windows| windows.iter().filter(inside).copied().collect());
        Holding { scenario, index: u32::try_from(index).unwrap_or(u32::MAX), planned, from, until, windows }
    })
    .collect()
}

/// When each index (from 0) is below the count: triples of the index, a beginning and an end, in order of beginnings.
fn intervals(counts: &[(Duration, u32)], end: Duration) -> Vec<(usize, Duration, Duration)> {
    let mut open: Vec<Duration> = Vec::new();
    let mut closed = Vec::new();
    for &(at, count) in counts.iter().filter(|(at, _)| *at < end).chain([&(end, 0)]) {
        let count = count as usize;
        while open.len() > count {
            if let Some(since) = open.pop().filter(|since| *since < at) {
                closed.push((open.len(), since, at));
            }
        }
        open.resize(count, at);
    }
    closed.sort_unstable_by_key(|(index, from, _)| (*from, *index));
    closed
}

#[cfg(test)]
#[path = "../tests/timetable.rs"]
mod tests;
