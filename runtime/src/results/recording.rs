//! A whole file as what it adds up to.

use std::io::Read;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::bytes::{Decoder, Malformed};
use super::decode::{self, Books, Messages};
use super::encode::Moment;
use super::frame::{Damage, DamageKind, Frames, ReadError, Stop};
use super::record::{End, Event, RunRecord, What, kind};
use crate::metrics::Totals;
use crate::summary::RunInfo;
use crate::threshold::Windows;

/// Memory that any file may take, beside [`BYTES_PER_BYTE`] of its own.
const FREE_BYTES: u64 = 64 << 20;
/// Memory that each byte of a file may take. Files of real runs stay below: three bytes may stand for the first value in
/// a part of a histogram, which is 1 KiB, but those of the same part follow.
const BYTES_PER_BYTE: u64 = 128;

/// What was recorded of a run.
#[derive(Debug)]
pub struct Recording {
    /// What was run.
    pub run: RunRecord,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// When the last snapshot was taken; `None` without any.
    pub moment: Option<Moment>,
    /// How the run ended; `None` if it was cut off, or is still going on.
    pub end: Option<End>,
    /// Why the reading ended before the file did, if so.
    pub damage: Option<Damage>,
    /// Records of types that this version does not know.
    pub skipped: u64,
    books: Books,
}

/// The least that is to be known of a run.
#[derive(Debug)]
pub struct Overview {
    /// What was run.
    pub run: RunRecord,
    /// When the last snapshot was taken.
    pub moment: Option<Moment>,
    /// How the run ended.
    pub end: Option<End>,
}

/// Reads a results file. However the bytes are, this neither panics nor takes more memory than 64 MiB and 128 bytes for each
/// of theirs.
///
/// # Errors
/// When the file cannot be read at all: not even what was run is known. What is wrong further on is in
/// [`Recording::damage`], and everything before it is there.
pub fn read(input: impl Read) -> Result<Recording, ReadError> {
    let (mut frames, run) = open(input)?;
    let mut recording = Recording {
        // What no run can have is told when thresholds are judged.
        books: Books::new(run.max_series, &run.thresholds().unwrap_or_default()),
        run,
        events: Vec::new(),
        moment: None,
        end: None,
        damage: None,
        skipped: 0,
    };
    recording.damage = walk(&mut frames, |kind, payload, offset| recording.take_in(kind, payload, offset))?;
    recording.moment = recording.books.moment;
    recording.books.finish();
    Ok(recording)
}

