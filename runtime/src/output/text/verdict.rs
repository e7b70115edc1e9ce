//! The last line: whether the run passed, why, and which run it was.

use super::style::{Style, plain};
use super::{Page, numbers};
use crate::summary::{Starts, ThresholdSummary};
use crate::threshold::Verdict;

/// Checks that failed, or scenarios that fell short, named in the line.
const MAX_NAMED: usize = 3;

const PASSED: (Style, &str) = (Style::Green, "✓ PASSED");
const FAILED: (Style, &str) = (Style::Red, "✗ FAILED");

impl Page<'_> {
    pub(super) fn verdict(&self) -> String {
        let run = &self.summary.run;
        let ((style, word), mut reasons) = self.judgement();
        let failing = word == FAILED.1;
        let (style, word) = match (&run.marked_failed, &run.stopped_early) {
            (Some(reason), _) => {
                reasons.insert(0, format!("the scenario failed the run: {reason}"));
                FAILED
            }
            (None, Some(_)) if run.aborted_by_threshold => FAILED,
            // A run that was cut short proves nothing by thresholds that hold so far.
            (None, Some(_)) if !failing => (Style::Yellow, "- STOPPED EARLY"),
            _ => (style, word),
        };
        // Thresholds that hold over no answer at all, or over no whole iteration, are no good news.
        let useless =
            [(self.nothing_answered(), "every request failed"), (self.nothing_completed(), "every iteration failed")];
        for (_, reason) in useless.iter().filter(|(is_so, _)| *is_so) {
            reasons.push((*reason).to_owned());
        }
        let (style, word) = match word {
            "✓ PASSED" if useless.iter().any(|(is_so, _)| *is_so) => (Style::Yellow, "! PASSED"),
            _ => (style, word),
        };
        if let Some(reason) = &run.stopped_early {
            reasons.push(format!("stopped early: {reason}"));
        }
        let duration = numbers::time(run.duration.as_secs_f64() * 1e3, None);
        let which = format!("{}, {duration}, seed {}", run.name, run.seed);
        format!(
            "  {}  {}  {}",
            self.paint.with(style, word),
            plain(&reasons.join("; ")),
            self.paint.with(Style::Faint, &format!("({})", plain(&which)))
        )
    }

    /// What the run had to meet, and whether it did.
    fn judgement(&self) -> ((Style, &'static str), Vec<String>) {
        let (verdict, reason) = self.thresholds_verdict();
        let beside = [self.failed_checks(), self.rates_missed()];
        let failures: Vec<String> = beside.iter().filter_map(|found| found.clone()?.err()).collect();
        if !failures.is_empty() {
            // What failed stands in front; thresholds that were not set are no reason.
            let reasons = if verdict.1 == "- NO VERDICT" { failures } else { [failures, vec![reason]].concat() };
            return (FAILED, reasons);
        }
        let successes: Vec<String> = beside.into_iter().filter_map(|found| found?.ok()).collect();
        match verdict.1 {
            "- NO VERDICT" if !successes.is_empty() => (PASSED, successes),
            _ => (verdict, [vec![reason], successes].concat()),
        }
    }

    fn thresholds_verdict(&self) -> ((Style, &'static str), String) {
        let thresholds: Vec<_> = self.summary.metrics.iter().flat_map(|metric| &metric.thresholds).collect();
        let failing = thresholds.iter().filter(|threshold| !threshold.ok).count();
        let no_data =
            |threshold: &&&ThresholdSummary| threshold.ok && matches!(threshold.verdict, Verdict::NoData { .. });
        let without_data = thresholds.iter().filter(no_data).count();
        match (thresholds.len(), failing) {
            (0, _) => ((Style::Faint, "- NO VERDICT"), "no thresholds were set".to_owned()),
            (all, 0) if without_data == all => {
                ((Style::Yellow, "- NO VERDICT"), "no threshold has data to judge".to_owned())
            }
            (all, 0) if without_data > 0 => {
                (PASSED, format!("{} of {all} thresholds hold, the others have no data", all - without_data))
            }
            (1, 0) => (PASSED, "the threshold holds".to_owned()),
            (all, 0) => (PASSED, format!("all {all} thresholds hold")),
            (1, _) => (FAILED, "the threshold does not hold".to_owned()),
            (all, 1) => (FAILED, format!("1 of {all} thresholds does not hold")),
            (all, _) => (FAILED, format!("{failing} of {all} thresholds do not hold")),
        }
    }

    /// With `--fail-on-check`, which checks failed, or that none did; `None` if there was none at all.
    fn failed_checks(&self) -> Option<Result<String, String>> {
        let checks = self.summary.root_group.all_checks();
        if !self.summary.fail_on_check || checks.is_empty() {
            return None;
        }
        let named = checks.iter().filter(|check| check.fails > 0).map(|check| {
            let times = if check.fails == 1 { "once".to_owned() } else { format!("{} times", check.fails) };
            format!("`{}` {times}", check.name)
        });
        Some(match listed(named.collect()) {
            None => Ok("no check failed".to_owned()),
            Some(named) => Err(format!("failed checks: {named}")),
        })
    }

    /// With `--min-rate-achieved`, which scenarios fell short, or that none did; `None` if none promised anything.
    fn rates_missed(&self) -> Option<Result<String, String>> {
        let least = self.summary.min_rate_achieved.filter(|_| !self.summary.run.starts.is_empty())?;
        let named = self.summary.short_of_rate().into_iter().map(|starts: &Starts| {
            format!("`{}` started {} of its load in time", starts.scenario, numbers::percent(starts.share()))
        });
        let wanted = numbers::percent(least);
        Some(match listed(named.collect()) {
            None => Ok(format!("at least {wanted} of the load was started in time")),
            Some(named) => Err(format!("{named}, and {wanted} is wanted")),
        })
    }
}

/// The first few, and how many more there are; `None` for none.
fn listed(mut names: Vec<String>) -> Option<String> {
    let more = names.len().saturating_sub(MAX_NAMED);
    names.truncate(MAX_NAMED);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    (!names.is_empty()).then(|| names.join(", "))
}
