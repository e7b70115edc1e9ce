//! Answers of HTTP/1.1 servers: bytes in pieces. Nothing panics, nothing is held beyond what came, and how the bytes were cut makes no
//! difference.
#![no_main]

use flashcrowd_runtime::fuzzing::{Answer, answer};
use libfuzzer_sys::fuzz_target;

// The first byte says what is wanted of the answer, the second how it is cut.
fuzz_target!(|bytes: &[u8]| {
    let [wants, cut, bytes @ ..] = bytes else { return };
    let whole = look_at(*wants, &[bytes]);
    for size in [usize::from(*cut) + 1, 1] {
        let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
        assert_eq!(look_at(*wants, &pieces), whole, "in pieces of {size}");
    }
});

/// What is wrong may be noticed in other words; what is right may not.
fn look_at(wants: u8, pieces: &[&[u8]]) -> Option<Answer> {
    let (to_head, discard) = (wants & 1 != 0, wants & 2 != 0);
    let max_body_bytes = if wants & 4 != 0 { 16 } else { 1 << 20 };
    let came: usize = pieces.iter().map(|piece| piece.len()).sum();
    let answer = answer(pieces, to_head, discard, max_body_bytes).ok()?;
    assert!(answer.head_bytes + answer.body.len() <= came);
    assert!(answer.body.len() <= max_body_bytes);
    Some(answer)
}
