//! Thresholds: what must hold of the metrics for a run to pass.
//!
//! A threshold without data is not silently passed over. What counts as data, and what follows:
//!
//! | the metric | verdict | fails the run |
//! |---|---|---|
//! | has samples that the selector matches | passed or crossed | when crossed |
//! | a counter without such samples: its value is 0 | crossed if 0 crosses it; else passed, or `no data` behind a selector | when crossed |
//! | is known, and has no such samples | `no data` | with `--no-data fail` |
//! | is unknown: nobody registered the name | `no data` | unless `--no-data pass` |

mod expression;
mod selector;
mod windowed;

use std::str::FromStr;
use std::time::Duration;

pub use expression::{Aggregation, Expression, Operator};
pub use selector::Selector;
pub use windowed::{Found, Judged, LEAST_WINDOW, LONGEST_WINDOW, MOST_WINDOWED, Windows};

use crate::duration;
use crate::field_error::{FieldError, nearest};
use crate::metrics::{Aggregate, Kind, Registry, Totals};

/// How often thresholds are evaluated while the load runs, as k6 does.
pub const EVALUATION_INTERVAL: Duration = Duration::from_secs(2);

/// One condition on one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// The selector as it was written.
    pub selector_text: String,
    /// The expression as it was written.
    pub expression_text: String,
    /// Which samples.
    pub selector: Selector,
    /// What must hold of them.
    pub expression: Expression,
    /// Whether crossing it ends the load.
    pub abort_on_fail: bool,
    /// For so long after the load began, crossing it does not end the load.
    pub delay_abort_eval: Duration,
    /// Only the last so much of the load is compared, again and again; `None` for all of it.
    pub window: Option<Duration>,
}

/// What became of a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds.
    Passed,
    /// It does not hold.
    Crossed,
    /// There is nothing to compare.
    NoData {
        /// Whether nobody registered a metric of this name: a typing error, most likely.
        unknown_metric: bool,
    },
    /// The metric turned out to be of a kind that lacks the aggregation.
    Unfit(Kind),
}

/// A verdict, and the value it rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// What became of the threshold.
    pub verdict: Verdict,
    /// What was compared; times in milliseconds.
    pub value: Option<f64>,
    /// Whether the value rests on samples. A counter without samples has the value 0 all the same.
    pub has_samples: bool,
}

/// What a threshold without data does to the run: the flag `--no-data`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoDataPolicy {
    /// An unknown metric fails the run; a known one without samples is reported and passes.
    #[default]
    FailUnknown,
    /// Any threshold without data fails the run.
    Fail,
    /// A threshold without data is reported and passes.
    Pass,
}

impl Threshold {
    /// Reads a selector, such as `http_req_duration{scenario:warmup}`, and an expression, such as `p(95)<500`.
    ///
    /// # Errors
    /// A text that breaks the grammar; the error's path is `thresholds.` and the selector.
    pub fn parse(selector: &str, expression: &str) -> Result<Self, FieldError> {
        let path = format!("thresholds.{selector}");
        let parsed_selector = Selector::parse(selector).map_err(|error| field_error("thresholds", selector, &error))?;
        let parsed_expression =
            Expression::parse(expression).map_err(|error| field_error(&path, expression, &error))?;
        Ok(Self {
            selector_text: selector.to_owned(),
            expression_text: expression.to_owned(),
            selector: parsed_selector,
            expression: parsed_expression,
            abort_on_fail: false,
            delay_abort_eval: Duration::ZERO,
            window: None,
        })
    }

    /// The same threshold, ending the load when it is crossed after `delay`.
    #[must_use]
    pub const fn aborting(mut self, delay: Duration) -> Self {
        self.abort_on_fail = true;
        self.delay_abort_eval = delay;
        self
    }

    /// The same threshold over the last `window` of the load.
    #[must_use]
    pub const fn over(mut self, window: Duration) -> Self {
        self.window = Some(window);
        self
    }

    /// The expression, with the window that it is about.
    #[must_use]
    pub fn label(&self) -> String {
        match self.window {
            None => self.expression_text.clone(),
            Some(window) => format!("{} over {}", self.expression_text, duration::format(window)),
        }
    }

    /// Checks that a metric of this kind has the aggregation.
    ///
    /// # Errors
    /// It has not; the error names those that it has.
    pub fn validate(&self, kind: Kind) -> Result<(), FieldError> {
        let aggregation = self.expression.aggregation;
        if aggregation.fits(kind) {
            return Ok(());
        }
        Err(FieldError::new(
            format!("thresholds.{}", self.selector_text),
            format!("\"{}\"", self.expression_text),
            format!(
                "asks for `{aggregation}`, but `{}` is a {kind}; use {}",
                self.selector.metric,
                Aggregation::names_for(kind)
            ),
        ))
    }

