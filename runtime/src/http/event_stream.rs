//! Server-Sent Events out of bytes, by the rules of the HTML standard ("Interpreting an event stream"), wherever the bytes are cut.

use std::sync::Arc;

use super::failure::{ErrorCode, Failure};

/// The longest event that is taken in, its fields together: a stream without line ends is no event stream.
const MAX_EVENT_BYTES: usize = 1 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// The last `id` that the stream gave; empty without. Shared: it may be long, and thousands of events may follow it.
    pub(crate) id: Arc<str>,
    /// Its type: `message` where the stream gives none.
    pub(crate) kind: String,
    /// Its lines, joined by line feeds.
    pub(crate) data: String,
    /// The last time for a new connection that the stream gave, in milliseconds.
    pub(crate) retry: Option<u64>,
}

/// Puts events together.
#[derive(Debug, Default)]
pub(crate) struct EventParser {
    /// A line whose end has not come.
    line: Vec<u8>,
    /// The last line ended with CR: an LF that follows belongs to it.
    after_cr: bool,
    /// A line has been seen: a byte order mark can stand only before the first.
    begun: bool,
    kind: String,
    data: String,
    /// There was a line of data, if only an empty one.
    has_data: bool,
    id: Arc<str>,
    retry: Option<u64>,
}

impl EventParser {
    /// Takes bytes, and hands every event that is complete to `sink`.
    ///
    /// # Errors
    /// When an event is longer than anybody means.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], sink: &mut impl FnMut(Event)) -> Result<(), Failure> {
        while let Some(first) = bytes.first() {
            if std::mem::take(&mut self.after_cr) && *first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            let (line, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            if self.line.len() + line.len() + self.data.len() > MAX_EVENT_BYTES {
                return Err(Failure::new(
                    ErrorCode::OTHER,
                    "event too long",
                    format_args!("an event of more than {MAX_EVENT_BYTES} bytes"),
                ));
            }
            self.line.extend_from_slice(line);
            let Some((end, rest)) = rest.split_first() else { break };
            self.after_cr = *end == b'\r';
            bytes = rest;
            let line = std::mem::take(&mut self.line);
            self.end_line(&line, sink);
            self.line = line;
            self.line.clear();
        }
        Ok(())
    }

    fn end_line(&mut self, line: &[u8], sink: &mut impl FnMut(Event)) {
        let line = if std::mem::replace(&mut self.begun, true) {
            line
        } else {
            line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line)
        };
        if line.is_empty() {
            return self.dispatch(sink);
        }
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            // A comment.
            Some(0) => return,
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &b""[..]),
        };
        let value = String::from_utf8_lossy(value.strip_prefix(b" ").unwrap_or(value));
        match field {
            b"event" => self.kind = value.into_owned(),
            b"data" => {
                if self.has_data {
                    self.data.push('\n');
                }
                self.data.push_str(&value);
                self.has_data = true;
            }
            b"id" if !value.contains('\0') => self.id = value.into(),
            b"retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.retry = value.parse().ok().or(self.retry);
            }
            _ => {}
        }
    }

    fn dispatch(&mut self, sink: &mut impl FnMut(Event)) {
        let (kind, data) = (std::mem::take(&mut self.kind), std::mem::take(&mut self.data));
        if std::mem::take(&mut self.has_data) {
            let kind = if kind.is_empty() { "message".to_owned() } else { kind };
            sink(Event { id: Arc::clone(&self.id), kind, data, retry: self.retry });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(pieces: &[&[u8]]) -> Vec<Event> {
        let (mut parser, mut events) = (EventParser::default(), Vec::new());
        for piece in pieces {
            parser.feed(piece, &mut |event| events.push(event)).unwrap();
        }
        events
    }

    fn texts(stream: &str) -> Vec<String> {
        let text = |event: Event| format!("{}/{}/{}", event.id, event.kind, event.data);
        parsed(&[stream.as_bytes()]).into_iter().map(text).collect()
    }

    #[test]
    fn fields_make_events() {
        assert_eq!(texts("data: YHOO\ndata: +2\ndata: 10\n\n"), ["/message/YHOO\n+2\n10"]);
        assert_eq!(
            texts(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"),
            ["1/message/first event", "/message/second event", "/message/ third event"]
        );
        assert_eq!(texts("data\n\ndata\ndata\n\ndata:"), ["/message/", "/message/\n"], "the last is not complete");
        assert_eq!(
            texts("event: add\ndata: 73857293\n\nevent: remove\n\ndata: x\n\n"),
            ["/add/73857293", "/message/x"]
        );
        assert_eq!(texts("id: 7\n\ndata: a\n\nid: b\0c\ndata: d\n\n"), ["7/message/a", "7/message/d"]);
        assert_eq!(texts("DATA: no field\nother: x\n\n"), [""; 0]);
    }

    #[test]
    fn every_line_end_and_a_byte_order_mark_are_understood() {
        let expected = ["/message/a\nb", "/message/c"];
        for end in ["\n", "\r", "\r\n"] {
            let stream = ["\u{feff}data: a", "data: b", "", "data: c", "", ""].join(end);
            assert_eq!(texts(&stream), expected, "{end:?}");
        }
        assert_eq!(texts("data: a\n\n\u{feff}data: b\n\n"), ["/message/a"], "only the first line has a mark");
    }

    #[test]
    fn retry_is_a_number_or_nothing() {
        let retries = |stream: &str| parsed(&[stream.as_bytes()]).last().unwrap().retry;
        assert_eq!(retries("retry: 1500\ndata: a\n\n"), Some(1500));
        assert_eq!(retries("retry: 1500\n\nretry: 1s\nretry: -1\nretry:\ndata: a\n\n"), Some(1500));
        assert_eq!(retries("retry: 99999999999999999999\ndata: a\n\n"), None);
    }

    #[test]
    fn a_long_id_is_held_once_however_many_events_follow() {
        let stream = format!("id: {}\n{}", "x".repeat(1_000_000), "data\n\n".repeat(10_000));
        let events = parsed(&[stream.as_bytes()]);
        assert_eq!(events.len(), 10_000);
        assert!(events.iter().all(|event| Arc::ptr_eq(&event.id, &events[0].id)));
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let mut parser = EventParser::default();
        let line = vec![b'x'; 300_000];
        let fed: Vec<bool> = (0..4).map(|_| parser.feed(&line, &mut |_| {}).is_ok()).collect();
        assert_eq!(fed, [true, true, true, false]);
        let mut parser = EventParser::default();
        let lines = b"data: 0123456789\n".repeat(100_000);
        assert!(parser.feed(&lines, &mut |_| {}).unwrap_err().text.contains("1048576 bytes"));
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(
            stream in "(data: ?[a-c]{0,3}|event: x|id: [0-9]|retry: 5|: note|)(\n|\r|\r\n){1,2}".prop_map(|part| part),
            more in prop::collection::vec("(\u{feff}|)(data:[a-cé]{0,3}|event:x|:)?(\n|\r\n|\r)", 0..20),
            cuts in prop::collection::vec(1_usize..5, 1..20),
        ) {
            let stream = stream + &more.concat();
            let mut pieces = Vec::new();
            let mut rest = stream.as_bytes();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            prop_assert_eq!(parsed(&pieces), parsed(&[stream.as_bytes()]));
        }
    }
}
