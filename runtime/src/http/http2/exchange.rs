//! One request over HTTP/2 and its answer.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, StatusCode, header};
use tokio::time::Instant;

use super::{Broken, Http2, head_of};
use crate::http::client::{CONTINUE_TIMEOUT, expects_continue};
use crate::http::exchange::{Exchange, Outgoing};
use crate::http::failure::Failure;
use crate::http::h1::{Wants, too_long};
use crate::http::incoming::Incoming;
use crate::http::meter::Meter;

/// A body on its way out; it is over when all has left, or nobody wants more of it.
type Upload = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The body of an answer, read piece by piece.
pub(in crate::http) struct Piecewise {
    connection: Http2,
    body: RecvStream,
    upload: Option<Upload>,
}

impl std::fmt::Debug for Piecewise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Piecewise").field("connection", &self.connection).finish_non_exhaustive()
    }
}

impl Http2 {
    /// Sends a request and takes in its answer, or only the head of one that is read piece by piece.
    pub(in crate::http) async fn exchange(
        &self,
        request: Request<()>,
        outgoing: &Outgoing,
        wants: Wants,
        started: Instant,
        meter: &Arc<Meter>,
        exchange: &mut Exchange,
    ) -> Result<(), Broken> {
        let mut sender = self.ready().await.map_err(|error| Broken { untouched: true, ..Broken::new(&error) })?;
        meter.restart();
        exchange.timings.blocked = started.elapsed();
        exchange.tls = self.tls();
        exchange.remote = Some(self.remote());
        let mut reading = Reading::new(self, meter, exchange);
        let body = outgoing.body.as_ref().filter(|body| !body.is_empty());
        let (mut answer, upload) = sender.send_request(request, body.is_none()).map_err(|error| self.broken(&error))?;
        meter.left();
        let mut sent = None;
        let mut uploading = None;
        let mut unwanted = None;
        match body {
            None => sent = Some(Instant::now()),
            Some(_) if expects_continue(&outgoing.headers) && !is_wanted(&mut answer).await => unwanted = Some(upload),
            Some(body) => uploading = Some(Box::pin(upload_all(upload, body.pieces().to_vec())) as Upload),
        }
        let answered = alongside(&mut uploading, &mut sent, &mut answer).await.map_err(|error| self.broken(&error));
        reading.sent = sent;
        let (parts, mut body) = answered?.into_parts();
        reading.answered(parts.status, &parts.headers)?;
        if outgoing.streamed && parts.status.is_success() && !wants.to_head && !body.is_end_stream() {
            drop(reading);
            let source = Piecewise { connection: self.clone(), body, upload: uploading };
            exchange.incoming = Some(Box::new(Incoming::over_http2(source, Arc::clone(meter), exchange)));
            return Ok(());
        }
        reading.exchange.body =
            alongside(&mut uploading, &mut sent, self.take_in(&mut body, &parts.headers, wants)).await?;
        // Only now: dropping it takes the request back.
        drop(unwanted);
        Ok(())
    }

    /// Takes in a body, as far as it is wanted.
    async fn take_in(&self, body: &mut RecvStream, headers: &HeaderMap, wants: Wants) -> Result<Bytes, Broken> {
        let announced =
            headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        let keep = !wants.discard && !wants.to_head;
        if keep && announced.unwrap_or(0) > wants.max_body_bytes as u64 {
            return Err(too_long(wants.max_body_bytes).into());
        }
        let mut taken = Vec::new();
        while let Some(piece) = body.data().await {
            let piece = piece.map_err(|error| self.broken(&error))?;
            // Only what was read makes room for more.
            let _ = body.flow_control().release_capacity(piece.len());
            if keep {
                if taken.len() + piece.len() > wants.max_body_bytes {
                    return Err(too_long(wants.max_body_bytes).into());
                }
                taken.extend_from_slice(&piece);
            }
            tokio::task::coop::consume_budget().await;
        }
        Ok(Bytes::from(taken))
    }
}

