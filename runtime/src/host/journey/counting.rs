//! How the exchanges of a journey become samples.

use std::sync::Arc;

use super::Arrival;
use crate::host::context::ShardContext;
use crate::host::series_cache::{RequestLabel, Symbol};
use crate::http::tls::TlsVersion;
use crate::http::{Client, ErrorCode, Exchange, Failure, Lane, Meter, Outgoing, Statuses, Target, Timings};
use crate::metrics::{HttpKey, HttpSample, MethodId, SystemTag, TagSetId, builtin};

/// How the hops of a journey are counted.
#[derive(Debug)]
pub(in crate::host) struct Counting {
    /// The tags of where the virtual user is.
    pub(in crate::host) around: TagSetId,
    /// The request's own tags.
    pub(in crate::host) own: TagSetId,
    /// The name that the scenario gave: it stays for all hops.
    pub(in crate::host) label: Option<Label>,
    /// Of the next hop.
    pub(in crate::host) method: MethodId,
    pub(in crate::host) expected: Option<Statuses>,
}

/// A name given by the scenario.
#[derive(Debug)]
pub(in crate::host) struct Label {
    pub(in crate::host) name: Arc<str>,
    pub(in crate::host) symbol: Symbol,
}

impl Counting {
    /// The tags of a hop to this URL, as far as they are known before it is sent.
    pub(in crate::host) fn tags(&self, shard: &ShardContext, url: &str, symbol: Symbol) -> TagSetId {
        let label = match &self.label {
            Some(Label { name, symbol }) => RequestLabel::Name(name, *symbol),
            None => RequestLabel::Url(url, symbol),
        };
        shard.cached(|cache, registry| cache.request(registry, self.around, &label, self.own))
    }

    /// Records a hop. `passing` is one that a further one follows: whatever was expected, it is no failure.
    pub(super) fn record(
        &mut self,
        shard: &ShardContext,
        tags: TagSetId,
        exchange: &Exchange,
        passing: bool,
    ) -> (ErrorCode, bool) {
        let key = self.key(at_address(shard, tags, exchange), exchange, passing);
        let Timings { blocked, connecting, tls_handshaking, sending, waiting, receiving, looking_up } =
            exchange.timings;
        let sample = HttpSample {
            blocked,
            connecting,
            tls_handshaking,
            sending,
            waiting,
            receiving,
            bytes_sent: exchange.bytes_sent,
            bytes_received: exchange.bytes_received,
        };
        shard.record(|recorder| recorder.http(&key, &sample));
        if let Some(looking_up) = looking_up {
            let tags = key.tags(&shard.test.registry);
            shard.record(|recorder| recorder.duration(builtin::HTTP_REQ_LOOKING_UP, tags, looking_up));
        }
        (ErrorCode(key.error_code), key.expected)
    }

    #[inline]
    fn key(&self, tags: TagSetId, exchange: &Exchange, passing: bool) -> HttpKey {
        let error_code = match &exchange.failure {
            Some(failure) => failure.code,
            None => ErrorCode::of_status(exchange.status),
        };
        let expected =
            exchange.failure.is_none() && (passing || Statuses::expect(self.expected.as_ref(), exchange.status));
        HttpKey {
            base: tags,
            method: self.method,
            status: exchange.status,
            error_code: error_code.0,
            error: exchange.failure.as_ref().map_or("", |failure| failure.tag),
            protocol: exchange.protocol,
            tls_version: exchange.tls.map_or("", TlsVersion::as_str),
            expected,
        }
    }

    /// A request that never left.
    pub(in crate::host) fn unsent(
        &mut self,
        shard: &ShardContext,
        tags: TagSetId,
        failure: Failure,
        target: Option<Arc<Target>>,
    ) -> Arrival {
        let exchange = Exchange::failed(failure);
        let (error_code, expected) = self.record(shard, tags, &exchange, false);
        Arrival { exchange, error_code, target, redirects: 0, limit_reached: None, expected, streamed: None }
    }
}

/// How an answer that is read piece by piece is counted.
#[derive(Debug)]
pub(in crate::host) struct Streamed {
    counting: Counting,
    tags: TagSetId,
    recorded: bool,
}

impl Streamed {
    /// The answer as far as it came; one that is complete is recorded.
    pub(super) fn begin(
        counting: Counting,
        shard: &ShardContext,
        tags: TagSetId,
        exchange: &Exchange,
    ) -> (ErrorCode, bool, Box<Self>) {
        let key = counting.key(tags, exchange, false);
        let mut streamed = Box::new(Self { counting, tags, recorded: false });
        if !exchange.is_under_way() {
            streamed.record(shard, exchange);
        }
        (ErrorCode(key.error_code), key.expected, streamed)
    }

    /// The tags of its samples, as far as they are known by now.
    pub(in crate::host) fn sample_tags(&self, shard: &ShardContext, exchange: &Exchange) -> TagSetId {
        self.counting.key(at_address(shard, self.tags, exchange), exchange, false).tags(&shard.test.registry)
    }

    /// Records it, unless that was done.
    pub(in crate::host) fn record(&mut self, shard: &ShardContext, exchange: &Exchange) {
        if !std::mem::replace(&mut self.recorded, true) {
            self.counting.record(shard, self.tags, exchange, false);
        }
    }

    /// Counts it as interrupted, unless it was recorded.
    pub(in crate::host) fn interrupt(&self, shard: &ShardContext, exchange: &Exchange) {
        if !self.recorded {
            count_interrupted(shard, self.tags, exchange.bytes_sent, exchange.bytes_received);
        }
    }
}

/// These tags, with the server's address where the run keeps that.
fn at_address(shard: &ShardContext, tags: TagSetId, exchange: &Exchange) -> TagSetId {
    match exchange.remote {
        Some(remote) if shard.test.registry.system_tags().contains(SystemTag::Ip) => {
            shard.cached(|cache, registry| cache.ip(registry, tags, remote.ip()))
        }
        _ => tags,
    }
}

/// One exchange. If it is cut off before it is recorded, what had left by then is counted.
pub(super) async fn hop<'a>(
    client: &Client,
    lane: &mut Lane,
    shard: &'a ShardContext,
    outgoing: &Outgoing,
    tags: TagSetId,
) -> (Exchange, Unrecorded<'a>) {
    let unrecorded = Unrecorded { meter: lane.meter(), shard, tags, armed: true };
    let exchange = client.send(lane, outgoing).await;
    (exchange, unrecorded)
}

/// Counts a request that was cut off: it is none of `http_reqs`, as its time says nothing, but the server may have seen it.
pub(super) struct Unrecorded<'a> {
    meter: Arc<Meter>,
    shard: &'a ShardContext,
    tags: TagSetId,
    armed: bool,
}

impl Unrecorded<'_> {
    pub(super) fn recorded(mut self) {
        self.armed = false;
    }
}

impl Drop for Unrecorded<'_> {
    fn drop(&mut self) {
        // The bytes of a connection that several share may have been counted with another request.
        if self.armed && self.meter.first_write().is_some() {
            count_interrupted(self.shard, self.tags, self.meter.bytes_written(), self.meter.bytes_read());
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "bytes of one request stay far below 2^53")]
fn count_interrupted(shard: &ShardContext, tags: TagSetId, sent: u64, received: u64) {
    shard.record(|recorder| {
        recorder.add(builtin::HTTP_REQS_INTERRUPTED, tags, 1.0);
        recorder.add(builtin::DATA_SENT, tags, sent as f64);
        recorder.add(builtin::DATA_RECEIVED, tags, received as f64);
    });
}
