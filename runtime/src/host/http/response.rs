//! An answer that the module may look into.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use wasmtime::component::Resource;

use super::http;
use crate::host::journey::Arrival;
use crate::host::state::VuState;
use crate::http::tls::TlsVersion;
use crate::http::{Head, Timings};

/// An answer.
#[derive(Debug)]
pub struct Response {
    url: Arc<str>,
    status: u16,
    head: Head,
    body: Bytes,
    timings: Timings,
    error: Option<String>,
    protocol: &'static str,
    tls: Option<TlsVersion>,
    remote: Option<SocketAddr>,
    redirects: u32,
    expected: bool,
}

impl Response {
    /// What came of a request to this URL.
    pub(super) fn new(arrival: Arrival, url: &str) -> Self {
        let Arrival { exchange, target, redirects, expected, .. } = arrival;
        Self {
            url: target.map_or_else(|| url.into(), |target| Arc::clone(&target.url)),
            status: exchange.status,
            head: exchange.head,
            body: exchange.body,
            timings: exchange.timings,
            error: exchange.failure.map(|failure| failure.text),
            protocol: exchange.protocol,
            tls: exchange.tls,
            remote: exchange.remote,
            redirects,
            expected,
        }
    }

    /// What it costs to hold it, roughly.
    pub(super) fn held_bytes(&self) -> usize {
        let texts = self.url.len() + self.error.as_ref().map_or(0, String::len);
        self.body.len() + self.head.len() + texts + size_of::<Self>()
    }
}

/// As the module sees them.
pub(in crate::host) fn timings(timings: &Timings) -> http::Timings {
    let Timings { blocked, connecting, tls_handshaking, sending, waiting, receiving, .. } = *timings;
    let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    http::Timings {
        blocked: ns(blocked),
        connecting: ns(connecting),
        tls_handshaking: ns(tls_handshaking),
        sending: ns(sending),
        waiting: ns(waiting),
        receiving: ns(receiving),
    }
}

impl http::HostResponse for VuState {
    fn header(&mut self, response: Resource<Response>, name: String) -> wasmtime::Result<Option<Vec<u8>>> {
        Ok(self.table.get(&response)?.head.get(&name).map(<[u8]>::to_vec))
    }

    fn headers(&mut self, response: Resource<Response>) -> wasmtime::Result<Vec<(String, Vec<u8>)>> {
        Ok(self.table.get(&response)?.head.all())
    }

    fn body(&mut self, response: Resource<Response>) -> wasmtime::Result<Vec<u8>> {
        Ok(self.table.get(&response)?.body.to_vec())
    }

    fn timings(&mut self, response: Resource<Response>) -> wasmtime::Result<http::Timings> {
        Ok(timings(&self.table.get(&response)?.timings))
    }

    fn error(&mut self, response: Resource<Response>) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&response)?.error.clone())
    }

    fn url(&mut self, response: Resource<Response>) -> wasmtime::Result<String> {
        Ok(self.table.get(&response)?.url.to_string())
    }

    fn protocol(&mut self, response: Resource<Response>) -> wasmtime::Result<String> {
        Ok(self.table.get(&response)?.protocol.to_owned())
    }

    fn redirects(&mut self, response: Resource<Response>) -> wasmtime::Result<u32> {
        Ok(self.table.get(&response)?.redirects)
    }

    fn expected(&mut self, response: Resource<Response>) -> wasmtime::Result<bool> {
        Ok(self.table.get(&response)?.expected)
    }

    fn status_text(&mut self, response: Resource<Response>) -> wasmtime::Result<String> {
        let response = self.table.get(&response)?;
        if response.status == 0 {
            return Ok(String::new());
        }
        let usual = || ::http::StatusCode::from_u16(response.status).ok()?.canonical_reason().map(str::to_owned);
        let reason = response.head.reason().or_else(usual).unwrap_or_default();
        Ok(format!("{} {reason}", response.status).trim_end().to_owned())
    }

    fn tls_version(&mut self, response: Resource<Response>) -> wasmtime::Result<String> {
        Ok(self.table.get(&response)?.tls.map_or("", TlsVersion::as_str).to_owned())
    }

    fn remote_address(&mut self, response: Resource<Response>) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&response)?.remote.map(|remote| remote.to_string()))
    }

    fn drop(&mut self, response: Resource<Response>) -> wasmtime::Result<()> {
        let response = self.table.delete(response)?;
        self.held_bytes = self.held_bytes.saturating_sub(response.held_bytes());
        Ok(())
    }
}
