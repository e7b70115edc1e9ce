//! What must hold of a metric: `aggregation operator number`, such as `p(95) < 500`.

use std::fmt;
use std::time::Duration;

use crate::metrics::{Aggregate, Kind};

/// A parsed expression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expression {
    /// What is compared.
    pub aggregation: Aggregation,
    /// How.
    pub operator: Operator,
    /// With what. Times are milliseconds.
    pub limit: f64,
}

/// How samples become the number that is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aggregation {
    /// The mean of a trend.
    Avg,
    /// The least value of a trend.
    Min,
    /// The greatest value of a trend.
    Max,
    /// The median of a trend.
    Med,
    /// A percentile of a trend, from 0 to 100.
    Percentile(f64),
    /// The sum of a counter.
    Count,
    /// A counter's sum per second, or the share of a rate that passed.
    Rate,
    /// The last value of a gauge.
    Value,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `==` or `===`
    Equal,
    /// `!=`
    NotEqual,
}

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    /// Where, in characters from 1.
    pub(super) position: usize,
    /// What is wrong there, and the remedy.
    pub(super) problem: String,
}

/// Longer operators before those that they begin with.
const OPERATORS: [(&str, Operator); 7] = [
    ("===", Operator::Equal),
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

const AGGREGATIONS: &str =
    "avg, min, max, med or p(N) for a trend, count or rate for a counter, rate for a rate, value for a gauge";

impl Expression {
    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
        let mut cursor = Cursor { text, rest: text.trim_start() };
        let aggregation = cursor.aggregation()?;
        cursor.skip_space();
        let operator = cursor.operator()?;
        cursor.skip_space();
        let limit = cursor.number(
            "is not a number; end with one, such as 500 (times are milliseconds)",
            "the number is missing; end with one, such as 500 (times are milliseconds)",
        )?;
        cursor.skip_space();
        if !cursor.rest.is_empty() {
            return Err(cursor.error(format!(
                "`{}` is left over; give one comparison, and further ones as thresholds of their own",
                cursor.rest.trim_end()
            )));
        }
        Ok(Self { aggregation, operator, limit })
    }

    /// Whether the comparison holds of a value.
    pub fn holds(&self, value: f64) -> bool {
        match self.operator {
            Operator::Less => value < self.limit,
            Operator::LessOrEqual => value <= self.limit,
            Operator::Greater => value > self.limit,
            Operator::GreaterOrEqual => value >= self.limit,
            #[expect(clippy::float_cmp, reason = "equality is what was asked for")]
            Operator::Equal => value == self.limit,
            #[expect(clippy::float_cmp, reason = "equality is what was asked for")]
            Operator::NotEqual => value != self.limit,
        }
    }
}

impl Aggregation {
    /// Whether metrics of this kind have it.
    pub const fn fits(self, kind: Kind) -> bool {
        matches!(
            (kind, self),
            (Kind::Counter, Self::Count | Self::Rate)
                | (Kind::Gauge, Self::Value)
                | (Kind::Rate, Self::Rate)
                | (Kind::Trend, Self::Avg | Self::Min | Self::Max | Self::Med | Self::Percentile(_))
        )
    }

    /// Those that metrics of this kind have, in words.
    pub const fn names_for(kind: Kind) -> &'static str {
        match kind {
            Kind::Counter => "count or rate",
            Kind::Gauge => "value",
            Kind::Rate => "rate",
            Kind::Trend => "avg, min, max, med or p(N)",
        }
    }

    /// The number to compare, after so much time; `None` if the aggregate is of another kind.
    pub fn of(self, aggregate: &Aggregate, elapsed: Duration) -> Option<f64> {
        match (self, aggregate) {
            (Self::Count, Aggregate::Counter { sum, .. }) => Some(*sum),
            (Self::Rate, Aggregate::Counter { sum, .. }) => Some(per_second(*sum, elapsed)),
            (Self::Value, Aggregate::Gauge { last, .. }) => Some(*last),
            (Self::Rate, Aggregate::Rate { passes, total }) => {
                Some(if *total == 0 { 0.0 } else { *passes as f64 / *total as f64 })
            }
            (Self::Avg, Aggregate::Trend(trend)) => Some(trend.avg()),
            (Self::Min, Aggregate::Trend(trend)) => Some(trend.min()),
            (Self::Max, Aggregate::Trend(trend)) => Some(trend.max()),
            (Self::Med, Aggregate::Trend(trend)) => Some(trend.med()),
            (Self::Percentile(percent), Aggregate::Trend(trend)) => Some(trend.percentile(percent)),
            _ => None,
        }
    }
}

