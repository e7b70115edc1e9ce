//! Appends records to a file.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::encode::{Known, Moment};
use super::frame;
use super::place::lock;
use super::record::{End, Event, RunRecord, kind};
use crate::metrics::{Totals, Window};
use crate::problems::Problems;

/// Room that the buffer keeps between snapshots, in bytes.
const KEPT_BUFFER: usize = 1 << 20;

/// Writes one run's results: each snapshot in one call of the system, which keeps what it was given when this process is
/// killed. After a failed write nothing more is written, so that a file is never continued behind a gap.
#[derive(Debug)]
pub struct Writer {
    file: File,
    path: PathBuf,
    known: Known,
    buffer: Vec<u8>,
    failed: bool,
    /// Whether there was no such file before.
    new: bool,
}

impl Writer {
    /// On a file that is open for writing, and empty or nobody's.
    #[must_use]
    pub fn new(path: PathBuf, file: File) -> Self {
        Self { file, path, known: Known::default(), buffer: Vec::new(), failed: false, new: true }
    }

    /// On a file that the person named. What it holds stays until [`begin`](Self::begin).
    ///
    /// # Errors
    /// The system's; another run that is writing the file.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        let new = !path.exists();
        let file = File::options().write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        if file.metadata()?.is_file() {
            lock(&file)?;
        }
        Ok(Self { new, ..Self::new(path, file) })
    }

    /// Nothing is to be recorded: no empty file is left behind where there was none.
    pub fn discard(self) {
        if self.new {
            let _ = std::fs::remove_file(&self.path);
        }
    }

    /// Where the results are.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Empties the file and writes what is run.
    ///
    /// # Errors
    /// The system's, here and below.
    pub fn begin(&mut self, run: &RunRecord) -> io::Result<()> {
        let emptied = self.file.metadata().and_then(|data| if data.is_file() { self.file.set_len(0) } else { Ok(()) });
        self.failed = emptied.is_err();
        emptied?;
        self.buffer.extend_from_slice(&frame::header());
        self.json(kind::RUN, run);
        self.flush()
    }

    /// Notes that something happened.
    ///
    /// # Errors
    /// The system's.
    pub fn event(&mut self, event: &Event) -> io::Result<()> {
        self.json(kind::EVENT, event);
        self.flush()
    }

    /// Appends what the last collection brought.
    ///
    /// # Errors
    /// The system's.
    pub fn snapshot(
        &mut self,
        moment: Moment,
        totals: &Totals,
        window: &Window,
        problems: &Problems,
    ) -> io::Result<()> {
        self.known.snapshot(&mut self.buffer, moment, totals, window, problems);
        self.flush()
    }

    /// Ends the file, and waits until it is on the disk.
    ///
    /// # Errors
    /// The system's.
    pub fn end(mut self, end: &End) -> io::Result<()> {
        self.json(kind::END, end);
        self.flush()?;
        // A pipe or a device has no disk.
        if self.file.metadata()?.is_file() { self.file.sync_all() } else { Ok(()) }
    }

    fn json(&mut self, kind: u8, record: &impl Serialize) {
        // Plain data with texts for keys always becomes JSON.
        let payload = serde_json::to_vec(record).unwrap_or_default();
        frame::append(&mut self.buffer, kind, &payload);
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = if self.failed { Ok(()) } else { self.file.write_all(&self.buffer) };
        self.failed |= written.is_err();
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_BUFFER);
        written
    }
}
