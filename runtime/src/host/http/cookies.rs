//! A virtual user's cookies, as its scenario sees them.

use url::Url;

use crate::host::limits::short;
use crate::host::state::VuState;
use crate::http::{Jar, Target};

impl VuState {
    /// Does something with the jar, if there is one, for this URL.
    pub(super) fn with_jar<R: Default>(
        &mut self,
        url: &str,
        act: impl FnOnce(&mut Jar, &Url) -> R,
    ) -> Result<R, String> {
        let url = parsed(url)?;
        Ok(self.flight.session().jar.as_mut().map(|jar| act(jar, &url)).unwrap_or_default())
    }

    /// Stores a cookie, in a new jar if there is none.
    pub(super) fn store_cookie(&mut self, url: &str, cookie: &str) -> wasmtime::Result<Result<(), String>> {
        short("the URL of a cookie", url)?;
        let url = match parsed(url) {
            Ok(url) => url,
            Err(error) => return Ok(Err(error)),
        };
        let mut session = self.flight.session();
        Ok(session.jar.get_or_insert_default().set(cookie, &url).map_err(|error| error.to_string()))
    }
}

/// What can be requested has cookies.
fn parsed(url: &str) -> Result<Url, String> {
    let target = Target::parse(url).map_err(|error| error.to_string())?;
    Url::parse(&target.url).map_err(|error| error.to_string())
}
