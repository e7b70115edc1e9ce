//! Thresholds over the last part of the load instead of over all of it.
//!
//! What each collection brought becomes a slot, of a second as a rule. Every two seconds of load, the slots of the last `window` are put
//! together and compared. A threshold is crossed if one of these windows crossed it; what is kept is the worst of them.
//!
//! Everything here follows from the collections and their times, which are recorded: whoever reads them again comes to the same verdict.

use std::collections::VecDeque;
use std::time::Duration;

use super::expression::{Expression, Operator};
use super::selector::Selector;
use super::{EVALUATION_INTERVAL, Outcome, Threshold, Verdict, judge};
use crate::metrics::{Aggregate, Registry, SeriesId, Totals};

/// The shortest window: windows are looked at this often.
pub const LEAST_WINDOW: Duration = EVALUATION_INTERVAL;
/// The longest window.
pub const LONGEST_WINDOW: Duration = Duration::from_hours(1);
/// Thresholds with a window in one run: each takes the memory of its slots.
pub const MOST_WINDOWED: usize = 20;

/// Slots that a window has at most; those of a long one hold more than a second.
const MOST_SLOTS: u64 = 120;

/// All thresholds with a window, and the slots that they need. Series that no such threshold selects take no memory.
#[derive(Debug, Default)]
pub struct Windows {
    views: Vec<View>,
    /// By the series' number: the views that it is in; `None` while nobody has looked.
    members: Vec<Option<Box<[usize]>>>,
    /// The load's time at the last collection, in microseconds.
    now_us: u64,
    evaluated_us: u64,
}

/// What the thresholds with the same selector and the same window look at.
#[derive(Debug)]
struct View {
    selector: Selector,
    window_us: u64,
    slots: VecDeque<Slot>,
    /// What the collection under way has brought.
    news: Option<Aggregate>,
    /// From when on there are samples.
    since_us: Option<u64>,
    watched: Vec<Watched>,
}

/// A part of the load: from the end of the one before it to `until_us`.
#[derive(Debug)]
struct Slot {
    from_us: u64,
    until_us: u64,
    aggregate: Option<Aggregate>,
}

#[derive(Debug)]
struct Watched {
    /// Which of the thresholds.
    index: usize,
    expression: Expression,
    judged: Judged,
    /// Whether the last window that was looked at crossed it, by samples.
    crossed_now: bool,
}

/// What the windows of a threshold came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Judged {
    /// Windows that had a value.
    pub windows: u64,
    /// Those of them that crossed the threshold.
    pub crossed: u64,
    /// The worst, if any.
    pub worst: Option<Found>,
}

/// A window, and what was found in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// How the threshold stood.
    pub outcome: Outcome,
    /// When the window began, in microseconds of load.
    pub from_us: u64,
    /// When it ended.
    pub until_us: u64,
}

impl Windows {
    /// Nothing was collected yet. Of thresholds that have a window, the first [`MOST_WINDOWED`] are looked at.
    #[must_use]
    pub fn new(thresholds: &[Threshold]) -> Self {
        let mut views: Vec<View> = Vec::new();
        let windowed = thresholds.iter().enumerate().filter_map(|(index, one)| Some((index, one, one.window?)));
        for (index, threshold, window) in windowed.take(MOST_WINDOWED) {
            let window_us = u64::try_from(window.as_micros()).unwrap_or(u64::MAX).max(1);
            let watched =
                Watched { index, expression: threshold.expression, judged: Judged::default(), crossed_now: false };
            let same = |view: &&mut View| view.window_us == window_us && view.selector == threshold.selector;
            match views.iter_mut().find(same) {
                Some(view) => view.watched.push(watched),
                None => views.push(View {
                    selector: threshold.selector.clone(),
                    window_us,
                    slots: VecDeque::new(),
                    news: None,
                    since_us: None,
                    watched: vec![watched],
                }),
            }
        }
        Self { views, ..Self::default() }
    }

    /// Whether a series is in any window.
    pub fn want(&mut self, totals: &Totals, series: SeriesId) -> bool {
        !self.views.is_empty() && !self.views_of(totals, series).is_empty()
    }

    /// Takes in what a collection brought of a series, as it is recorded.
    pub fn add(&mut self, totals: &Totals, series: SeriesId, news: &Aggregate) {
        for view in self.views_of(totals, series).to_vec() {
            self.views[view].news.get_or_insert_with(|| Aggregate::new(news.kind())).merge(news);
        }
    }

    /// The collection is over, so many microseconds into the load. What came before the load or after it is in no window.
    pub fn close(&mut self, registry: &Registry, load_us: u64) {
        if load_us == 0 || load_us < self.now_us {
            self.views.iter_mut().for_each(|view| view.news = None);
        }
        // What comes while the load's clock stands still, in a pause, belongs to the slot that goes on afterwards.
        if load_us <= self.now_us {
            return;
        }
        let from_us = std::mem::replace(&mut self.now_us, load_us);
        self.views.iter_mut().for_each(|view| view.close_slot(from_us, load_us));
        let interval = EVALUATION_INTERVAL.as_micros() as u64;
        if load_us / interval > self.evaluated_us / interval {
            self.evaluate(registry);
        }
    }

    /// Looks at the end of the load as well. A load that was shorter than a window is one window.
    pub fn finish(&mut self, registry: &Registry) {
        if self.now_us > self.evaluated_us {
            self.evaluate(registry);
        }
        let now_us = self.now_us;
        for view in self.views.iter_mut().filter(|view| !view.is_full(now_us)) {
            view.evaluate(registry, now_us);
        }
    }

