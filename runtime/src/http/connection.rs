//! One keep-alive connection, driven by whoever waits for its answer. At rest it holds a socket and nothing else.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::dial::Dialed;
use super::failure::{ErrorCode, Failure};
use super::h1::Decoder;
use super::meter::Meter;
use super::stream::Stream;
use super::tls::TlsVersion;
use super::unsent::Unsent;

/// What is read at once.
const READ_BYTES: usize = 64 * 1024;
/// How often in one turn: then the thread's other virtual users have theirs.
const READS_A_TURN: u32 = 8;

thread_local! {
    /// Where a thread's connections read to, one after the other: what they read is decoded before the next one does.
    static INPUT: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// A connection. Nothing moves between requests: what the peer did meanwhile is seen when the next request begins.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    tls: Option<TlsVersion>,
    remote: SocketAddr,
    absolute: bool,
}

/// Why an exchange ended without an answer.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) failure: Failure,
    /// No byte of the request left: it may be sent again.
    pub(super) unsent: bool,
}

impl Connection {
    /// A connection that was just made.
    pub(super) fn new(dialed: Dialed) -> Self {
        let Dialed { stream, tls, remote, absolute, http2: _ } = dialed;
        Self { stream, tls, remote, absolute }
    }

    /// The version of TLS, if it is spoken.
    pub(super) const fn tls(&self) -> Option<TlsVersion> {
        self.tls
    }

    /// Who is at the other end.
    pub(super) const fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Whether requests must name the whole URL, as a proxy passes them on.
    pub(super) const fn absolute(&self) -> bool {
        self.absolute
    }

    /// Whether another request can be sent. A peer that closed the connection meanwhile, or said something unasked, is found out
    /// before a request is lost on it: bytes that nobody asked for would be taken for the next answer.
    pub(super) fn is_ready(&mut self) -> bool {
        self.stream.is_quiet()
    }

    /// Sends a request and feeds what comes back to `decoder`, until the answer is complete. `Ok` says whether the whole request
    /// had left by then.
    pub(super) async fn exchange(
        &mut self,
        unsent: &mut Unsent,
        decoder: &mut Decoder,
        meter: &Meter,
    ) -> Result<bool, Broken> {
        self.exchange_until(unsent, decoder, meter, Decoder::is_over).await
    }

    /// As [`exchange`](Self::exchange), until so much of the answer is there. It may be called again, for more of it.
    pub(super) async fn exchange_until(
        &mut self,
        unsent: &mut Unsent,
        decoder: &mut Decoder,
        meter: &Meter,
        enough: impl Fn(&Decoder) -> bool,
    ) -> Result<bool, Broken> {
        let mut write_error = None;
        poll_fn(|cx| {
            let mut sent = write_error.is_some();
            while !sent {
                match self.poll_send(unsent, meter, cx) {
                    Poll::Ready(Ok(all)) => sent = all,
                    // The peer may have answered before it closed: its word counts for more than the broken pipe.
                    Poll::Ready(Err(error)) => {
                        write_error = Some(error);
                        sent = true;
                    }
                    Poll::Pending => break,
                }
            }
            for _ in 0..READS_A_TURN {
                match self.poll_read(decoder, meter, cx) {
                    Poll::Ready(Ok(())) if enough(decoder) => {
                        return Poll::Ready(Ok(write_error.is_none() && unsent.is_empty()));
                    }
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(failure)) => {
                        // That nothing more came is what a broken pipe looks like from the other side; an answer that is none is more.
                        let failure = match write_error.take() {
                            Some(error) if matches!(failure.code, ErrorCode::RESET_BY_PEER | ErrorCode::TCP) => {
                                Failure::exchange(&error)
                            }
                            _ => failure,
                        };
                        return Poll::Ready(Err(Broken { failure, unsent: meter.bytes_written() == 0 }));
                    }
                    Poll::Pending => return Poll::Pending,
                }
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }

    /// Ready with whether everything has left.
    fn poll_send(&mut self, unsent: &mut Unsent, meter: &Meter, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if !unsent.is_empty() {
            return self.poll_write(unsent, meter, cx).map_ok(|()| unsent.is_empty() && self.stream.moved().is_none());
        }
        if self.stream.moved().is_none() {
            return Poll::Ready(Ok(true));
        }
        // What TLS took it may still hold.
        let started_ns = meter.now_ns();
        let flushed = Pin::new(&mut self.stream).poll_flush(cx).map_ok(|()| true);
        self.account(0, started_ns, meter);
        flushed
    }

    /// Notes what was written: the bytes on the socket, where those are counted.
    fn account(&self, bytes: usize, started_ns: u64, meter: &Meter) {
        let bytes = match self.stream.moved() {
            None => bytes,
            Some(moved) => usize::try_from(moved.take_sent()).unwrap_or(usize::MAX),
        };
        meter.wrote(bytes, started_ns);
    }

    fn poll_write(&mut self, unsent: &mut Unsent, meter: &Meter, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let started_ns = meter.now_ns();
        let stream = Pin::new(&mut self.stream);
        let result = match unsent.parts() {
            (head, []) => stream.poll_write(cx, head),
            ([], body) => stream.poll_write(cx, body),
            (head, body) => stream.poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(body)]),
        };
        result.map(|written| match written {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Ok(bytes) => {
                unsent.advance(bytes);
                self.account(bytes, started_ns, meter);
                Ok(())
            }
            Err(error) => Err(error),
        })
    }

    fn poll_read(&mut self, decoder: &mut Decoder, meter: &Meter, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        INPUT.with_borrow_mut(|input| {
            let mut input = ReadBuf::new(input);
            let read = Pin::new(&mut self.stream).poll_read(cx, &mut input);
            read.map(|result| match result {
                Ok(()) if input.filled().is_empty() => decoder.end_of_stream(),
                Ok(()) => {
                    let bytes = match self.stream.moved() {
                        None => input.filled().len(),
                        Some(moved) => usize::try_from(moved.take_received()).unwrap_or(usize::MAX),
                    };
                    meter.read(bytes);
                    decoder.feed(input.filled())
                }
                Err(error) => Err(Failure::exchange(&error)),
            })
        })
    }
}
