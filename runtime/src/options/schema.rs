//! The JSON schema of the options: what `docs/options.schema.json` holds, for editors that complete and check a config file.
//!
//! The types here say the shape only. What is valid beyond it, [`Options::from_json`](super::Options::from_json) knows.

use std::collections::BTreeMap;

use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::known::{self, KnownOption, Shape};

/// `30s`, `1m30s`, `500ms`, `1d12h`, or a number of milliseconds.
#[derive(JsonSchema, Serialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Length {
    /// Go's units, and `d` for days.
    Text(String),
    /// Milliseconds.
    Milliseconds(f64),
}

/// A part of a ramp.
#[derive(JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
struct Stage {
    /// How long it takes; 0s jumps.
    duration: Length,
    /// The virtual users, or the rate, at its end.
    target: u32,
}

/// A condition that says more than an expression.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LongThreshold {
    /// Such as `p(95)<500`.
    threshold: String,
    /// Ends the load when it is crossed; false by default.
    abort_on_fail: Option<bool>,
    /// Does not end the load before so much of it is over; 0s by default.
    delay_abort_eval: Option<Length>,
    /// Compares the last so much of the load, from 2s to 1h, again and again; all of it by default.
    window: Option<Length>,
}

/// An expression such as `p(95)<500`, or an object that says more.
#[derive(JsonSchema, Serialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Threshold {
    Expression(String),
    Long(LongThreshold),
}

/// One condition, or several.
#[derive(JsonSchema, Serialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Thresholds {
    One(Threshold),
    Several(Vec<Threshold>),
}

/// What all executors share.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
struct Common {
    /// When the scenario begins; 0s by default.
    start_time: Option<Length>,
    /// How long iterations under way may go on at the end; 30s by default.
    graceful_stop: Option<Length>,
    /// The scenario function; `default` by default.
    exec: Option<String>,
    /// Variables of this scenario alone.
    env: Option<BTreeMap<String, String>>,
    /// Tags of this scenario's samples.
    tags: Option<BTreeMap<String, String>>,
    /// Statuses that count as a success in this scenario; 200 to 399 by default. Not an option of k6.
    expected_statuses: Option<Vec<ExpectedStatus>>,
}

/// A status, a range such as `200-299`, or one with `min` and `max`.
#[derive(JsonSchema, Serialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum ExpectedStatus {
    One(u16),
    Range(String),
    Between { min: u16, max: u16 },
}

/// An executor with its options.
#[derive(JsonSchema, Serialize)]
#[serde(tag = "executor", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
enum Scenario {
    /// The virtual users share a number of iterations.
    SharedIterations {
        #[serde(flatten)]
        common: Common,
        /// 1 by default.
        vus: Option<u32>,
        /// As many as `vus` at least; 1 by default.
        iterations: Option<u64>,
        /// 10m by default.
        max_duration: Option<Length>,
    },
    /// Each virtual user runs a number of iterations.
    PerVuIterations {
        #[serde(flatten)]
        common: Common,
        /// 1 by default.
        vus: Option<u32>,
        /// Of each virtual user; 1 by default.
        iterations: Option<u64>,
        /// 10m by default.
        max_duration: Option<Length>,
    },
    /// A number of virtual users loop for a time.
    ConstantVus {
        #[serde(flatten)]
        common: Common,
        /// 1 by default.
        vus: Option<u32>,
        /// 1s at least.
        duration: Length,
    },
    /// A changing number of virtual users loop.
    RampingVus {
        #[serde(flatten)]
        common: Common,
        /// 1 by default.
        #[serde(rename = "startVUs")]
        start_vus: Option<u32>,
        /// How their number changes.
        stages: Vec<Stage>,
        /// How long a virtual user over the target may take to finish; 30s by default.
        graceful_ramp_down: Option<Length>,
    },
    /// Iterations start at a fixed rate.
    ConstantArrivalRate {
        #[serde(flatten)]
        common: Common,
        /// Iterations per `timeUnit`.
        rate: u64,
        /// 1s by default.
        time_unit: Option<Length>,
        /// 1s at least.
        duration: Length,
        /// Virtual users made before the load.
        #[serde(rename = "preAllocatedVUs")]
        pre_allocated_vus: u32,
        /// With those made while it runs; `preAllocatedVUs` by default.
        #[serde(rename = "maxVUs")]
        max_vus: Option<u32>,
    },
    /// Iterations start at a changing rate.
    RampingArrivalRate {
        #[serde(flatten)]
        common: Common,
        /// Iterations per `timeUnit` at the beginning; 0 by default.
        start_rate: Option<u64>,
        /// How the rate changes.
        stages: Vec<Stage>,
        /// 1s by default.
        time_unit: Option<Length>,
        /// Virtual users made before the load.
        #[serde(rename = "preAllocatedVUs")]
        pre_allocated_vus: u32,
        /// With those made while it runs; `preAllocatedVUs` by default.
        #[serde(rename = "maxVUs")]
        max_vus: Option<u32>,
    },
    /// Virtual users loop whose number somebody changes while the test runs.
    #[serde(rename = "externally-controlled")]
    ControlledVus {
        #[serde(flatten)]
        common: Common,
        /// At the beginning; 0 by default.
        vus: Option<u32>,
        /// Made before the load, and at most; `vus` by default.
        #[serde(rename = "maxVUs")]
        max_vus: Option<u32>,
        /// 1s at least; until the test is stopped by default, and with 0.
        duration: Option<Length>,
    },
    /// Iterations start at a rate that somebody changes while the test runs.
    #[serde(rename = "externally-controlled")]
    ControlledRate {
        #[serde(flatten)]
        common: Common,
        /// Iterations per `timeUnit` at the beginning.
        rate: u64,
        /// 1s by default.
        time_unit: Option<Length>,
        /// 1s at least; until the test is stopped by default, and with 0.
        duration: Option<Length>,
        /// Virtual users made before the load.
        #[serde(rename = "preAllocatedVUs")]
        pre_allocated_vus: u32,
        /// With those made while it runs; `preAllocatedVUs` by default.
        #[serde(rename = "maxVUs")]
        max_vus: Option<u32>,
    },
}

