//! A request's body that is put together outside of the module.

use bytes::Bytes;
use wasmtime::component::Resource;

use super::http;
use crate::host::limits::short;
use crate::host::state::VuState;
use crate::http::Payload;

/// Pieces of one body: a multipart form has three for each part.
const MAX_PIECES: usize = 3_000;

/// Bytes of the module, and files that were granted.
#[derive(Debug, Default)]
pub struct Body {
    pieces: Vec<Bytes>,
    /// Of the module's own bytes: granted files are there once for all.
    held_bytes: usize,
}

impl Body {
    pub(super) fn payload(&self) -> Payload {
        Payload::Pieces(self.pieces.as_slice().into())
    }

    fn add(&mut self, piece: Bytes) -> wasmtime::Result<()> {
        if self.pieces.len() >= MAX_PIECES {
            wasmtime::bail!(
                "a body has {MAX_PIECES} pieces at most: bytes that follow each other can be added at once"
            );
        }
        self.pieces.push(piece);
        Ok(())
    }
}

impl http::HostBody for VuState {
    fn new(&mut self) -> wasmtime::Result<Resource<Body>> {
        Ok(self.table.push(Body::default())?)
    }

    fn add_bytes(&mut self, body: Resource<Body>, bytes: Vec<u8>) -> wasmtime::Result<()> {
        let held = bytes.len() + size_of::<Bytes>();
        if self.held_bytes + held > self.memory.max_bytes() {
            wasmtime::bail!(
                "the answers and bodies of this instance would take more than {} bytes; let go of some, or raise --memory-limit",
                self.memory.max_bytes()
            );
        }
        let body = self.table.get_mut(&body)?;
        body.add(bytes.into())?;
        body.held_bytes += held;
        self.held_bytes += held;
        Ok(())
    }

    fn add_file(&mut self, body: Resource<Body>, name: String) -> wasmtime::Result<Result<(), String>> {
        short("a file's name", &name)?;
        let Some(file) = self.test().requests.files.get(&name).cloned() else {
            return Ok(Err(format!("no file `{name}` was granted; grant it with --file {name}=PATH")));
        };
        self.table.get_mut(&body)?.add(file)?;
        Ok(Ok(()))
    }

    fn drop(&mut self, body: Resource<Body>) -> wasmtime::Result<()> {
        let body = self.table.delete(body)?;
        self.held_bytes = self.held_bytes.saturating_sub(body.held_bytes);
        Ok(())
    }
}
