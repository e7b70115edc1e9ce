//! The file's skeleton: a header, then records in frames with checksums.

use std::io::Read;

/// What every results file begins with. The bytes beyond ASCII and the line ends show what a transfer as text has done.
pub const MAGIC: [u8; 8] = *b"\x89FCR\r\n\x1a\n";
/// Raised by a change that older readers would misunderstand.
pub const MAJOR: u16 = 1;
/// Raised by an addition that older readers may skip.
pub const MINOR: u16 = 0;
/// Bytes of the header.
pub(super) const HEADER: usize = 16;
/// Bytes before a payload: its length, its type, and their checksum.
const FRAME_HEAD: usize = 9;
/// A checksum's bytes.
const CHECKSUM: usize = 4;

/// The checksum of the format: CRC-32 as in zip and PNG.
fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    crc32fast::hash(bytes).to_le_bytes()
}

/// The file's first bytes.
pub(super) fn header() -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(&MAGIC);
    header[8..10].copy_from_slice(&MAJOR.to_le_bytes());
    header[10..12].copy_from_slice(&MINOR.to_le_bytes());
    let sum = checksum(&header[..12]);
    header[12..].copy_from_slice(&sum);
    header
}

/// Appends a record. A payload beyond 4 GiB is more than any snapshot can have; it would be refused by the reader.
pub(super) fn append(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    let begin = out.len();
    out.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.push(kind);
    let sum = checksum(&out[begin..]);
    out.extend_from_slice(&sum);
    out.extend_from_slice(payload);
    out.extend_from_slice(&checksum(payload));
}

/// Why a file is not read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system's word.
    #[error("cannot be read ({0})")]
    Io(#[from] std::io::Error),
    /// Something else.
    #[error("is not a results file of `runtime run`; `runtime report --list` lists those that there are")]
    Foreign,
    /// Nothing was written before the end came.
    #[error("holds nothing: the run was ended before its first record was written")]
    Empty,
    /// The beginning is damaged.
    #[error("is damaged in its header (byte {0}), without which the rest cannot be understood")]
    Header(u64),
    /// Another format.
    #[error(
        "is written in version {found} of the format, and this runtime reads version {MAJOR}; use a runtime of that time"
    )]
    Newer {
        /// The file's major version.
        found: u16,
    },
}

/// Where and why the reading of a file ended before its end. Everything before is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where the last good record ends, in bytes from the file's beginning.
    pub offset: u64,
    /// What is wrong there.
    pub kind: DamageKind,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DamageKind {
    /// The file ends within a record of which it has so many bytes: the writer was killed while it wrote, or the disk was full.
    Torn(u64),
    /// A record is not what was written.
    Corrupt(String),
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let offset = self.offset;
        match &self.kind {
            DamageKind::Torn(bytes) => {
                write!(f, "the last record, at byte {offset}, is torn: only {bytes} bytes of it are there")
            }
            DamageKind::Corrupt(reason) => {
                write!(f, "the file is damaged at byte {offset}: {reason}; what follows is not read")
            }
        }
    }
}

/// One record.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub(super) kind: u8,
    pub(super) payload: &'a [u8],
}

/// Reads records one after the other.
#[derive(Debug)]
pub(super) struct Frames<R> {
    input: R,
    /// Where the next record begins.
    offset: u64,
    payload: Vec<u8>,
}

/// Why there is no further record.
#[derive(Debug)]
pub(super) enum Stop {
    Io(std::io::Error),
    Damage(DamageKind),
}

impl<R: Read> Frames<R> {
    /// Reads the header.
    pub(super) fn open(mut input: R) -> Result<Self, ReadError> {
        let mut header = Vec::with_capacity(HEADER);
        input.by_ref().take(HEADER as u64).read_to_end(&mut header)?;
        let magic = &header[..header.len().min(MAGIC.len())];
        if header.is_empty() {
            return Err(ReadError::Empty);
        }
        if magic != &MAGIC[..magic.len()] {
            return Err(ReadError::Foreign);
        }
        if header.len() < HEADER {
            return Err(ReadError::Empty);
        }
        if checksum(&header[..12]) != header[12..] {
            return Err(ReadError::Header(0));
        }
        let found = u16::from_le_bytes([header[8], header[9]]);
        if found != MAJOR {
            return Err(ReadError::Newer { found });
        }
        Ok(Self { input, offset: HEADER as u64, payload: Vec::new() })
    }

    /// Where the next record begins; after an error, where the bad one does.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// The next record; `None` at the file's end.
    pub(super) fn next(&mut self) -> Result<Option<Frame<'_>>, Stop> {
        self.payload.clear();
        self.fill(FRAME_HEAD)?;
        let Some(&[a, b, c, d, kind, ref sum @ ..]) = self.payload.first_chunk::<FRAME_HEAD>() else {
            let bytes = self.payload.len() as u64;
            return if bytes == 0 { Ok(None) } else { Err(Stop::Damage(DamageKind::Torn(bytes))) };
        };
        if checksum(&[a, b, c, d, kind]) != *sum {
            return Err(Stop::Damage(DamageKind::Corrupt(
                "a record's length and type do not fit their checksum".to_owned(),
            )));
        }
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        self.payload.clear();
        self.fill(length.saturating_add(CHECKSUM))?;
        let Some((payload, sum)) = self.payload.split_at_checked(length).filter(|(_, sum)| sum.len() == CHECKSUM)
        else {
            return Err(Stop::Damage(DamageKind::Torn((FRAME_HEAD + self.payload.len()) as u64)));
        };
        if checksum(payload) != sum {
            return Err(Stop::Damage(DamageKind::Corrupt("a record does not fit its checksum".to_owned())));
        }
        Ok(Some(Frame { kind, payload }))
    }

    /// Goes on behind the record that was read last: it was good.
    pub(super) fn accept(&mut self) {
        self.offset += (FRAME_HEAD + self.payload.len()) as u64;
    }

    /// Reads so many bytes, or what there is: a length is not believed before the bytes are there.
    fn fill(&mut self, count: usize) -> Result<(), Stop> {
        self.input.by_ref().take(count as u64).read_to_end(&mut self.payload).map_err(Stop::Io)?;
        Ok(())
    }
}
