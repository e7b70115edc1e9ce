//! The latency that is added to every request: fixed, or drawn from a distribution.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rand::RngExt;
use rand_distr::{Distribution, Exp, LogNormal, Normal};

use super::time::{DurationError, parse_duration};

/// A latency to add. Only valid ones can be built: see [`Latency::from_str`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency(Kind);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Fixed(Duration),
    Uniform { low: Duration, high: Duration },
    Normal { mean: Duration, deviation: Duration, of_seconds: Normal<f64> },
    Exponential { mean: Duration, of_seconds: Exp<f64> },
    LogNormal { mean: Duration, deviation: Duration, of_seconds: LogNormal<f64> },
}

/// Why a text is not a latency.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LatencyError {
    /// One of the durations cannot be read.
    #[error(transparent)]
    Duration(#[from] DurationError),
    /// The name before the colon is none of ours.
    #[error(
        "{0:?} is not a distribution; take uniform, normal, exponential or lognormal, or give a duration such as 20ms"
    )]
    Distribution(String),
    /// The parameters do not have the distribution's form.
    #[error("{text:?}: {distribution} is written {form}")]
    Form {
        /// What was given.
        text: String,
        /// The distribution's name.
        distribution: &'static str,
        /// How it is written.
        form: &'static str,
    },
    /// The parameters are durations, but do not make a distribution.
    #[error("{text:?}: {problem}")]
    Parameters {
        /// What was given.
        text: String,
        /// What is wrong and what to give instead.
        problem: &'static str,
    },
}

impl Latency {
    /// No latency.
    pub const NONE: Self = Self(Kind::Fixed(Duration::ZERO));

    /// Whether nothing is ever added.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// Draws one latency. What a distribution gives below zero counts as zero.
    pub fn sample(&self, rng: &mut impl RngExt) -> Duration {
        match &self.0 {
            Kind::Fixed(latency) => *latency,
            Kind::Uniform { low, high } => {
                let share = rng.sample::<f64, _>(rand::distr::StandardUniform);
                *low + (*high - *low).mul_f64(share)
            }
            Kind::Normal { of_seconds, .. } => positive(of_seconds.sample(rng)),
            Kind::Exponential { of_seconds, .. } => positive(of_seconds.sample(rng)),
            Kind::LogNormal { of_seconds, .. } => positive(of_seconds.sample(rng)),
        }
    }
}

fn positive(seconds: f64) -> Duration {
    // Beyond what a Duration holds nobody waits for the difference.
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::from_secs(3_600))
}

impl FromStr for Latency {
    type Err = LatencyError;

    /// `20ms`, `uniform:10ms..50ms`, `normal:MEAN,DEVIATION`, `exponential:MEAN`, `lognormal:MEAN,DEVIATION`. Mean and
    /// standard deviation are those of the latency itself, for the log-normal distribution too.
    fn from_str(text: &str) -> Result<Self, LatencyError> {
        let Some((name, parameters)) = text.split_once(':') else {
            return Ok(Self(Kind::Fixed(parse_duration(text)?)));
        };
        let form = |distribution, form| LatencyError::Form { text: text.to_owned(), distribution, form };
        let wrong = |problem| LatencyError::Parameters { text: text.to_owned(), problem };
        let kind = match name {
            "uniform" => {
                let (low, high) = parameters
                    .split_once("..")
                    .ok_or_else(|| form("uniform", "uniform:LOW..HIGH, such as uniform:10ms..50ms"))?;
                let (low, high) = (parse_duration(low)?, parse_duration(high)?);
                if low > high {
                    return Err(wrong("the first duration must not be longer than the second"));
                }
                Kind::Uniform { low, high }
            }
            "normal" => {
                let (mean, deviation) = pair(parameters)
                    .ok_or_else(|| form("normal", "normal:MEAN,DEVIATION, such as normal:50ms,10ms"))?;
                let (mean, deviation) = (parse_duration(mean)?, parse_duration(deviation)?);
                let of_seconds = Normal::new(mean.as_secs_f64(), deviation.as_secs_f64())
                    .map_err(|_| wrong("the deviation must be finite"))?;
                Kind::Normal { mean, deviation, of_seconds }
            }
            "exponential" => {
                let mean = parse_duration(parameters)?;
                if mean.is_zero() {
                    return Err(wrong("the mean must be longer than 0"));
                }
                let of_seconds =
                    Exp::new(mean.as_secs_f64().recip()).map_err(|_| wrong("the mean must be longer than 0"))?;
                Kind::Exponential { mean, of_seconds }
            }
            "lognormal" => {
                let (mean, deviation) = pair(parameters)
                    .ok_or_else(|| form("lognormal", "lognormal:MEAN,DEVIATION, such as lognormal:50ms,30ms"))?;
                let (mean, deviation) = (parse_duration(mean)?, parse_duration(deviation)?);
                if mean.is_zero() {
                    return Err(wrong("the mean must be longer than 0"));
                }
                // mean = exp(mu + s²/2) and deviation² = (exp(s²) - 1) mean², solved for mu and s.
                let ratio = deviation.as_secs_f64() / mean.as_secs_f64();
                let variance = ratio.mul_add(ratio, 1.0).ln();
                let mu = mean.as_secs_f64().ln() - variance / 2.0;
                let of_seconds =
                    LogNormal::new(mu, variance.sqrt()).map_err(|_| wrong("the deviation must be finite"))?;
                Kind::LogNormal { mean, deviation, of_seconds }
            }
            other => return Err(LatencyError::Distribution(other.to_owned())),
        };
        Ok(Self(kind))
    }
}

