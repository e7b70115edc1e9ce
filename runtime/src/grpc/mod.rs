//! gRPC calls over HTTP/2, as the protocol's own document has them ("gRPC over HTTP2"). Messages are bytes here.

mod answer;
mod call;
mod channels;
mod framing;
mod metadata;
mod status;
#[cfg(test)]
mod tests;

pub(crate) use call::{Call, Request, begin};
pub(crate) use channels::Channels;
pub(crate) use metadata::{Metadata, check, is_method_path, text as metadata_text};
pub(crate) use status::{Code, Status};
