//! A request's body.

use std::sync::Arc;

use bytes::Bytes;

/// A body in one piece, or in several that are sent one after the other. Cloning it copies no bytes.
#[derive(Debug, Clone)]
pub enum Payload {
    /// One piece.
    One(Bytes),
    /// Several: what is shared, such as a file that was granted, is not copied for a request.
    Pieces(Arc<[Bytes]>),
}

impl Payload {
    /// The pieces, in order.
    #[must_use]
    pub fn pieces(&self) -> &[Bytes] {
        match self {
            Self::One(bytes) => std::slice::from_ref(bytes),
            Self::Pieces(pieces) => pieces,
        }
    }

    /// Bytes in all.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::One(bytes) => bytes.len(),
            Self::Pieces(pieces) => pieces.iter().map(Bytes::len).sum(),
        }
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::One(bytes.into())
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self::One(bytes)
    }
}