fn pair(parameters: &str) -> Option<(&str, &str)> {
    parameters.split_once(',').map(|(first, second)| (first.trim(), second.trim()))
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Fixed(latency) => write!(f, "{latency:?}"),
            Kind::Uniform { low, high } => write!(f, "uniform:{low:?}..{high:?}"),
            Kind::Normal { mean, deviation, .. } => write!(f, "normal:{mean:?},{deviation:?}"),
            Kind::Exponential { mean, .. } => write!(f, "exponential:{mean:?}"),
            Kind::LogNormal { mean, deviation, .. } => write!(f, "lognormal:{mean:?},{deviation:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    fn moments_ms(text: &str) -> (f64, f64) {
        let latency: Latency = text.parse().expect("a latency");
        let mut rng = StdRng::seed_from_u64(7);
        let samples: Vec<f64> = (0..40_000).map(|_| latency.sample(&mut rng).as_secs_f64() * 1e3).collect();
        let mean = samples.iter().sum::<f64>() / samples.len() as f64;
        let variance = samples.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / samples.len() as f64;
        (mean, variance.sqrt())
    }

    #[test]
    fn samples_have_the_mean_and_deviation_that_were_asked_for() {
        let cases = [
            ("20ms", 20.0, 0.0),
            ("uniform:10ms..50ms", 30.0, 40.0 / 12.0_f64.sqrt()),
            ("normal:50ms,10ms", 50.0, 10.0),
            ("exponential:20ms", 20.0, 20.0),
            ("lognormal:50ms,30ms", 50.0, 30.0),
        ];
        for (text, mean, deviation) in cases {
            let (got_mean, got_deviation) = moments_ms(text);
            assert!((got_mean - mean).abs() <= 0.02 * mean, "{text}: mean {got_mean}");
            assert!((got_deviation - deviation).abs() <= 0.05 * deviation + 1e-9, "{text}: deviation {got_deviation}");
        }
    }

    #[test]
    fn errors_name_the_value_and_the_remedy() {
        let wrong = [
            "fast",
            "20",
            "gauss:1ms,2ms",
            "uniform:10ms",
            "uniform:50ms..10ms",
            "normal:50ms",
            "exponential:0",
            "lognormal:0ms,1ms",
            "uniform:1ms..2",
            ":",
            "normal:50ms,-1ms",
        ];
        let text: Vec<String> =
            wrong.iter().map(|text| format!("{text} -> {}", text.parse::<Latency>().expect_err(text))).collect();
        insta::assert_snapshot!(text.join("\n"));
    }

    fn durations() -> impl Strategy<Value = Duration> {
        (1_u64..60_000_000).prop_map(Duration::from_micros)
    }

    proptest! {
        #[test]
        fn never_panics(text in "(uniform|normal|exponential|lognormal|)?:?.{0,20}") {
            let _ = text.parse::<Latency>();
        }

        #[test]
        fn what_is_shown_is_read_back(a in durations(), b in durations(), which in 0..5) {
            let (low, high) = (a.min(b), a.max(b));
            let text = match which {
                0 => format!("{a:?}"),
                1 => format!("uniform:{low:?}..{high:?}"),
                2 => format!("normal:{a:?},{b:?}"),
                3 => format!("exponential:{a:?}"),
                _ => format!("lognormal:{a:?},{b:?}"),
            };
            let latency: Latency = text.parse().expect("a latency");
            prop_assert_eq!(latency.to_string(), text);
        }

        #[test]
        fn uniform_stays_within_its_bounds(a in durations(), b in durations(), seed: u64) {
            let (low, high) = (a.min(b), a.max(b));
            let latency: Latency = format!("uniform:{low:?}..{high:?}").parse().expect("a latency");
            let sample = latency.sample(&mut StdRng::seed_from_u64(seed));
            prop_assert!(low <= sample && sample <= high);
        }
    }
}
