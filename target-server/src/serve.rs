//! Serving a router on a listener until told to stop.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;

/// Connections that may wait to be accepted: thousands of VUs connect in the same instant. The system may allow fewer.
const BACKLOG: u32 = 16_384;

/// How serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Everything in flight was answered.
    Gracefully,
    /// The grace period ended first; what was in flight was cut off.
    CutOff,
}

/// Listens on `address`; port 0 takes a free one. To be called within a tokio runtime.
///
/// # Errors
/// What the system says: the address is in use, is not this machine's, or needs a privilege.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A server that was killed leaves its address in TIME_WAIT; the next one takes it over.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Answers requests until `shutdown` completes; then takes no more, and answers what is in flight for up to `grace`.
///
/// # Errors
/// Those of the listener that cannot be waited out.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
    grace: Duration,
) -> io::Result<Stopped> {
    // Answers are small and written at once: waiting for more to send would only delay them.
    let listener = listener.tap_io(|connection| {
        let _ = connection.set_nodelay(true);
    });
    let (stopping, stopped) = oneshot::channel();
    let shutdown = async move {
        shutdown.await;
        let _ = stopping.send(());
    };
    let too_long = async move {
        if stopped.await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        result = axum::serve(listener, app).with_graceful_shutdown(shutdown).into_future() => {
            result.map(|()| Stopped::Gracefully)
        }
        () = too_long => Ok(Stopped::CutOff),
    }
}
