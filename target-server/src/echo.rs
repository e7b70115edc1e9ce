//! A WebSocket that says back what it is told.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use tokio::sync::watch;

use crate::app::App;
use crate::extract::BODY_LIMIT_BYTES;
use crate::metrics::{Counted, Metrics};

/// The subprotocols that are agreed to, the preferred one first.
const SUBPROTOCOLS: [&str; 2] = ["echo", "chat"];

/// The WebSockets that are open: told when the server stops, and waited for.
#[derive(Clone, Debug)]
pub struct Sockets(Arc<watch::Sender<bool>>);

impl Default for Sockets {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Sockets {
    /// Has every connection closed, also those to come, with code 1001.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Waits until they are told to close.
    pub fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut stopping = self.0.subscribe();
        async move {
            let _ = stopping.wait_for(|stopping| *stopping).await;
        }
    }

    /// Waits until there is no connection.
    pub async fn all_closed(&self) {
        self.0.closed().await;
    }
}

/// `GET /ws/echo`: a WebSocket.
pub(crate) async fn echo(State(app): State<App>, upgrade: WebSocketUpgrade) -> Response {
    // From here on it is waited for: the handshake's answer may still be on its way when the server is told to stop.
    let stopping = app.sockets.0.subscribe();
    upgrade
        .protocols(SUBPROTOCOLS)
        .max_message_size(BODY_LIMIT_BYTES)
        .max_frame_size(BODY_LIMIT_BYTES)
        .on_upgrade(move |socket| talk(socket, Arc::clone(&app.metrics), stopping))
}

async fn talk(mut socket: WebSocket, metrics: Arc<Metrics>, mut stopping: watch::Receiver<bool>) {
    let _open = Counted::new(&metrics.websockets);
    loop {
        let message = tokio::select! {
            message = socket.recv() => message,
            // If nobody can tell any more, there is nobody to serve for.
            () = async { let _ = stopping.wait_for(|stopping| *stopping).await; } => {
                let frame = CloseFrame { code: close_code::AWAY, reason: "the server is shutting down".into() };
                let _ = socket.send(Message::Close(Some(frame))).await;
                // Until the client has closed too, or broken off.
                while let Some(Ok(_)) = socket.recv().await {}
                return;
            }
        };
        match message {
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                metrics.websocket_messages.inc();
                if socket.send(message).await.is_err() {
                    return;
                }
            }
            // Pings and closing are answered by the library, on the next call.
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return,
        }
    }
}
