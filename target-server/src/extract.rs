//! Reading a request's body, with errors that name the field.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// Bodies above this many bytes are refused with 413.
pub(crate) const BODY_LIMIT_BYTES: usize = 1024 * 1024;

/// A JSON body. A missing `Content-Type` is accepted; one that is not JSON is 415.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

/// A JSON body that may be absent altogether.
#[derive(Debug)]
pub(crate) struct OptionalJsonBody<T>(pub(crate) Option<T>);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        require_json(request.headers())?;
        let body = read(request, state).await?;
        parse(&body).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for OptionalJsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let is_json = require_json(request.headers());
        let body = read(request, state).await?;
        if body.is_empty() {
            return Ok(Self(None));
        }
        is_json?;
        parse(&body).map(|value| Self(Some(value)))
    }
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, state).await.map_err(|rejection: BytesRejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "BODY_TOO_LARGE",
            format!("the body is larger than {BODY_LIMIT_BYTES} bytes"),
        ),
        status => ApiError::new(status, "BODY_UNREADABLE", rejection.body_text()),
    })
}

fn require_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let text = value.to_str().unwrap_or("?");
    let essence = text.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") || essence.to_ascii_lowercase().ends_with("+json") {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "NOT_JSON",
        format!("Content-Type: {text:?} is not JSON; send application/json"),
    ))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    // The path of an error costs a little on every parse, so it is worked out only when there is an error.
    // An array of the values would be taken for the object too.
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(not_an_object());
    }
    serde_json::from_slice(body).map_err(|_| diagnose::<T>(body))
}

fn diagnose<T: DeserializeOwned>(body: &[u8]) -> ApiError {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let error = match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Err(error) => error,
        Ok(_) => return malformed("trailing characters after the value"),
    };
    let path = error.path().to_string();
    let inner = error.into_inner();
    if body.trim_ascii().is_empty() {
        return malformed("it is empty; send a JSON object");
    }
    if inner.is_syntax() || inner.is_eof() {
        return malformed(inner);
    }
    let text = inner.to_string();
    // Rust's name of a type tells a caller nothing.
    let problem = text.rsplit_once(" at line ").map_or(text.as_str(), |(problem, _)| problem);
    let problem = problem.replace("expected i64", "expected a whole number");
    let problem = problem.as_str();
    // serde reports a missing or unknown field at its parent: the name is then in the text.
    let named = problem
        .strip_prefix("missing field `")
        .or_else(|| problem.strip_prefix("unknown field `"))
        .and_then(|rest| rest.split('`').next());
    match (path.as_str(), named) {
        (".", Some(field)) => ApiError::invalid_field(field, problem),
        (parent, Some(field)) if !parent.ends_with(field) => {
            ApiError::invalid_field(format!("{parent}.{field}"), problem)
        }
        (".", None) => not_an_object(),
        (field, _) => ApiError::invalid_field(field, problem),
    }
}

fn not_an_object() -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "MALFORMED_JSON", "the body is not a JSON object; send one, such as {}")
}

fn malformed(problem: impl std::fmt::Display) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "MALFORMED_JSON", format!("the body is not valid JSON: {problem}"))
}
