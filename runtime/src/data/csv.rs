//! CSV: RFC 4180 as the `csv` crate reads it, commas between values.

use csv::{ByteRecord, ErrorKind, ReaderBuilder, StringRecord};

use super::file::Place;
use super::offsets::Offsets;
use crate::field_error::FieldError;

/// What ends a line.
const LINE_ENDS: [char; 2] = ['\r', '\n'];

/// Finds the columns' names, and where each row begins.
pub(super) fn index(text: &str, place: &Place) -> Result<(Vec<String>, Offsets), FieldError> {
    let mut reader = ReaderBuilder::new().from_reader(text.as_bytes());
    let broken = |error: &csv::Error| place.whole(format!("cannot be read as CSV ({error})"));
    let columns: Vec<String> =
        reader.headers().map_err(|error| broken(&error))?.iter().map(ToOwned::to_owned).collect();
    check_columns(&columns, place)?;
    let mut starts = Offsets::for_text_of(text.len());
    let mut record = ByteRecord::new();
    let mut last = 0;
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                last = begin(text, record.position().map_or(0, csv::Position::byte));
                starts.push(last);
            }
            Err(error) => {
                return Err(match error.kind() {
                    ErrorKind::UnequalLengths { pos, expected_len, len } => {
                        let start = begin(text, pos.as_ref().map_or(0, csv::Position::byte));
                        let is_last = matches!(reader.read_byte_record(&mut record), Ok(false));
                        let problem = format!(
                            "has {}, and the first line names {}; give every row as many values as there are columns{}",
                            count(*len, "value"),
                            count(*expected_len, "column"),
                            if is_last && never_closed(&text[start..]) {
                                ", and close the quote that is opened here"
                            } else {
                                ""
                            }
                        );
                        place.at(text.as_bytes(), start, problem)
                    }
                    _ => broken(&error),
                });
            }
        }
    }
    if starts.is_empty() {
        return Err(place.whole("has a line of names and no row; give it one row at least"));
    }
    if never_closed(&text[last..]) {
        let problem = "has a quote that is never closed; close it, and write a quote within quotes twice";
        return Err(place.at(text.as_bytes(), last, problem));
    }
    Ok((columns, starts.finished()))
}

fn check_columns(columns: &[String], place: &Place) -> Result<(), FieldError> {
    if columns.is_empty() {
        return Err(place.whole("is empty; give it a line with the columns' names, and rows below"));
    }
    for (at, column) in columns.iter().enumerate() {
        if !column.is_empty() && columns[..at].contains(column) {
            return Err(place.line(1, format!("names the column `{column}` twice; give each its own name")));
        }
    }
    match columns {
        [only] if only.contains([';', '\t']) => {
            Err(place.line(1, "names one column, with a semicolon or a tab in it; separate values by commas"))
        }
        _ => Ok(()),
    }
}

fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// Where a row really begins: what the reader calls its position is the end of the row before.
fn begin(text: &str, position: u64) -> usize {
    let position = usize::try_from(position).unwrap_or(usize::MAX).min(text.len());
    let rest = &text[position..];
    text.len() - rest.trim_start_matches(LINE_ENDS).len()
}

/// Whether a quote is open at the end of the last row: then a further line would belong to it.
fn never_closed(last: &str) -> bool {
    if !last.contains('"') {
        return false;
    }
    let longer = format!("{last}\nx\n");
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(longer.as_bytes());
    let mut record = ByteRecord::new();
    let mut last_is_x = false;
    while let Ok(true) = reader.read_byte_record(&mut record) {
        last_is_x = record.len() == 1 && &record[0] == b"x";
    }
    !last_is_x
}

/// The values of a row, which is known to be one.
pub(super) fn values(row: &str) -> Vec<String> {
    let row = row.trim_matches(LINE_ENDS);
    if !row.contains('"') {
        return row.split(',').map(ToOwned::to_owned).collect();
    }
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(row.len().clamp(64, 1 << 13))
        .from_reader(row.as_bytes());
    let mut record = StringRecord::new();
    // It was read before, so it can be read again.
    let _ = reader.read_record(&mut record);
    record.iter().map(ToOwned::to_owned).collect()
}
