//! Reads definitions and snapshots back into totals.

use std::collections::BTreeMap;

use super::bytes::{Decoder, Malformed};
use super::encode::{BUCKETS, CONTAINS, EXACT, KINDS, MESSAGES, Moment};
use crate::metrics::trend::{Buckets, EXACT_SAMPLES, Stored, Sums};
use crate::metrics::{Aggregate, Kind, Replay, Trend};
use crate::threshold::{Threshold, Windows};

/// Counted messages.
pub(super) type Messages = BTreeMap<String, u64>;

/// Everything that the records add up to.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) replay: Replay,
    /// By kind.
    pub(super) messages: [Messages; MESSAGES.len()],
    /// By number: the kind and the text.
    defined: Vec<(usize, String)>,
    pub(super) moment: Option<Moment>,
    /// What thresholds with a window came to.
    pub(super) windows: Windows,
    windows_bytes: u64,
    /// Memory that everything together may take, in bytes.
    pub(super) most_bytes: u64,
}

impl Books {
    pub(super) fn new(max_series: u64, thresholds: &[Threshold]) -> Self {
        Self {
            replay: Replay::new(usize::try_from(max_series).unwrap_or(usize::MAX)),
            messages: Default::default(),
            defined: Vec::new(),
            moment: None,
            windows: Windows::new(thresholds),
            windows_bytes: 0,
            most_bytes: u64::MAX,
        }
    }

    /// Nothing follows.
    pub(super) fn finish(&mut self) {
        self.windows.finish(self.replay.totals().registry());
    }

    pub(super) fn definitions(&mut self, payload: &[u8]) -> Result<(), Malformed> {
        let mut input = Decoder::new(payload);
        for _ in 0..input.count()? {
            let name = input.text()?;
            let kind = *KINDS.get(usize::from(input.byte()?)).ok_or("a metric is of an unknown kind")?;
            let contains = *CONTAINS.get(usize::from(input.byte()?)).ok_or("a metric has values of an unknown kind")?;
            self.replay.metric(name, kind, contains).map_err(|error| error.to_string())?;
        }
        let mut pairs = Vec::new();
        for _ in 0..input.count()? {
            pairs.clear();
            for _ in 0..input.count()? {
                pairs.push((input.text()?, input.text()?));
            }
            self.replay.tags(&pairs);
            self.check_memory()?;
        }
        for _ in 0..input.count()? {
            let (metric, tags) = (input.number()?, input.number()?);
            self.replay.series(metric, tags).map_err(|error| error.to_string())?;
            self.check_memory()?;
        }
        for _ in 0..input.count()? {
            let kind = usize::from(input.byte()?).wrapping_sub(1);
            if kind >= MESSAGES.len() {
                return Err("a message is of an unknown kind".into());
            }
            self.defined.push((kind, input.text()?.to_owned()));
        }
        Ok(())
    }

    pub(super) fn snapshot(&mut self, payload: &[u8]) -> Result<(), Malformed> {
        let mut input = Decoder::new(payload);
        let moment = moment(&mut input)?;
        for _ in 0..input.count()? {
            let series = input.number()?;
            let kind = self.replay.kind(series).map_err(|error| error.to_string())?;
            let news = aggregate(&mut input, kind)?;
            self.replay.merge(series, &news).map_err(|error| error.to_string())?;
            let (totals, id) =
                (self.replay.totals(), self.replay.series_id(series).map_err(|error| error.to_string())?);
            if self.windows.want(totals, id) {
                self.windows.add(totals, id, &news);
            }
            self.check_memory()?;
        }
        for _ in 0..input.count()? {
            let (metric, samples) = (input.number()?, input.number()?);
            self.replay.refused(metric, samples).map_err(|error| error.to_string())?;
        }
        for _ in 0..input.count()? {
            let (tag, samples) = (input.text()?, input.number()?);
            self.replay.overflow(tag, samples).map_err(|error| error.to_string())?;
        }
        for _ in 0..input.count()? {
            let (number, count) = (input.number()?, input.number()?);
            let defined = usize::try_from(number).ok().and_then(|number| self.defined.get(number));
            let (kind, message) = defined.ok_or("a message was not defined before")?;
            let known = self.messages[*kind].entry(message.clone()).or_default();
            *known = known.checked_add(count).ok_or("a message came more often than can be counted")?;
        }
        self.moment = Some(moment);
        self.windows.close(self.replay.totals().registry(), moment.load_us);
        self.windows_bytes = self.windows.heap_bytes();
        self.check_memory()
    }

    /// After each thing that takes memory: one record may hold a whole file's worth of them.
    fn check_memory(&self) -> Result<(), Malformed> {
        if self.replay.heap_bytes().saturating_add(self.windows_bytes) > self.most_bytes {
            return Err("it would take more memory than the file of any real run of its size".into());
        }
        Ok(())
    }
}

/// When a snapshot was taken.
pub(super) fn moment(input: &mut Decoder<'_>) -> Result<Moment, Malformed> {
    Ok(Moment {
        at_us: input.number()?,
        load_us: input.number()?,
        interrupted_iterations: input.number()?,
        dropped_log_lines: input.number()?,
    })
}

fn aggregate(input: &mut Decoder<'_>, kind: Kind) -> Result<Aggregate, Malformed> {
    Ok(match kind {
        Kind::Counter => Aggregate::Counter { sum: input.float()?, samples: input.number()? },
        Kind::Gauge => Aggregate::Gauge {
            last: input.float()?,
            min: input.float()?,
            max: input.float()?,
            samples: input.number()?,
            order: input.number()?,
        },
        Kind::Rate => Aggregate::Rate { passes: input.number()?, total: input.number()? },
        Kind::Trend => Aggregate::Trend(trend(input)?),
    })
}

fn trend(input: &mut Decoder<'_>) -> Result<Trend, Malformed> {
    let sums = Sums {
        count: input.number()?,
        sum: input.float()?,
        lost: input.float()?,
        min: input.float()?,
        max: input.float()?,
    };
    let stored = match input.byte()? {
        EXACT => {
            if sums.count > EXACT_SAMPLES as u64 {
                return Err("a trend has more exact values than are ever kept".into());
            }
            Stored::Exact((0..sums.count).map(|_| input.float()).collect::<Result<_, _>>()?)
        }
        BUCKETS => {
            let mut buckets = Buckets { zeros: input.number()?, counts: Vec::new() };
            let mut next = Some(0u32);
            for _ in 0..input.count()? {
                let packed = input.number()?;
                let left_out = if packed & 1 == 0 { Some(0) } else { u32::try_from(input.number()?).ok() };
                let bucket = next.zip(left_out).and_then(|(next, left_out)| next.checked_add(left_out));
                let bucket = bucket.ok_or("a trend has a bucket that does not exist")?;
                buckets.counts.push((bucket, packed >> 1));
                next = bucket.checked_add(1);
            }
            Stored::Buckets(buckets)
        }
        _ => return Err("a trend's values are stored in an unknown way".into()),
    };
    Ok(Trend::restore(sums, stored).map_err(|error| error.to_string())?)
}
