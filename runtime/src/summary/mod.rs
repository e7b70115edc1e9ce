//! The end of a test as plain data, which the outputs turn into text and JSON.

mod breakdown;
mod checks;
mod run_info;
mod stats;

#[cfg(test)]
mod exact;
#[cfg(test)]
pub(crate) mod fixture;

use std::time::Duration;

use serde::Serialize;

pub use breakdown::{AnswerRow, Block, NameRow, Requests, ScenarioRow};
pub use checks::{Check, Group};
pub use run_info::{RunInfo, ScenarioInfo, Starts};
pub use stats::{MetricValue, TrendStat};

use crate::metrics::{Aggregate, Contains, Descriptor, Kind, Overflow, Totals, builtin};
use crate::threshold::{Aggregation, Judged, NoDataPolicy, Outcome, Selector, Threshold, Verdict, Windows};

/// What the person asked the summary to say.
#[derive(Clone, Debug)]
pub struct SummarySettings {
    /// The numbers to show of a trend.
    pub trend_stats: Vec<TrendStat>,
    /// What a threshold without data does.
    pub no_data: NoDataPolicy,
    /// Whether a check that failed fails the run.
    pub fail_on_check: bool,
    /// The share of the iterations that were due which each scenario must start, if there is such a rule.
    pub min_rate_achieved: Option<f64>,
    /// Whether to work out a block for each scenario and each group.
    pub full: bool,
}

impl Default for SummarySettings {
    fn default() -> Self {
        Self {
            trend_stats: TrendStat::DEFAULT.to_vec(),
            no_data: NoDataPolicy::default(),
            fail_on_check: false,
            min_rate_achieved: None,
            full: false,
        }
    }
}

/// Everything that outputs say of a finished run.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The run itself.
    pub run: RunInfo,
    /// The numbers that trends have here.
    #[serde(skip)]
    pub trend_stats: Vec<TrendStat>,
    /// Metrics, then sub-metrics beside their metric, by name. A metric without samples is here only if a threshold asks for
    /// it.
    pub metrics: Vec<MetricSummary>,
    /// Groups and checks.
    pub root_group: Group,
    /// By scenario.
    pub scenarios: Vec<ScenarioRow>,
    /// By request name.
    pub names: Vec<NameRow>,
    /// By answer.
    pub answers: Vec<AnswerRow>,
    /// By scenario and by group, if asked for.
    pub blocks: Vec<Block>,
    /// The 99th percentile of `iteration_start_lag` in milliseconds, in the open model.
    pub start_lag_p99_ms: Option<f64>,
    /// Values that metrics could not hold.
    pub refused_values: Vec<(String, u64)>,
    /// Tag values that could not be kept apart.
    pub overflow: Option<OverflowSummary>,
    /// Whether all thresholds let the run pass.
    pub passed: bool,
    /// Whether a check that failed fails the run.
    pub fail_on_check: bool,
    /// The share of the iterations that were due which each scenario must start, if there is such a rule.
    pub min_rate_achieved: Option<f64>,
}

/// A metric, or a part of one.
#[derive(Clone, Debug, Serialize)]
pub struct MetricSummary {
    /// The name, with the selector as it was written for a part: `http_reqs{status:200}`.
    pub name: String,
    /// The metric's own name.
    pub metric: String,
    /// What the selector has between its braces; `None` for the whole metric.
    pub selector: Option<String>,
    /// The kind.
    pub kind: Kind,
    /// What the values are.
    pub contains: Contains,
    /// The value; zeros without samples.
    pub value: MetricValue,
    /// Whether there were samples.
    pub has_samples: bool,
    /// Whether the metric's name is one that nobody registered; `kind` is then what its thresholds take it for.
    pub unknown: bool,
    /// Its thresholds.
    pub thresholds: Vec<ThresholdSummary>,
}

/// A threshold and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct ThresholdSummary {
    /// The expression as it was written, and the window that it is about, if any.
    pub expression: String,
    /// The aggregation, such as `p(95)`.
    pub aggregation: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Whether it lets the run pass.
    pub ok: bool,
    /// What was compared.
    pub value: Option<f64>,
    /// Of a threshold with a window, where the value is from.
    pub window: Option<WindowSummary>,
    /// For an unknown metric, the known one that was probably meant.
    pub probably_meant: Option<String>,
}

