//! What went wrong, each with its remedy.

use super::style::{Style, pad_left, plain, width};
use super::{Page, numbers};
use crate::summary::{MetricValue, Starts};

/// Distinct messages shown; the rest is counted.
const MAX_MESSAGES: usize = 10;
/// Columns of prose.
const LINE_WIDTH: usize = 110;
/// An open model whose iterations start later than this, in one case of a hundred, is not on schedule.
const NOTABLE_LAG_MS: f64 = 10.0;

impl Page<'_> {
    /// Failed iterations by message, most frequent first.
    pub(super) fn iteration_errors(&self) -> String {
        let mut messages: Vec<(&String, u64)> =
            self.summary.run.iteration_errors.iter().map(|(message, count)| (message, *count)).collect();
        messages.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let digits = messages.first().map_or(0, |(_, count)| count.to_string().len());
        let further = messages.split_off(messages.len().min(MAX_MESSAGES));
        let mut lines: Vec<String> = messages
            .iter()
            .map(|(message, count)| {
                let times = self.paint.with(Style::Red, &format!("{}×", pad_left(&count.to_string(), digits)));
                // Further lines of a message, a trace say, stand under its first.
                let lines: Vec<String> = message.lines().map(plain).collect();
                format!("    {times} {}", lines.join(&format!("\n{}│ ", " ".repeat(digits + 6))))
            })
            .collect();
        if !further.is_empty() {
            let times: u64 = further.iter().map(|(_, count)| count).sum();
            lines.push(format!("    … and {} further messages, {times} times", further.len()));
        }
        lines.join("\n")
    }

    pub(super) fn notes(&self) -> String {
        let mut notes = Vec::new();
        self.schedule_notes(&mut notes);
        self.measurement_notes(&mut notes);
        if self.nothing_answered() {
            notes.push(
                "Every request failed, so the times above say nothing about the target. BY ANSWER and the log say why."
                    .to_owned(),
            );
        }
        let run = &self.summary.run;
        for (host, count) in &run.refused_hosts {
            notes.push(format!(
                "{} to {host} refused: the module may not call this host. If it should, run it again with \
                 `--allow-host {host}`.",
                counted(*count, "request")
            ));
        }
        for (message, count) in &run.warnings {
            let times = if *count > 1 { format!(" ({count} times)") } else { String::new() };
            notes.push(format!("{message}{times}"));
        }
        if run.dropped_log_lines > 0 {
            notes.push(format!(
                "{} not shown: a scenario that logs in every iteration writes more than anybody can read.",
                counted(run.dropped_log_lines, "log line")
            ));
        }
        let mark = self.paint.with(Style::Yellow, "!");
        notes
            .iter()
            .map(|note| format!("    {mark} {}", wrapped(&plain(note), "      ")))
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Whether there were requests, and not one was answered as expected.
    pub(super) fn nothing_answered(&self) -> bool {
        let failed = self.summary.metric("http_req_failed").filter(|failed| failed.has_samples);
        failed.is_some_and(|failed| matches!(failed.value, MetricValue::Rate { fails: 0, .. }))
    }

    /// Whether iterations ended, and every one of them failed.
    pub(super) fn nothing_completed(&self) -> bool {
        let failed = self.summary.count("iteration_errors");
        failed > 0 && failed == self.summary.count("iterations")
    }

    /// Where the load was not what the plan asked for.
    fn schedule_notes(&self, notes: &mut Vec<String>) {
        notes.extend(self.summary.run.starts.iter().filter(|starts| starts.in_time() < starts.due).map(less_than_due));
        let dropped = self.summary.count("dropped_iterations");
        let open_model = self.summary.run.scenarios.iter().any(|scenario| scenario.executor.ends_with("-arrival-rate"));
        if dropped > 0 && open_model {
            notes.push(format!(
                "{} dropped: they were due while every VU was busy, so the load was less than planned. It takes rate times \
                 iteration length VUs: raise `preAllocatedVUs` (further ones are made one at a time, up to `maxVUs`), or, \
                 if iterations are long because the target is slow, take it as the answer.",
                counted(dropped, "iteration")
            ));
        } else if dropped > 0 {
            notes.push(format!(
                "{} dropped: the time was over before they began. Give a longer `maxDuration`, or more VUs.",
                counted(dropped, "iteration")
            ));
        }
        if let Some(lag) = self.summary.start_lag_p99_ms.filter(|lag| *lag > NOTABLE_LAG_MS) {
            notes.push(format!(
                "Iterations started up to {} late (p(99) of `iteration_start_lag`): this machine could not keep the \
                 schedule. Lower the rate, free some CPU, or judge by `iteration_duration_from_due`, which has the lag in it.",
                numbers::time(lag, self.rendering.time_unit)
            ));
        }
        let interrupted = self.summary.run.interrupted_iterations;
        if interrupted > 0 && self.summary.run.stopped_early.is_none() {
            notes.push(format!(
                "{} interrupted: still under way when `gracefulStop` (or `gracefulRampDown`) was over. They are not in \
                 `iterations` nor in `iteration_duration`; give them longer to have them finish.",
                counted(interrupted, "iteration")
            ));
        }
    }

    /// Where the numbers are not the whole truth.
    fn measurement_notes(&self, notes: &mut Vec<String>) {
        if let Some(overflow) = &self.summary.overflow {
            let tags: Vec<String> = overflow
                .tags
                .iter()
                .map(|(tag, samples)| {
                    let tag = if tag.is_empty() { "all tags".to_owned() } else { format!("`{tag}`") };
                    format!("{tag} ({})", counted(*samples, "sample"))
                })
                .collect();
            notes.push(format!(
                "Tags with too many values: {}. Beyond {} series (--max-series) their values became `(overflow)`; totals are \
                 exact. Give requests a `name` with placeholders, and do not tag by what differs from call to call.",
                tags.join(", "),
                overflow.limit
            ));
        }
        for (metric, values) in &self.summary.refused_values {
            notes.push(format!(
                "`{metric}` refused {}: not a number, infinite, or below 0 for a counter or a trend.",
                counted(*values, "value")
            ));
        }
    }
}

