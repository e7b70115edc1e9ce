//! Messages on a stream: a flag, a length, and the bytes.

use std::sync::Arc;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use tokio::sync::Semaphore;

use super::status::{Code, Status};
use crate::http::{self, Coding};
use crate::websocket::Budget;

const HEAD_BYTES: usize = 5;

/// A message as it is sent. It is compressed when it is its turn by `coding`.
///
/// # Errors
/// When it would be longer compressed than messages may be.
pub(super) async fn encode(message: Bytes, gzip: bool, most: usize, coding: &Semaphore) -> Result<Bytes, Status> {
    if !gzip {
        return Ok(framed(&message, false));
    }
    let _turn = coding.acquire().await;
    let encoded = http::encode(&[Coding::Gzip], &message.into(), most).await;
    let encoded = encoded.map_err(|failure| Status::failed(Code::RESOURCE_EXHAUSTED, failure))?;
    Ok(framed(&encoded.pieces().concat(), true))
}

/// A message in its frame.
pub(super) fn framed(message: &[u8], compressed: bool) -> Bytes {
    let mut framed = BytesMut::with_capacity(HEAD_BYTES + message.len());
    framed.put_u8(u8::from(compressed));
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(message);
    framed.freeze()
}

/// Takes messages out of what is received.
#[derive(Debug)]
pub(super) struct Decoder {
    buffer: BytesMut,
    max_bytes: usize,
    /// `grpc-encoding` is gzip.
    pub(super) gzip: bool,
    budget: Budget,
    taken: usize,
    /// Messages that are decompressed at once.
    coding: Arc<Semaphore>,
}

impl Decoder {
    pub(super) fn new(max_bytes: usize, budget: Budget, coding: Arc<Semaphore>) -> Self {
        Self { buffer: BytesMut::new(), max_bytes, gzip: false, budget, taken: 0, coding }
    }

    /// Takes in bytes.
    ///
    /// # Errors
    /// When they are more than this virtual user may hold.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Status> {
        if !self.budget.take(bytes.len()) {
            let detail = "what the server sends takes more than this virtual user's memory limit (--memory-limit)";
            return Err(Status::own(Code::RESOURCE_EXHAUSTED, "message too long", detail));
        }
        self.taken += bytes.len();
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// The next whole message.
    ///
    /// # Errors
    /// When it is too long, or cannot be read.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        let Some(head) = self.buffer.first_chunk::<HEAD_BYTES>() else { return Ok(None) };
        let [flag, length @ ..] = *head;
        let length = u32::from_be_bytes(length) as usize;
        if length > self.max_bytes {
            return Err(self.too_long(format_args!("{length} bytes")));
        }
        if flag > 1 {
            let detail = format_args!("a message begins with {flag}, which is neither 0 nor 1");
            return Err(Status::own(Code::INTERNAL, "invalid gRPC message", detail));
        }
        if flag == 1 && !self.gzip {
            let detail = "a message is compressed, and the server did not say how";
            return Err(Status::own(Code::INTERNAL, "invalid gRPC message", detail));
        }
        if self.buffer.len() < HEAD_BYTES + length {
            return Ok(None);
        }
        self.buffer.advance(HEAD_BYTES);
        let message = self.buffer.split_to(length).freeze();
        // What is compressed is held until it no longer is, however long it waits for its turn.
        let message = if flag == 1 { self.decompress(message).await } else { Ok(message) };
        self.budget.give_back(HEAD_BYTES + length);
        self.taken -= HEAD_BYTES + length;
        message.map(Some)
    }

    /// Whether the stream may end here.
    pub(super) fn is_at_rest(&self) -> bool {
        self.buffer.is_empty()
    }

    async fn decompress(&self, message: Bytes) -> Result<Bytes, Status> {
        let _turn = self.coding.acquire().await;
        http::decode(&[Coding::Gzip], message, self.max_bytes).await.map_err(|failure| match failure.tag {
            "decompressed body too long" => self.too_long("what is compressed"),
            _ => Status::own(Code::INTERNAL, "invalid gRPC message", failure.text),
        })
    }

    fn too_long(&self, what: impl std::fmt::Display) -> Status {
        let detail = format_args!("{what}; {} bytes is the most that is taken", self.max_bytes);
        Status::own(Code::RESOURCE_EXHAUSTED, "message too long", detail)
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        self.budget.give_back(self.taken);
    }
}
