//! Reading an answer as it comes.

use std::fmt;

use super::request::Request;
use super::response::{Timings, into_text};
use crate::host::streaming as host;
use crate::text::Seconds;

/// The longest line that [`StreamingResponse::lines`] puts together, in bytes.
const MAX_LINE_BYTES: usize = 16 << 20;

impl Request<'_> {
    /// Sends the request and waits for the head of the answer; its body is read piece by piece, as it comes.
    ///
    /// [`timeout`](Self::timeout) limits the time to the head, and each read has a limit of its own. The body of an answer that is no success (2xx)
    /// is taken in whole before this returns.
    ///
    /// ```no_run
    /// use flashcrowd::prelude::*;
    ///
    /// # fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut export = http::get("https://shop.test/orders.csv").stream();
    /// check!(export, "is there" => |e| e.ok());
    /// let mut bytes = 0;
    /// while let Some(piece) = export.read(10)? {
    ///     bytes += piece.len();
    /// }
    /// log::info!("{bytes} bytes in {:?}", export.timings().receiving);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// If the URL begins with `/` and there is no environment variable `BASE_URL`.
    #[track_caller]
    pub fn stream(&self) -> StreamingResponse {
        let held = self.ask(host::open);
        StreamingResponse { held, rest: Vec::new(), over: false }
    }
}

/// An answer whose body is read piece by piece. Between two reads nothing is taken from the network: a server that sends faster than the scenario
/// reads has to wait. Dropping it closes the connection, unless the body was read to its end.
///
/// It is one request of the `http_req_*` metrics, counted when the body is over or the answer is dropped.
pub struct StreamingResponse {
    held: host::AnswerStream,
    /// Read, and not yet a line.
    rest: Vec<u8>,
    over: bool,
}

impl StreamingResponse {
    /// The HTTP status; 0 when there was no answer.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.held.status()
    }

    /// Whether the status is from 200 to 399, and nothing went wrong so far.
    #[must_use]
    pub fn ok(&self) -> bool {
        (200..400).contains(&self.status()) && self.error_code() == 0
    }

    /// k6's error code as it is known by now; 0 for none.
    #[must_use]
    pub fn error_code(&self) -> u16 {
        self.held.error_code()
    }

    /// What went wrong by now, if something did.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        self.held.error()
    }

    /// The first value of a header, whose name is compared without case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        self.held.header(name).map(into_text)
    }

    /// All headers as received; names in lower case.
    #[must_use]
    pub fn headers(&self) -> Vec<(String, String)> {
        self.held.headers().into_iter().map(|(name, value)| (name, into_text(value))).collect()
    }

    /// The URL that answered.
    #[must_use]
    pub fn url(&self) -> String {
        self.held.url()
    }

    /// The protocol, such as `HTTP/1.1`; empty when there was no answer.
    #[must_use]
    pub fn protocol(&self) -> String {
        self.held.protocol()
    }

    /// Where the time went by now. Receiving lasts until the body is over, and has the scenario's own pauses in it.
    #[must_use]
    pub fn timings(&self) -> Timings {
        self.held.timings().into()
    }

    /// The next bytes of the body, as soon as there are any; `None` at its end. They are as sent: what the server compressed stays compressed.
    ///
    /// # Errors
    /// [`StreamError::Late`] when nothing came within `timeout` (a [`Duration`](std::time::Duration), or a number of seconds; 0 takes only what is
    /// there already), which a later call may follow; [`StreamError::Failed`] when nothing more comes.
    pub fn read(&mut self, timeout: impl Seconds) -> Result<Option<Vec<u8>>, StreamError> {
        if !self.rest.is_empty() {
            return Ok(Some(std::mem::take(&mut self.rest)));
        }
        self.next_piece(timeout.nanoseconds())
    }

    fn next_piece(&mut self, timeout_ns: u64) -> Result<Option<Vec<u8>>, StreamError> {
        match self.held.read(timeout_ns) {
            host::Piece::Bytes(bytes) => Ok(Some(bytes)),
            host::Piece::End => Ok(None),
            host::Piece::Late => Err(StreamError::Late),
            host::Piece::Failed => Err(StreamError::of(&self.held)),
        }
    }

    /// The lines of the body, each waited for at most so long, without their line ends. What is not UTF-8 becomes `�`.
    ///
    /// ```no_run
    /// use flashcrowd::prelude::*;
    ///
    /// # fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut log = http::get("https://shop.test/log").stream();
    /// for line in log.lines(5) {
    ///     let line = line?;
    ///     check!(line, "is JSON" => |l| l.starts_with('{'));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn lines(&mut self, timeout: impl Seconds) -> Lines<'_> {
        Lines { timeout_ns: timeout.nanoseconds(), stream: self }
    }

    /// Closes it, and with it its connection, unless the body was read to its end. Dropping it does the same.
    pub fn close(self) {
        self.held.close();
    }
}

