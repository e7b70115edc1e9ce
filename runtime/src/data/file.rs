//! Which files are tables, and what is said of those that are not.

use std::path::{Path, PathBuf};

use crate::field_error::FieldError;

/// The longest name of a table.
const MAX_NAME_BYTES: usize = 64;

/// What `--data` gives: a table's name, and the file that it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFile {
    /// What the scenario calls it.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

/// What a file's ending says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// A line of names, then rows of as many values.
    Csv,
    /// An array of objects.
    Json,
    /// An object per line.
    JsonLines,
}

impl TableFile {
    /// Reads what was typed after each `--data`: NAME=FILE.
    ///
    /// # Errors
    /// What is no such pair, has a name or an ending that there is not, or names a table twice.
    pub fn parse_all(given: &[String]) -> Result<Vec<Self>, FieldError> {
        let mut files: Vec<Self> = Vec::new();
        for text in given {
            let refuse = |problem: &str| FieldError::new("--data", format!("\"{text}\""), problem);
            let (name, path) = text
                .split_once('=')
                .filter(|(name, path)| is_name(name) && !path.is_empty())
                .ok_or_else(|| refuse("is no table; write NAME=FILE, such as users=users.csv, where NAME has letters, digits, `_` and `-`"))?;
            let path = PathBuf::from(path);
            Format::of(&path).map_err(|problem| refuse(&problem))?;
            if files.iter().any(|file| file.name == name) {
                return Err(refuse(&format!("is a second table `{name}`; give each its own name")));
            }
            files.push(Self { name: name.to_owned(), path });
        }
        Ok(files)
    }
}

/// `^[0-9a-zA-Z_-]+$`, as the names of scenarios.
fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

impl Format {
    pub(super) fn of(path: &Path) -> Result<Self, String> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            Some("csv") => Ok(Self::Csv),
            Some("json") => Ok(Self::Json),
            Some("jsonl" | "ndjson") => Ok(Self::JsonLines),
            _ => Err("has no ending that says what it is; give a file that ends in .csv, .json (an array of objects), .jsonl or .ndjson \
                      (an object per line)"
                .to_owned()),
        }
    }
}

/// Where an error is.
#[derive(Debug)]
pub(super) struct Place {
    shown: String,
}

impl Place {
    pub(super) fn new(path: &Path) -> Self {
        Self { shown: format!("--data: {}", path.display()) }
    }

    /// An error of the file as a whole.
    pub(super) fn whole(&self, problem: impl Into<String>) -> FieldError {
        FieldError::bare(self.shown.clone(), problem)
    }

    /// An error at this position in the text.
    pub(super) fn at(&self, text: &[u8], position: usize, problem: impl Into<String>) -> FieldError {
        self.line(line_of(text, position), problem)
    }

    /// An error in this line, from 1.
    pub(super) fn line(&self, line: usize, problem: impl Into<String>) -> FieldError {
        FieldError::bare(format!("{}, line {line}", self.shown), problem)
    }
}

/// The number of the line, from 1, that has this position.
fn line_of(text: &[u8], position: usize) -> usize {
    1 + text[..position.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}

/// The file's text.
pub(super) fn text(path: &Path, place: &Place) -> Result<Box<str>, FieldError> {
    let bytes = std::fs::read(path)
        .map_err(|error| place.whole(format!("cannot be read ({error}); give a file that is there and readable")))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.into_boxed_str()),
        Err(error) => {
            let position = error.utf8_error().valid_up_to();
            Err(place.at(error.as_bytes(), position, "is not UTF-8; save the file as UTF-8"))
        }
    }
}
