//! The gRPC calls that one virtual user has under way, and what is measured of each.

use std::sync::Arc;

use super::context::ShardContext;
use super::grpc::Over;
use super::series_cache::extend;
use crate::grpc::{Call, Status, metadata_text};
use crate::http::ErrorCode;
use crate::metrics::{SystemTag, TagSetId, builtin};

/// One call under way.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(super) call: Call,
    shard: Arc<ShardContext>,
    tags: TagSetId,
}

impl Stream {
    pub(super) const fn new(call: Call, shard: Arc<ShardContext>, tags: TagSetId) -> Self {
        Self { call, shard, tags }
    }

    /// What is known of it.
    pub(super) fn over(&self) -> Over {
        Over {
            status: self.call.status().cloned(),
            headers: metadata_text(self.call.headers()),
            trailers: metadata_text(self.call.trailers()),
        }
    }

    /// Records that a message came, or did not, and the bytes that moved.
    pub(super) fn record_message(&self, came: bool) {
        if came {
            self.shard.record(|recorder| recorder.add(builtin::GRPC_STREAMS_MSGS_RECEIVED, self.tags, 1.0));
        }
        self.record_bytes();
    }

    /// Records the bytes that moved on its connection and that no other call has recorded.
    #[expect(clippy::cast_precision_loss, reason = "bytes of one call stay far below 2^53")]
    pub(super) fn record_bytes(&self) {
        let moved = self.call.connection().moved();
        let counts = [(builtin::DATA_SENT, moved.take_sent()), (builtin::DATA_RECEIVED, moved.take_received())];
        self.shard.record(|recorder| {
            for (metric, bytes) in counts.into_iter().filter(|(_, bytes)| *bytes > 0) {
                recorder.add(metric, self.tags, bytes as f64);
            }
        });
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.record_bytes();
    }
}

/// The tags of how a call ended.
pub(super) fn status_tags(shard: &ShardContext, base: TagSetId, status: &Status) -> TagSetId {
    let (code, error_code) = (status.code.known().to_string(), status.error_code.0.to_string());
    let mut tags = vec![(SystemTag::Status, code.as_str())];
    if status.error_code != ErrorCode::NONE {
        tags.extend([(SystemTag::ErrorCode, error_code.as_str()), (SystemTag::Error, status.tag)]);
    }
    extend(&shard.test.registry, base, &tags)
}
