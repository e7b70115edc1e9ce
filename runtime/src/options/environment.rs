//! Options from environment variables. A variable is text; the option's shape says which JSON it stands for.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::known::{self, Shape};
use super::{Options, read};
use crate::field_error::FieldError;

/// What our variables begin with. Where one is not set, k6's is read.
pub const PREFIX: &str = "FLASHCROWD_";
const FALLBACK: &str = "K6_";
/// Variables of settings that are no options; the command line reads them.
pub const SETTINGS: [&str; 19] = [
    "CONFIG",
    "SEED",
    "ONCE",
    "NO_DATA",
    "FAIL_ON_CHECK",
    "MIN_RATE_ACHIEVED",
    "SUMMARY_MODE",
    "SUMMARY_EXPORT",
    "NO_SUMMARY",
    "NO_COLOR",
    "RESULTS",
    "NO_RESULTS",
    "CA_CERT",
    "CLIENT_CERT",
    "CLIENT_KEY",
    "PROXY",
    "NO_PROXY",
    "ADDRESS",
    "API_TOKEN",
];

pub(super) fn read(variables: impl IntoIterator<Item = (String, String)>) -> Result<Options, FieldError> {
    let set: HashMap<String, String> = variables.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    refuse_unknown(&set)?;
    let mut options = Options::default();
    let mut given: HashMap<&str, String> = HashMap::new();
    for option in known::OPTIONS {
        let names = [PREFIX, FALLBACK].map(|prefix| format!("{prefix}{}", option.env));
        let Some((variable, text)) = names.into_iter().find_map(|name| set.get_key_value(&name)) else { continue };
        let named = |error: FieldError| error.renamed(option.name, variable);
        let value = from_text(option.shape, text).map_err(named)?;
        options.set(option.name, &value).map_err(named)?;
        given.insert(option.name, variable.clone());
    }
    options.check_conflicts(|name| given.get(name).cloned().unwrap_or_else(|| name.to_owned()))?;
    Ok(options)
}

/// k6 has variables that are no options; ours are all known.
fn refuse_unknown(set: &HashMap<String, String>) -> Result<(), FieldError> {
    let mut unknown: Vec<&String> =
        set.keys().filter(|name| name.strip_prefix(PREFIX).is_some_and(|rest| !is_known(rest))).collect();
    unknown.sort();
    let Some(name) = unknown.first() else { return Ok(()) };
    let ours: Vec<String> = known::OPTIONS
        .iter()
        .filter(|option| option.is_supported())
        .map(|option| format!("{PREFIX}{}", option.env))
        .collect();
    let remedy = match crate::field_error::nearest(name, ours.iter().map(String::as_str)) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "docs/options.md lists the variables".to_owned(),
    };
    Err(FieldError::bare(name.as_str(), format!("unknown variable; {remedy}")))
}

fn is_known(variable: &str) -> bool {
    SETTINGS.contains(&variable) || known::OPTIONS.iter().any(|option| option.env == variable)
}

/// The JSON that a text stands for. A text that does not fit becomes a JSON text, and the option's own check complains.
pub(crate) fn from_text(shape: Shape, text: &str) -> Result<Value, FieldError> {
    let as_text = || Value::String(text.to_owned());
    Ok(match shape {
        Shape::Positive | Shape::Count => {
            text.trim().parse::<serde_json::Number>().map_or_else(|_| as_text(), Value::Number)
        }
        Shape::Bool => match text.trim() {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Value::Bool(true),
            "0" | "f" | "F" | "FALSE" | "false" | "False" => Value::Bool(false),
            _ => as_text(),
        },
        Shape::Duration | Shape::PositiveDuration | Shape::Text | Shape::Header | Shape::TimeUnit => as_text(),
        Shape::HttpDebug | Shape::HttpVersion | Shape::Dns | Shape::LocalIps => as_text(),
        Shape::TlsVersion if !text.trim_start().starts_with('{') => as_text(),
        Shape::TrendStats | Shape::SystemTags | Shape::HostNames | Shape::Networks | Shape::CipherSuites => {
            Value::Array(read::split(text).into_iter().map(Value::String).collect())
        }
        Shape::Pairs => {
            let mut pairs = Map::new();
            for pair in text.split(',') {
                let (name, value) = pair.split_once(':').ok_or_else(|| {
                    FieldError::new(
                        "",
                        format!("\"{pair}\""),
                        "lacks a colon; write name:value, with commas between several",
                    )
                })?;
                pairs.insert(name.trim().to_owned(), Value::String(value.trim().to_owned()));
            }
            Value::Object(pairs)
        }
        Shape::Stages => Value::Array(text.split(',').map(read::stage_text).collect::<Result<_, _>>()?),
        Shape::Scenarios | Shape::Thresholds | Shape::Hosts | Shape::TlsAuth | Shape::TlsVersion => {
            serde_json::from_str(text).map_err(|error| {
                FieldError::new("", format!("\"{text}\""), format!("is not JSON ({error}); write an object"))
            })?
        }
        Shape::Other => serde_json::from_str(text).unwrap_or_else(|_| as_text()),
    })
}