/// Waits for whether the server wants the body of a request that asks. Who says nothing is taken to want it.
async fn is_wanted(answer: &mut ResponseFuture) -> bool {
    let heard = poll_fn(|cx| {
        loop {
            match std::task::ready!(answer.poll_informational(cx)) {
                Some(Ok(informational)) if informational.status() == StatusCode::CONTINUE => return true.into(),
                Some(Ok(_)) => {}
                // The final answer is there, or none will come.
                Some(Err(_)) | None => return false.into(),
            }
        }
    });
    tokio::time::timeout(CONTINUE_TIMEOUT, heard).await.unwrap_or(true)
}

/// Waits for something while the body goes out; `sent` is when it had.
async fn alongside<T>(upload: &mut Option<Upload>, sent: &mut Option<Instant>, wait: impl Future<Output = T>) -> T {
    let mut wait = pin!(wait);
    poll_fn(|cx| {
        if let Some(uploading) = upload
            && uploading.as_mut().poll(cx).is_ready()
        {
            *upload = None;
            *sent = Some(Instant::now());
        }
        wait.as_mut().poll(cx)
    })
    .await
}

impl Piecewise {
    /// The next bytes of the body; `None` at its end.
    pub(in crate::http) async fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        loop {
            match alongside(&mut self.upload, &mut None, self.body.data()).await {
                None => return Ok(None),
                Some(Err(error)) => return Err(self.connection.broken(&error)),
                Some(Ok(piece)) => {
                    // Only what was read makes room for more.
                    let _ = self.body.flow_control().release_capacity(piece.len());
                    if !piece.is_empty() {
                        return Ok(Some(piece));
                    }
                }
            }
            tokio::task::coop::consume_budget().await;
        }
    }

    pub(in crate::http) const fn connection(&self) -> &Http2 {
        &self.connection
    }

    /// The connection's bytes since they were last taken: sent, and received.
    pub(in crate::http) fn take_moved(&self) -> (u64, u64) {
        (self.connection.moved().take_sent(), self.connection.moved().take_received())
    }
}

/// Sends a body as the server makes room for it. If this fails, the answer says why: a server may answer before it has read everything, and
/// want no more of it.
async fn upload_all(mut upload: SendStream<Bytes>, body: Vec<Bytes>) {
    for mut piece in body {
        while !piece.is_empty() {
            upload.reserve_capacity(piece.len());
            let Some(Ok(room)) = poll_fn(|cx| upload.poll_capacity(cx)).await else { return };
            if upload.send_data(piece.split_to(room.min(piece.len())), false).is_err() {
                return;
            }
        }
    }
    let _ = upload.send_data(Bytes::new(), true);
}

/// An answer on its way. However the exchange ends, what came and where the time went is in it.
struct Reading<'a> {
    connection: &'a Http2,
    meter: &'a Meter,
    exchange: &'a mut Exchange,
    begun: Instant,
    /// When the request had been handed over completely.
    sent: Option<Instant>,
    /// When the answer's head had come.
    answered: Option<Instant>,
}

impl<'a> Reading<'a> {
    fn new(connection: &'a Http2, meter: &'a Meter, exchange: &'a mut Exchange) -> Self {
        Self { connection, meter, exchange, begun: Instant::now(), sent: None, answered: None }
    }

    fn answered(&mut self, status: StatusCode, headers: &HeaderMap) -> Result<(), Failure> {
        self.answered = Some(Instant::now());
        self.exchange.status = status.as_u16();
        self.exchange.protocol = "HTTP/2.0";
        self.exchange.head = head_of(status.as_u16(), headers)?;
        Ok(())
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let ended = Instant::now();
        let sent = self.sent.unwrap_or(self.answered.unwrap_or(ended));
        let answered = self.answered.unwrap_or(ended).max(sent);
        let timings = &mut self.exchange.timings;
        timings.sending = sent.saturating_duration_since(self.begun);
        timings.waiting = answered.saturating_duration_since(sent);
        timings.receiving = ended.saturating_duration_since(answered);
        let moved = self.connection.moved();
        let (sent, received) = (moved.take_sent(), moved.take_received());
        self.exchange.bytes_sent += sent;
        self.exchange.bytes_received += received;
        // Whoever breaks the exchange off looks there.
        self.meter.note(sent, received);
    }
}
