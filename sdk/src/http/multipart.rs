//! Bodies of several pieces: forms with files.

use std::borrow::Cow;

use crate::host::http as host;
use crate::text::{Bytes, Text};

/// A piece of a body.
#[derive(Clone, Debug)]
pub(super) enum Piece<'a> {
    Bytes(Cow<'a, [u8]>),
    /// By the name under which it was granted.
    File(Cow<'a, str>),
}

/// Puts a body together on the runtime's side.
#[track_caller]
pub(super) fn assemble(pieces: &[Piece<'_>]) -> host::Body {
    let body = host::Body::new();
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) => body.add_bytes(bytes),
            Piece::File(name) => body.add_file(name).unwrap_or_else(|error| panic!("{error}")),
        }
    }
    body
}

/// Begins a form that can have files in it (`multipart/form-data`), for [`Request::multipart`](super::Request::multipart).
///
/// ```no_run
/// use flashcrowd::prelude::*;
///
/// // runtime run … --file photo=pictures/cat.jpg
/// let form = http::multipart()
///     .text("title", "My cat")
///     .bytes("notes", "notes.txt", "text/plain", b"grey, fluffy")
///     .file("picture", "photo", "cat.jpg", "image/jpeg");
/// http::post("https://shop.test/uploads").multipart(form).send();
/// ```
pub fn multipart<'a>() -> Multipart<'a> {
    Multipart { boundary: boundary(), pieces: Vec::new() }
}

/// A form that can have files in it, from [`multipart`].
#[derive(Clone, Debug)]
#[must_use = "a form does nothing until it is sent"]
pub struct Multipart<'a> {
    boundary: String,
    pieces: Vec<Piece<'a>>,
}

impl<'a> Multipart<'a> {
    /// Adds a field.
    pub fn text<'b>(self, name: &str, value: impl Text<'b>) -> Self {
        let value = value.into_text().into_owned().into_bytes();
        self.part(name, "", Piece::Bytes(Cow::Owned(value)))
    }

    /// Adds a file of these bytes: the field's name, the file's name, its type, and what is in it.
    pub fn bytes(self, name: &str, file_name: &str, content_type: &str, bytes: impl Bytes<'a>) -> Self {
        self.part(name, &described(file_name, content_type), Piece::Bytes(bytes.into_bytes()))
    }

    /// Adds a file that was granted by `--file GRANTED=PATH`: the field's name, the name under which it was granted, the name that
    /// the server sees, and its type. It is read once for all virtual users and never copied into one of them.
    pub fn file(self, name: &str, granted: impl Into<Cow<'a, str>>, file_name: &str, content_type: &str) -> Self {
        self.part(name, &described(file_name, content_type), Piece::File(granted.into()))
    }

    fn part(mut self, name: &str, more: &str, content: Piece<'a>) -> Self {
        let lead = if self.pieces.is_empty() { "" } else { "\r\n" };
        let head = format!(
            "{lead}--{}\r\nContent-Disposition: form-data; name=\"{}\"{more}\r\n\r\n",
            self.boundary,
            escaped(name)
        );
        self.pieces.push(Piece::Bytes(Cow::Owned(head.into_bytes())));
        self.pieces.push(content);
        self
    }

    /// The pieces of the whole body, and its type.
    pub(super) fn finish(mut self) -> (Vec<Piece<'a>>, String) {
        let lead = if self.pieces.is_empty() { "" } else { "\r\n" };
        self.pieces.push(Piece::Bytes(Cow::Owned(format!("{lead}--{}--\r\n", self.boundary).into_bytes())));
        (self.pieces, format!("multipart/form-data; boundary={}", self.boundary))
    }
}

fn described(file_name: &str, content_type: &str) -> String {
    let content_type: String = content_type.chars().filter(|c| !c.is_control()).collect();
    format!("; filename=\"{}\"\r\nContent-Type: {content_type}", escaped(file_name))
}

/// As browsers do (the HTML standard, multipart/form-data encoding algorithm).
fn escaped(name: &str) -> String {
    name.replace('\r', "%0D").replace('\n', "%0A").replace('"', "%22")
}

/// Nothing that a file may have in it by chance.
fn boundary() -> String {
    use crate::host::random::next_u64;
    format!("flashcrowd-{:016x}{:016x}", next_u64(), next_u64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_written_as_browsers_do() {
        let form = multipart().text("a", 1).bytes("b\"\r\n", "b.txt", "text/plain", b"bytes").file(
            "c",
            "granted",
            "c.bin",
            "application/octet-stream",
        );
        let boundary = form.boundary.clone();
        let (pieces, content_type) = form.finish();
        assert_eq!(content_type, format!("multipart/form-data; boundary={boundary}"));
        let text: String = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Piece::File(name) => format!("<{name}>"),
            })
            .collect();
        let expected = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"b%22%0D%0A\"; filename=\"b.txt\"\r\nContent-Type: text/plain\r\n\r\nbytes\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"c\"; filename=\"c.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n<granted>\r\n\
             --{boundary}--\r\n"
        );
        assert_eq!(text, expected);
    }
}
