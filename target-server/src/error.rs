//! What a caller is told when a call cannot be served: a status and a JSON body naming code, field and remedy.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};

/// An error answer. Its body is `{"error": {"code", "field"?, "message", …details}}`.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    field: Option<String>,
    message: String,
    /// Boxed, as every call's result has room for it.
    details: Box<Map<String, Value>>,
}

impl ApiError {
    /// An error with a stable `code` for programs and a `message` for people.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, field: None, message: message.into(), details: Box::default() }
    }

    /// 400: the input `field` has a value that cannot be used; `problem` says why.
    pub fn invalid_field(field: impl Into<String>, problem: impl std::fmt::Display) -> Self {
        let field = field.into();
        let mut error = Self::new(StatusCode::BAD_REQUEST, "INVALID_FIELD", format!("{field}: {problem}"));
        error.field = Some(field);
        error
    }

    /// 404: there is no `kind` with this `id`.
    pub fn not_found(kind: &str, code: &'static str, id: impl std::fmt::Display) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            code,
            format!("there is no {kind} {id}; POST /reset or the server's flags decide what is seeded"),
        )
    }

    /// Adds a machine-readable detail beside the message.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// The status of the answer.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body {
            error: Inner,
        }
        #[derive(Serialize)]
        struct Inner {
            code: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            field: Option<String>,
            message: String,
            #[serde(flatten)]
            details: Map<String, Value>,
        }
        let inner = Inner { code: self.code, field: self.field, message: self.message, details: *self.details };
        (self.status, Json(Body { error: inner })).into_response()
    }
}

/// Why a store could not do what was asked. Nothing of the request has been kept.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The store refused or failed; the text is its own.
    #[error("the store failed: {0}")]
    Failed(String),
    /// The server is shutting down and takes no more work.
    #[error("the server is shutting down")]
    Closed,
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "STORE_UNAVAILABLE", error.to_string())
    }
}
