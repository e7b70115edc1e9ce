//! What a run shows of itself while it goes on, and what somebody may do to it: the same for the HTTP API and for keys.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::status::{self, Status};
use crate::display::Display;
use crate::executor::{Helm, ScaleError, Scaled};
use crate::exit::Exit;
use crate::metrics::Totals;
use crate::stop::{StopReason, StopToken};
use crate::summary::{MetricSummary, SummarySettings};
use crate::threshold::{Threshold, Windows};

/// So many questions wait for an answer at once.
const QUESTIONS: usize = 16;

/// Where a run is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// `setup` runs, or will.
    Setup,
    /// Virtual users are made, or run.
    Load,
    /// `teardown` runs.
    Teardown,
    /// The summary is made and written.
    Summary,
    /// All is done; the process lingers.
    Over,
}

/// A run, for those who look at it or steer it from outside.
#[derive(Debug)]
pub struct Live {
    /// The module's name, with its version.
    pub name: String,
    /// The executors' names, in the plan's order.
    pub executors: Vec<&'static str>,
    helm: Helm,
    stop: StopToken,
    display: Display,
    stage: Mutex<Stage>,
    exit: OnceLock<Exit>,
    /// How long the load lasted, once it is over.
    lasted: OnceLock<Duration>,
    released: CancellationToken,
    questions: mpsc::Sender<Question>,
}

/// Answers what only those know who hold the totals.
#[derive(Debug)]
pub struct Desk {
    questions: mpsc::Receiver<Question>,
    live: Arc<Live>,
    thresholds: Arc<[Threshold]>,
    settings: SummarySettings,
}

/// What the totals are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// All metrics and their values.
    Metrics,
    /// All thresholds and what became of them so far.
    Thresholds,
}

/// A question that waits.
#[derive(Debug)]
pub struct Question {
    topic: Topic,
    reply: oneshot::Sender<Value>,
}

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no load any more.
    #[error("the load is over: there is nothing to {0}")]
    Over(&'static str),
    /// A scenario's load cannot be changed so.
    #[error(transparent)]
    Scale(#[from] ScaleError),
}

/// A run to look at, and the desk at which its questions are answered.
#[must_use]
pub fn open(
    name: String,
    executors: Vec<&'static str>,
    helm: Helm,
    stop: StopToken,
    display: Display,
    thresholds: Arc<[Threshold]>,
    settings: SummarySettings,
) -> (Arc<Live>, Desk) {
    let (send, receive) = mpsc::channel(QUESTIONS);
    let live = Arc::new(Live {
        name,
        executors,
        helm,
        stop,
        display,
        stage: Mutex::new(Stage::Setup),
        exit: OnceLock::new(),
        lasted: OnceLock::new(),
        released: CancellationToken::new(),
        questions: send,
    });
    let desk = Desk { questions: receive, live: Arc::clone(&live), thresholds, settings };
    (live, desk)
}

impl Live {
    /// Notes how far the run has come.
    pub fn enter(&self, stage: Stage) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }

    /// How far the run has come.
    #[must_use]
    pub fn stage(&self) -> Stage {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the load is over: what it lasted, pauses left out.
    pub fn load_lasted(&self, duration: Duration) {
        let _ = self.lasted.set(duration);
    }

    /// Notes how the run ended.
    pub fn ended(&self, exit: Exit) {
        let _ = self.exit.set(exit);
        self.enter(Stage::Over);
    }

    /// The exit code, once it is known.
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        self.exit.get().copied()
    }

    /// How long the load has lasted, pauses left out.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        let running = || self.helm.progress().clock.elapsed().unwrap_or_default();
        self.lasted.get().copied().unwrap_or_else(running)
    }

    /// The hand on the wheel.
    #[must_use]
    pub const fn helm(&self) -> &Helm {
        &self.helm
    }

    /// Who ends the load, and why.
    #[must_use]
    pub const fn stop_token(&self) -> &StopToken {
        &self.stop
    }

    /// Everything at one glance.
    #[must_use]
    pub fn status(&self) -> Status {
        status::of(self)
    }

    /// Pauses the run. False if it was paused already.
    ///
    /// # Errors
    /// When there is no load any more.
    pub fn pause(&self, who: &str) -> Result<bool, Refusal> {
        self.before_the_end("pause")?;
        let paused = self.helm.pause();
        if paused {
            self.display.note(&format!("paused by {who}: iterations under way finish, and none starts"));
        }
        Ok(paused)
    }

    /// Lets the run go on. False if it was not paused.
    ///
    /// # Errors
    /// When there is no load any more.
    pub fn resume(&self, who: &str) -> Result<bool, Refusal> {
        self.before_the_end("resume")?;
        let resumed = self.helm.resume();
        if resumed {
            self.display.note(&format!("resumed by {who}"));
        }
        Ok(resumed)
    }

    /// Ends the load, or a run that lingers after it. Iterations under way may finish, unless it is to end `now`.
    pub fn stop(&self, now: bool, who: &str) {
        if self.stage() >= Stage::Teardown {
            return self.released.cancel();
        }
        let reason = StopReason::Control(who.to_owned());
        if now {
            self.stop.immediate(reason);
            self.display.note(&format!("stopping at once, as {who} says"));
        } else {
            self.stop.graceful(reason);
            self.display.note(&format!("stopping, as {who} says: iterations under way may finish"));
        }
    }

    /// Waits until somebody ends a run that lingers.
    pub async fn released(&self) {
        self.released.cancelled().await;
    }

    /// Sets how many virtual users of a scenario loop.
    ///
    /// # Errors
    /// When there is no load any more, or the scenario's load cannot be changed so.
    pub fn set_vus(&self, scenario: &str, vus: u64, who: &str) -> Result<Scaled, Refusal> {
        self.before_the_end("scale")?;
        Ok(self.tell(self.helm.set_vus(scenario, vus)?, who))
    }

    /// Sets at which rate iterations of a scenario start.
    ///
    /// # Errors
    /// When there is no load any more, or the scenario's load cannot be changed so.
    pub fn set_rate(&self, scenario: &str, rate: u64, who: &str) -> Result<Scaled, Refusal> {
        self.before_the_end("scale")?;
        Ok(self.tell(self.helm.set_rate(scenario, rate)?, who))
    }

    /// More or less load, by a step, of all scenarios that allow it.
    pub fn step(&self, up: bool, who: &str) {
        let scaled = self.helm.step(up);
        if scaled.is_empty() {
            self.display.note(
                "no scenario's load can be changed: none has the executor externally-controlled, or they are over",
            );
        }
        scaled.into_iter().for_each(|scaled| drop(self.tell(scaled, who)));
    }

    /// Prints a line, unless the person wants quiet.
    pub fn note(&self, text: &str) {
        self.display.note(text);
    }

    /// Asks what only those know who hold the totals.
    pub async fn ask(&self, topic: Topic) -> Option<Value> {
        let (reply, answer) = oneshot::channel();
        self.questions.try_send(Question { topic, reply }).ok()?;
        answer.await.ok()
    }

    fn tell(&self, scaled: Scaled, who: &str) -> Scaled {
        self.display.note(&format!("scaled by {who}: {scaled}"));
        scaled
    }

    fn before_the_end(&self, what: &'static str) -> Result<(), Refusal> {
        if self.stage() <= Stage::Load { Ok(()) } else { Err(Refusal::Over(what)) }
    }
}

