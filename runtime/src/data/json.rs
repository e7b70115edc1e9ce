//! JSON: an array of objects, or an object per line.

use serde::de::IgnoredAny;
use serde_json::{Deserializer, Map, Value};

use super::file::Place;
use super::offsets::Offsets;
use crate::field_error::FieldError;

const BYTE_ORDER_MARK: char = '\u{feff}';
/// What JSON calls white space.
const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// Finds where each object of an array begins.
pub(super) fn index_array(text: &str, place: &Place) -> Result<(Vec<String>, Offsets), FieldError> {
    let mut scan = Scan { text, at: text.len() - text.trim_start_matches(BYTE_ORDER_MARK).len() };
    let error = |at: usize, problem: &str| place.at(text.as_bytes(), at, problem);
    match scan.next_char() {
        Some('[') => scan.at += 1,
        None => return Err(place.whole("is empty; give an array of objects")),
        Some('{') => {
            let problem = "is an object, not an array of objects; put it into brackets, or name a file with an object per line .jsonl";
            return Err(error(scan.at, problem));
        }
        Some(_) => return Err(error(scan.at, "is no array; give an array of objects")),
    }
    let mut starts = Offsets::for_text_of(text.len());
    if scan.next_char() == Some(']') {
        return Err(place.whole("has no row; give the array one object at least"));
    }
    loop {
        if scan.next_char() != Some('{') && scan.next_char().is_some() {
            let problem = format!("row {} is no object; give an array of objects", starts.len());
            return Err(error(scan.at, &problem));
        }
        starts.push(scan.at);
        scan.at = value_end(text, scan.at, place)?;
        match scan.next_char() {
            Some(',') => scan.at += 1,
            Some(']') => break,
            Some(_) => return Err(error(scan.at, "has something else where `,` or `]` should be; mend the JSON")),
            None => return Err(error(scan.at, "ends within the array; close it with `]`")),
        }
        scan.next_char();
    }
    scan.at += 1;
    if scan.next_char().is_some() {
        return Err(error(scan.at, "goes on after the array's end; give one array"));
    }
    Ok((columns(text, &starts), starts.finished()))
}

/// Finds where each line's object begins.
pub(super) fn index_lines(text: &str, place: &Place) -> Result<(Vec<String>, Offsets), FieldError> {
    let mut starts = Offsets::for_text_of(text.len());
    let mut start = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let object = line.trim_start_matches(BYTE_ORDER_MARK).trim_matches(SPACE);
        if object.starts_with('{') {
            serde_json::from_str::<IgnoredAny>(object)
                .map_err(|error| place.line(number + 1, broken(&error, line.find('{').unwrap_or(0))))?;
            starts.push(start + line.find('{').unwrap_or(0));
        } else if !object.is_empty() {
            let problem = "is no object; give an object per line, or name a file with an array of objects .json";
            return Err(place.line(number + 1, problem));
        }
        start += line.len();
    }
    if starts.is_empty() {
        return Err(place.whole("has no row; give it one line with an object at least"));
    }
    Ok((columns(text, &starts), starts.finished()))
}

/// The object in the text from a row's beginning to the next one's: only space, a comma or a bracket can follow it.
pub(super) fn object(row: &str) -> &str {
    row.rfind('}').map_or(row, |end| &row[..=end])
}

/// A position in a text.
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl Scan<'_> {
    /// Goes to the next character that is no space.
    fn next_char(&mut self) -> Option<char> {
        let rest = self.text[self.at..].trim_start_matches(SPACE);
        self.at = self.text.len() - rest.len();
        rest.chars().next()
    }
}

/// Where the value that begins here ends.
fn value_end(text: &str, start: usize, place: &Place) -> Result<usize, FieldError> {
    let mut values = Deserializer::from_str(&text[start..]).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => Ok(start + values.byte_offset()),
        Some(Err(error)) => {
            let before = &text[..start];
            let line = before.matches('\n').count() + error.line().max(1);
            let indent = if error.line() == 1 { start - before.rfind('\n').map_or(0, |end| end + 1) } else { 0 };
            Err(place.line(line, broken(&error, indent)))
        }
        None => Err(place.at(text.as_bytes(), start, "ends within the array; close it with `]`")),
    }
}

/// What is wrong, and where in a line of which `indent` bytes were not read.
fn broken(error: &serde_json::Error, indent: usize) -> String {
    let said = error.to_string();
    let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
    format!("is no JSON ({said}, column {}); mend it", indent + error.column())
}

/// The names in the first object.
fn columns(text: &str, starts: &Offsets) -> Vec<String> {
    let first = starts.get(0).map_or("", |start| &text[start..]);
    let object = Deserializer::from_str(first).into_iter::<Map<String, Value>>().next();
    object.and_then(Result::ok).map(|object| object.keys().cloned().collect()).unwrap_or_default()
}
