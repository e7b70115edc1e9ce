//! One HTTP request as a sample.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use super::{Aggregate, MetricId, Registry, SystemTag, TagSetId, Trend, builtin};

/// What tells requests of one series from those of another. Cheap to copy, to hash and to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpKey {
    /// The tags known before the request: scenario, group, name, url, the scenario's own.
    pub base: TagSetId,
    /// The method.
    pub method: MethodId,
    /// The HTTP status; 0 when there was no answer.
    pub status: u16,
    /// k6's error code; 0 for none.
    pub error_code: u16,
    /// What went wrong, in words; empty for nothing.
    pub error: &'static str,
    /// The protocol, such as `HTTP/1.1`; empty when there was no answer.
    pub protocol: &'static str,
    /// The version of TLS, such as `tls1.3`; empty without.
    pub tls_version: &'static str,
    /// Whether the answer was an expected one.
    pub expected: bool,
}

impl Hash for HttpKey {
    /// The texts are left out: they hardly ever differ where the numbers are equal.
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let answer = u64::from(self.status)
            | u64::from(self.error_code) << 16
            | u64::from(self.method.0) << 32
            | u64::from(self.expected) << 48;
        state.write_u64(u64::from(self.base.0) << 32 ^ answer.rotate_left(7));
    }
}

impl HttpKey {
    /// All tags of this key's samples, as far as the run keeps them.
    pub(crate) fn tags(&self, registry: &Registry) -> TagSetId {
        let kept = registry.system_tags();
        let (status, error_code) = (self.status.to_string(), self.error_code.to_string());
        let method = registry.method_name(self.method);
        let mut tags: Vec<(&str, &str)> = Vec::with_capacity(6);
        let mut set = |tag: SystemTag, value| {
            if kept.contains(tag) {
                tags.push((tag.name(), value));
            }
        };
        set(SystemTag::Method, &method);
        set(SystemTag::Status, &status);
        set(SystemTag::ExpectedResponse, if self.expected { "true" } else { "false" });
        if !self.protocol.is_empty() {
            set(SystemTag::Proto, self.protocol);
        }
        if !self.tls_version.is_empty() {
            set(SystemTag::TlsVersion, self.tls_version);
        }
        if self.error_code != 0 {
            set(SystemTag::ErrorCode, &error_code);
        }
        if !self.error.is_empty() {
            set(SystemTag::Error, self.error);
        }
        registry.extend(self.base, &tags)
    }
}

/// Where one request's time went, and its bytes. Whether it failed is its key's `expected`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HttpSample {
    /// From the call to a usable connection, look-up and handshakes included.
    pub blocked: Duration,
    /// The TCP handshake; zero on a reused connection.
    pub connecting: Duration,
    /// The TLS handshake; zero on a reused or a plain connection.
    pub tls_handshaking: Duration,
    /// Writing the request.
    pub sending: Duration,
    /// From the last byte written to the first byte read.
    pub waiting: Duration,
    /// Reading the answer.
    pub receiving: Duration,
    /// Bytes written.
    pub bytes_sent: u64,
    /// Bytes read.
    pub bytes_received: u64,
}

/// The metrics that one request is a sample of, in the order of [`HttpDelta::aggregates`].
pub(super) const METRICS: [MetricId; 11] = [
    builtin::HTTP_REQS,
    builtin::HTTP_REQ_FAILED,
    builtin::DATA_SENT,
    builtin::DATA_RECEIVED,
    builtin::HTTP_REQ_DURATION,
    builtin::HTTP_REQ_BLOCKED,
    builtin::HTTP_REQ_CONNECTING,
    builtin::HTTP_REQ_TLS_HANDSHAKING,
    builtin::HTTP_REQ_SENDING,
    builtin::HTTP_REQ_WAITING,
    builtin::HTTP_REQ_RECEIVING,
];
const TRENDS: usize = 7;

/// The requests of one series since the last collection.
#[derive(Debug, Default)]
pub(super) struct HttpDelta {
    requests: u64,
    failed: u64,
    bytes_sent: u64,
    bytes_received: u64,
    trends: [Trend; TRENDS],
}