/// The text with line breaks at spaces, further lines indented.
fn wrapped(text: &str, indent: &str) -> String {
    let mut lines = String::new();
    let mut column = indent.len();
    for (number, word) in text.split(' ').enumerate() {
        let fits = column + 1 + width(word) <= LINE_WIDTH;
        column = if fits { column + 1 } else { indent.len() } + width(word);
        match (number, fits) {
            (0, _) => {}
            (_, true) => lines.push(' '),
            (_, false) => {
                lines.push('\n');
                lines.push_str(indent);
            }
        }
        lines.push_str(word);
    }
    lines
}

/// `1 request`, `2 requests`.
fn counted(count: u64, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

/// What was wanted of a scenario, and what was achieved.
#[expect(clippy::cast_precision_loss, reason = "counts and times stay far below 2^53")]
fn less_than_due(starts: &Starts) -> String {
    let dropped = starts.due.saturating_sub(starts.started);
    let share = numbers::percent(starts.share());
    let missed = [(dropped, "did not start"), (starts.late, "started more than a second late")];
    let missed: Vec<String> =
        missed.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let missed = missed.join(", ");
    match starts.due_for_ns.map(|ns| ns as f64 / 1e9).filter(|seconds| *seconds > 0.0) {
        Some(seconds) => format!(
            "`{}` did not reach its load: {:.2} of {:.2} iterations/s started in time ({share}); of {} that were due, {missed}.",
            starts.scenario,
            starts.in_time() as f64 / seconds,
            starts.due as f64 / seconds,
            starts.due
        ),
        None => format!(
            "`{}` did not reach its load: {} of {} iterations started ({share}).",
            starts.scenario, starts.started, starts.due
        ),
    }
}