    /// The first threshold that ends the load now, if any.
    #[must_use]
    pub fn first_to_abort<'a>(&self, thresholds: &'a [Threshold], elapsed: Duration) -> Option<&'a Threshold> {
        let crossed = self.views.iter().flat_map(|view| &view.watched).filter(|watched| watched.crossed_now);
        let mut crossed: Vec<usize> = crossed.map(|watched| watched.index).collect();
        crossed.sort_unstable();
        let mut crossed = crossed.into_iter().filter_map(|index| thresholds.get(index));
        crossed.find(|threshold| threshold.abort_on_fail && elapsed >= threshold.delay_abort_eval)
    }

    /// What became of the threshold with this index.
    #[must_use]
    pub fn judged(&self, index: usize) -> Option<Judged> {
        let mut all = self.views.iter().flat_map(|view| &view.watched);
        all.find(|watched| watched.index == index).map(|watched| watched.judged)
    }

    /// About how many bytes of memory the slots take.
    #[must_use]
    pub fn heap_bytes(&self) -> u64 {
        let bytes = |slot: &Slot| match &slot.aggregate {
            Some(Aggregate::Trend(trend)) => trend.heap_bytes() + size_of::<Slot>(),
            _ => size_of::<Slot>(),
        };
        self.views.iter().flat_map(|view| &view.slots).map(|slot| bytes(slot) as u64).sum()
    }

    fn evaluate(&mut self, registry: &Registry) {
        self.evaluated_us = self.now_us;
        let now_us = self.now_us;
        for view in &mut self.views {
            if view.is_full(now_us) {
                view.evaluate(registry, now_us);
            } else {
                view.watched.iter_mut().for_each(|watched| watched.crossed_now = false);
            }
        }
    }

    fn views_of(&mut self, totals: &Totals, series: SeriesId) -> &[usize] {
        let number = series.to_raw() as usize;
        if self.members.len() <= number {
            self.members.resize_with(number + 1, || None);
        }
        let views = &self.views;
        self.members[number].get_or_insert_with(|| {
            let selects =
                |(_, view): &(usize, &View)| totals.selects(series, &view.selector.metric, &view.selector.tags);
            views.iter().enumerate().filter(selects).map(|(index, _)| index).collect()
        })
    }
}

impl View {
    fn close_slot(&mut self, from_us: u64, until_us: u64) {
        let news = self.news.take();
        if news.is_some() && self.since_us.is_none() {
            // A part of a second without samples, before the first, would make every rate too low. The load's own beginning is
            // that of its first iterations.
            self.since_us = Some(if from_us == 0 { 0 } else { until_us });
        }
        let step_us = self.window_us / MOST_SLOTS;
        match self.slots.back_mut().filter(|slot| slot.until_us - slot.from_us < step_us) {
            Some(slot) => {
                slot.until_us = until_us;
                if let Some(news) = news {
                    slot.aggregate.get_or_insert_with(|| Aggregate::new(news.kind())).merge(&news);
                }
            }
            None => self.slots.push_back(Slot { from_us, until_us, aggregate: news }),
        }
        while self.slots.front().is_some_and(|slot| !self.reaches(slot, until_us)) {
            self.slots.pop_front();
        }
    }

    /// Whether a slot is in the window that ends now: the greater part of it.
    fn reaches(&self, slot: &Slot, now_us: u64) -> bool {
        u64::midpoint(slot.from_us, slot.until_us) > now_us.saturating_sub(self.window_us)
    }

    /// Whether there have been samples for as long as the window is.
    fn is_full(&self, now_us: u64) -> bool {
        self.since_us.is_some_and(|since_us| now_us - since_us >= self.window_us)
    }

    /// Compares what is in the window that ends now.
    fn evaluate(&mut self, registry: &Registry, now_us: u64) {
        let Some(from_us) = self.slots.front().map(|slot| slot.from_us) else { return };
        let Some(metric) = registry.lookup(&self.selector.metric) else { return };
        let kind = registry.descriptor(metric).kind;
        let mut together: Option<Aggregate> = None;
        for aggregate in self.slots.iter().filter_map(|slot| slot.aggregate.as_ref()) {
            together.get_or_insert_with(|| Aggregate::new(kind)).merge(aggregate);
        }
        let lasted = Duration::from_micros(now_us - from_us);
        for watched in &mut self.watched {
            let outcome = judge(&watched.expression, kind, together.as_ref(), self.selector.tags.is_empty(), lasted);
            let crossed = outcome.verdict == Verdict::Crossed;
            watched.crossed_now = crossed && outcome.has_samples;
            if outcome.value.is_none() {
                continue;
            }
            let found = Found { outcome, from_us, until_us: now_us };
            let judged = &mut watched.judged;
            judged.windows += 1;
            judged.crossed += u64::from(crossed);
            if judged.worst.is_none_or(|worst| is_worse(watched.expression.operator, &found, &worst)) {
                judged.worst = Some(found);
            }
        }
    }
}

/// Whether what was found is further from holding than what was the worst so far.
fn is_worse(operator: Operator, found: &Found, worst: &Found) -> bool {
    let (Some(value), Some(before)) = (found.outcome.value, worst.outcome.value) else { return false };
    match operator {
        Operator::Less | Operator::LessOrEqual => value > before,
        Operator::Greater | Operator::GreaterOrEqual => value < before,
        Operator::Equal | Operator::NotEqual => {
            found.outcome.verdict == Verdict::Crossed && worst.outcome.verdict != Verdict::Crossed
        }
    }
}

impl Judged {
    /// The verdict: crossed if any window was; the value of the worst. `None` if no window had a value.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.worst.map(|worst| worst.outcome)
    }
}

#[cfg(test)]
#[path = "windowed_tests.rs"]
mod tests;
