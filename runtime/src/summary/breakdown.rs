//! The same numbers seen by scenario, by request name and by answer.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Check, Group, MetricSummary, RunInfo, SummarySettings};
use crate::metrics::{Aggregate, MetricId, TagPairs, Totals, Trend, builtin};

/// What one scenario did.
#[derive(Clone, Debug, Serialize)]
pub struct ScenarioRow {
    /// Its name.
    pub name: String,
    /// Its executor.
    pub executor: String,
    /// What it was to do.
    pub description: String,
    /// Iterations that ran to their end.
    pub iterations: u64,
    /// Iterations that ended by an error.
    pub iteration_errors: u64,
    /// Iterations that were due and found no free virtual user.
    pub dropped_iterations: u64,
    /// Its requests.
    pub requests: Requests,
}

/// The requests of one name.
#[derive(Clone, Debug, Serialize)]
pub struct NameRow {
    /// The method.
    pub method: String,
    /// The name, which is the URL where no name was given.
    pub name: String,
    /// Its requests.
    pub requests: Requests,
}

/// The requests with one kind of answer.
#[derive(Clone, Debug, Serialize)]
pub struct AnswerRow {
    /// The HTTP status; empty when that tag is not kept, `0` when there was no answer.
    pub status: String,
    /// k6's error code; empty for none.
    pub error_code: String,
    /// What went wrong, in words; empty where the status says it.
    pub error: String,
    /// Its requests.
    pub requests: Requests,
}

/// Requests in numbers. Times are milliseconds, of `http_req_duration`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Requests {
    /// How many.
    pub count: u64,
    /// How many failed: their answer was not an expected one.
    pub failed: u64,
    /// The median.
    pub med_ms: f64,
    /// The 95th percentile.
    pub p95_ms: f64,
    /// The greatest.
    pub max_ms: f64,
}

/// All metrics of one scenario or of one group: what the mode `full` shows.
#[derive(Clone, Debug, Serialize)]
pub struct Block {
    /// `SCENARIO` or `GROUP`.
    pub kind: &'static str,
    /// The scenario's name or the group's path.
    pub name: String,
    /// The checks made there.
    pub checks: Vec<Check>,
    /// The metrics that have samples there, by name.
    pub metrics: Vec<MetricSummary>,
}

/// A tag's value; empty if the set does not have it.
pub(super) fn tag<'a>(pairs: &'a TagPairs, name: &str) -> &'a str {
    pairs.iter().find(|pair| *pair.0 == *name).map_or("", |pair| &pair.1)
}

pub(super) fn scenarios(totals: &Totals, run: &RunInfo) -> Vec<ScenarioRow> {
    let mut requests = requests_by(totals, |pairs| tag(pairs, "scenario").to_owned());
    let count = |metric, name: &str| match totals.select(metric, &[("scenario", name)]) {
        Some(Aggregate::Counter { sum, .. }) => sum as u64,
        _ => 0,
    };
    run.scenarios
        .iter()
        .map(|scenario| ScenarioRow {
            iterations: count(builtin::ITERATIONS, &scenario.name),
            iteration_errors: count(builtin::ITERATION_ERRORS, &scenario.name),
            dropped_iterations: count(builtin::DROPPED_ITERATIONS, &scenario.name),
            requests: requests.remove(&scenario.name).unwrap_or_default(),
            name: scenario.name.clone(),
            executor: scenario.executor.clone(),
            description: scenario.description.clone(),
        })
        .collect()
}

/// By method and name, most requests first.
pub(super) fn names(totals: &Totals) -> Vec<NameRow> {
    let by_name = requests_by(totals, |pairs| (tag(pairs, "method").to_owned(), tag(pairs, "name").to_owned()));
    let mut rows: Vec<_> =
        by_name.into_iter().map(|((method, name), requests)| NameRow { method, name, requests }).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.requests.count));
    rows
}

/// By status and error, most requests first.
pub(super) fn answers(totals: &Totals) -> Vec<AnswerRow> {
    let by_answer =
        requests_by(totals, |pairs| ["status", "error_code", "error"].map(|name| tag(pairs, name).to_owned()));
    let mut rows: Vec<_> = by_answer
        .into_iter()
        .map(|([status, error_code, error], requests)| AnswerRow { status, error_code, error, requests })
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.requests.count));
    rows
}

/// A block for each scenario, then one for each group but the root.
pub(super) fn blocks(totals: &Totals, run: &RunInfo, groups: &[&str], settings: &SummarySettings) -> Vec<Block> {
    let scenarios = run.scenarios.iter().map(|scenario| ("SCENARIO", "scenario", scenario.name.as_str()));
    let groups = groups.iter().map(|path| ("GROUP", "group", *path));
    scenarios
        .chain(groups)
        .map(|(kind, tag, name)| block(totals, run, settings, kind, (tag, name)))
        .filter(|block| !block.metrics.is_empty())
        .collect()
}

fn block(totals: &Totals, run: &RunInfo, settings: &SummarySettings, kind: &'static str, with: (&str, &str)) -> Block {
    let mut metrics: Vec<MetricSummary> = totals
        .registry()
        .metrics()
        .into_iter()
        .filter_map(|(metric, descriptor)| {
            let aggregate = totals.select(metric, &[with])?;
            Some(MetricSummary::new(&descriptor, Some(&aggregate), settings, run))
        })
        .collect();
    metrics.sort_by(|a, b| a.name.cmp(&b.name));
    let root = Group::root_of(totals, |pairs| tag(pairs, with.0) == with.1);
    Block { kind, name: with.1.to_owned(), checks: root.all_checks().into_iter().cloned().collect(), metrics }
}

/// Requests by whatever the key takes from their tags.
fn requests_by<K: Ord + Clone>(totals: &Totals, key: impl Fn(&TagPairs) -> K) -> BTreeMap<K, Requests> {
    let mut by_key: BTreeMap<K, (Requests, Trend)> = BTreeMap::new();
    let mut each = |metric: MetricId, merge: &dyn Fn(&mut (Requests, Trend), &Aggregate)| {
        for (tags, aggregate) in totals.series(metric) {
            merge(by_key.entry(key(&totals.registry().tags(tags))).or_default(), aggregate);
        }
    };
    each(builtin::HTTP_REQ_FAILED, &|(requests, _), aggregate| {
        if let Aggregate::Rate { passes, total } = aggregate {
            requests.count += total;
            requests.failed += passes;
        }
    });
    each(builtin::HTTP_REQ_DURATION, &|(_, durations), aggregate| {
        if let Aggregate::Trend(trend) = aggregate {
            durations.merge(trend);
        }
    });
    by_key
        .into_iter()
        .map(|(key, (requests, durations))| {
            let (med_ms, p95_ms, max_ms) = (durations.med(), durations.percentile(95.0), durations.max());
            (key, Requests { med_ms, p95_ms, max_ms, ..requests })
        })
        .collect()
}
