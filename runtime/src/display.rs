//! What the person sees while a test runs: bars on a terminal, a quiet line now and then elsewhere. On standard error, since standard output
//! is for results.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

use crate::duration;
use crate::executor::UNTIL_STOPPED;
use crate::shard::progress::{Phase, Progress, ScenarioProgress};

/// How often bars are drawn.
pub const TICK: Duration = Duration::from_millis(100);
/// How often a line is printed where there is no terminal.
const PLAIN_TICK: Duration = Duration::from_secs(10);
/// A bar's full length, in its own unit.
const BAR_UNITS: u64 = 1000;

/// Where lines and bars go.
#[derive(Debug, Clone)]
pub struct Display {
    bars: Option<MultiProgress>,
    quiet: bool,
}

impl Display {
    /// Bars if standard error is a terminal and nobody asked for quiet.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        let bars = (!quiet && std::io::stderr().is_terminal())
            .then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10)));
        Self { bars, quiet }
    }

    /// Prints a line above the bars.
    pub fn line(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| stderr_line(text)),
            None => stderr_line(text),
        }
    }

    /// Prints a line above the bars, unless the person wants quiet.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.line(text);
        }
    }

    /// Begins to show a run.
    #[must_use]
    pub fn watch(&self, progress: Arc<Progress>, names: Vec<String>) -> Watch {
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let bars = self.bars.as_ref().map(|all| {
            let head = all.add(ProgressBar::new(0));
            head.set_style(style("{msg}"));
            let scenarios = names.iter().map(|name| {
                let bar = all.add(ProgressBar::new(BAR_UNITS));
                bar.set_style(style("{prefix} [{bar:24}] {msg}").progress_chars("=>-"));
                bar.set_prefix(format!("{name:width$}"));
                bar
            });
            (head, scenarios.collect())
        });
        let plain = (bars.is_none() && !self.quiet).then(Instant::now);
        Watch { progress, bars, last_plain: plain }
    }
}

/// The view of one run.
#[derive(Debug)]
pub struct Watch {
    progress: Arc<Progress>,
    bars: Option<(ProgressBar, Vec<ProgressBar>)>,
    /// When the last plain line was printed; `None` where none is wanted.
    last_plain: Option<Instant>,
}

impl Watch {
    /// Shows how things stand now.
    pub fn tick(&mut self, now: Instant) {
        if let Some((head, scenarios)) = &self.bars {
            head.set_message(self.headline(now));
            for (index, bar) in scenarios.iter().enumerate() {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 1000")]
                bar.set_position((self.progress.share(index, now) * BAR_UNITS as f64) as u64);
                bar.set_message(scenario_line(&self.progress, index, now));
            }
        }
        if self.last_plain.is_some_and(|last| now.duration_since(last) >= PLAIN_TICK) {
            self.last_plain = Some(now);
            stderr_line(&self.headline(now));
        }
    }

    /// Takes the bars away; what they said last stays as one plain line.
    pub fn finish(self, now: Instant) {
        let headline = self.headline(now);
        if let Some((head, scenarios)) = &self.bars {
            for bar in scenarios {
                bar.finish_and_clear();
            }
            head.finish_and_clear();
        }
        if self.bars.is_some() || self.last_plain.is_some() {
            stderr_line(&headline);
        }
    }

    /// `running (13.0s), 000/100 VUs, 349 complete and 23 interrupted iterations`, as k6 users know it; or `paused (13.0s), …`.
    fn headline(&self, now: Instant) -> String {
        let clock = &self.progress.clock;
        let Some(elapsed) = clock.elapsed_at(now) else {
            let ready = self.progress.initialised_vus.load(Relaxed);
            return format!("initialising, {ready}/{} VUs ready", self.progress.planned_vus);
        };
        let sum = |count: fn(&ScenarioProgress) -> u64| self.progress.scenarios.iter().map(count).sum::<u64>();
        let dropped = sum(|scenario| scenario.dropped.load(Relaxed));
        let failed = sum(|scenario| scenario.failed.load(Relaxed));
        let initialised = self.progress.initialised_vus.load(Relaxed).max(self.progress.planned_vus);
        let width = initialised.to_string().len();
        let mut line = format!(
            "{} ({:.1}s), {:0width$}/{initialised} VUs, {} complete and {} interrupted iterations",
            if clock.is_paused() { "paused" } else { "running" },
            elapsed.as_secs_f64(),
            self.progress.active_vus(now),
            sum(ScenarioProgress::over),
            sum(|scenario| scenario.interrupted.load(Relaxed)),
        );
        for (count, what) in [(failed, "failed"), (dropped, "dropped")] {
            if count > 0 {
                let _ = write!(line, ", {count} {what}");
            }
        }
        line
    }
}

fn scenario_line(progress: &Progress, index: usize, now: Instant) -> String {
    let Some(scenario) = progress.scenarios.get(index) else {
        return String::new();
    };
    let elapsed = progress.clock.elapsed_at(now).unwrap_or_default();
    let inside = elapsed.saturating_sub(scenario.start_time).min(scenario.regular_duration);
    let whole_seconds = |time: Duration| duration::format(Duration::from_secs(time.as_secs()));
    match progress.phase(index, now) {
        Phase::Waiting => format!("starts at {}", whole_seconds(scenario.start_time)),
        Phase::Done => format!("done, {} iterations", scenario.over()),
        phase => {
            let stage = if phase == Phase::GracefulStop { ", stopping" } else { "" };
            let vus = scenario.active_vus.load(Relaxed);
            match scenario.total_iterations {
                Some(total) => {
                    format!("{vus} VUs, {}/{total} iterations, {}{stage}", scenario.over(), whole_seconds(inside))
                }
                None => {
                    let now = match scenario.regular_duration {
                        UNTIL_STOPPED => whole_seconds(inside),
                        all => format!("{}/{}", whole_seconds(inside), whole_seconds(all)),
                    };
                    #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
                    let rate = scenario.started.load(Relaxed) as f64 / inside.as_secs_f64().max(1.0);
                    format!("{vus} VUs, {now}, {rate:.1} iterations/s{stage}")
                }
            }
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A closed pipe is no reason to end a test.
fn stderr_line(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