/// The windows of a threshold that has one.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct WindowSummary {
    /// Windows that were compared.
    pub windows: u64,
    /// Those of them that did not hold.
    pub crossed: u64,
    /// When the worst began, in milliseconds of load.
    pub from_ms: f64,
    /// When it ended.
    pub until_ms: f64,
}

/// Tag values that could not be kept apart.
#[derive(Clone, Debug, Serialize)]
pub struct OverflowSummary {
    /// How many series are kept apart at most.
    pub limit: usize,
    /// Tag names with the samples that stand under `(overflow)`.
    pub tags: Vec<(String, u64)>,
}

impl Summary {
    /// Evaluates the thresholds and gathers everything that there is to say.
    pub fn new(
        totals: &Totals,
        thresholds: &[Threshold],
        windows: &Windows,
        run: RunInfo,
        settings: &SummarySettings,
    ) -> Self {
        let root_group = Group::root(totals);
        let groups: Vec<&str> = root_group.all_groups().iter().skip(1).map(|group| group.path.as_str()).collect();
        let blocks = if settings.full { breakdown::blocks(totals, &run, &groups, settings) } else { Vec::new() };
        let metrics = metrics(totals, thresholds, windows, &run, settings);
        Self {
            passed: metrics.iter().flat_map(|metric| &metric.thresholds).all(|threshold| threshold.ok),
            trend_stats: settings.trend_stats.clone(),
            fail_on_check: settings.fail_on_check,
            min_rate_achieved: settings.min_rate_achieved,
            scenarios: breakdown::scenarios(totals, &run),
            names: breakdown::names(totals),
            answers: breakdown::answers(totals),
            start_lag_p99_ms: match totals.metric(builtin::ITERATION_START_LAG) {
                Some(Aggregate::Trend(trend)) => Some(trend.percentile(99.0)),
                _ => None,
            },
            refused_values: totals
                .refused()
                .map(|(metric, count)| (totals.registry().descriptor(metric).name.to_string(), count))
                .collect(),
            overflow: totals.overflow().map(OverflowSummary::from),
            metrics,
            blocks,
            root_group,
            run,
        }
    }

    /// Whether a check failed that was not to.
    pub fn failed_by_checks(&self) -> bool {
        self.fail_on_check && self.root_group.all_checks().iter().any(|check| check.fails > 0)
    }

    /// The scenarios that started less than was asked for.
    pub fn short_of_rate(&self) -> Vec<&Starts> {
        let least = self.min_rate_achieved.unwrap_or(0.0);
        self.run.starts.iter().filter(|starts| starts.share() < least).collect()
    }

    /// A metric as a whole.
    pub fn metric(&self, name: &str) -> Option<&MetricSummary> {
        self.metrics.iter().find(|metric| metric.name == name)
    }

    /// A counter's sum; 0 if there is none.
    pub fn count(&self, name: &str) -> u64 {
        match self.metric(name).map(|metric| &metric.value) {
            Some(MetricValue::Counter { count, .. }) => *count as u64,
            _ => 0,
        }
    }
}

impl MetricSummary {
    /// A metric as a whole, or what `aggregate` is of it.
    pub(super) fn new(
        descriptor: &Descriptor,
        aggregate: Option<&Aggregate>,
        settings: &SummarySettings,
        run: &RunInfo,
    ) -> Self {
        let nothing = Aggregate::new(descriptor.kind);
        Self {
            name: descriptor.name.to_string(),
            metric: descriptor.name.to_string(),
            selector: None,
            kind: descriptor.kind,
            contains: descriptor.contains,
            value: MetricValue::new(aggregate.unwrap_or(&nothing), &settings.trend_stats, run.duration),
            has_samples: aggregate.is_some(),
            unknown: false,
            thresholds: Vec::new(),
        }
    }
}

/// The metrics and thresholds of a run that goes on, after so much load.
pub(crate) fn metrics_so_far(
    totals: &Totals,
    thresholds: &[Threshold],
    windows: &Windows,
    duration: Duration,
    settings: &SummarySettings,
) -> Vec<MetricSummary> {
    metrics(totals, thresholds, windows, &RunInfo { duration, ..RunInfo::default() }, settings)
}