impl HttpDelta {
    #[inline]
    pub(super) fn record(&mut self, expected: bool, sample: &HttpSample) {
        self.requests += 1;
        self.failed += u64::from(!expected);
        self.bytes_sent += sample.bytes_sent;
        self.bytes_received += sample.bytes_received;
        let times = [
            sample.sending + sample.waiting + sample.receiving,
            sample.blocked,
            sample.connecting,
            sample.tls_handshaking,
            sample.sending,
            sample.waiting,
            sample.receiving,
        ];
        for (trend, time) in self.trends.iter_mut().zip(times) {
            trend.record(milliseconds(time));
        }
    }

    pub(super) const fn requests(&self) -> u64 {
        self.requests
    }

    /// Calls `each` with the place in [`METRICS`] and the value. Trends are lent, not copied.
    pub(super) fn for_each(&mut self, mut each: impl FnMut(usize, &Aggregate)) {
        let samples = self.requests;
        let counter = |sum: u64| Aggregate::Counter { sum: sum as f64, samples };
        each(0, &counter(self.requests));
        each(1, &Aggregate::Rate { passes: self.failed, total: self.requests });
        each(2, &counter(self.bytes_sent));
        each(3, &counter(self.bytes_received));
        for (number, trend) in self.trends.iter_mut().enumerate() {
            let lent = Aggregate::Trend(std::mem::take(trend));
            each(4 + number, &lent);
            if let Aggregate::Trend(back) = lent {
                *trend = back;
            }
        }
    }

    pub(super) fn clear(&mut self) {
        (self.requests, self.failed, self.bytes_sent, self.bytes_received) = (0, 0, 0, 0);
        self.trends.iter_mut().for_each(Trend::clear);
    }
}

/// Fractional milliseconds, the unit of every time metric.
#[inline]
pub(super) fn milliseconds(time: Duration) -> f64 {
    // Seconds and the rest apart, so that whole microseconds come out as the nearest number.
    time.as_secs() as f64 * 1e3 + f64::from(time.subsec_nanos()) / 1e6
}

/// The number of an HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MethodId(u8);

macro_rules! methods {
    ($($name:ident)+) => { methods!(@ 0u8; $($name)+); const USUAL: &[&str] = &[$(stringify!($name)),+]; };
    (@ $n:expr; $name:ident $($rest:ident)*) => {
        impl MethodId {
            #[doc = concat!("`", stringify!($name), "`")]
            pub const $name: Self = Self($n);
        }
        methods!(@ $n + 1; $($rest)*);
    };
    (@ $n:expr;) => {};
}
methods!(GET HEAD POST PUT DELETE OPTIONS PATCH);

/// Names of methods, the unusual ones included: a few, then they are one.
#[derive(Debug)]
pub(super) struct Methods(Vec<Arc<str>>);

const MAX_METHODS: usize = 64;

impl Methods {
    pub(super) fn find(&self, name: &str) -> Option<MethodId> {
        let place = self.0.iter().position(|known| **known == *name)?;
        Some(MethodId(u8::try_from(place).unwrap_or(u8::MAX)))
    }

    pub(super) fn intern(&mut self, name: &str) -> MethodId {
        let name = if self.0.len() < MAX_METHODS - 1 { name } else { super::OVERFLOW_VALUE };
        self.find(name).unwrap_or_else(|| {
            self.0.push(Arc::from(name));
            MethodId(u8::try_from(self.0.len() - 1).unwrap_or(u8::MAX))
        })
    }

    pub(super) fn name(&self, id: MethodId) -> Arc<str> {
        self.0.get(usize::from(id.0)).cloned().unwrap_or_else(|| Arc::from(super::OVERFLOW_VALUE))
    }
}

impl Default for Methods {
    fn default() -> Self {
        Self(USUAL.iter().map(|name| Arc::from(*name)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_few() {
        let mut methods = Methods::default();
        assert_eq!(methods.intern("POST"), MethodId::POST);
        assert_eq!(methods.intern("PATCH"), MethodId::PATCH);
        let purge = methods.intern("PURGE");
        assert_eq!(&*methods.name(purge), "PURGE");
        for number in 0..1_000 {
            methods.intern(&format!("M{number}"));
        }
        assert_eq!(methods.0.len(), MAX_METHODS);
        assert_eq!(&*methods.name(methods.find(super::super::OVERFLOW_VALUE).unwrap()), "(overflow)");
    }

    #[test]
    fn microseconds_are_exact_milliseconds() {
        assert_eq!(milliseconds(Duration::from_micros(1_234_567)), 1_234.567);
        assert_eq!(milliseconds(Duration::from_nanos(1)), 0.000_001);
    }
}
