//! One answer, in pieces as they come from a socket.

use bytes::Bytes;

use super::body::Body;
use super::head::{self, Head, not_http};
use crate::http::failure::{ErrorCode, Failure};

/// A longer head is no honest answer.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Announced bodies get so much room at once, and more as it comes: the announcement alone costs nothing.
const FIRST_ROOM_BYTES: u64 = 64 * 1024;
/// Informational answers before the final one.
pub(crate) const MAX_INFORMATIONAL: u32 = 100;

/// What the reader of an answer wants of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wants {
    /// The request was a HEAD: whatever the head says, no body follows.
    pub(crate) to_head: bool,
    /// The body is counted and thrown away.
    pub(crate) discard: bool,
    /// A longer body is a failure.
    pub(crate) max_body_bytes: usize,
}

/// Reads one answer.
#[derive(Debug)]
pub(crate) struct Decoder {
    wants: Wants,
    /// The beginning of a head whose end has not come yet.
    pending: Vec<u8>,
    informational: u32,
    /// One of them was `100 Continue`.
    continued: bool,
    /// Whoever reads takes the body of a success away as it comes.
    streamed: bool,
    answer: Option<Answer>,
    over: bool,
}

/// An answer, as far as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) protocol: &'static str,
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
    /// Whether another request may follow on the connection.
    pub(crate) keep: bool,
    left: Body,
}

impl Answer {
    /// The body, without another copy.
    pub(crate) fn take_body(&mut self) -> Bytes {
        Bytes::from(std::mem::take(&mut self.body))
    }
}

impl Decoder {
    pub(crate) const fn new(wants: Wants) -> Self {
        Self {
            wants,
            pending: Vec::new(),
            informational: 0,
            continued: false,
            streamed: false,
            answer: None,
            over: false,
        }
    }

    /// The body of a success is taken piece by piece, so that it has no limit: it ends when it ends.
    pub(crate) const fn streamed(mut self, streamed: bool) -> Self {
        self.streamed = streamed;
        self
    }

    /// Whether the body that comes is taken piece by piece.
    pub(crate) fn is_streaming(&self) -> bool {
        self.streamed && self.answer.as_ref().is_some_and(|answer| is_success(answer.status))
    }

    /// Whether the peer wants the body of the request that asked.
    pub(crate) const fn is_continued(&self) -> bool {
        self.continued
    }

    /// Whether the head of the answer is there.
    pub(crate) const fn is_answered(&self) -> bool {
        self.answer.is_some()
    }

    /// Whether there are bytes of the body that nobody took.
    pub(crate) fn has_piece(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| !answer.body.is_empty())
    }

    /// Whether the answer is complete.
    pub(crate) const fn is_over(&self) -> bool {
        self.over
    }

    /// The answer as far as it came.
    pub(crate) const fn answer(&mut self) -> Option<&mut Answer> {
        self.answer.as_mut()
    }

    /// Takes bytes from the connection.
    ///
    /// # Errors
    /// When they are no HTTP, or the body is longer than wanted.
    pub(crate) fn feed(&mut self, mut input: &[u8]) -> Result<(), Failure> {
        while !self.over && !input.is_empty() {
            let used = if self.answer.is_some() { self.feed_body(input)? } else { self.feed_head(input)? };
            input = &input[used..];
        }
        if let Some(answer) = self.answer.as_mut().filter(|_| !input.is_empty()) {
            // More than was asked for: whose answer would it be?
            answer.keep = false;
        }
        Ok(())
    }

    /// The peer will send no more.
    ///
    /// # Errors
    /// When the answer is not complete.
    pub(crate) fn end_of_stream(&mut self) -> Result<(), Failure> {
        if let Some(answer) = &self.answer
            && matches!(answer.left, Body::UntilClose)
        {
            self.over = true;
        }
        if self.over { Ok(()) } else { Err(closed_early()) }
    }

    fn feed_head(&mut self, input: &[u8]) -> Result<usize, Failure> {
        // A head mostly comes in one piece, which is parsed where it lies.
        let before = self.pending.len();
        let bytes = if before == 0 {
            input
        } else {
            self.pending.extend_from_slice(input);
            &self.pending
        };
        let parsed = head::parse(bytes, self.wants.to_head)?;
        // The same limit however the head comes: in pieces, it may be complete only with the one that is beyond.
        if parsed.as_ref().map_or(bytes.len(), |parsed| parsed.bytes) > MAX_HEAD_BYTES {
            return Err(not_http(format_args!("a head of more than {MAX_HEAD_BYTES} bytes")));
        }
        let Some(parsed) = parsed else {
            if before == 0 {
                self.pending.extend_from_slice(input);
            }
            return Ok(input.len());
        };
        let used = parsed.bytes - before;
        if (100..=199).contains(&parsed.status) && parsed.status != 101 {
            self.informational += 1;
            self.continued |= parsed.status == 100;
            if self.informational > MAX_INFORMATIONAL {
                return Err(not_http("informational answers without end"));
            }
        } else {
            self.over = matches!(parsed.body, Body::Nothing);
            if self.streamed && is_success(parsed.status) {
                self.wants = Wants { discard: false, max_body_bytes: usize::MAX, ..self.wants };
            }
            let announced = parsed.body.announced();
            let room = if self.wants.discard { 0 } else { announced.min(FIRST_ROOM_BYTES) };
            self.answer = Some(Answer {
                status: parsed.status,
                protocol: parsed.protocol,
                head: Head::new(&bytes[..parsed.bytes], parsed.notes),
                body: Vec::with_capacity(usize::try_from(room).unwrap_or(0)),
                keep: parsed.keep,
                left: parsed.body,
            });
            if !self.wants.discard && announced > self.wants.max_body_bytes as u64 {
                return Err(too_long(self.wants.max_body_bytes));
            }
        }
        self.pending = Vec::new();
        Ok(used)
    }

    fn feed_body(&mut self, input: &[u8]) -> Result<usize, Failure> {
        let Some(Answer { body, left, .. }) = &mut self.answer else { return Ok(input.len()) };
        let Wants { discard, max_body_bytes, .. } = self.wants;
        let progress = left.feed(input, &mut |bytes| {
            if discard {
                return Ok(());
            }
            if body.len() + bytes.len() > max_body_bytes {
                return Err(too_long(max_body_bytes));
            }
            body.extend_from_slice(bytes);
            Ok(())
        })?;
        self.over = progress.over;
        Ok(progress.used)
    }
}

const fn is_success(status: u16) -> bool {
    matches!(status, 200..=299)
}

pub(crate) fn too_long(max_body_bytes: usize) -> Failure {
    Failure::new(
        ErrorCode::OTHER,
        "body too long",
        format_args!("over {max_body_bytes} bytes; set discardResponseBodies, or raise --memory-limit"),
    )
}

pub(crate) fn closed_early() -> Failure {
    Failure::new(ErrorCode::RESET_BY_PEER, "connection closed by peer", "it was closed before the answer was complete")
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
