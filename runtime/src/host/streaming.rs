//! `flashcrowd:scenario/streaming`.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::Resource;

use super::answers::{AnswerInPieces, Events, MAX_STREAMS};
use super::bindings::flashcrowd::scenario::http::{Request, Timings as WitTimings};
use super::bindings::flashcrowd::scenario::streaming;
use super::http::{Body, Params, Prepared, timings};
use super::journey::Arrival;
use super::state::VuState;
use crate::http::{ErrorCode, Exchange, Failure, Head, Piece, Timings};
use crate::metrics::TagSetId;

/// An answer that the module reads piece by piece. What is still to come of it is with the virtual user's streams.
#[derive(Debug)]
pub struct AnswerStream {
    pub(super) number: u64,
    url: Arc<str>,
    status: u16,
    error_code: u16,
    error: Option<String>,
    head: Head,
    protocol: &'static str,
    timings: Timings,
    held_bytes: usize,
}

impl AnswerStream {
    /// Whether nothing more comes of it because something went wrong.
    pub(super) const fn is_failed(&self) -> bool {
        self.error.is_some()
    }

    /// Takes over what an exchange says by now.
    pub(super) fn learn(&mut self, stream: &AnswerInPieces) {
        let exchange = stream.exchange();
        self.error_code = stream.error_code().0;
        self.timings = exchange.timings;
        if let Some(failure) = &exchange.failure {
            self.error = Some(failure.text.clone());
        }
    }
}

impl VuState {
    /// Sends a request whose answer is read piece by piece, as events if they are wanted.
    pub(super) async fn open_stream(
        &mut self,
        mut request: Request,
        body: Option<Resource<Body>>,
        params: Option<Resource<Params>>,
        as_events: bool,
    ) -> wasmtime::Result<Resource<AnswerStream>> {
        let began = tokio::time::Instant::now();
        let url: Arc<str> = request.url.as_str().into();
        let arrival = match self.prepared(&mut request, body.as_ref(), params.as_ref())? {
            Prepared::Ready(journey) if !self.flight.streams.has_room() => {
                let text =
                    format_args!("a virtual user may have {MAX_STREAMS} open; read them to their end, or close them");
                journey.refused(&self.shard, Failure::new(ErrorCode::OTHER, "too many streams", text))
            }
            Prepared::Ready(mut journey) => {
                journey.outgoing.streamed = true;
                self.flight.send_alone(journey).await
            }
            Prepared::Refused(arrival) => *arrival,
        };
        self.tell_problems(&arrival);
        self.throw(&arrival)?;
        let Arrival { exchange, streamed, target, .. } = arrival;
        let url = target.map_or(url, |target| Arc::clone(&target.url));
        let tags = streamed.as_ref().map_or(TagSetId::EMPTY, |streamed| streamed.sample_tags(&self.shard, &exchange));
        let error = if as_events { no_events(&exchange) } else { None };
        let events = as_events.then(|| Events::new(tags, began));
        let mut stream = AnswerInPieces::new(Arc::clone(&self.shard), exchange, streamed, events);
        let exchange = stream.exchange();
        let mut answer = AnswerStream {
            number: 0,
            url,
            status: exchange.status,
            error_code: stream.error_code().0,
            error: exchange.failure.as_ref().map(|failure| failure.text.clone()).or_else(|| error.clone()),
            head: exchange.head.clone(),
            protocol: exchange.protocol,
            timings: exchange.timings,
            held_bytes: exchange.body.len() + exchange.head.len() + size_of::<AnswerStream>(),
        };
        if error.is_some() {
            // What is no stream of events is not read as one.
            stream.close();
            answer.timings = stream.exchange().timings;
        } else if stream.has_more() {
            answer.number = self.flight.streams.add(stream);
        }
        self.held_bytes += answer.held_bytes;
        Ok(self.table.push(answer)?)
    }
}

