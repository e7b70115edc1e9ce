//! What a stranger should know about a test.

use serde::Serialize;

/// What the options say about the test; the rest comes from `Cargo.toml`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct About {
    pub(crate) name: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) authors: Option<Vec<String>>,
    pub(crate) env: Vec<EnvVar>,
    pub(crate) data: Vec<DataTable>,
}

/// An environment variable that a scenario reads, for those who run it.
///
/// ```
/// use flashcrowd::prelude::*;
///
/// Options::new()
///     .env_var(EnvVar::required("BASE_URL").help("where the shop is"))
///     .env_var(EnvVar::with_default("COUPON_ID", 3).help("which coupon is issued"))
///     .env_var(EnvVar::optional("TOKEN").help("sent as a bearer token"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[must_use]
pub struct EnvVar {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<String>,
    required: bool,
    help: String,
}

impl EnvVar {
    /// A variable without which the scenario cannot run.
    pub fn required(name: impl Into<String>) -> Self {
        Self { name: name.into(), default: None, required: true, help: String::new() }
    }

    /// A variable that may be left out: `env_or` and `env_parse` read it.
    pub fn optional(name: impl Into<String>) -> Self {
        Self { required: false, ..Self::required(name) }
    }

    /// A variable with a default, which `env` gives where it is not passed.
    pub fn with_default(name: impl Into<String>, default: impl ToString) -> Self {
        Self { default: Some(default.to_string()), ..Self::optional(name) }
    }

    /// What it is for.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

/// A table that a scenario reads with [`data::table`](crate::data::table), for those who run it.
///
/// ```
/// use flashcrowd::prelude::*;
///
/// Options::new()
///     .data("products")
///     .data(DataTable::new("users").columns(["id", "password"]).help("who logs in, each once"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[must_use]
pub struct DataTable {
    name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    columns: Vec<String>,
    help: String,
}

impl DataTable {
    /// A table of this name, which `--data NAME=FILE` gives.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), columns: Vec::new(), help: String::new() }
    }

    /// The columns that it must have; others may be there too. Of a JSON file, the names in its first object count.
    pub fn columns<C: Into<String>>(mut self, columns: impl IntoIterator<Item = C>) -> Self {
        self.columns = columns.into_iter().map(Into::into).collect();
        self
    }

    /// What is in it.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl From<&str> for DataTable {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}
