//! The data that a module's `handle-summary` receives: k6's `handleSummary` data, field by field.

use serde_json::{Map, Value, json};

use super::Rendering;
use crate::summary::{MetricSummary, Summary};

/// The data as JSON text.
pub fn render(summary: &Summary, rendering: &Rendering) -> String {
    data(summary, rendering).to_string()
}

/// The data as a JSON value.
pub fn data(summary: &Summary, rendering: &Rendering) -> Value {
    let metrics: Map<String, Value> =
        summary.metrics.iter().map(|metric| (metric.name.clone(), metric_data(metric))).collect();
    json!({
        "root_group": summary.root_group,
        "options": {
            "summaryTrendStats": summary.trend_stats.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "summaryTimeUnit": rendering.time_unit.map_or("", super::TimeUnit::as_str),
            "noColor": !rendering.colour,
        },
        "state": {
            "isStdOutTTY": summary.run.stdout_is_terminal,
            "isStdErrTTY": summary.run.stderr_is_terminal,
            "testRunDurationMs": summary.run.duration.as_secs_f64() * 1e3,
        },
        "metrics": metrics,
        "setup_data": setup_data(summary),
    })
}

/// Like k6's, a metric has `thresholds` only if there are any.
fn metric_data(metric: &MetricSummary) -> Value {
    let mut data = json!({
        "type": metric.kind,
        "contains": metric.contains,
        "values": metric.value.values(),
    });
    if !metric.thresholds.is_empty() {
        data["thresholds"] = metric
            .thresholds
            .iter()
            .map(|threshold| (threshold.expression.clone(), json!({ "ok": threshold.ok })))
            .collect::<Map<_, _>>()
            .into();
    }
    data
}

/// What `setup` returned: the value where it is JSON, else its text; null for nothing.
fn setup_data(summary: &Summary) -> Value {
    let Some(bytes) = &summary.run.setup_data else {
        return Value::Null;
    };
    serde_json::from_slice(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::fixture;

    fn keys(value: &Value) -> Vec<&str> {
        value.as_object().map(|object| object.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    #[test]
    fn keys_are_k6s() {
        let summary = fixture::stormy().summary();
        let data = data(&summary, &Rendering::default());
        assert_eq!(keys(&data), ["root_group", "options", "state", "metrics", "setup_data"]);
        assert_eq!(keys(&data["options"]), ["summaryTrendStats", "summaryTimeUnit", "noColor"]);
        assert_eq!(keys(&data["state"]), ["isStdOutTTY", "isStdErrTTY", "testRunDurationMs"]);
        assert_eq!(data["setup_data"], json!({ "couponId": 3 }));
        let group = &data["root_group"]["groups"][0]["groups"][0];
        for group in [&data["root_group"], group] {
            assert_eq!(keys(group), ["name", "path", "id", "groups", "checks"]);
        }
        assert_eq!(keys(&group["checks"][0]), ["name", "path", "id", "passes", "fails"]);
        assert_eq!(group["checks"][0]["path"], "::buy::issue::status is 200");
        let metrics = &data["metrics"];
        for (name, values) in [
            ("http_reqs", &["count", "rate"][..]),
            ("http_req_failed", &["rate", "passes", "fails"]),
            ("vus", &["value", "min", "max"]),
            ("http_req_duration", &["avg", "min", "med", "max", "p(90)", "p(95)"]),
            ("http_req_duration{expected_response:true}", &["avg", "min", "med", "max", "p(90)", "p(95)"]),
        ] {
            assert_eq!(keys(&metrics[name])[..3], ["type", "contains", "values"], "{name}");
            assert_eq!(keys(&metrics[name]["values"]), values, "{name}");
        }
        assert_eq!(keys(&metrics["http_reqs"]).len(), 3, "no thresholds, no key");
        assert_eq!(metrics["http_req_failed"]["thresholds"], json!({ "rate<0.01": { "ok": false } }));
        assert_eq!(metrics["http_req_duration{name:/coupons/{id}}"]["thresholds"], json!({ "max<1": { "ok": true } }));
        assert_eq!(metrics["coupon_issued"]["thresholds"], json!({ "count>100": { "ok": false } }));
        assert_eq!(metrics["data_sent"]["contains"], "data");
        assert_eq!(metrics["http_req_duration"]["contains"], "time");
        assert_eq!(metrics["http_req_duration"]["type"], "trend");
    }

    #[test]
    fn a_calm_run() {
        let mut run = fixture::calm();
        run.info.stdout_is_terminal = true;
        let rendering =
            Rendering { colour: true, time_unit: Some(super::super::TimeUnit::Milliseconds), ..Rendering::default() };
        insta::assert_json_snapshot!(data(&run.summary(), &rendering));
    }

    #[test]
    fn setup_data_that_is_no_json_is_text() {
        let mut run = fixture::calm();
        run.info.setup_data = Some(b"token-17".to_vec());
        assert_eq!(data(&run.summary(), &Rendering::default())["setup_data"], "token-17");
    }
}
