//! Reads option values. Each function takes the JSON of one value; its error has no path yet.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::duration;
use crate::field_error::FieldError;
use crate::http::tls::HttpVersion;
use crate::http::{HttpDebug, Statuses};
use crate::metrics::SystemTags;
use crate::output::TimeUnit;
use crate::summary::TrendStat;

fn fail<T>(value: &Value, problem: impl Into<String>) -> Result<T, FieldError> {
    Err(FieldError::json("", value, problem))
}

/// A whole number from 1.
///
/// # Errors
/// Any other value.
pub fn positive(value: &Value) -> Result<u64, FieldError> {
    match whole(value) {
        Some(number) if number > 0 => Ok(number),
        _ => fail(value, "is not a positive whole number; give 1 or more"),
    }
}

/// A whole number from 0.
///
/// # Errors
/// Any other value.
pub fn count(value: &Value) -> Result<u64, FieldError> {
    whole(value).map_or_else(|| fail(value, "is not a whole number; give 0 or more"), Ok)
}

/// JSON knows no whole numbers: 10.0 is 10.
fn whole(value: &Value) -> Option<u64> {
    const GREATEST_EXACT: f64 = 9_007_199_254_740_992.0;
    value.as_u64().or_else(|| {
        let number =
            value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..=GREATEST_EXACT).contains(number))?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number in range, as checked above"
        )]
        Some(number as u64)
    })
}

/// `true` or `false`.
///
/// # Errors
/// Any other value.
pub fn boolean(value: &Value) -> Result<bool, FieldError> {
    value.as_bool().map_or_else(|| fail(value, "is neither true nor false; give one of them"), Ok)
}

/// A duration: `1m30s`, or a number of milliseconds.
///
/// # Errors
/// Any other value.
pub fn duration(value: &Value) -> Result<Duration, FieldError> {
    duration::from_json(value).map_err(|error| error.at(""))
}

/// A duration longer than nothing.
///
/// # Errors
/// Any other value.
pub fn positive_duration(value: &Value) -> Result<Duration, FieldError> {
    match duration(value)? {
        Duration::ZERO => fail(value, "is no time at all; give a duration such as 30s"),
        length => Ok(length),
    }
}

/// Which version of HTTP is spoken: `auto`, `1.1` or `2`.
///
/// # Errors
/// Any other value.
pub fn http_version(value: &Value) -> Result<HttpVersion, FieldError> {
    match value.as_str().and_then(HttpVersion::of) {
        Some(version) => Ok(version),
        None => fail(value, "is no version of HTTP; use \"auto\", \"1.1\" or \"2\""),
    }
}

/// Text.
///
/// # Errors
/// Any other value.
pub fn text(value: &Value) -> Result<&str, FieldError> {
    value.as_str().map_or_else(|| fail(value, "is not text; put it in quotes"), Ok)
}

/// The value of a `User-Agent` header.
///
/// # Errors
/// No text, or text with characters that a header cannot hold.
pub fn header_text(value: &Value) -> Result<&str, FieldError> {
    let text = text(value)?;
    if text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        return Ok(text);
    }
    fail(value, "has characters that an HTTP header cannot hold; use printable ASCII")
}

/// A list of texts. One text stands for a list, with commas between its items.
///
/// # Errors
/// Any other value.
pub fn list(value: &Value) -> Result<Vec<String>, FieldError> {
    match value {
        Value::String(text) => Ok(split(text)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| text(item).map(str::to_owned).map_err(|error| error.within(&format!("[{index}]"))))
            .collect(),
        _ => fail(value, "is not a list; write [\"one\", \"two\"]"),
    }
}

