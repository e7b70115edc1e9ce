//! The ways to steer a run: those that were asked for are opened before the load.

use std::net::TcpListener;
use std::sync::Arc;

use super::error::PrepareError;
use crate::control::keys::Keys;
use crate::control::server::Server;
use crate::control::{self, Access, Live};
use crate::display::Display;
use crate::terminal;

/// Who listens for what somebody wants of the run.
pub(super) struct Hands {
    _server: Option<Server>,
    _keys: Option<Keys>,
}

/// An address that is taken costs nobody a test.
pub(super) fn listen(access: &Access) -> Result<TcpListener, PrepareError> {
    control::server::bind(access)
        .map_err(|error| PrepareError::Address { address: access.text.clone(), reason: error.to_string() })
}

/// Lets whoever may steer the run do so.
pub(super) fn begin(
    live: &Arc<Live>,
    listener: Option<(TcpListener, Access)>,
    display: &Display,
    paused: bool,
) -> Result<Hands, PrepareError> {
    let refused = |error: std::io::Error| PrepareError::System(error.to_string());
    if paused {
        // Before anybody can resume it. The load begins when somebody does.
        let _ = live.helm().pause();
    }
    let server = match listener {
        None => None,
        Some((listener, access)) => {
            let server = Server::start(listener, access, Arc::clone(live)).map_err(refused)?;
            // Also when the person wants quiet: nobody else knows the port, if it was 0.
            display.line(&format!("control: http://{}", server.address()));
            Some(server)
        }
    };
    let keys = match terminal::is_interactive() {
        true => {
            display.note(control::keys::HINT);
            Some(Keys::listen(Arc::clone(live)).map_err(refused)?)
        }
        false => None,
    };
    if paused {
        display.note("paused: the load begins after `runtime resume`, POST /api/resume or the key p");
    }
    Ok(Hands { _server: server, _keys: keys })
}
