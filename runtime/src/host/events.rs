//! `flashcrowd:scenario/events`.

use std::time::Duration;

use wasmtime::component::Resource;

use super::answers::NextEvent;
use super::bindings::flashcrowd::scenario::{events, http};
use super::http::{Body, Params};
use super::state::VuState;
use super::streaming::AnswerStream;

impl events::Host for VuState {
    async fn open(
        &mut self,
        mut request: http::Request,
        body: Option<Resource<Body>>,
        params: Option<Resource<Params>>,
    ) -> wasmtime::Result<Resource<AnswerStream>> {
        if !request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("accept")) {
            request.headers.push(("accept".to_owned(), b"text/event-stream".to_vec()));
        }
        self.open_stream(request, body, params, true).await
    }

    async fn next(&mut self, stream: Resource<AnswerStream>, nanoseconds: u64) -> wasmtime::Result<events::Outcome> {
        let number = self.table.get(&stream)?.number;
        let Some(mut open) = self.flight.streams.take(number) else {
            return Ok(if self.table.get(&stream)?.is_failed() {
                events::Outcome::Failed
            } else {
                events::Outcome::End
            });
        };
        if !open.is_of_events() {
            self.flight.streams.put_back(number, open);
            wasmtime::bail!("only a stream that was opened by `events.open` has events");
        }
        let patience = Duration::from_nanos(nanoseconds);
        let (next, open) = self
            .flight
            .errand(|client| async move {
                let next = open.next(&client, patience).await;
                (next, open)
            })
            .await;
        self.table.get_mut(&stream)?.learn(&open);
        Ok(match next {
            NextEvent::Event(event) => {
                self.flight.streams.put_back(number, open);
                let crate::http::event_stream::Event { id, kind, data, retry } = event;
                events::Outcome::Event(events::Event { id: id.as_ref().to_owned(), kind, data, retry })
            }
            NextEvent::Late => {
                self.flight.streams.put_back(number, open);
                events::Outcome::Late
            }
            NextEvent::End => events::Outcome::End,
            NextEvent::Failed => events::Outcome::Failed,
        })
    }
}