impl fmt::Debug for StreamingResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamingResponse").field("status", &self.status()).finish_non_exhaustive()
    }
}

/// The lines of a body: [`StreamingResponse::lines`]. After a [`StreamError::Late`] it may be asked again.
#[derive(Debug)]
pub struct Lines<'a> {
    stream: &'a mut StreamingResponse,
    timeout_ns: u64,
}

impl Iterator for Lines<'_> {
    type Item = Result<String, StreamError>;

    fn next(&mut self) -> Option<Self::Item> {
        let stream = &mut *self.stream;
        let mut searched = 0;
        while !stream.over {
            if let Some(end) = stream.rest[searched..].iter().position(|byte| *byte == b'\n') {
                let after = stream.rest.split_off(searched + end + 1);
                let mut line = std::mem::replace(&mut stream.rest, after);
                line.pop();
                return Some(Ok(text(line)));
            }
            searched = stream.rest.len();
            if searched > MAX_LINE_BYTES {
                stream.over = true;
                let text = format!("a line of more than {MAX_LINE_BYTES} bytes");
                return Some(Err(StreamError::Failed { error_code: 0, text }));
            }
            match stream.next_piece(self.timeout_ns) {
                Ok(Some(bytes)) => stream.rest.extend_from_slice(&bytes),
                Ok(None) => stream.over = true,
                Err(StreamError::Late) => return Some(Err(StreamError::Late)),
                Err(error) => {
                    stream.over = true;
                    return Some(Err(error));
                }
            }
        }
        // The last line may have no end.
        let last = std::mem::take(&mut stream.rest);
        (!last.is_empty()).then(|| Ok(text(last)))
    }
}

fn text(mut line: Vec<u8>) -> String {
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    into_text(line)
}

/// Why a stream gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamError {
    /// Nothing came in time. The stream is still open.
    Late,
    /// Nothing more comes.
    Failed {
        /// k6's error code.
        error_code: u16,
        /// What went wrong.
        text: String,
    },
}

impl StreamError {
    pub(super) fn of(held: &host::AnswerStream) -> Self {
        Self::Failed { error_code: held.error_code(), text: held.error().unwrap_or_default() }
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late => f.write_str("nothing came in time"),
            Self::Failed { text, .. } => f.write_str(text),
        }
    }
}

impl std::error::Error for StreamError {}

#[cfg(test)]
mod tests {
    use crate::host::streaming::script;

    #[test]
    fn lines_are_found_wherever_the_body_is_cut() {
        let stream = |pieces: &[&str]| {
            script(pieces);
            crate::http::get("http://a/").stream()
        };
        let lines = |pieces: &[&str]| stream(pieces).lines(1).collect::<Result<Vec<_>, _>>().unwrap();
        assert_eq!(lines(&["one\ntwo\r\nth", "r", "ee\n\nlast"]), ["one", "two", "three", "", "last"]);
        assert_eq!(lines(&["a\r", "\nb\n"]), ["a", "b"]);
        assert_eq!(lines(&[]), [""; 0]);
        let mut mixed = stream(&["one\nrest", "more"]);
        assert_eq!(mixed.lines(1).next(), Some(Ok("one".to_owned())));
        assert_eq!(mixed.read(1), Ok(Some(b"rest".to_vec())), "what was read for a line is not lost");
        assert_eq!(mixed.read(1), Ok(Some(b"more".to_vec())));
        assert_eq!(mixed.read(1), Ok(None));
    }
}
