//! One keep-alive connection, driven by whoever waits for its answer. At rest it holds a socket and nothing else.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::failure::{ErrorCode, Failure};
use super::h1::Decoder;
use super::meter::Meter;
use super::unsent::Unsent;

/// How long connecting may take: k6's dial timeout.
const DIAL_TIMEOUT: Duration = Duration::from_secs(30);

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
    stream: TcpStream,
}

/// Why an exchange ended without an answer.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) failure: Failure,
    /// No byte of the request left: it may be sent again.
    pub(super) unsent: bool,
}

impl Connection {
    /// Connects to the first address that answers.
    pub(super) async fn open(addresses: &[IpAddr], port: u16) -> Result<Self, Failure> {
        let mut failure = Failure::new(ErrorCode::DIAL, "connecting failed", "the name has no address");
        for address in addresses {
            let peer = SocketAddr::new(*address, port);
            match tokio::time::timeout(DIAL_TIMEOUT, TcpStream::connect(peer)).await {
                Ok(Ok(stream)) => {
                    // Small requests must leave at once; a failure here only makes them slower.
                    let _ = stream.set_nodelay(true);
                    return Ok(Self { stream });
                }
                Ok(Err(error)) => failure = Failure::dial(&error, peer),
                Err(_elapsed) => failure = Failure::new(ErrorCode::DIAL_TIMEOUT, "connecting timed out", peer),
            }
        }
        Err(failure)
    }

    /// Whether another request can be sent. A peer that closed the connection meanwhile, or said something unasked, is found out
    /// before a request is lost on it.
    ///
    /// The kernel is asked: what tokio knows of a socket is as old as its last look at all sockets, and a virtual user that does not rest
    /// between two requests gives it no occasion. Bytes that nobody asked for would be taken for the next answer.
    pub(super) fn is_ready(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        let peeked = SockRef::from(&self.stream).peek(&mut byte);
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends a request and feeds what comes back to `decoder`, until the answer is complete. `Ok` says whether the whole request
    /// had left by then.
    pub(super) async fn exchange(
        &mut self,
        unsent: &mut Unsent,
        decoder: &mut Decoder,
        meter: &Meter,
    ) -> Result<bool, Broken> {
        let mut write_error = None;
        poll_fn(|cx| {
            let mut sent = write_error.is_some() || unsent.is_empty();
            while !sent {
                match self.poll_write(unsent, meter, cx) {
                    Poll::Ready(Ok(())) => sent = unsent.is_empty(),
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
                    Poll::Ready(Ok(())) if decoder.is_over() => {
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
                meter.wrote(bytes, started_ns);
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
                    meter.read(input.filled().len());
                    decoder.feed(input.filled())
                }
                Err(error) => Err(Failure::exchange(&error)),
            })
        })
    }
}
