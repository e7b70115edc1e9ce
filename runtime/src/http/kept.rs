//! The connections that one virtual user keeps for its next requests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::connection::Connection;
use super::http2::Http2;
use super::target::Origin;

/// More than a scenario needs that sends one request after the other, and few enough that a hostile one cannot eat the machine's open files.
const KEPT: usize = 8;
/// The most, for virtual users that send batches.
const MOST_KEPT: usize = 32;

/// Connections at rest, or that take further requests. When there is no room, the oldest gives way.
#[derive(Debug)]
pub(super) struct Kept(Mutex<Connections>);

#[derive(Debug)]
struct Connections {
    http1: Vec<(Arc<Origin>, Connection)>,
    http2: Vec<(Arc<Origin>, Http2)>,
    /// For how many over HTTP/1.1 there is room. Over HTTP/2 one connection serves any number of requests.
    room: usize,
}

impl Default for Kept {
    fn default() -> Self {
        Self(Mutex::new(Connections { http1: Vec::new(), http2: Vec::new(), room: KEPT }))
    }
}

impl Kept {
    /// Makes room for the connections of so many requests at once, within limits.
    pub(super) fn make_room(&self, requests: usize) {
        let mut kept = self.lock();
        kept.room = kept.room.max(requests.min(MOST_KEPT));
    }

    /// Takes out one to this origin that still works. One that does not is dropped, and no other is tried.
    #[inline]
    pub(super) fn http1(&self, origin: &Arc<Origin>) -> Option<Connection> {
        let mut kept = self.lock();
        let position = kept.http1.iter().position(|(kept, _)| kept == origin)?;
        // The others stay in the order of their age.
        let (_, mut connection) = kept.http1.remove(position);
        connection.is_ready().then_some(connection)
    }

    /// One to this origin that takes another request.
    pub(super) fn http2(&self, origin: &Arc<Origin>) -> Option<Http2> {
        let mut kept = self.lock();
        kept.http2.retain(|(_, connection)| connection.is_open());
        kept.http2.iter().find(|(kept, _)| kept == origin).map(|(_, connection)| connection.clone())
    }

    /// Keeps one that has served its request.
    #[inline]
    pub(super) fn keep_http1(&self, origin: Arc<Origin>, connection: Connection) {
        let mut kept = self.lock();
        if kept.http1.len() >= kept.room {
            kept.http1.remove(0);
        }
        kept.http1.push((origin, connection));
    }

    /// Keeps one that was just made.
    pub(super) fn keep_http2(&self, origin: Arc<Origin>, connection: Http2) {
        let mut kept = self.lock();
        if kept.http2.len() >= KEPT {
            kept.http2.remove(0);
        }
        kept.http2.push((origin, connection));
    }

    /// A connection on which something went wrong serves nobody else; the requests that are under way on it may finish.
    pub(super) fn forget(&self, connection: &Http2) {
        self.lock().http2.retain(|(_, kept)| !kept.is_same(connection));
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::http::Target;
    use crate::http::dial::Dialed;
    use crate::http::stream::Stream;

    #[tokio::test]
    async fn the_connection_that_was_used_longest_ago_gives_way() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let remote = listener.local_addr().unwrap();
        let origin = |number: usize| Target::parse(&format!("http://host-{number}.test/")).unwrap().origin;
        let kept = Kept::default();
        let mut peers = Vec::new();
        for number in 0..=KEPT {
            if number == KEPT {
                // The first is used once more, and now there is no room left.
                let first = kept.http1(&origin(0)).unwrap();
                kept.keep_http1(origin(0), first);
            }
            let stream = Stream::Plain(TcpStream::connect(remote).await.unwrap());
            peers.push(listener.accept().await.unwrap());
            let dialed = Dialed { stream, tls: None, http2: false, remote, absolute: false };
            kept.keep_http1(origin(number), Connection::new(dialed));
        }
        assert!(kept.http1(&origin(1)).is_none());
        for number in (0..=KEPT).filter(|number| *number != 1) {
            assert!(kept.http1(&origin(number)).is_some(), "{number}");
        }
    }
}
