//! The file that `--summary-export` writes, in k6's shape: flatter than the data of `handle-summary`.
//!
//! Values stand beside the thresholds, a rate's share is called `value`, groups and checks are maps by name, and a threshold
//! is `true` when it was *crossed*.

use serde_json::{Map, Value, json};

use super::Rendering;
use crate::metrics::Kind;
use crate::summary::{Group, MetricSummary, Summary};

/// The file's text, indented by four spaces.
pub fn render(summary: &Summary, _: &Rendering) -> String {
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
    // Writing a JSON value into memory cannot fail.
    let _ = serde::Serialize::serialize(&data(summary), &mut serializer);
    text.push(b'\n');
    String::from_utf8_lossy(&text).into_owned()
}

/// The file as a JSON value.
pub fn data(summary: &Summary) -> Value {
    let metrics: Map<String, Value> =
        summary.metrics.iter().map(|metric| (metric.name.clone(), metric_data(metric))).collect();
    json!({ "root_group": group_data(&summary.root_group), "metrics": metrics })
}

fn metric_data(metric: &MetricSummary) -> Value {
    let mut data = metric.value.values();
    if metric.kind == Kind::Rate
        && let Some(rate) = data.shift_remove("rate")
    {
        data.insert("value".to_owned(), rate);
    }
    if !metric.thresholds.is_empty() {
        let thresholds: Map<_, _> = metric
            .thresholds
            .iter()
            .map(|threshold| (threshold.expression.clone(), Value::Bool(!threshold.ok)))
            .collect();
        data.insert("thresholds".to_owned(), thresholds.into());
    }
    data.into()
}

fn group_data(group: &Group) -> Value {
    let groups: Map<_, _> = group.groups.iter().map(|inner| (inner.name.clone(), group_data(inner))).collect();
    let checks: Map<_, _> = group.checks.iter().map(|check| (check.name.clone(), json!(check))).collect();
    json!({ "name": group.name, "path": group.path, "id": group.id, "groups": groups, "checks": checks })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::fixture;

    #[test]
    fn the_shape_is_k6s() {
        let data = data(&fixture::stormy().summary());
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&data), ["root_group", "metrics"]);
        let metrics = &data["metrics"];
        assert_eq!(keys(&metrics["http_reqs"]), ["count", "rate"]);
        assert_eq!(keys(&metrics["http_req_failed"]), ["passes", "fails", "value", "thresholds"]);
        assert_eq!(keys(&metrics["vus_max"]), ["value", "min", "max"]);
        assert_eq!(keys(&metrics["http_req_waiting"]), ["avg", "min", "med", "max", "p(90)", "p(95)"]);
        // True is crossed here.
        assert_eq!(metrics["http_req_failed"]["thresholds"], json!({ "rate<0.01": true }));
        assert_eq!(metrics["vus"]["thresholds"], json!({ "value<1000": false }));
        assert_eq!(metrics["coupon_issued"]["thresholds"], json!({ "count>100": true }));
        let group = &data["root_group"]["groups"]["buy"]["groups"]["issue"];
        assert_eq!(keys(group), ["name", "path", "id", "groups", "checks"]);
        assert_eq!(keys(&group["checks"]["status is 200"]), ["name", "path", "id", "passes", "fails"]);
    }

    #[test]
    fn a_calm_run() {
        insta::assert_snapshot!(render(&fixture::calm().summary(), &Rendering::default()));
    }
}