/// Reads what there is to say of a results file in a list.
///
/// # Errors
/// As [`read`].
pub fn overview(input: impl Read) -> Result<Overview, ReadError> {
    let (mut frames, run) = open(input)?;
    let (mut moment, mut end) = (None, None);
    walk(&mut frames, |kind, payload, _| {
        match kind {
            kind::SNAPSHOT => moment = Some(decode::moment(&mut Decoder::new(payload))?),
            kind::END => end = Some(json(payload)?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(Overview { run, moment, end })
}

/// The header, and the record of what was run.
fn open<R: Read>(input: R) -> Result<(Frames<R>, RunRecord), ReadError> {
    let mut frames = Frames::open(input)?;
    let offset = frames.offset();
    let run = match frames.next() {
        Ok(Some(frame)) if frame.kind == kind::RUN => json(frame.payload).map_err(|_| ReadError::Header(offset))?,
        Ok(None) | Err(Stop::Damage(DamageKind::Torn(_))) => return Err(ReadError::Empty),
        Err(Stop::Io(error)) => return Err(error.into()),
        Ok(Some(_)) | Err(Stop::Damage(_)) => return Err(ReadError::Header(offset)),
    };
    frames.accept();
    Ok((frames, run))
}

/// Hands every further record to `each`, up to the first that is not good, which is told.
fn walk<R: Read>(
    frames: &mut Frames<R>,
    mut each: impl FnMut(u8, &[u8], u64) -> Result<(), Malformed>,
) -> Result<Option<Damage>, ReadError> {
    let mut ended = false;
    let damage = loop {
        let offset = frames.offset();
        match frames.next() {
            Ok(None) => return Ok(None),
            Ok(Some(_)) if ended => break DamageKind::Corrupt("a record follows the end of the run".to_owned()),
            Ok(Some(frame)) => {
                ended = frame.kind == kind::END;
                if let Err(reason) = each(frame.kind, frame.payload, offset) {
                    break DamageKind::Corrupt(reason.into_owned());
                }
            }
            Err(Stop::Io(error)) => return Err(error.into()),
            Err(Stop::Damage(kind)) => break kind,
        }
        frames.accept();
    };
    Ok(Some(Damage { offset: frames.offset(), kind: damage }))
}

fn json<T: DeserializeOwned>(payload: &[u8]) -> Result<T, Malformed> {
    serde_json::from_slice(payload).map_err(|error| error.to_string().into())
}

impl Recording {
    fn take_in(&mut self, kind: u8, payload: &[u8], offset: u64) -> Result<(), Malformed> {
        let read = offset.saturating_add(payload.len() as u64);
        self.books.most_bytes = read.saturating_mul(BYTES_PER_BYTE).saturating_add(FREE_BYTES);
        match kind {
            kind::DEFINITIONS => self.books.definitions(payload)?,
            kind::SNAPSHOT => self.books.snapshot(payload)?,
            kind::EVENT => self.events.push(json(payload)?),
            kind::END => self.end = Some(json(payload)?),
            kind::RUN => return Err("a second run begins in this file".into()),
            _ => self.skipped += 1,
        }
        Ok(())
    }

    /// Everything that was measured.
    #[must_use]
    pub const fn totals(&self) -> &Totals {
        self.books.replay.totals()
    }

    /// What thresholds with a window came to.
    #[must_use]
    pub const fn windows(&self) -> &Windows {
        &self.books.windows
    }

    /// About how many bytes of memory that takes.
    #[cfg(test)]
    pub(super) const fn books_bytes(&self) -> u64 {
        self.books.replay.heap_bytes()
    }

    /// How long the load lasted, as far as it was recorded.
    #[must_use]
    pub fn duration(&self) -> Duration {
        match &self.end {
            Some(end) => Duration::from_nanos(end.duration_ns),
            None => Duration::from_micros(self.moment.map_or(0, |moment| moment.load_us)),
        }
    }

    /// What the summary says of the run beside its metrics. Of a run that has no end, it says that it is `going_on`, or that it
    /// was cut off.
    #[must_use]
    pub fn info(&self, going_on: bool) -> RunInfo {
        let [iteration_errors, refused_hosts, warnings]: [Messages; 3] = self.books.messages.clone();
        let mut info = RunInfo {
            name: self.run.name(),
            duration: self.duration(),
            scenarios: self.run.scenarios.clone(),
            seed: self.run.seed,
            iteration_errors,
            refused_hosts,
            warnings,
            ..RunInfo::default()
        };
        if let Some(end) = &self.end {
            info.interrupted_iterations = end.interrupted_iterations;
            info.dropped_log_lines = end.dropped_log_lines;
            info.stopped_early.clone_from(&end.stopped_early);
            info.aborted_by_threshold = end.aborted_by_threshold;
            info.marked_failed.clone_from(&end.marked_failed);
            info.starts.clone_from(&end.starts);
            return info;
        }
        let moment = self.moment.unwrap_or_default();
        info.interrupted_iterations = moment.interrupted_iterations;
        info.dropped_log_lines = moment.dropped_log_lines;
        let mut stopped = if going_on { "the run is still going on" } else { "the run was cut off" }.to_owned();
        for event in &self.events {
            match &event.what {
                What::Stopping { reason, by_threshold } => {
                    stopped = format!("{reason}; {stopped}");
                    info.aborted_by_threshold = *by_threshold;
                }
                What::Failed(reason) => info.marked_failed = Some(reason.clone()),
                What::Stage(_) => {}
            }
        }
        info.stopped_early = Some(stopped);
        info
    }
}
