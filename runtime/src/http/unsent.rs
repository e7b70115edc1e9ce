//! A request's bytes on their way out.

use std::cell::RefCell;

use bytes::Bytes;

/// A shorter body is copied behind its head: one piece costs less than two.
const COPIED_BODY_BYTES: usize = 4 * 1024;

/// What is kept for the next request: one with megabytes of headers does not cost memory for ever.
const MAX_SPARE_BYTES: usize = 64 * 1024;

thread_local! {
    /// Heads are written here, one after the other: a request mostly leaves in the poll that made it, and its memory serves the next.
    static SPARE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What has not left yet.
#[derive(Debug)]
pub(super) struct Unsent {
    head: Vec<u8>,
    /// Bytes of the head that left.
    left: usize,
    /// A longer body.
    body: Bytes,
}

impl Unsent {
    /// A request with this body; `encode` appends its head.
    pub(super) fn new<T>(body: Bytes, encode: impl FnOnce(&mut Vec<u8>) -> T) -> (Self, T) {
        let mut head = SPARE.take();
        head.clear();
        let encoded = encode(&mut head);
        if body.len() <= COPIED_BODY_BYTES {
            head.extend_from_slice(&body);
            return (Self { head, left: 0, body: Bytes::new() }, encoded);
        }
        (Self { head, left: 0, body }, encoded)
    }

    /// Whether everything left.
    pub(super) const fn is_empty(&self) -> bool {
        self.left == self.head.len() && self.body.is_empty()
    }

    /// What is left of the head, and of the body.
    pub(super) fn parts(&self) -> (&[u8], &[u8]) {
        (&self.head[self.left..], &self.body)
    }

    /// So many bytes left.
    pub(super) fn advance(&mut self, bytes: usize) {
        let of_head = bytes.min(self.head.len() - self.left);
        self.left += of_head;
        drop(self.body.split_to(bytes - of_head));
        if self.is_empty() {
            self.left = 0;
            let head = std::mem::take(&mut self.head);
            if head.capacity() <= MAX_SPARE_BYTES {
                SPARE.replace(head);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_order_in_pieces_of_any_size() {
        for (length, pieces) in [(3, 2), (COPIED_BODY_BYTES, 7), (COPIED_BODY_BYTES + 1, 1_000), (1 << 20, 50_000)] {
            let body: Bytes = (0..length).map(|byte| byte as u8).collect::<Vec<_>>().into();
            let (mut unsent, ()) = Unsent::new(body.clone(), |out| out.extend_from_slice(b"head"));
            let mut left = Vec::new();
            while !unsent.is_empty() {
                let (head, rest) = unsent.parts();
                let all = [head, rest].concat();
                let piece = all.len().min(pieces);
                left.extend_from_slice(&all[..piece]);
                unsent.advance(piece);
            }
            assert_eq!(left, [b"head", &body[..]].concat());
        }
    }
}
