//! The body of an answer, whatever its framing.

use super::head::not_http;
use crate::http::failure::Failure;

/// A line of a chunked body: a size with its extensions, or a trailer. What is longer is no honest answer.
const MAX_LINE_BYTES: u32 = 16 * 1024;

/// What is still to come of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// There is none.
    Nothing,
    /// So many bytes.
    Left(u64),
    /// RFC 9112, 7.1.
    Chunked(Chunk),
    /// Until the peer closes the connection.
    UntilClose,
}

/// Where in a chunked body the reader stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// In a size: its value so far, and whether it has a digit.
    Size {
        size: u64,
        digits: bool,
        line: u32,
    },
    /// Behind a size, in its extensions.
    Extension {
        size: u64,
        line: u32,
    },
    /// Before the line feed that ends the line of a size.
    SizeEnd {
        size: u64,
    },
    /// In a chunk's bytes.
    Data {
        left: u64,
    },
    /// Behind them, before CR, and before LF.
    DataEnd,
    DataEndLf,
    /// At the beginning of a line of the trailer, within one, before the LF that ends everything.
    Trailer {
        line: u32,
    },
    TrailerLine {
        line: u32,
    },
    End,
}

/// What came of some input.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// Bytes used.
    pub(super) used: usize,
    /// Nothing more comes.
    pub(super) over: bool,
}

impl Body {
    pub(super) const fn of_length(length: u64) -> Self {
        if length == 0 { Self::Nothing } else { Self::Left(length) }
    }

    pub(super) const fn chunked() -> Self {
        Self::Chunked(Chunk::Size { size: 0, digits: false, line: 0 })
    }

    /// Bytes that the body will have, as far as it says.
    pub(super) const fn announced(&self) -> u64 {
        match self {
            Self::Left(left) => *left,
            _ => 0,
        }
    }

    /// Takes what belongs to the body from the input and hands its bytes to `sink`.
    ///
    /// # Errors
    /// When the framing is broken, or `sink` wants no more.
    pub(super) fn feed(
        &mut self,
        input: &[u8],
        sink: &mut impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<Progress, Failure> {
        match self {
            Self::Nothing => Ok(Progress { used: 0, over: true }),
            Self::UntilClose => {
                sink(input)?;
                Ok(Progress { used: input.len(), over: false })
            }
            Self::Left(left) => {
                let used = within(*left, input.len());
                sink(&input[..used])?;
                *left -= used as u64;
                Ok(Progress { used, over: *left == 0 })
            }
            Self::Chunked(chunk) => {
                let mut used = 0;
                while used < input.len() {
                    if let Chunk::Data { left } = chunk {
                        let data = within(*left, input.len() - used);
                        sink(&input[used..used + data])?;
                        used += data;
                        *left -= data as u64;
                        if *left == 0 {
                            *chunk = Chunk::DataEnd;
                        }
                        continue;
                    }
                    let over = chunk.step(input[used])?;
                    used += 1;
                    if over {
                        return Ok(Progress { used, over: true });
                    }
                }
                Ok(Progress { used, over: false })
            }
        }
    }
}

impl Chunk {
    /// Takes one byte outside of a chunk's data; whether the body is over.
    fn step(&mut self, byte: u8) -> Result<bool, Failure> {
        let broken = || not_http("a broken chunk");
        *self = match (&*self, byte) {
            (Self::Size { size, line, .. }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                let size = size.checked_mul(16).and_then(|size| size.checked_add(digit)).ok_or_else(broken)?;
                Self::Size { size, digits: true, line: longer(*line)? }
            }
            (Self::Size { size, digits: true, .. }, b'\r') | (Self::Extension { size, .. }, b'\r') => {
                Self::SizeEnd { size: *size }
            }
            (Self::Size { size, digits: true, line }, b';' | b' ' | b'\t') => {
                Self::Extension { size: *size, line: longer(*line)? }
            }
            (Self::Extension { size, line }, byte) if byte != b'\n' => {
                Self::Extension { size: *size, line: longer(*line)? }
            }
            (Self::SizeEnd { size: 0 }, b'\n') => Self::Trailer { line: 0 },
            (Self::SizeEnd { size }, b'\n') => Self::Data { left: *size },
            (Self::DataEnd, b'\r') => Self::DataEndLf,
            (Self::DataEndLf, b'\n') => Self::Size { size: 0, digits: false, line: 0 },
            (Self::Trailer { .. }, b'\r') => Self::End,
            (Self::Trailer { line } | Self::TrailerLine { line }, byte) if byte != b'\n' => {
                Self::TrailerLine { line: longer(*line)? }
            }
            // The lines of a trailer are counted together.
            (Self::TrailerLine { line }, b'\n') => Self::Trailer { line: *line },
            (Self::End, b'\n') => return Ok(true),
            _ => return Err(broken()),
        };
        Ok(false)
    }
}

fn longer(line: u32) -> Result<u32, Failure> {
    if line >= MAX_LINE_BYTES { Err(not_http("an endless line in a chunked body")) } else { Ok(line + 1) }
}

fn within(left: u64, available: usize) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX).min(available)
}
