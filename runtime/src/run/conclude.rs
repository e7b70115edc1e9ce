//! The end of a test: numbers become a summary, the summary becomes text and files, and all of it an exit code.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::sync::Arc;

use super::Test;
use super::prepare::{Prepared, name_of};
use crate::control::Stage;
use crate::destinations::WriteError;
use crate::exit::Exit;
use crate::log::{Level, Printer};
use crate::output::{Format, Rendering};
use crate::stop::StopReason;
use crate::summary::{RunInfo, ScenarioInfo, Summary};

impl Test {
    /// Writes everything that was measured, however the test ended.
    pub(super) async fn conclude(mut self, printer: Printer) -> Exit {
        self.prepared.desk.live().enter(Stage::Summary);
        let mut summary = self.summarise();
        if let Some(rendering) = self.prepared.summary {
            self.show(&mut summary, rendering).await;
        }
        self.export(&summary);
        if !summary.passed || summary.failed_by_checks() {
            self.decide(Exit::ThresholdsCrossed);
        }
        if self.prepared.context.failed_by_scenario.get().is_some() {
            self.decide(Exit::FailedByScenario);
        }
        if !summary.short_of_rate().is_empty() {
            self.decide(Exit::RateNotReached);
        }
        let exit = self.verdict.unwrap_or(Exit::Passed);
        let recorded = self.prepared.ledger.end(&summary.run, exit as u8);
        let exit = if recorded || exit != Exit::Passed { exit } else { Exit::Failed };
        self.prepared.desk.live().ended(exit);
        if self.prepared.plan.linger {
            self.linger().await;
        }
        // The log ends when the last of those who write to it is gone.
        drop(self);
        printer.finish();
        exit
    }

    /// Keeps what was measured where the API shows it, until somebody has seen enough.
    async fn linger(&mut self) {
        let Prepared { desk, ledger, signals, .. } = &mut self.prepared;
        let live = Arc::clone(desk.live());
        live.note("the run is over and lingers: `runtime stop`, the key q or Ctrl-C ends it");
        loop {
            tokio::select! {
                biased;
                () = signals.next() => return,
                () = live.released() => return,
                question = desk.next() => desk.answer(question, ledger.totals(), ledger.windows()),
            }
        }
    }

    pub(super) fn summarise(&mut self) -> Summary {
        let prepared = &mut self.prepared;
        prepared.ledger.close();
        let context = &prepared.context;
        let info = RunInfo {
            name: name_of(&prepared.modules),
            duration: self.duration,
            scenarios: prepared.plan.scenarios.iter().map(ScenarioInfo::of).collect(),
            seed: context.seed,
            interrupted_iterations: prepared.ledger.interrupted(),
            iteration_errors: context.problems.iteration_errors(),
            refused_hosts: context.problems.refused_hosts(),
            warnings: context.problems.warnings(),
            dropped_log_lines: context.log.dropped(),
            stopped_early: context.stop.reason().map(|reason| reason.in_words()),
            aborted_by_threshold: matches!(context.stop.reason(), Some(StopReason::Threshold(_))),
            marked_failed: context.failed_by_scenario.get().cloned(),
            starts: prepared.ledger.starts(&prepared.plan.scenarios),
            // Each module's own summary sees its own.
            setup_data: None,
            stdout_is_terminal: Prepared::stdout_is_terminal(),
            stderr_is_terminal: Prepared::stderr_is_terminal(),
        };
        let (totals, windows) = (prepared.ledger.totals(), prepared.ledger.windows());
        Summary::new(totals, &prepared.thresholds, windows, info, &prepared.settings)
    }

    /// The modules' own summaries, in their order; the usual one unless each module has one that takes its place, by writing to standard
    /// output or by wanting nothing at all.
    async fn show(&mut self, summary: &mut Summary, rendering: Rendering) {
        let mut replaced = 0;
        let mut written: Vec<(String, usize)> = Vec::new();
        for index in 0..self.prepared.modules.len() {
            let module = &self.prepared.modules[index];
            if !module.description.handle_summary || !self.prepared.plan.modules[index].runs {
                continue;
            }
            summary.run.setup_data = module.main.module().setup_data.get().map(|data| data.to_vec());
            let data = Format::HandleSummary.render(summary, &rendering);
            let Some(texts) = self.own_summary(index, &data).await else { continue };
            replaced += usize::from(texts.is_empty() || texts.iter().any(|(destination, _)| destination == "stdout"));
            for (destination, content) in texts {
                let whose = format!("{}handle_summary: ", self.whose(index));
                let stream = matches!(destination.as_str(), "stdout" | "stderr");
                if let Some((_, first)) =
                    written.iter().find(|(known, by)| *known == destination && *by != index && !stream)
                {
                    let first = &self.prepared.modules[*first].name;
                    self.log(Level::Warn, &format!("{whose}{destination} has the summary of module `{first}` already"));
                    continue;
                }
                written.push((destination.clone(), index));
                self.write(&whose, destination, content).await;
            }
        }
        if replaced < self.prepared.plan.modules.iter().filter(|module| module.runs).count() {
            let text = Format::Text.render(summary, &rendering);
            self.write("the summary: ", "stdout".to_owned(), text.into_bytes()).await;
        }
    }

    /// Writes a text on a thread of its own: a reader that takes nothing from its pipe must not keep a signal from ending the run.
    pub(super) async fn write(&mut self, whose: &str, destination: String, content: Vec<u8>) {
        let destinations = Arc::clone(&self.prepared.destinations);
        let work = tokio::task::spawn_blocking(move || destinations.write(&destination, &content));
        let written = tokio::select! {
            biased;
            written = work => written.unwrap_or(Ok(())),
            () = self.prepared.signals.next() => return self.decide(Exit::Signal),
        };
        match written {
            Ok(()) => {}
            Err(error @ WriteError::NotGranted(_)) => self.log(Level::Warn, &format!("{whose}{error}")),
            Err(error) => {
                self.log(Level::Error, &format!("{whose}{error}"));
                self.decide(Exit::Failed);
            }
        }
    }

    pub(super) fn export(&mut self, summary: &Summary) {
        let Some((path, file)) = self.prepared.export.take() else { return };
        let text = Format::Export.render(summary, &Rendering::default());
        if let Err(error) = replace(file, &text) {
            self.log(Level::Error, &format!("--summary-export {}: cannot be written ({error})", path.display()));
            self.decide(Exit::Failed);
        }
    }
}

/// The file was opened before the load, and kept what it held until now. What cannot be written whole is not left there in half.
fn replace(mut file: File, text: &str) -> io::Result<()> {
    // A pipe or a device has no length to cut.
    let has_length = file.metadata()?.is_file();
    if has_length {
        file.set_len(0)?;
        file.rewind()?;
    }
    let written = file.write_all(text.as_bytes()).and_then(|()| file.flush());
    if written.is_err() && has_length {
        // The first error is the one to tell.
        let _ = file.set_len(0);
    }
    written
}
