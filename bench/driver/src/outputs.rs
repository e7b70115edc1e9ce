//! What each load generator says at its end.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Failure;
use crate::figures::quantile;
use crate::target::Latency;

/// What a generator tells about its own run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Told {
    pub(crate) requests: Option<u64>,
    /// Requests that failed, or whose status was not the expected one.
    pub(crate) failures: u64,
    pub(crate) latency_us: Latency,
}

/// The last line of standard output as JSON: what our own programs and wrk's script print.
pub(crate) fn last_line(stdout: &str) -> Result<Told, Failure> {
    #[derive(Deserialize)]
    struct LastLine {
        requests: u64,
        #[serde(default)]
        failures: u64,
        latency_us: Latency,
    }
    let line = stdout.lines().rfind(|line| line.starts_with('{')).ok_or("its output has no line of JSON")?;
    let LastLine { requests, failures, latency_us } = serde_json::from_str(line)?;
    Ok(Told { requests: Some(requests), failures, latency_us })
}

/// oha's `--output-format json`: times in seconds, requests by status, those cut off by the end among the errors.
pub(crate) fn oha(stdout: &str) -> Result<Told, Failure> {
    let json: Value = serde_json::from_str(stdout)?;
    let us = |name: &str| json["latencyPercentiles"][name].as_f64().map(|seconds| seconds * 1e6);
    let statuses = json["statusCodeDistribution"].as_object().ok_or("oha tells no statuses")?;
    let count = |(_, count): (&String, &Value)| count.as_u64().unwrap_or(0);
    let all: u64 = statuses.iter().map(count).sum();
    let expected = statuses.get("200").and_then(Value::as_u64).unwrap_or(0);
    let cut_off = "aborted due to deadline";
    let errors = json["errorDistribution"].as_object();
    let errors: u64 = errors.into_iter().flatten().filter(|(error, _)| *error != cut_off).map(count).sum();
    Ok(Told {
        requests: Some(all),
        failures: all - expected + errors,
        latency_us: Latency {
            p50: us("p50"),
            p95: us("p95"),
            p99: us("p99"),
            max: json["summary"]["slowest"].as_f64().map(|s| s * 1e6),
        },
    })
}

/// Locust's `--json`: how often each time was measured, in milliseconds; below 100 rounded to whole ones.
pub(crate) fn locust(stdout: &str) -> Result<Told, Failure> {
    #[derive(Deserialize)]
    struct Entry {
        num_requests: u64,
        num_failures: u64,
        max_response_time: f64,
        response_times: serde_json::Map<String, Value>,
    }
    let begin = stdout.find('[').ok_or("its output has no JSON")?;
    let entries: Vec<Entry> = serde_json::from_str(&stdout[begin..])?;
    let entry = entries.first().ok_or("Locust has sent no request")?;
    let mut counts = Vec::new();
    for (ms, count) in &entry.response_times {
        counts.push((ms.parse::<f64>()?, count.as_u64().unwrap_or(0)));
    }
    let us = |part| quantile(&counts, part).map(|ms| ms * 1000.0);
    Ok(Told {
        requests: Some(entry.num_requests),
        failures: entry.num_failures,
        latency_us: Latency {
            p50: us(0.50),
            p95: us(0.95),
            p99: us(0.99),
            max: Some(entry.max_response_time * 1000.0),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latency(p50: f64, p95: f64, p99: f64, max: Option<f64>) -> Latency {
        Latency { p50: Some(p50), p95: Some(p95), p99: Some(p99), max }
    }

    #[test]
    fn wrk_says_it_in_a_line_of_its_script() {
        let told = last_line(include_str!("../outputs/wrk.txt")).unwrap();
        assert_eq!(
            told,
            Told { requests: Some(218_014), failures: 0, latency_us: latency(303.0, 4835.0, 10_265.0, None) }
        );
    }

    #[test]
    fn the_hyper_loop_says_it_in_a_line() {
        let line = r#"{"cpu_seconds":0.75,"latency_us":{"max":75327,"p50":377,"p95":6519,"p99":11031},"requests":127576,"seconds":3.0}"#;
        let told = last_line(line).unwrap();
        assert_eq!((told.requests, told.latency_us), (Some(127_576), latency(377.0, 6519.0, 11_031.0, Some(75_327.0))));
    }

    #[test]
    fn oha_counts_statuses_and_errors() {
        let told = oha(include_str!("../outputs/oha.json")).unwrap();
        assert_eq!((told.requests, told.failures), (Some(212_808), 0));
        assert_eq!(told.latency_us.p50.map(f64::round), Some(426.0));
    }

    #[test]
    fn another_status_is_a_failure_for_oha_and_the_end_is_not() {
        let text = r#"{"summary":{"slowest":0.5},"latencyPercentiles":{"p50":0.25,"p95":0.5,"p99":0.5},"statusCodeDistribution":
            {"200":90,"500":7},"errorDistribution":{"aborted due to deadline":64,"connection refused":3}}"#;
        let told = oha(text).unwrap();
        assert_eq!(
            told,
            Told { requests: Some(97), failures: 10, latency_us: latency(250e3, 500e3, 500e3, Some(500e3)) }
        );
    }

    #[test]
    fn locust_counts_each_millisecond() {
        let told = locust(include_str!("../outputs/locust.json")).unwrap();
        assert_eq!((told.requests, told.failures), (Some(13_640), 0));
        assert_eq!(told.latency_us.p50, Some(5000.0));
    }

    #[test]
    fn a_tool_that_printed_nothing_is_an_error() {
        assert!(last_line("error: connection refused").is_err());
        assert!(oha("").is_err());
        assert!(locust("[]").unwrap_err().to_string().contains("no request"));
    }
}