/// Why this answer is no stream of events.
fn no_events(exchange: &Exchange) -> Option<String> {
    if exchange.failure.is_some() || exchange.status == 204 {
        return None;
    }
    if exchange.status != 200 {
        return Some(format!("no stream of events: the status is {}", exchange.status));
    }
    let coding = exchange.head.get("content-encoding").unwrap_or_default().trim_ascii();
    if !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity") {
        let shown: String = String::from_utf8_lossy(coding).chars().take(100).collect();
        return Some(format!(
            "no stream of events that can be read: it is compressed (`{shown}`), and events are read as they were sent"
        ));
    }
    let content_type = exchange.head.get("content-type").unwrap_or_default();
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if essence.eq_ignore_ascii_case(b"text/event-stream") {
        return None;
    }
    let shown: String = String::from_utf8_lossy(content_type).chars().take(100).collect();
    Some(format!("no stream of events: the content type is `{shown}`, not `text/event-stream`"))
}

impl streaming::Host for VuState {
    async fn open(
        &mut self,
        request: Request,
        body: Option<Resource<Body>>,
        params: Option<Resource<Params>>,
    ) -> wasmtime::Result<Resource<AnswerStream>> {
        self.open_stream(request, body, params, false).await
    }
}

impl streaming::HostAnswerStream for VuState {
    fn status(&mut self, stream: Resource<AnswerStream>) -> wasmtime::Result<u16> {
        Ok(self.table.get(&stream)?.status)
    }

    fn error_code(&mut self, stream: Resource<AnswerStream>) -> wasmtime::Result<u16> {
        Ok(self.table.get(&stream)?.error_code)
    }

    fn error(&mut self, stream: Resource<AnswerStream>) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&stream)?.error.clone())
    }

    fn header(&mut self, stream: Resource<AnswerStream>, name: String) -> wasmtime::Result<Option<Vec<u8>>> {
        Ok(self.table.get(&stream)?.head.get(&name).map(<[u8]>::to_vec))
    }

    fn headers(&mut self, stream: Resource<AnswerStream>) -> wasmtime::Result<Vec<(String, Vec<u8>)>> {
        Ok(self.table.get(&stream)?.head.all())
    }

    fn url(&mut self, stream: Resource<AnswerStream>) -> wasmtime::Result<String> {
        Ok(self.table.get(&stream)?.url.to_string())
    }

    fn protocol(&mut self, stream: Resource<AnswerStream>) -> wasmtime::Result<String> {
        Ok(self.table.get(&stream)?.protocol.to_owned())
    }

    fn timings(&mut self, stream: Resource<AnswerStream>) -> wasmtime::Result<WitTimings> {
        Ok(timings(&self.table.get(&stream)?.timings))
    }

    async fn read(&mut self, stream: Resource<AnswerStream>, nanoseconds: u64) -> wasmtime::Result<streaming::Piece> {
        let answer = self.table.get(&stream)?;
        let (number, failed) = (answer.number, answer.is_failed());
        let Some(mut open) = self.flight.streams.take(number) else {
            return Ok(if failed { streaming::Piece::Failed } else { streaming::Piece::End });
        };
        if open.is_of_events() {
            self.flight.streams.put_back(number, open);
            wasmtime::bail!("a stream of events is read by `events.next`");
        }
        let patience = Duration::from_nanos(nanoseconds);
        let (piece, open) = self
            .flight
            .errand(|client| async move {
                let piece = open.read(&client, patience).await;
                (piece, open)
            })
            .await;
        self.table.get_mut(&stream)?.learn(&open);
        Ok(match piece {
            Piece::Bytes(bytes) => {
                self.flight.streams.put_back(number, open);
                streaming::Piece::Bytes(bytes.to_vec())
            }
            Piece::Late => {
                self.flight.streams.put_back(number, open);
                streaming::Piece::Late
            }
            Piece::End => streaming::Piece::End,
            Piece::Failed => streaming::Piece::Failed,
        })
    }

    fn close(&mut self, stream: Resource<AnswerStream>) -> wasmtime::Result<()> {
        let answer = self.table.get_mut(&stream)?;
        if let Some(mut open) = self.flight.streams.take(answer.number) {
            open.close();
            answer.learn(&open);
        }
        Ok(())
    }

    fn drop(&mut self, stream: Resource<AnswerStream>) -> wasmtime::Result<()> {
        let answer = self.table.delete(stream)?;
        self.held_bytes = self.held_bytes.saturating_sub(answer.held_bytes);
        if let Some(mut open) = self.flight.streams.take(answer.number) {
            open.close();
        }
        Ok(())
    }
}
