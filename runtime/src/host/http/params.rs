//! How a request is sent and counted.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::Resource;

use super::http;
use crate::host::limits::short;
use crate::host::series_cache::Symbol;
use crate::host::state::VuState;
use crate::http::tls::HttpVersion;
use crate::http::{Coding, Credentials, Statuses};
use crate::metrics::TagSetId;

/// Codings on top of each other: nobody needs more.
const MAX_CODINGS: usize = 5;

/// What a module said about its requests.
#[derive(Debug)]
pub struct Params {
    pub(super) timeout: Option<Duration>,
    pub(super) name: Option<(Arc<str>, Symbol)>,
    pub(super) tags: TagSetId,
    /// What few requests say: together, so that the others carry nothing of it.
    pub(super) rare: Option<Arc<Rare>>,
}

/// What few requests say about themselves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rare {
    pub(crate) redirects: Option<u32>,
    pub(crate) expected: Option<Statuses>,
    pub(crate) discard: Option<bool>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) digest: Option<Arc<Credentials>>,
    /// In the order in which they are applied.
    pub(crate) compression: Vec<Coding>,
    pub(crate) chunked: bool,
    pub(crate) http_version: Option<HttpVersion>,
}

impl Params {
    /// What a request without parameters is sent with.
    pub(super) const NONE: Self = Self { timeout: None, name: None, tags: TagSetId::EMPTY, rare: None };
}

impl VuState {
    fn rarely(&mut self, params: &Resource<Params>) -> wasmtime::Result<&mut Rare> {
        Ok(Arc::make_mut(self.table.get_mut(params)?.rare.get_or_insert_default()))
    }
}

impl http::HostParams for VuState {
    fn new(&mut self) -> wasmtime::Result<Resource<Params>> {
        Ok(self.table.push(Params::NONE)?)
    }

    fn set_timeout(&mut self, params: Resource<Params>, nanoseconds: u64) -> wasmtime::Result<()> {
        self.table.get_mut(&params)?.timeout = (nanoseconds > 0).then(|| Duration::from_nanos(nanoseconds));
        Ok(())
    }

    fn set_name(&mut self, params: Resource<Params>, name: String) -> wasmtime::Result<()> {
        short("a request's name", &name)?;
        let symbol = self.shard.cached(|cache, _| cache.symbol(&name));
        self.table.get_mut(&params)?.name = Some((name.into(), symbol));
        Ok(())
    }

    fn set_tags(&mut self, params: Resource<Params>, tags: u32) -> wasmtime::Result<()> {
        let tags = self.tag_set(tags)?;
        self.table.get_mut(&params)?.tags = tags;
        Ok(())
    }

    fn set_redirects(&mut self, params: Resource<Params>, most: u32) -> wasmtime::Result<()> {
        self.rarely(&params)?.redirects = Some(most);
        Ok(())
    }

    fn set_expected_statuses(&mut self, params: Resource<Params>, ranges: Vec<(u16, u16)>) -> wasmtime::Result<()> {
        self.rarely(&params)?.expected = Some(statuses(&ranges)?);
        Ok(())
    }

    fn set_discard_body(&mut self, params: Resource<Params>, discard: bool) -> wasmtime::Result<()> {
        self.rarely(&params)?.discard = Some(discard);
        Ok(())
    }

    fn set_connect_timeout(&mut self, params: Resource<Params>, nanoseconds: u64) -> wasmtime::Result<()> {
        self.rarely(&params)?.connect_timeout = (nanoseconds > 0).then(|| Duration::from_nanos(nanoseconds));
        Ok(())
    }

    fn set_digest(&mut self, params: Resource<Params>, user: String, password: String) -> wasmtime::Result<()> {
        short("a user's name", &user)?;
        short("a password", &password)?;
        self.rarely(&params)?.digest = Some(Arc::new(Credentials { user, password }));
        Ok(())
    }

    fn set_compression(
        &mut self,
        params: Resource<Params>,
        codings: Vec<String>,
    ) -> wasmtime::Result<Result<(), String>> {
        if codings.len() > MAX_CODINGS {
            return Ok(Err(format!("{} codings of a body; give at most {MAX_CODINGS}", codings.len())));
        }
        let known = |name: &String| -> wasmtime::Result<Result<Coding, String>> {
            short("the name of a coding", name)?;
            Ok(Coding::of(name.as_bytes())
                .ok_or_else(|| format!("`{name}` is no coding of a body; use gzip, deflate, br or zstd")))
        };
        let known = codings.iter().map(known).collect::<wasmtime::Result<Vec<_>>>()?;
        match known.into_iter().collect::<Result<Vec<_>, _>>() {
            Ok(codings) => self.rarely(&params)?.compression = codings,
            Err(error) => return Ok(Err(error)),
        }
        Ok(Ok(()))
    }

    fn set_chunked(&mut self, params: Resource<Params>, chunked: bool) -> wasmtime::Result<()> {
        self.rarely(&params)?.chunked = chunked;
        Ok(())
    }

    fn set_http_version(&mut self, params: Resource<Params>, version: String) -> wasmtime::Result<Result<(), String>> {
        short("a version of HTTP", &version)?;
        let Some(known) = HttpVersion::of(&version) else {
            return Ok(Err(format!("`{version}` is no version of HTTP; use auto, 1.1 or 2")));
        };
        self.rarely(&params)?.http_version = Some(known);
        Ok(Ok(()))
    }

    fn drop(&mut self, params: Resource<Params>) -> wasmtime::Result<()> {
        self.table.delete(params)?;
        Ok(())
    }
}

/// What cannot be meant ends the iteration, with a text that says so.
pub(super) fn statuses(ranges: &[(u16, u16)]) -> wasmtime::Result<Statuses> {
    Statuses::new(ranges).map_err(wasmtime::Error::msg)
}