/// The items of a list with commas; none of an empty text.
pub fn split(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// Names with texts.
///
/// # Errors
/// Any other value; an empty name.
pub fn pairs(value: &Value) -> Result<BTreeMap<String, String>, FieldError> {
    let Value::Object(fields) = value else {
        return fail(value, "is not an object; write {\"name\": \"value\"}");
    };
    fields
        .iter()
        .map(|(name, value)| {
            if name.is_empty() {
                return Err(FieldError::bare("", "has an empty name; name every value"));
            }
            Ok((name.clone(), text(value).map_err(|error| error.within(name))?.to_owned()))
        })
        .collect()
}

/// Statuses that count as a success: a list of statuses, of ranges such as `"200-299"`, and of objects with `min` and `max`.
///
/// # Errors
/// Any other value.
pub fn statuses(value: &Value) -> Result<Statuses, FieldError> {
    let Value::Array(items) = value else {
        return fail(value, "is not a list; write [200, \"300-399\"]");
    };
    let status = |value: &Value| whole(value).and_then(|status| u16::try_from(status).ok());
    let range = |item: &Value| match item {
        Value::String(text) => {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
        }
        Value::Object(fields) => Some((status(fields.get("min")?)?, status(fields.get("max")?)?)),
        single => status(single).map(|status| (status, status)),
    };
    let read = |(index, item): (usize, &Value)| match range(item) {
        Some(range) => Ok(range),
        None => Err(FieldError::json(
            format!("[{index}]"),
            item,
            "is neither a status nor a range of statuses; write 404 or \"200-299\"",
        )),
    };
    let ranges = items.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
    Statuses::new(&ranges).map_err(|problem| FieldError::bare("", problem))
}

/// An object.
///
/// # Errors
/// Any other value.
pub fn object<'a>(value: &'a Value, example: &str) -> Result<&'a Map<String, Value>, FieldError> {
    value.as_object().map_or_else(|| fail(value, format!("is not an object; write {example}")), Ok)
}

/// What the summary tells of a trend: `avg`, `min`, `med`, `max`, `count` and `p(N)` with N from 0 to 100.
///
/// # Errors
/// No list, or an item that is none of them.
pub fn trend_stats(value: &Value) -> Result<Vec<String>, FieldError> {
    let stats = list(value)?;
    for stat in &stats {
        stat.parse::<TrendStat>().map_err(|error| FieldError { path: String::new(), ..error })?;
    }
    Ok(stats)
}

/// `s`, `ms` or `us`; an empty text leaves the unit to each value.
///
/// # Errors
/// Any other value.
pub fn time_unit(value: &Value) -> Result<Option<TimeUnit>, FieldError> {
    match value.as_str() {
        Some("") => Ok(None),
        Some(unit) => unit.parse().map(Some).map_err(|error| FieldError { path: String::new(), ..error }),
        None => fail(value, "is not a unit of the summary; use s, ms or us"),
    }
}

/// Whether exchanges are shown: `headers` or `full`; an empty text or false for neither, true for `headers`.
///
/// # Errors
/// Any other value.
pub fn http_debug(value: &Value) -> Result<Option<HttpDebug>, FieldError> {
    match value {
        Value::Bool(false) => Ok(None),
        Value::Bool(true) => Ok(Some(HttpDebug::Headers)),
        _ => match value.as_str() {
            Some("" | "false") => Ok(None),
            Some("headers" | "true") => Ok(Some(HttpDebug::Headers)),
            Some("full") => Ok(Some(HttpDebug::Full)),
            _ => fail(value, "does not say what to show of requests; use headers or full"),
        },
    }
}

/// The tags that the runtime sets by itself.
///
/// # Errors
/// No list, or a name that is no system tag.
pub fn system_tags(value: &Value) -> Result<SystemTags, FieldError> {
    let names = list(value)?;
    SystemTags::from_names(names.iter().map(String::as_str)).map_err(|error| FieldError::bare("", error.to_string()))
}

/// `10s:100` as a stage: a duration, a colon, and the target.
///
/// # Errors
/// Text of another shape. The numbers themselves are checked with the stage.
pub fn stage_text(stage: &str) -> Result<Value, FieldError> {
    let shape =
        || FieldError::new("", format!("\"{stage}\""), "is not a stage; write duration:target, such as 30s:100");
    let (duration, target) = stage.trim().split_once(':').ok_or_else(shape)?;
    let target: u64 = target.trim().parse().map_err(|_| shape())?;
    duration::parse(duration).map_err(|error| error.at(""))?;
    Ok(serde_json::json!({"duration": duration.trim(), "target": target}))
}
