//! A request's bytes on their way out.

use std::cell::RefCell;

use std::sync::Arc;

use bytes::Bytes;

use super::payload::Payload;

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
    /// A longer body, or its present piece.
    body: Bytes,
    /// The pieces of a body in several, and which of them is next.
    rest: Option<(Arc<[Bytes]>, usize)>,
}

impl Unsent {
    /// A request without a body; `encode` appends its head.
    pub(super) fn new<T>(encode: impl FnOnce(&mut Vec<u8>) -> T) -> (Self, T) {
        let mut head = SPARE.take();
        head.clear();
        let encoded = encode(&mut head);
        (Self { head, left: 0, body: Bytes::new(), rest: None }, encoded)
    }

    /// The body follows, behind the head or when that has left.
    pub(super) fn append(&mut self, body: &Payload) {
        match body {
            Payload::One(body) if body.len() <= COPIED_BODY_BYTES => self.head.extend_from_slice(body),
            Payload::One(body) => self.body = body.clone(),
            Payload::Pieces(pieces) => {
                let mut room = COPIED_BODY_BYTES;
                let small = |piece: &&Bytes| {
                    let fits = piece.len() <= room;
                    room = room.saturating_sub(piece.len());
                    fits
                };
                let copied = pieces.iter().take_while(small).map(|piece| self.head.extend_from_slice(piece)).count();
                self.rest = Some((Arc::clone(pieces), copied));
                self.next_piece();
            }
        }
    }

    /// Goes on to the next piece that has anything in it.
    fn next_piece(&mut self) {
        while let Some((pieces, next)) = self.rest.as_mut().filter(|_| self.body.is_empty()) {
            match pieces.get(*next) {
                Some(piece) => {
                    self.body = piece.clone();
                    *next += 1;
                }
                None => self.rest = None,
            }
        }
    }

    /// Whether everything left.
    pub(super) const fn is_empty(&self) -> bool {
        self.left == self.head.len() && self.body.is_empty()
    }

    /// What is left of the head, and of the body's present piece.
    pub(super) fn parts(&self) -> (&[u8], &[u8]) {
        (&self.head[self.left..], &self.body)
    }

    /// So many bytes left.
    pub(super) fn advance(&mut self, bytes: usize) {
        let of_head = bytes.min(self.head.len() - self.left);
        self.left += of_head;
        drop(self.body.split_to(bytes - of_head));
        if self.rest.is_some() {
            self.next_piece();
        }
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

    /// What leaves when at most `most` bytes leave at a time.
    fn sent(body: &Payload, most: usize) -> Vec<u8> {
        let (mut unsent, ()) = Unsent::new(|out| out.extend_from_slice(b"head"));
        unsent.append(body);
        let mut left = Vec::new();
        while !unsent.is_empty() {
            let (head, rest) = unsent.parts();
            let all = [head, rest].concat();
            let piece = all.len().min(most);
            assert!(piece > 0, "there is always something to send until all is sent");
            left.extend_from_slice(&all[..piece]);
            unsent.advance(piece);
        }
        left
    }

    #[test]
    fn bytes_leave_in_order_in_pieces_of_any_size() {
        for (length, most) in [(3, 2), (COPIED_BODY_BYTES, 7), (COPIED_BODY_BYTES + 1, 1_000), (1 << 20, 50_000)] {
            let body: Bytes = (0..length).map(|byte| byte as u8).collect::<Vec<_>>().into();
            assert_eq!(sent(&Payload::One(body.clone()), most), [b"head", &body[..]].concat());
        }
    }

    #[test]
    fn a_body_may_follow_when_the_head_has_left() {
        for length in [3, COPIED_BODY_BYTES + 1] {
            let (mut unsent, ()) = Unsent::new(|out| out.extend_from_slice(b"head"));
            unsent.advance(4);
            assert!(unsent.is_empty());
            let body = Bytes::from(vec![b'x'; length]);
            unsent.append(&Payload::One(body.clone()));
            let (head, rest) = unsent.parts();
            assert_eq!([head, rest].concat(), body);
            unsent.advance(length);
            assert!(unsent.is_empty());
        }
    }

    #[test]
    fn a_body_of_several_pieces_is_sent_as_one() {
        let piece = |length: usize, byte: u8| Bytes::from(vec![byte; length]);
        for lengths in
            [vec![], vec![0], vec![3, 0, 4], vec![10, 5_000, 0, 0, 7], vec![5_000, 1, 5_000], vec![4_000, 97, 1, 0]]
        {
            let pieces: Vec<Bytes> = lengths.iter().zip(b'a'..).map(|(length, byte)| piece(*length, byte)).collect();
            let whole = [&b"head"[..], &pieces.concat()].concat();
            let body = Payload::Pieces(pieces.into());
            assert_eq!(body.len(), whole.len() - 4);
            for most in [1, 3, 4_096, usize::MAX] {
                assert_eq!(sent(&body, most), whole, "{lengths:?} by {most}");
            }
        }
    }
}