/// A sum per second; 0 before any time has passed.
fn per_second(sum: f64, elapsed: Duration) -> f64 {
    if elapsed.is_zero() { 0.0 } else { sum / elapsed.as_secs_f64() }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.aggregation, self.operator, self.limit)
    }
}

impl fmt::Display for Aggregation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Avg => f.write_str("avg"),
            Self::Min => f.write_str("min"),
            Self::Max => f.write_str("max"),
            Self::Med => f.write_str("med"),
            Self::Percentile(percent) => write!(f, "p({percent})"),
            Self::Count => f.write_str("count"),
            Self::Rate => f.write_str("rate"),
            Self::Value => f.write_str("value"),
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        })
    }
}

/// What is still to be read.
struct Cursor<'a> {
    text: &'a str,
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn aggregation(&mut self) -> Result<Aggregation, Malformed> {
        let start = self.rest;
        let word = self.take_while(|c| c.is_alphanumeric() || c == '_');
        let simple = match word {
            "avg" => Aggregation::Avg,
            "min" => Aggregation::Min,
            "max" => Aggregation::Max,
            "med" => Aggregation::Med,
            "count" => Aggregation::Count,
            "rate" => Aggregation::Rate,
            "value" => Aggregation::Value,
            "p" => return self.percentile(),
            _ => {
                self.rest = start;
                return Err(self.error(match word {
                    "" => format!("the aggregation is missing; begin with {AGGREGATIONS}"),
                    _ => format!("`{word}` is not an aggregation; use {AGGREGATIONS}"),
                }));
            }
        };
        Ok(simple)
    }

    fn percentile(&mut self) -> Result<Aggregation, Malformed> {
        const REMEDY: &str = "give the percentile in parentheses, such as p(95) or p(99.9)";
        self.skip_space();
        self.expect('(', REMEDY)?;
        self.skip_space();
        let start = self.rest;
        let percent =
            self.number(&format!("is not a number; {REMEDY}"), &format!("the number is missing; {REMEDY}"))?;
        if !(0.0..=100.0).contains(&percent) {
            self.rest = start;
            return Err(self.error(format!("{percent} is not a percentile; give a number from 0 to 100")));
        }
        self.skip_space();
        self.expect(')', REMEDY)?;
        Ok(Aggregation::Percentile(percent))
    }

    fn operator(&mut self) -> Result<Operator, Malformed> {
        for (text, operator) in OPERATORS {
            if let Some(rest) = self.rest.strip_prefix(text) {
                self.rest = rest;
                return Ok(operator);
            }
        }
        let found = match self.rest.trim_end() {
            "" => "the operator is missing".to_owned(),
            rest => format!("`{rest}` does not begin with an operator"),
        };
        Err(self.error(format!("{found}; use one of < <= > >= == === !=")))
    }

    fn number(&mut self, not_a_number: &str, missing: &str) -> Result<f64, Malformed> {
        let start = self.rest;
        let mut before = ' ';
        let text = self.take_while(|c| {
            let exponent_sign = matches!(c, '+' | '-') && matches!(before, 'e' | 'E' | ' ');
            before = c;
            c.is_alphanumeric() || c == '.' || c == '_' || exponent_sign
        });
        // Rust also reads `inf` and `nan`, which no value can be compared with.
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        number.ok_or_else(|| {
            self.rest = start;
            let found = start.split_whitespace().next().unwrap_or_default();
            self.error(if found.is_empty() { missing.to_owned() } else { format!("`{found}` {not_a_number}") })
        })
    }

    fn expect(&mut self, wanted: char, remedy: &str) -> Result<(), Malformed> {
        self.rest =
            self.rest.strip_prefix(wanted).ok_or_else(|| self.error(format!("`{wanted}` is missing; {remedy}")))?;
        Ok(())
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take_while(&mut self, mut wanted: impl FnMut(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn error(&self, problem: String) -> Malformed {
        let read = &self.text[..self.text.len() - self.rest.len()];
        Malformed { position: read.chars().count() + 1, problem }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_form_is_read() {
        use Aggregation::*;
        let cases = [
            ("avg<200", Avg, Operator::Less, 200.0),
            ("min >= 1.5", Min, Operator::GreaterOrEqual, 1.5),
            (" max  <=  3000 ", Max, Operator::LessOrEqual, 3000.0),
            ("med>0", Med, Operator::Greater, 0.0),
            ("p(95)<3000", Percentile(95.0), Operator::Less, 3000.0),
            ("p( 99.99 ) < 1e3", Percentile(99.99), Operator::Less, 1000.0),
            ("p(0)==.5", Percentile(0.0), Operator::Equal, 0.5),
            ("count===100", Count, Operator::Equal, 100.0),
            ("rate<0.01", Rate, Operator::Less, 0.01),
            ("value!=-3", Value, Operator::NotEqual, -3.0),
            ("value > +2.5e-3", Value, Operator::Greater, 0.0025),
        ];
        for (text, aggregation, operator, limit) in cases {
            assert_eq!(Expression::parse(text), Ok(Expression { aggregation, operator, limit }), "{text}");
        }
    }

    #[test]
    fn errors_name_position_value_and_remedy() {
        let report: String = [
            "",
            "p95<500",
            "p95(3)<1",
            "p<5",
            "p()<5",
            "p(x)<5",
            "p(101)<5",
            "p(95<5",
            "mean<3",
            "avg 200",
            "avg",
            "avg=<200",
            "avg=200",
            "avg<",
            "avg< fast",
            "avg<2s",
            "avg<1_000",
            "avg<inf",
            "avg<NaN",
            "avg<200 and max<3",
            "rate<1%",
            "쿠폰<1",
            "avg<2 쿠폰",
        ]
        .iter()
        .map(|text| {
            let Malformed { position, problem } = Expression::parse(text).unwrap_err();
            format!("{text:?} at {position}: {problem}\n")
        })
        .collect();
        insta::assert_snapshot!(report);
    }

    #[test]
    fn operators_compare() {
        for (text, below, equal, above) in [
            ("value<5", true, false, false),
            ("value<=5", true, true, false),
            ("value>5", false, false, true),
            ("value>=5", false, true, true),
            ("value==5", false, true, false),
            ("value===5", false, true, false),
            ("value!=5", true, false, true),
        ] {
            let expression = Expression::parse(text).unwrap();
            assert_eq!([4.0, 5.0, 6.0].map(|value| expression.holds(value)), [below, equal, above], "{text}");
        }
    }

    fn any_expression() -> impl Strategy<Value = Expression> {
        let aggregation = prop_oneof![
            Just(Aggregation::Avg),
            Just(Aggregation::Min),
            Just(Aggregation::Max),
            Just(Aggregation::Med),
            Just(Aggregation::Count),
            Just(Aggregation::Rate),
            Just(Aggregation::Value),
            (0.0f64..=100.0).prop_map(Aggregation::Percentile),
        ];
        let operator = prop::sample::select(OPERATORS.map(|(_, operator)| operator).to_vec());
        (aggregation, operator, any::<f64>().prop_filter("finite", |limit| limit.is_finite()))
            .prop_map(|(aggregation, operator, limit)| Expression { aggregation, operator, limit })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(expression in any_expression(), space in "[ \t]{0,3}") {
            prop_assert_eq!(Expression::parse(&expression.to_string()), Ok(expression));
            let Expression { aggregation, operator, limit } = expression;
            let spread = format!("{space}{aggregation}{space}{operator}{space}{limit}{space}");
            prop_assert_eq!(Expression::parse(&spread), Ok(expression));
        }

        #[test]
        fn any_text_is_read_or_refused_within_it(text in "\\PC{0,20}|[a-z]{1,5}[<>=!(]{0,3}[0-9.e+)-]{0,6}") {
            if let Err(malformed) = Expression::parse(&text) {
                prop_assert!(malformed.position <= text.chars().count() + 1);
            }
        }
    }
}