    /// Checks the threshold as far as its metric is known by now; false if it is not.
    ///
    /// # Errors
    /// See [`validate`](Self::validate).
    pub fn check(&self, registry: &Registry) -> Result<bool, FieldError> {
        let Some(metric) = registry.lookup(&self.selector.metric) else {
            return Ok(false);
        };
        self.validate(registry.descriptor(metric).kind)?;
        Ok(true)
    }

    /// Compares all that was measured after `elapsed` of load, whether or not there is a window.
    pub fn evaluate(&self, totals: &Totals, elapsed: Duration) -> Outcome {
        let Some(metric) = totals.registry().lookup(&self.selector.metric) else {
            return Outcome::without(Verdict::NoData { unknown_metric: true });
        };
        let kind = totals.registry().descriptor(metric).kind;
        let selected;
        let measured = if self.selector.tags.is_empty() {
            totals.metric(metric)
        } else {
            selected = totals.select(metric, &self.selector.pairs());
            selected.as_ref()
        };
        judge(&self.expression, kind, measured, self.selector.tags.is_empty(), elapsed)
    }

    /// Whether the load must end because of this outcome after `elapsed` of load. A counter that has not begun to count
    /// ends nothing.
    pub fn aborts(&self, outcome: &Outcome, elapsed: Duration) -> bool {
        self.abort_on_fail
            && outcome.has_samples
            && outcome.verdict == Verdict::Crossed
            && elapsed >= self.delay_abort_eval
    }

    /// The known metric that was probably meant, when the name is unknown.
    pub fn probably_meant(&self, registry: &Registry) -> Option<String> {
        let metrics = registry.metrics();
        nearest(&self.selector.metric, metrics.iter().map(|(_, descriptor)| &*descriptor.name)).map(str::to_owned)
    }
}

/// Compares what was measured of a metric, or of the part of it that a selector is about, in so much time.
fn judge(
    expression: &Expression,
    kind: Kind,
    measured: Option<&Aggregate>,
    whole_metric: bool,
    elapsed: Duration,
) -> Outcome {
    let has_samples = measured.is_some();
    let nothing_yet = Aggregate::new(kind);
    let Some(value) = expression.aggregation.of(measured.unwrap_or(&nothing_yet), elapsed) else {
        return Outcome::without(Verdict::Unfit(kind));
    };
    let holds = expression.holds(value);
    let verdict = match (has_samples, kind) {
        (true, _) if holds => Verdict::Passed,
        (true, _) => Verdict::Crossed,
        // Nothing was counted, which is a number too. Behind a selector it may as well be a typing error: say so.
        (false, Kind::Counter) if !holds => Verdict::Crossed,
        (false, Kind::Counter) if whole_metric => Verdict::Passed,
        (false, _) => return Outcome::without(Verdict::NoData { unknown_metric: false }),
    };
    Outcome { verdict, value: Some(value), has_samples }
}

impl Outcome {
    const fn without(verdict: Verdict) -> Self {
        Self { verdict, value: None, has_samples: false }
    }

    /// Whether the run fails because of it.
    pub const fn fails(&self, policy: NoDataPolicy) -> bool {
        match (self.verdict, policy) {
            (Verdict::Crossed | Verdict::Unfit(_), _) | (Verdict::NoData { .. }, NoDataPolicy::Fail) => true,
            (Verdict::NoData { unknown_metric }, NoDataPolicy::FailUnknown) => unknown_metric,
            (Verdict::Passed, _) | (Verdict::NoData { .. }, NoDataPolicy::Pass) => false,
        }
    }
}

impl FromStr for NoDataPolicy {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        match text {
            "fail" => Ok(Self::Fail),
            "pass" => Ok(Self::Pass),
            _ => Err(FieldError::new("--no-data", format!("\"{text}\""), "is unknown; use fail or pass")),
        }
    }
}

/// The first threshold over all of the load that ends it now, if any.
pub fn first_to_abort<'a>(thresholds: &'a [Threshold], totals: &Totals, elapsed: Duration) -> Option<&'a Threshold> {
    thresholds
        .iter()
        .filter(|threshold| {
            threshold.window.is_none() && threshold.abort_on_fail && elapsed >= threshold.delay_abort_eval
        })
        .find(|threshold| threshold.aborts(&threshold.evaluate(totals, elapsed), elapsed))
}

fn field_error(path: &str, text: &str, error: &expression::Malformed) -> FieldError {
    FieldError::new(path, format!("\"{text}\""), format!("is wrong at character {}: {}", error.position, error.problem))
}

#[cfg(test)]
mod tests;
