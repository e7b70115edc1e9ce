//! The HTTP/2 connections that one virtual user's calls go over.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::http::dial::{DialTimings, Wanted, dial};
use crate::http::http2::Http2;
use crate::http::tls::HttpVersion;
use crate::http::{ClientSettings, Failure, Origin, Target};

/// As for HTTP: connecting may take so long.
const DIAL_TIMEOUT: Duration = Duration::from_secs(30);
/// What a server may send of one stream before it is read. All streams that a virtual user may have find room on one connection, so that those
/// that nobody reads never hold up the others.
const STREAM_WINDOW: u32 = 64 * 1024;
/// Servers that one virtual user keeps a connection to.
const MAX_KEPT: usize = 8;

/// Connections by origin, used again by later calls, also of later iterations.
#[derive(Debug, Default)]
pub(crate) struct Channels(Mutex<Vec<(Arc<Origin>, Http2)>>);

impl Channels {
    /// A connection that is open, and whether it was used before.
    pub(super) async fn connection(
        &self,
        settings: &ClientSettings,
        target: &Target,
        local: Option<IpAddr>,
    ) -> Result<(Http2, bool), Failure> {
        if let Some(kept) = self.kept(&target.origin) {
            return Ok((kept, true));
        }
        let wanted = Wanted { http: HttpVersion::Http2, local, timeout: DIAL_TIMEOUT, tunnel: true };
        let dialed = dial(settings, &target.origin, wanted, &mut DialTimings::default()).await?;
        let connection = Http2::open(dialed, STREAM_WINDOW).await?;
        if !settings.no_connection_reuse {
            let mut kept = self.lock();
            if kept.len() >= MAX_KEPT {
                kept.remove(0);
            }
            kept.push((Arc::clone(&target.origin), connection.clone()));
        }
        Ok((connection, false))
    }

    /// Closes all that no call is under way on.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// A connection on which something went wrong serves no further call.
    pub(crate) fn forget(&self, connection: &Http2) {
        self.lock().retain(|(_, kept)| !kept.is_same(connection));
    }

    fn kept(&self, origin: &Arc<Origin>) -> Option<Http2> {
        let mut kept = self.lock();
        kept.retain(|(_, connection)| connection.is_open());
        kept.iter().find(|(kept, _)| kept == origin).map(|(_, connection)| connection.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Arc<Origin>, Http2)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
