//! The data files of a test: read once before the load, shared by all virtual users, never copied whole.
//!
//! A table is the file's text as it is, once in memory, and where in it each row begins: 4 bytes a row, 8 in a file beyond 4 GiB. A row
//! is taken apart when somebody asks for it. The file is read, not mapped: whoever cut a mapped file short would kill the process.

mod csv;
mod file;
mod json;
mod offsets;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

pub use file::TableFile;

use crate::field_error::{FieldError, did_you_mean};
use file::{Format, Place};
use offsets::Offsets;

/// The tables of a test, by number.
#[derive(Debug, Default)]
pub struct Tables {
    tables: Vec<Table>,
}

/// One table: what a file holds, and which rows were given out.
#[derive(Debug)]
pub struct Table {
    name: String,
    content: Arc<Content>,
    /// How many rows were given out in turn.
    taken: AtomicU64,
    /// How many rows were given out once and for all.
    used: AtomicU64,
    /// Somebody was told that none is left.
    ran_out: AtomicBool,
}

/// What a file holds. Two tables of one file share it.
#[derive(Debug)]
struct Content {
    text: Box<str>,
    format: Format,
    columns: Vec<String>,
    /// Where in the text the rows begin.
    starts: Offsets,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row<'a> {
    /// The values of a CSV row, as many as there are columns.
    Values(Vec<String>),
    /// The text of a JSON object.
    Object(&'a str),
}

impl Tables {
    /// Reads the files.
    ///
    /// # Errors
    /// A file that cannot be read or is not what its name says, with the line at fault.
    pub fn load(files: &[TableFile]) -> Result<Self, FieldError> {
        let mut read: Vec<(std::path::PathBuf, Arc<Content>)> = Vec::new();
        let mut tables = Vec::new();
        for file in files {
            // A file under two names, which gives it two orders, is held once.
            let path = std::fs::canonicalize(&file.path).unwrap_or_else(|_| file.path.clone());
            let content = match read.iter().find(|(known, _)| *known == path) {
                Some((_, content)) => Arc::clone(content),
                None => {
                    let content = Arc::new(Content::read(&file.path)?);
                    read.push((path, Arc::clone(&content)));
                    content
                }
            };
            tables.push(Table::new(file.name.clone(), content));
        }
        Ok(Self { tables })
    }

    /// The number of the table of this name.
    ///
    /// # Errors
    /// How to give it, where it was not given.
    pub fn find(&self, name: &str) -> Result<u32, String> {
        let found = self.tables.iter().position(|table| table.name == name);
        match found.and_then(|at| u32::try_from(at).ok()) {
            Some(number) => Ok(number),
            None => {
                let names = self.tables.iter().map(|table| table.name.as_str());
                let given =
                    if self.tables.is_empty() { String::new() } else { format!(" ({})", did_you_mean(name, names)) };
                Err(format!(
                    "the table `{name}` was not given{given}; give its file with --data {name}=FILE (.csv, .json or .jsonl)"
                ))
            }
        }
    }

    /// A table by its number.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<&Table> {
        self.tables.get(usize::try_from(number).ok()?)
    }

    /// All tables, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Table> {
        self.tables.iter()
    }
}

impl Table {
    fn new(name: String, content: Arc<Content>) -> Self {
        Self { name, content, taken: AtomicU64::new(0), used: AtomicU64::new(0), ran_out: AtomicBool::new(false) }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many rows it has; one at least.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.content.starts.len() as u64
    }

    /// The names of its columns.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.content.columns
    }

    /// A row by its number, from 0.
    #[must_use]
    pub fn row(&self, number: u64) -> Option<Row<'_>> {
        let text = self.content.row(usize::try_from(number).ok()?)?;
        Some(match self.content.format {
            Format::Csv => Row::Values(csv::values(text)),
            Format::Json | Format::JsonLines => Row::Object(json::object(text)),
        })
    }

    /// The number of the next row, in turn for the whole test.
    pub fn next(&self) -> u64 {
        self.taken.fetch_add(1, Relaxed) % self.rows()
    }

    /// The number of a row that was not given out from here before; `None` when all were.
    pub fn next_unique(&self) -> Option<u64> {
        Some(self.used.fetch_add(1, Relaxed)).filter(|row| *row < self.rows())
    }

    /// Whether nobody called this before: the end of the rows is told once.
    pub fn first_to_run_out(&self) -> bool {
        !self.ran_out.swap(true, Relaxed)
    }

    /// Bytes that it takes: the file's text and where its rows begin.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.content.text.len() + self.content.starts.bytes()
    }
}

impl Content {
    fn read(path: &Path) -> Result<Self, FieldError> {
        let place = Place::new(path);
        let format = Format::of(path).map_err(|problem| place.whole(problem))?;
        let text = file::text(path, &place)?;
        Self::index(text, format, &place)
    }

    /// Finds the rows, and refuses what would not be one.
    fn index(text: Box<str>, format: Format, place: &Place) -> Result<Self, FieldError> {
        let (columns, starts) = match format {
            Format::Csv => csv::index(&text, place)?,
            Format::Json => json::index_array(&text, place)?,
            Format::JsonLines => json::index_lines(&text, place)?,
        };
        Ok(Self { text, format, columns, starts })
    }

    /// The text from a row's beginning to the next one's.
    fn row(&self, number: usize) -> Option<&str> {
        let start = self.starts.get(number)?;
        let end = self.starts.get(number + 1).unwrap_or(self.text.len());
        self.text.get(start..end)
    }
}

#[cfg(test)]
mod tests;
