//! The numbers that a summary shows of a metric.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::field_error::FieldError;
use crate::metrics::{Aggregate, Kind, Trend};

/// A number that stands for a distribution: one of `--summary-trend-stats`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TrendStat {
    /// The mean.
    Avg,
    /// The least value.
    Min,
    /// The median.
    Med,
    /// The greatest value.
    Max,
    /// How many values there are.
    Count,
    /// A percentile, from 0 to 100.
    Percentile(f64),
}

impl TrendStat {
    /// k6's default: `avg,min,med,max,p(90),p(95)`.
    pub const DEFAULT: [Self; 6] =
        [Self::Avg, Self::Min, Self::Med, Self::Max, Self::Percentile(90.0), Self::Percentile(95.0)];

    /// Reads a list such as `avg,p(99.9)`.
    ///
    /// # Errors
    /// An entry that is no such number.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, FieldError> {
        text.split(',').map(|stat| stat.trim().parse()).collect()
    }

    /// Its value.
    pub fn of(self, trend: &Trend) -> f64 {
        match self {
            Self::Avg => trend.avg(),
            Self::Min => trend.min(),
            Self::Med => trend.med(),
            Self::Max => trend.max(),
            Self::Count => trend.count() as f64,
            Self::Percentile(percent) => trend.percentile(percent),
        }
    }
}

impl FromStr for TrendStat {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        let percentile = || {
            let inner = text.strip_prefix("p(")?.strip_suffix(')')?;
            inner.trim().parse::<f64>().ok().filter(|percent| (0.0..=100.0).contains(percent))
        };
        Ok(match text {
            "avg" => Self::Avg,
            "min" => Self::Min,
            "med" => Self::Med,
            "max" => Self::Max,
            "count" => Self::Count,
            _ => Self::Percentile(percentile().ok_or_else(|| {
                FieldError::new(
                    "summaryTrendStats",
                    format!("\"{text}\""),
                    "is unknown; use avg, min, med, max, count, or p(N) with N from 0 to 100",
                )
            })?),
        })
    }
}

impl fmt::Display for TrendStat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Avg => f.write_str("avg"),
            Self::Min => f.write_str("min"),
            Self::Med => f.write_str("med"),
            Self::Max => f.write_str("max"),
            Self::Count => f.write_str("count"),
            Self::Percentile(percent) => write!(f, "p({percent})"),
        }
    }
}

/// A metric's value at the end of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricValue {
    /// A sum.
    Counter {
        /// The sum.
        count: f64,
        /// The sum per second of the run.
        rate: f64,
    },
    /// A value at a time.
    Gauge {
        /// The last one.
        value: f64,
        /// The least one.
        min: f64,
        /// The greatest one.
        max: f64,
    },
    /// A share.
    Rate {
        /// From 0 to 1.
        rate: f64,
        /// Samples that were not 0.
        passes: u64,
        /// Samples that were 0.
        fails: u64,
    },
    /// A distribution: the numbers asked for, with their names.
    Trend(Vec<(String, f64)>),
}

impl MetricValue {
    pub(super) fn new(aggregate: &Aggregate, stats: &[TrendStat], duration: Duration) -> Self {
        match aggregate {
            Aggregate::Counter { sum, .. } => {
                let seconds = duration.as_secs_f64();
                Self::Counter { count: *sum, rate: if seconds > 0.0 { sum / seconds } else { 0.0 } }
            }
            Aggregate::Gauge { samples: 0, .. } => Self::Gauge { value: 0.0, min: 0.0, max: 0.0 },
            Aggregate::Gauge { last, min, max, .. } => Self::Gauge { value: *last, min: *min, max: *max },
            Aggregate::Rate { passes, total } => Self::Rate {
                rate: if *total == 0 { 0.0 } else { *passes as f64 / *total as f64 },
                passes: *passes,
                fails: total - passes,
            },
            Aggregate::Trend(trend) => {
                Self::Trend(stats.iter().map(|stat| (stat.to_string(), stat.of(trend))).collect())
            }
        }
    }

    /// The kind of metric that has such a value.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Counter { .. } => Kind::Counter,
            Self::Gauge { .. } => Kind::Gauge,
            Self::Rate { .. } => Kind::Rate,
            Self::Trend(_) => Kind::Trend,
        }
    }

    /// Names and numbers, as k6's `values` has them.
    pub fn values(&self) -> Map<String, Value> {
        let pairs = match self {
            Self::Counter { count, rate } => vec![("count", number(*count)), ("rate", number(*rate))],
            Self::Gauge { value, min, max } => {
                vec![("value", number(*value)), ("min", number(*min)), ("max", number(*max))]
            }
            Self::Rate { rate, passes, fails } => {
                vec![("rate", number(*rate)), ("passes", Value::from(*passes)), ("fails", Value::from(*fails))]
            }
            Self::Trend(stats) => stats.iter().map(|(name, value)| (name.as_str(), number(*value))).collect(),
        };
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// A JSON number, without a fraction where there is none, as JavaScript writes it.
fn number(value: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT { Value::from(value as i64) } else { Value::from(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_stats_are_read_and_written() {
        let text = "avg,min,med,max,p(90),p(95),count,p(99.99)";
        let stats = TrendStat::parse_list(text).unwrap();
        assert_eq!(stats[..6], TrendStat::DEFAULT);
        assert_eq!(stats.iter().map(ToString::to_string).collect::<Vec<_>>().join(","), text);
        for wrong in ["", "avg,", "p95", "p(101)", "p(x)", "mean"] {
            assert!(TrendStat::parse_list(wrong).is_err(), "{wrong}");
        }
        insta::assert_snapshot!(TrendStat::parse_list("avg,p95").unwrap_err(), @r#"summaryTrendStats: "p95" is unknown; use avg, min, med, max, count, or p(N) with N from 0 to 100"#);
    }
}
