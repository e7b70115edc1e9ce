//! A stream of Server-Sent Events.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::response::Sse;
use axum::response::sse::Event;
use serde::Deserialize;
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_stream::Stream;

use crate::error::ApiError;

/// The most events of one stream.
const MAX_COUNT: u64 = 1_000_000;
/// The longest time between two events, in milliseconds.
const MAX_EVERY_MS: u64 = 60_000;

#[derive(Debug, Deserialize)]
pub(crate) struct EventsQuery {
    count: Option<u64>,
    every: Option<u64>,
}

/// `GET /events`: so many events, one every so many milliseconds.
pub(crate) async fn events(query: Result<Query<EventsQuery>, QueryRejection>) -> Result<Sse<Ticks>, ApiError> {
    let Query(query) = query.map_err(|rejection| ApiError::invalid_field("query", rejection.body_text()))?;
    let (count, every) = (query.count.unwrap_or(10), query.every.unwrap_or(100));
    if !(1..=MAX_COUNT).contains(&count) {
        return Err(ApiError::invalid_field("count", format_args!("{count} is not from 1 to {MAX_COUNT}")));
    }
    if every > MAX_EVERY_MS {
        return Err(ApiError::invalid_field("every", format_args!("{every} is more than {MAX_EVERY_MS} milliseconds")));
    }
    Ok(Sse::new(Ticks::new(count, Duration::from_millis(every))))
}

/// Events that come one after the other.
#[derive(Debug)]
pub(crate) struct Ticks {
    number: u64,
    count: u64,
    /// `None` for events without a pause.
    interval: Option<Interval>,
}

impl Ticks {
    fn new(count: u64, every: Duration) -> Self {
        let interval = (!every.is_zero()).then(|| {
            // The first comes after the time between two, as every other: time to the first event is something to measure.
            let mut interval = tokio::time::interval_at(Instant::now() + every, every);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        });
        Self { number: 0, count, interval }
    }
}

impl Stream for Ticks {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.number == self.count {
            return Poll::Ready(None);
        }
        if let Some(interval) = &mut self.interval {
            ready!(interval.poll_tick(cx));
        }
        self.number += 1;
        let number = self.number;
        let event = Event::default().event("tick").id(number.to_string()).data(format!(r#"{{"number":{number}}}"#));
        Poll::Ready(Some(Ok(event)))
    }
}