/// Metrics with samples, the sub-metric that k6 always shows, and whatever thresholds ask for.
fn metrics(
    totals: &Totals,
    thresholds: &[Threshold],
    windows: &Windows,
    run: &RunInfo,
    settings: &SummarySettings,
) -> Vec<MetricSummary> {
    let registry = totals.registry();
    let mut found: Vec<MetricSummary> = registry
        .metrics()
        .into_iter()
        .filter_map(|(metric, descriptor)| {
            let aggregate = totals.metric(metric)?;
            Some(MetricSummary::new(&descriptor, Some(aggregate), settings, run))
        })
        .collect();
    let part = |selector: &Selector, text: &str| {
        let metric = registry.lookup(&selector.metric)?;
        let descriptor = registry.descriptor(metric);
        let selected = totals.select(metric, &selector.pairs());
        let (_, inner) = text.strip_suffix('}')?.split_once('{')?;
        Some(MetricSummary {
            name: text.to_owned(),
            selector: Some(inner.trim().to_owned()),
            ..MetricSummary::new(&descriptor, selected.as_ref(), settings, run)
        })
    };
    if totals.metric(builtin::HTTP_REQ_DURATION).is_some() {
        let selector = Selector {
            metric: "http_req_duration".to_owned(),
            tags: vec![("expected_response".to_owned(), "true".to_owned())],
        };
        found.extend(part(&selector, "http_req_duration{expected_response:true}").filter(|part| part.has_samples));
    }
    for (index, threshold) in thresholds.iter().enumerate() {
        let text = threshold.selector_text.trim();
        let place = found.iter().position(|metric| metric.name == text).unwrap_or_else(|| {
            found.push(
                part(&threshold.selector, text).unwrap_or_else(|| without_samples(totals, threshold, settings, run)),
            );
            found.len() - 1
        });
        let judged = windows.judged(index).filter(|judged| judged.windows > 0);
        let outcome = judged
            .and_then(|judged| judged.outcome())
            // Without any value in any window there is none in all of them.
            .unwrap_or_else(|| threshold.evaluate(totals, run.duration));
        let mut summary = ThresholdSummary::new(threshold, &outcome, totals, settings.no_data);
        summary.window = judged.and_then(WindowSummary::of);
        found[place].thresholds.push(summary);
    }
    found.sort_by(|a, b| (&a.metric, &a.selector).cmp(&(&b.metric, &b.selector)));
    found
}

/// A metric that a threshold asks for, and of which there is no sample, or not even a descriptor.
fn without_samples(totals: &Totals, threshold: &Threshold, settings: &SummarySettings, run: &RunInfo) -> MetricSummary {
    let registry = totals.registry();
    let known = registry.lookup(&threshold.selector.metric).map(|metric| registry.descriptor(metric));
    let unknown = known.is_none();
    let descriptor = known.unwrap_or_else(|| Descriptor {
        name: threshold.selector.metric.as_str().into(),
        kind: match threshold.expression.aggregation {
            Aggregation::Count => Kind::Counter,
            Aggregation::Rate => Kind::Rate,
            Aggregation::Value => Kind::Gauge,
            _ => Kind::Trend,
        },
        contains: Contains::Default,
    });
    let name = threshold.selector_text.trim().to_owned();
    MetricSummary { name, unknown, ..MetricSummary::new(&descriptor, None, settings, run) }
}

impl ThresholdSummary {
    fn new(threshold: &Threshold, outcome: &Outcome, totals: &Totals, policy: NoDataPolicy) -> Self {
        let unknown = outcome.verdict == Verdict::NoData { unknown_metric: true };
        Self {
            expression: threshold.label(),
            aggregation: threshold.expression.aggregation.to_string(),
            verdict: outcome.verdict,
            ok: !outcome.fails(policy),
            value: outcome.value,
            window: None,
            probably_meant: if unknown { threshold.probably_meant(totals.registry()) } else { None },
        }
    }
}

impl WindowSummary {
    fn of(judged: Judged) -> Option<Self> {
        let worst = judged.worst?;
        let ms = |us: u64| Duration::from_micros(us).as_secs_f64() * 1e3;
        let (from_ms, until_ms) = (ms(worst.from_us), ms(worst.until_us));
        Some(Self { windows: judged.windows, crossed: judged.crossed, from_ms, until_ms })
    }
}

impl From<Overflow> for OverflowSummary {
    fn from(overflow: Overflow) -> Self {
        let tags = overflow.tags.iter().map(|tag| (tag.name.to_string(), tag.samples)).collect();
        Self { limit: overflow.limit, tags }
    }
}
