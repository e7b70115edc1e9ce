//! Results files: the bytes as they are, and once more with every checksum put right, so that what they protect is read as well.
//! Nothing panics, and what was read can be reported.
#![no_main]

use flashcrowd_runtime::output::{Format, Mode, Rendering};
use flashcrowd_runtime::results;
use flashcrowd_runtime::summary::{Summary, SummarySettings};
use libfuzzer_sys::fuzz_target;

/// Of the header: magic number and version, then their checksum.
const HEADER: usize = 12;
/// Of a record: its length and its type, then their checksum.
const RECORD: usize = 5;
const CHECKSUM: usize = 4;

fuzz_target!(|bytes: &[u8]| {
    look_at(bytes);
    let mended = mend(bytes);
    if mended != bytes {
        look_at(&mended);
    }
});

/// Reads a file as `runtime report` does, and writes every report of it.
fn look_at(bytes: &[u8]) {
    let overview = results::overview(bytes);
    let Ok(recording) = results::read(bytes) else { return };
    assert_eq!(overview.expect("what is read has an overview").run, recording.run);
    assert!(recording.damage.as_ref().is_none_or(|damage| damage.offset <= bytes.len() as u64));
    let _ = recording.damage.as_ref().map(ToString::to_string);

    let Ok(thresholds) = recording.run.thresholds() else { return };
    for mode in [Mode::Compact, Mode::Full] {
        let settings = SummarySettings { full: mode == Mode::Full, ..SummarySettings::default() };
        let info = recording.info(mode == Mode::Full);
        let summary = Summary::new(recording.totals(), &thresholds, recording.windows(), info, &settings);
        for format in Format::ALL {
            format.render(&summary, &Rendering { mode, time_unit: None, colour: true });
        }
    }
}

fn mend(bytes: &[u8]) -> Vec<u8> {
    let mut mended = bytes.to_vec();
    if mended.len() < HEADER + CHECKSUM {
        return mended;
    }
    sum(&mut mended, 0, HEADER);
    let mut at = HEADER + CHECKSUM;
    while mended.len() >= at + RECORD + CHECKSUM {
        sum(&mut mended, at, RECORD);
        let length = u32::from_le_bytes([mended[at], mended[at + 1], mended[at + 2], mended[at + 3]]) as usize;
        let payload = at + RECORD + CHECKSUM;
        let Some(end) = payload.checked_add(length).filter(|end| end + CHECKSUM <= mended.len()) else { break };
        sum(&mut mended, payload, length);
        at = end + CHECKSUM;
    }
    mended
}

/// Puts the checksum behind the bytes that it is of.
fn sum(file: &mut [u8], at: usize, length: usize) {
    let sum = crc32fast::hash(&file[at..at + length]).to_le_bytes();
    file[at + length..at + length + CHECKSUM].copy_from_slice(&sum);
}
