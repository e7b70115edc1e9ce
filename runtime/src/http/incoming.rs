//! An answer whose body is read piece by piece. Between two reads nothing is read from the socket, so that a server that sends faster than
//! the scenario reads has to wait.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::client::Client;
use super::connection::Connection;
use super::exchange::Exchange;
use super::failure::Failure;
use super::h1::Decoder;
use super::http2::Piecewise;
use super::meter::Meter;
use super::target::Origin;
use super::unsent::Unsent;

/// What is still to come of an answer, as long as it is.
#[derive(Debug)]
pub(crate) struct Incoming {
    source: Source,
    meter: Arc<Meter>,
    /// When the first byte of the answer came.
    since: Instant,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "whoever holds it has boxed it")]
enum Source {
    Http1 {
        connection: Connection,
        decoder: Decoder,
        unsent: Unsent,
        origin: Arc<Origin>,
        /// The request asked for the connection's end.
        close: bool,
    },
    Http2(Piecewise),
}

/// What came of reading.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Bytes of the body, at least one.
    Bytes(Bytes),
    /// The body is complete.
    End,
    /// Nothing came in time; it may come later.
    Late,
    /// Nothing more will come: the exchange says why.
    Failed,
}

/// Why nothing more comes.
struct Ended {
    failure: Failure,
    /// Its connection serves nobody any more, and others may use it.
    with_connection: bool,
}

impl Incoming {
    /// The rest of an answer over HTTP/1.1, whose head is in `exchange`.
    pub(super) fn over_http1(
        connection: Connection,
        decoder: Decoder,
        unsent: Unsent,
        origin: Arc<Origin>,
        close: bool,
        meter: Arc<Meter>,
        exchange: &Exchange,
    ) -> Self {
        Self::new(Source::Http1 { connection, decoder, unsent, origin, close }, meter, exchange)
    }

    /// The rest of an answer over HTTP/2, whose head is in `exchange`.
    pub(super) fn over_http2(piecewise: Piecewise, meter: Arc<Meter>, exchange: &Exchange) -> Self {
        Self::new(Source::Http2(piecewise), meter, exchange)
    }

    fn new(source: Source, meter: Arc<Meter>, exchange: &Exchange) -> Self {
        // The exchange has what moved so far.
        meter.restart();
        Self { source, meter, since: Instant::now() - exchange.timings.receiving }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Ended> {
        match &mut self.source {
            Source::Http1 { connection, decoder, unsent, .. } => {
                if !decoder.has_piece() && !decoder.is_over() {
                    let enough = |decoder: &Decoder| decoder.has_piece() || decoder.is_over();
                    let read = connection.exchange_until(unsent, decoder, &self.meter, enough).await;
                    read.map_err(|broken| Ended { failure: broken.failure, with_connection: false })?;
                }
                let piece = decoder.answer().map(|answer| answer.take_body()).unwrap_or_default();
                Ok(Some(piece).filter(|piece| !piece.is_empty()))
            }
            Source::Http2(piecewise) => {
                let next = piecewise.next().await;
                let (sent, received) = piecewise.take_moved();
                self.meter.note(sent, received);
                next.map_err(|broken| Ended { failure: broken.failure, with_connection: !broken.of_stream })
            }
        }
    }
}

/// Waits so long for something. A patience of nothing takes what is there: a timer would wait for its next tick.
pub(crate) async fn within<T>(patience: Duration, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    if !patience.is_zero() {
        return tokio::time::timeout(patience, future).await.ok();
    }
    for look in [1, 2] {
        let looked = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        if let Poll::Ready(there) = looked {
            return Some(there);
        }
        if look == 1 {
            // Whether a socket has something to read is found out between two turns.
            tokio::task::yield_now().await;
        }
    }
    None
}

impl Client {
    /// Reads the next bytes of the body of an exchange that is under way, for so long at most. When there are no more, the exchange is over and
    /// says how it ended.
    pub(crate) async fn read(&self, exchange: &mut Exchange, patience: Duration) -> Piece {
        if !exchange.body.is_empty() {
            return Piece::Bytes(std::mem::take(&mut exchange.body));
        }
        let Some(incoming) = &mut exchange.incoming else {
            return if exchange.failure.is_some() { Piece::Failed } else { Piece::End };
        };
        match within(patience, incoming.next()).await {
            None => Piece::Late,
            Some(Ok(Some(bytes))) => Piece::Bytes(bytes),
            Some(Ok(None)) => {
                if let Some(incoming) = exchange.end() {
                    self.take_back(*incoming);
                }
                Piece::End
            }
            Some(Err(Ended { failure, with_connection })) => {
                let incoming = exchange.end();
                if let Some(Source::Http2(piecewise)) = incoming.map(|incoming| incoming.source)
                    && with_connection
                {
                    self.forget(piecewise.connection());
                }
                exchange.failure = Some(failure);
                Piece::Failed
            }
        }
    }

    /// Keeps the connection of an answer that is complete.
    fn take_back(&self, incoming: Incoming) {
        let Source::Http1 { connection, mut decoder, unsent, origin, close } = incoming.source else { return };
        let keeps = decoder.is_over() && decoder.answer().is_some_and(|answer| answer.keep);
        if keeps && unsent.is_empty() && !close {
            self.keep(origin, connection);
        }
    }
}

impl Exchange {
    /// Whether the body is still coming.
    pub(crate) const fn is_under_way(&self) -> bool {
        self.incoming.is_some()
    }

    /// Ends an exchange whose body nobody reads any further: its connection is closed, unless others use it too.
    pub(crate) fn break_off(&mut self) {
        self.end();
    }

    /// Fails an exchange whose body nobody wants any more.
    pub(crate) fn fail(&mut self, failure: Failure) {
        self.end();
        self.failure = Some(failure);
    }

    fn end(&mut self) -> Option<Box<Incoming>> {
        let incoming = self.incoming.take()?;
        self.timings.receiving = incoming.since.elapsed();
        self.bytes_sent += incoming.meter.bytes_written();
        self.bytes_received += incoming.meter.bytes_read();
        Some(incoming)
    }
}
