//! What `handle_summary` returns.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::registry::Files;
use crate::text::Bytes;

/// What to write where at the end of a test: the return value of a `#[flashcrowd::handle_summary]` function.
///
/// ```
/// use flashcrowd::prelude::*;
///
/// #[flashcrowd::handle_summary]
/// fn summary(data: serde_json::Value) -> Summary {
///     let requests = &data["metrics"]["http_reqs"]["values"]["count"];
///     Summary::new()
///         .json("summary.json", &data)
///         .stdout(format!("{requests} requests\n"))
/// }
/// # fn main() {}
/// ```
///
/// As in k6, what it returns takes the place of the usual summary. Return `Option<Summary>` and `None` for the usual one.
/// Paths are relative to where the test was started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Summary {
    files: Vec<(String, Vec<u8>)>,
}

impl Summary {
    /// Nothing to write yet.
    pub const fn new() -> Self {
        Self { files: Vec::new() }
    }

    /// Writes this content to a file.
    pub fn file<'a>(mut self, path: impl Into<String>, content: impl Bytes<'a>) -> Self {
        self.files.push((path.into(), content.into_bytes().into_owned()));
        self
    }

    /// Writes this value to a file, as JSON with two spaces of indentation.
    ///
    /// # Panics
    /// If the value cannot be JSON, such as a map whose keys are no texts.
    #[track_caller]
    pub fn json(self, path: impl Into<String>, value: &impl Serialize) -> Self {
        let path = path.into();
        match serde_json::to_vec_pretty(value) {
            Ok(content) => self.file(path, content),
            Err(error) => panic!("the summary's {path} cannot be written as JSON: {error}"),
        }
    }

    /// Prints this text to standard output.
    pub fn stdout(self, text: impl Into<String>) -> Self {
        self.file("stdout", text.into())
    }

    /// What is written where, so far: destinations (`stdout`, `stderr` or a path) and contents.
    #[must_use]
    pub fn files(&self) -> &[(String, Vec<u8>)] {
        &self.files
    }

    /// Prints this text to standard error.
    pub fn stderr(self, text: impl Into<String>) -> Self {
        self.file("stderr", text.into())
    }
}

/// What a `handle_summary` function may return: a [`Summary`], or pairs of a destination and its content; each also in an
/// `Option` (`None` for the usual summary) or a `Result`.
#[diagnostic::on_unimplemented(
    message = "a `handle_summary` function cannot return `{Self}`",
    note = "return a `Summary`, or pairs of a destination and its content"
)]
pub trait IntoSummary {
    #[doc(hidden)]
    fn into_summary(self) -> Option<Summary>;
}

impl IntoSummary for Summary {
    fn into_summary(self) -> Option<Summary> {
        Some(self)
    }
}

impl<P: Into<String>, C: Into<Vec<u8>>> IntoSummary for Vec<(P, C)> {
    fn into_summary(self) -> Option<Summary> {
        Some(Summary { files: self.into_iter().map(|(path, content)| (path.into(), content.into())).collect() })
    }
}

impl<P: Into<String>, C: Into<Vec<u8>>, const N: usize> IntoSummary for [(P, C); N] {
    fn into_summary(self) -> Option<Summary> {
        Vec::from(self).into_summary()
    }
}

impl<S: IntoSummary> IntoSummary for Option<S> {
    fn into_summary(self) -> Option<Summary> {
        self.and_then(IntoSummary::into_summary)
    }
}

#[doc(hidden)]
pub fn into_files(summary: impl IntoSummary) -> Files {
    summary.into_summary().map(|summary| summary.files)
}

/// The results as the function wants them.
///
/// # Errors
/// If they do not fit its argument.
#[doc(hidden)]
pub fn summary_data<T: DeserializeOwned>(data: &str) -> Result<T, String> {
    serde_json::from_str(data)
        .map_err(|error| format!("the results do not fit the argument of the handle_summary function: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_returning_gives_files() {
        let expected = Some(vec![("a.txt".to_owned(), b"x".to_vec())]);
        assert_eq!(into_files(Summary::new().file("a.txt", "x")), expected);
        assert_eq!(into_files(vec![("a.txt", "x")]), expected);
        assert_eq!(into_files([("a.txt".to_owned(), b"x".to_vec())]), expected);
        assert_eq!(into_files(Some(vec![("a.txt", "x")])), expected);
        assert_eq!(into_files(None::<Summary>), None);
    }

    #[test]
    fn json_is_indented_by_two() {
        let files = into_files(Summary::new().json("s.json", &serde_json::json!({"a": [1]}))).unwrap();
        assert_eq!(files[0].1, b"{\n  \"a\": [\n    1\n  ]\n}");
    }
}
