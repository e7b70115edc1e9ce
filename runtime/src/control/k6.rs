//! What k6's own tools ask of k6's API: `/v1/status` and `/v1/metrics`, in the shapes of JSON:API.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::live::{Live, Topic};
use super::server::{WHO, answer, error, json, read, refused};
use super::status::{Control, State as RunState, Status};

/// `{"data": {"attributes": {…}}}`
#[derive(Deserialize, Default)]
pub(super) struct Document {
    data: Data,
}

#[derive(Deserialize, Default)]
struct Data {
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Deserialize, Default)]
struct Attributes {
    paused: Option<bool>,
    stopped: Option<bool>,
    vus: Option<u64>,
    #[serde(rename = "vus-max")]
    vus_max: Option<u64>,
}

pub(super) async fn status(State(live): State<Arc<Live>>) -> Response {
    match document(&live).await {
        Ok(value) => json(StatusCode::OK, &value),
        Err(response) => response,
    }
}

/// As `k6 pause`, `k6 resume` and `k6 scale` ask for.
pub(super) async fn change(State(live): State<Arc<Live>>, body: Bytes) -> Response {
    let wanted = match read::<Document>(&body) {
        Ok(document) => document.data.attributes,
        Err(response) => return response,
    };
    let done = match &wanted {
        Attributes { stopped: Some(true), .. } => {
            live.stop(false, WHO);
            Ok(())
        }
        Attributes { paused: Some(true), .. } => live.pause(WHO).map(drop),
        Attributes { paused: Some(false), .. } if live.status().paused => live.resume(WHO).map(drop),
        _ => Ok(()),
    };
    if let Err(refusal) = done {
        return refused(&refusal);
    }
    let now = live.status();
    let steered = now.scenarios.iter().find_map(|scenario| match &scenario.control {
        Some(Control::Vus { vus, max_vus }) => Some((scenario.name.clone(), *vus, *max_vus)),
        _ => None,
    });
    match (wanted.vus, wanted.vus_max, steered) {
        (_, Some(most), Some((_, _, max))) if most != u64::from(max) => {
            let problem =
                format!("vus-max: {most} is not the scenario's maxVUs ({max}), which is settled before the run");
            return error(StatusCode::UNPROCESSABLE_ENTITY, &problem);
        }
        (Some(vus), _, Some((name, before, _))) if vus != u64::from(before) => {
            if let Err(refusal) = live.set_vus(&name, vus, WHO) {
                return refused(&refusal);
            }
        }
        (Some(vus), _, None) if vus != u64::from(now.active_vus) => {
            let problem = "vus: no scenario of this run is externally-controlled with vus";
            return error(StatusCode::CONFLICT, problem);
        }
        _ => {}
    }
    status(State(live)).await
}

async fn document(live: &Live) -> Result<Value, Response> {
    let thresholds = answer(live, Topic::Thresholds).await?;
    let now: Status = live.status();
    let stopped = now.stop_reason.is_some() || now.state >= RunState::Teardown;
    Ok(json!({ "data": { "type": "status", "id": "default", "attributes": {
        "status": number(&now),
        "paused": now.paused,
        "vus": now.active_vus,
        "vus-max": now.initialised_vus,
        "stopped": stopped,
        "running": matches!(number(&now), 6..=8),
        "tainted": !thresholds["ok"].as_bool().unwrap_or(true),
    }}}))
}

/// k6's numbers.
fn number(status: &Status) -> u8 {
    match status.state {
        RunState::Initialising => 1,
        // Before the load.
        RunState::Paused if status.elapsed_seconds == 0.0 => 4,
        RunState::Setup => 6,
        RunState::Running | RunState::Paused | RunState::Stopping => 7,
        RunState::Teardown => 8,
        RunState::Summary | RunState::Over => 9,
    }
}

pub(super) async fn metrics(State(live): State<Arc<Live>>) -> Response {
    let answer = match answer(&live, Topic::Metrics).await {
        Ok(answer) => answer,
        Err(response) => return response,
    };
    let metric = |metric: &Value| {
        let attributes = json!({
            "type": metric["kind"], "contains": metric["contains"], "tainted": null, "sample": metric["values"],
        });
        json!({ "type": "metrics", "id": metric["name"], "attributes": attributes })
    };
    let metrics = answer["metrics"].as_array().into_iter().flatten().map(metric).collect::<Vec<_>>();
    json(StatusCode::OK, &json!({ "data": metrics }))
}
