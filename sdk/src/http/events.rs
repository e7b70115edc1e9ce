//! Server-Sent Events.

use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::request::{Request, get};
use super::response::{Timings, into_text};
use super::streaming::StreamError;
use super::url::Url;
use crate::host::events as host;
use crate::host::streaming::AnswerStream;
use crate::text::Seconds;

/// Opens a stream of Server-Sent Events: what browsers call an event source.
///
/// `sse_events` counts the events, `sse_first_event` is the time from the request to the first of them, and `sse_event_gap` from each to the next. The
/// times are taken where the bytes come in, so a scenario that waits in [`Events::next`] measures the server and not itself.
///
/// ```no_run
/// use flashcrowd::prelude::*;
///
/// # fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let mut prices = http::events("https://shop.test/prices");
/// check!(prices, "is a stream of events" => |p| p.error().is_none());
/// for _ in 0..10 {
///     let Some(event) = prices.next(5)? else { break };
///     check!(event, "is a price" => |e| e.kind == "price");
/// }
/// # Ok(())
/// # }
/// ```
///
/// [`Request::events`] does the same for a request with headers, a body or tags.
///
/// # Panics
/// If the URL begins with `/` and there is no environment variable `BASE_URL`.
#[track_caller]
pub fn events<'a>(url: impl Into<Url<'a>>) -> Events {
    get(url).events()
}

impl Request<'_> {
    /// Sends the request, with `Accept: text/event-stream` unless it has that header, and reads the answer as Server-Sent Events. See [`events`].
    ///
    /// # Panics
    /// If the URL begins with `/` and there is no environment variable `BASE_URL`.
    #[track_caller]
    pub fn events(&self) -> Events {
        Events { held: self.ask(host::open) }
    }
}

/// A stream of events: [`events`]. Dropping it closes its connection; nobody connects anew by itself.
pub struct Events {
    held: AnswerStream,
}

impl Events {
    /// The HTTP status; 0 when there was no answer.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.held.status()
    }

    /// k6's error code as it is known by now; 0 for none.
    #[must_use]
    pub fn error_code(&self) -> u16 {
        self.held.error_code()
    }

    /// What went wrong by now, if something did. An answer with another status than 200, or another content type than `text/event-stream`, is no
    /// stream of events, and one that is compressed cannot be read as one: this says so.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        self.held.error()
    }

    /// The first value of a header, whose name is compared without case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        self.held.header(name).map(into_text)
    }

    /// Where the request's time went by now.
    #[must_use]
    pub fn timings(&self) -> Timings {
        self.held.timings().into()
    }

    /// The next event; `None` at the end of the stream.
    ///
    /// # Errors
    /// [`StreamError::Late`] when no event came within `timeout` (a [`Duration`], or a number of seconds; 0 takes only what is there already), which a
    /// later call may follow; [`StreamError::Failed`] when nothing more comes.
    pub fn next(&mut self, timeout: impl Seconds) -> Result<Option<Event>, StreamError> {
        match host::next(&self.held, timeout.nanoseconds()) {
            host::Outcome::Event(host::Event { id, kind, data, retry }) => {
                Ok(Some(Event { id, kind, data, retry: retry.map(Duration::from_millis) }))
            }
            host::Outcome::End => Ok(None),
            host::Outcome::Late => Err(StreamError::Late),
            host::Outcome::Failed => Err(StreamError::of(&self.held)),
        }
    }

    /// Closes it. Dropping it does the same.
    pub fn close(self) {
        self.held.close();
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("status", &self.status()).finish_non_exhaustive()
    }
}

/// One event of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The last id that the stream gave; empty without.
    pub id: String,
    /// Its type (the field `event`): `message` where the stream names none.
    pub kind: String,
    /// Its lines, joined by line feeds.
    pub data: String,
    /// How long the stream wants clients to wait before they connect anew, as it last said.
    pub retry: Option<Duration>,
}

impl Event {
    /// Its data read as JSON.
    ///
    /// # Errors
    /// If it is not JSON, or JSON of another shape.
    pub fn json<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_str(&self.data)
    }
}
