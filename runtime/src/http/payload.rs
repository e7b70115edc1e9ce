//! A request's body.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;

/// The longest chunk of a body that is sent in chunks.
const MAX_CHUNK_BYTES: usize = 64 * 1024;

/// What the head of a request says about its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// There is none.
    None,
    /// So many bytes.
    Known(usize),
    /// Nothing: its end is seen when it is there.
    Chunked,
}

impl Length {
    /// What is said of it: nothing that goes without saying. A method that means a body says so when it has none (RFC 9110, 8.6).
    #[inline]
    pub(crate) fn announced(self, method: &Method) -> Self {
        match self {
            Self::None | Self::Known(0) => {
                let expects_body = matches!(*method, Method::POST | Method::PUT | Method::PATCH);
                if expects_body { Self::Known(0) } else { Self::None }
            }
            known => known,
        }
    }
}

impl From<Option<usize>> for Length {
    fn from(length: Option<usize>) -> Self {
        length.map_or(Self::None, Self::Known)
    }
}

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

    /// The body as it goes out in chunks (RFC 9112, 7.1): each piece one, or several if it is long.
    #[must_use]
    pub(crate) fn in_chunks(&self) -> Self {
        let mut framed = Vec::new();
        // The line end behind a chunk's bytes goes out with the next one's size.
        let mut end_of_last = "";
        for piece in self.pieces() {
            let mut rest = piece.clone();
            while !rest.is_empty() {
                let chunk = rest.split_to(rest.len().min(MAX_CHUNK_BYTES));
                framed.push(format!("{end_of_last}{:x}\r\n", chunk.len()).into());
                framed.push(chunk);
                end_of_last = "\r\n";
            }
        }
        framed.push(format!("{end_of_last}0\r\n\r\n").into());
        Self::Pieces(framed.into())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_in_chunks_is_whole_and_no_chunk_is_long() {
        let chunked = |body: Payload| body.in_chunks().pieces().concat();
        assert_eq!(chunked(Payload::One(Bytes::new())), b"0\r\n\r\n");
        assert_eq!(chunked(b"hello".to_vec().into()), b"5\r\nhello\r\n0\r\n\r\n");
        let pieces = [&b"ab"[..], b"", b"0123456789abcdef"].map(Bytes::from_static);
        assert_eq!(chunked(Payload::Pieces(pieces.into())), b"2\r\nab\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n");
        let long = Payload::One(vec![b'x'; MAX_CHUNK_BYTES + 1].into()).in_chunks();
        assert_eq!(&long.pieces()[0][..], b"10000\r\n");
        assert_eq!(&long.pieces()[2][..], b"\r\n1\r\n");
        assert_eq!(long.pieces().len(), 5);
    }
}