impl Desk {
    /// The run that is asked about.
    #[must_use]
    pub const fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// Waits for a question.
    pub async fn next(&mut self) -> Question {
        match self.questions.recv().await {
            Some(question) => question,
            // The sender is in `live`: it cannot be gone.
            None => std::future::pending().await,
        }
    }

    /// Answers from what was collected so far.
    pub fn answer(&self, question: Question, totals: &Totals, windows: &Windows) {
        let elapsed = self.live.elapsed();
        let metrics = crate::summary::metrics_so_far(totals, &self.thresholds, windows, elapsed, &self.settings);
        let answer = match question.topic {
            Topic::Metrics => json!({
                "elapsedSeconds": elapsed.as_secs_f64(),
                "metrics": metrics.iter().map(metric).collect::<Vec<_>>(),
            }),
            Topic::Thresholds => {
                let thresholds =
                    metrics.iter().flat_map(|metric| metric.thresholds.iter().map(move |one| (metric, one)));
                let one = |(metric, threshold): (&MetricSummary, &crate::summary::ThresholdSummary)| {
                    json!({
                        "metric": metric.name,
                        "expression": threshold.expression,
                        "ok": threshold.ok,
                        "value": threshold.value,
                    })
                };
                json!({
                    "elapsedSeconds": elapsed.as_secs_f64(),
                    "ok": metrics.iter().flat_map(|metric| &metric.thresholds).all(|threshold| threshold.ok),
                    "thresholds": thresholds.map(one).collect::<Vec<_>>(),
                })
            }
        };
        // Whoever asked may have gone.
        let _ = question.reply.send(answer);
    }
}

fn metric(metric: &MetricSummary) -> Value {
    json!({
        "name": metric.name,
        "kind": metric.kind.to_string(),
        "contains": metric.contains,
        "values": metric.value.values(),
    })
}