/// The types that properties refer to.
#[derive(JsonSchema, Serialize)]
struct Definitions {
    length: Length,
    stages: Vec<Stage>,
    thresholds: BTreeMap<String, Thresholds>,
    scenarios: BTreeMap<String, Scenario>,
    texts: BTreeMap<String, String>,
}

/// The schema of k6's options object as this version takes it.
pub fn schema() -> Value {
    let mut types = schema_for!(Definitions).to_value();
    for executor in types["$defs"]["Scenario"]["oneOf"].as_array_mut().into_iter().flatten() {
        executor["properties"]["options"] =
            json!({"description": "No field of it is supported.", "type": ["object", "null"], "maxProperties": 0});
        executor["additionalProperties"] = json!(false);
    }
    let mut properties = Map::new();
    for option in known::OPTIONS {
        properties.insert(option.name.to_owned(), property(option, &types["properties"]));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Options of a Flashcrowd run",
        "description": "k6's options object, as `runtime run --config` takes it.",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
        "$defs": types["$defs"],
    })
}

fn property(option: &KnownOption, types: &Value) -> Value {
    if !option.is_supported() {
        let accepted = option.accepted().iter().filter_map(|text| serde_json::from_str::<Value>(text).ok());
        let accepted: Vec<Value> = accepted.chain([Value::Null]).collect();
        return json!({"description": format!("{} Not supported by this version.", option.help), "enum": accepted});
    }
    let shape = match option.shape {
        Shape::Positive => json!({"type": "integer", "minimum": 1}),
        Shape::Count => json!({"type": "integer", "minimum": 0}),
        Shape::Bool => json!({"type": "boolean"}),
        Shape::Duration | Shape::PositiveDuration => types["length"].clone(),
        Shape::Text | Shape::Header => json!({"type": "string"}),
        Shape::TimeUnit => json!({"enum": ["s", "ms", "us", ""]}),
        Shape::HttpDebug => json!({"enum": ["headers", "full", "", true, false]}),
        Shape::TrendStats | Shape::SystemTags => json!({"type": ["array", "string"], "items": {"type": "string"}}),
        Shape::Pairs => types["texts"].clone(),
        Shape::Stages => types["stages"].clone(),
        Shape::Scenarios => {
            let mut scenarios = types["scenarios"].clone();
            scenarios["propertyNames"] = json!({"pattern": "^[0-9a-zA-Z_-]+$"});
            scenarios
        }
        Shape::Thresholds => types["thresholds"].clone(),
        Shape::HttpVersion => json!({"enum": ["auto", "1.1", "2", ""]}),
        Shape::Dns => json!({
            "type": ["string", "object"],
            "additionalProperties": false,
            "properties": {
                "ttl": {"type": ["string", "integer"]},
                "select": {"enum": ["first", "random", "roundRobin"]},
                "policy": {"enum": ["preferIPv4", "preferIPv6", "onlyIPv4", "onlyIPv6", "any"]},
            },
        }),
        Shape::Hosts => {
            json!({"type": ["object", "string"], "additionalProperties": {"type": "string"}, "maxLength": 0})
        }
        Shape::HostNames | Shape::Networks | Shape::CipherSuites => {
            json!({"type": ["array", "string"], "items": {"type": "string"}})
        }
        Shape::LocalIps => json!({"type": "string"}),
        Shape::TlsVersion => json!({
            "type": ["string", "object"],
            "additionalProperties": false,
            "properties": {"min": {"type": "string"}, "max": {"type": "string"}},
        }),
        Shape::TlsAuth => json!({
            "type": ["array", "string"],
            "maxLength": 0,
            "items": {
                "type": "object",
                "additionalProperties": false,
                "required": ["cert", "key"],
                "properties": {
                    "domains": {"type": "array", "items": {"type": "string"}},
                    "cert": {"type": "string"},
                    "key": {"type": "string"},
                    "password": {"type": "string", "maxLength": 0},
                },
            },
        }),
        Shape::Other => json!(true),
    };
    let mut property = json!({"description": format!("{} Default: {}.", option.help, option.default)});
    property["anyOf"] = json!([shape, {"type": "null"}]);
    property
}

#[cfg(test)]
mod tests;
