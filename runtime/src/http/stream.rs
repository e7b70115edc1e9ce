//! A connected socket, in plain text or under TLS.

use std::io::{self, IoSlice, Read};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A connected socket.
#[derive(Debug)]
pub(crate) enum Stream {
    /// What is said is what is sent.
    Plain(TcpStream),
    /// Plain text, and counted below whoever talks over it.
    Counted(Counted),
    /// TLS. Boxed, as its state takes more than a kilobyte.
    Tls(Box<TlsStream<Counted>>),
}

/// A socket that counts what moves on it: under TLS, or under a protocol of frames, that is more than what is said.
#[derive(Debug)]
pub(crate) struct Counted {
    tcp: TcpStream,
    moved: Arc<Moved>,
}

/// Bytes that moved on a socket and that nobody has accounted for.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Moved {
    /// Bytes sent since the last call.
    pub(crate) fn take_sent(&self) -> u64 {
        self.sent.swap(0, Relaxed)
    }

    /// Bytes received since the last call.
    pub(crate) fn take_received(&self) -> u64 {
        self.received.swap(0, Relaxed)
    }
}

impl Counted {
    pub(super) fn new(tcp: TcpStream) -> Self {
        Self { tcp, moved: Arc::default() }
    }
}

impl Stream {
    /// The same stream with a counter of the bytes on its socket.
    pub(crate) fn counted(self) -> (Self, Arc<Moved>) {
        let stream = match self {
            Self::Plain(tcp) => Self::Counted(Counted::new(tcp)),
            counted => counted,
        };
        let moved = match &stream {
            Self::Plain(_) => Arc::default(),
            Self::Counted(counted) => Arc::clone(&counted.moved),
            Self::Tls(tls) => Arc::clone(&tls.get_ref().0.moved),
        };
        (stream, moved)
    }

    /// The counter of the bytes on its socket, which plain text does without.
    pub(super) fn moved(&self) -> Option<&Moved> {
        match self {
            Self::Plain(_) => None,
            Self::Counted(counted) => Some(&counted.moved),
            Self::Tls(tls) => Some(&tls.get_ref().0.moved),
        }
    }

    /// Whether the peer neither closed the connection nor said anything that nobody asked for.
    ///
    /// The kernel is asked: what tokio knows of a socket is as old as its last look at all sockets, and a virtual user that does not rest
    /// between two requests gives it no occasion.
    pub(super) fn is_quiet(&mut self) -> bool {
        match self {
            Self::Plain(tcp) | Self::Counted(Counted { tcp, .. }) => peek_is_quiet(tcp),
            Self::Tls(tls) => peek_is_quiet(&tls.get_ref().0.tcp) || tls_is_quiet(tls),
        }
    }
}

fn peek_is_quiet(tcp: &TcpStream) -> bool {
    let mut byte = [MaybeUninit::uninit()];
    SockRef::from(tcp).peek(&mut byte).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

/// A TLS 1.3 server sends session tickets whenever it likes: they are taken in, and are nothing that anybody said.
fn tls_is_quiet(tls: &mut TlsStream<Counted>) -> bool {
    let (counted, session) = tls.get_mut();
    let socket = SockRef::from(&counted.tcp);
    loop {
        match session.read_tls(&mut Noting { socket: &socket, moved: &counted.moved }) {
            Ok(0) => return false,
            Ok(_) => match session.process_new_packets() {
                Ok(state) if state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed() => {}
                _ => return false,
            },
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
    }
}

/// Reads a socket without tokio, which learns of it at its next read.
struct Noting<'a> {
    socket: &'a SockRef<'a>,
    moved: &'a Moved,
}

impl Read for Noting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut socket: &socket2::Socket = self.socket;
        let read = socket.read(buffer)?;
        self.moved.received.fetch_add(read as u64, Relaxed);
        Ok(read)
    }
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.tcp).poll_read(cx, buffer);
        self.moved.received.fetch_add((buffer.filled().len() - before) as u64, Relaxed);
        read
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        self.note(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write_vectored(cx, parts);
        self.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

impl Counted {
    fn note(&self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = written {
            self.moved.sent.fetch_add(*bytes as u64, Relaxed);
        }
    }
}

macro_rules! delegate {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Stream::Plain($stream) => $call,
            Stream::Counted($stream) => $call,
            Stream::Tls($stream) => $call,
        }
    };
}

impl AsyncRead for Stream {
    #[inline]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        delegate!(self, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        delegate!(self, stream => Pin::new(stream).poll_write_vectored(cx, parts))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

/// A stream whose end is an end, whether or not TLS says so: HTTP/2's frames tell by themselves if something is missing.
#[derive(Debug)]
pub(super) struct Ending {
    stream: Stream,
    ended: Arc<AtomicBool>,
}

impl Ending {
    /// The flag is set once the other end sends nothing more.
    pub(super) fn new(stream: Stream) -> (Self, Arc<AtomicBool>) {
        let ended = Arc::<AtomicBool>::default();
        (Self { stream, ended: Arc::clone(&ended) }, ended)
    }
}

impl AsyncRead for Ending {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        let ended = match &read {
            Ok(()) => buffer.filled().len() == before && buffer.remaining() > 0,
            Err(error) => error.kind() == io::ErrorKind::UnexpectedEof,
        };
        if ended {
            self.ended.store(true, Relaxed);
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Ending {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
