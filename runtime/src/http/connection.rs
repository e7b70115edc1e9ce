//! One keep-alive connection, driven by whoever waits for its answer.

use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::failure::{ErrorCode, Failure};
use super::meter::{Meter, Metered};

/// How long connecting may take: k6's dial timeout.
const DIAL_TIMEOUT: Duration = Duration::from_secs(30);

/// hyper's reading buffer starts at 8 KiB and grows for long heads: a virtual user that only waits should not hold more.
const MAX_BUFFER_BYTES: usize = 64 * 1024;

type Request = hyper::Request<Full<Bytes>>;
type Sent = Result<hyper::Response<hyper::body::Incoming>, hyper::client::conn::TrySendError<Request>>;
type Driver = http1::Connection<TokioIo<Metered<TcpStream>>, Full<Bytes>>;

/// A connection and the future that moves its bytes. Nothing moves between requests: what the peer did meanwhile is seen when the
/// next request begins.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    /// `None` once it ended.
    driver: Option<Pin<Box<Driver>>>,
}

impl Connection {
    /// Connects to the first address that answers. What moves is noted in `meter`.
    pub(crate) async fn open(addresses: &[IpAddr], port: u16, meter: &Arc<Meter>) -> Result<Self, Failure> {
        let mut failure = Failure::new(ErrorCode::DIAL, "connecting failed", "the name has no address");
        for address in addresses {
            let peer = SocketAddr::new(*address, port);
            match tokio::time::timeout(DIAL_TIMEOUT, TcpStream::connect(peer)).await {
                Ok(Ok(stream)) => return Self::shake_hands(stream, Arc::clone(meter)).await,
                Ok(Err(error)) => failure = Failure::dial(&error, peer),
                Err(_elapsed) => failure = Failure::new(ErrorCode::DIAL_TIMEOUT, "connecting timed out", peer),
            }
        }
        Err(failure)
    }

    async fn shake_hands(stream: TcpStream, meter: Arc<Meter>) -> Result<Self, Failure> {
        // Small requests must leave at once; a failure here only makes them slower.
        let _ = stream.set_nodelay(true);
        let io = TokioIo::new(Metered::new(stream, meter));
        let (sender, driver) = http1::Builder::new()
            .max_buf_size(MAX_BUFFER_BYTES)
            .handshake(io)
            .await
            .map_err(|error| Failure::exchange(&error))?;
        Ok(Self { sender, driver: Some(Box::pin(driver)) })
    }

    /// Whether another request can be sent. Looks at the socket, so that a connection which the peer closed meanwhile is
    /// found out before a request is lost on it.
    /// One that is still busy with its last request (the answer came before the request had left) is not waited for.
    pub(crate) async fn is_ready(&mut self) -> bool {
        poll_fn(|cx| {
            self.poll_driver(cx);
            let ready = self.driver.is_some() && matches!(self.sender.poll_ready(cx), Poll::Ready(Ok(())));
            Poll::Ready(ready)
        })
        .await
    }

    /// Hands a request over to be sent; [`answer`](Self::answer) sends it.
    pub(crate) fn begin(&mut self, request: Request) -> impl Future<Output = Sent> + use<> {
        self.sender.try_send_request(request)
    }

    /// Waits for the head of the answer. If the request never left, it comes back with the error.
    pub(crate) async fn answer(
        &mut self,
        sent: impl Future<Output = Sent>,
    ) -> Result<hyper::Response<hyper::body::Incoming>, (Failure, Option<Request>)> {
        self.drive(pin!(sent)).await.map_err(|mut error| {
            let request = error.take_message();
            (Failure::exchange(error.error()), request)
        })
    }

    /// Polls `future` together with the connection that it waits for.
    pub(crate) async fn drive<F: Future>(&mut self, mut future: Pin<&mut F>) -> F::Output {
        poll_fn(|cx| {
            self.poll_driver(cx);
            future.as_mut().poll(cx)
        })
        .await
    }

    /// Errors reach the waiting request through hyper's own channel; here it only matters that the connection is over.
    fn poll_driver(&mut self, cx: &mut Context<'_>) {
        if let Some(driver) = &mut self.driver
            && driver.as_mut().poll(cx).is_ready()
        {
            self.driver = None;
        }
    }
}
