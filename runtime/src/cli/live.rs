//! `runtime status`, `pause`, `resume`, `scale` and `stop`: what a run does, and what it is to do, asked over its API.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::{complain, print, refuse};
use crate::control::DEFAULT_ADDRESS;
use crate::control::access::parse_address;
use crate::control::client::{Client, ClientError, path_segment};
use crate::control::status::{Control, Scenario, Status};
use crate::duration;
use crate::exit::Exit;
use crate::field_error::FieldError;
use crate::log::printable;

/// Which run.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RunAt {
    /// Where the run's API listens [default: 127.0.0.1:6565]
    #[arg(short = 'a', long, value_name = "HOST:PORT")]
    address: Option<String>,

    /// The token that the run was given; better in the variable FLASHCROWD_API_TOKEN, which nobody sees in a list of processes
    #[arg(long, value_name = "TOKEN")]
    api_token: Option<String>,

    /// Print the run's status as JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `runtime status`, `pause` and `resume`.
#[derive(Debug, clap::Args)]
pub(super) struct PlainArgs {
    /// Which run.
    #[command(flatten)]
    run: RunAt,
}

/// Arguments of `runtime stop`.
#[derive(Debug, clap::Args)]
pub(super) struct StopArgs {
    /// Interrupts iterations under way instead of letting them finish
    #[arg(long)]
    now: bool,

    /// Which run.
    #[command(flatten)]
    run: RunAt,
}

/// Arguments of `runtime scale`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("load").required(true).args(["vus", "rate"])))]
pub(super) struct ScaleArgs {
    /// The scenario, if several of the run are externally-controlled
    #[arg(value_name = "SCENARIO")]
    scenario: Option<String>,

    /// How many virtual users are to loop, up to the scenario's maxVUs
    #[arg(short = 'u', long, value_name = "N")]
    vus: Option<u64>,

    /// How many iterations are to start per timeUnit of the scenario
    #[arg(long, value_name = "N")]
    rate: Option<u64>,

    /// Which run.
    #[command(flatten)]
    run: RunAt,
}

/// Why a command did nothing.
#[derive(Debug, thiserror::Error)]
enum LiveError {
    #[error(transparent)]
    Field(#[from] FieldError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("its answer is not a status: {0}")]
    Answer(#[from] serde_json::Error),
    #[error("{0}")]
    Which(String),
}

pub(super) fn status(args: &PlainArgs) -> Exit {
    tell(&args.run, |client| ask(client, "GET", "/api/status", None))
}

pub(super) fn pause(args: &PlainArgs) -> Exit {
    tell(&args.run, |client| ask(client, "POST", "/api/pause", None))
}

pub(super) fn resume(args: &PlainArgs) -> Exit {
    tell(&args.run, |client| ask(client, "POST", "/api/resume", None))
}

pub(super) fn stop(args: &StopArgs) -> Exit {
    tell(&args.run, |client| ask(client, "POST", "/api/stop", Some(&json!({ "now": args.now }))))
}

pub(super) fn scale(args: &ScaleArgs) -> Exit {
    tell(&args.run, |client| {
        let name = match &args.scenario {
            Some(name) => name.clone(),
            None => only(&serde_json::from_value(ask(client, "GET", "/api/status", None)?)?)?,
        };
        let load = match (args.vus, args.rate) {
            (Some(vus), _) => json!({ "vus": vus }),
            (None, rate) => json!({ "rate": rate }),
        };
        ask(client, "PATCH", &format!("/api/scenarios/{}", path_segment(&name)), Some(&load))
    })
}

/// The scenario that is meant when nobody says which.
fn only(status: &Status) -> Result<String, LiveError> {
    let names: Vec<&str> = status
        .scenarios
        .iter()
        .filter(|scenario| scenario.control.is_some())
        .map(|scenario| scenario.name.as_str())
        .collect();
    match names.as_slice() {
        [name] => Ok((*name).to_owned()),
        [] => Err(LiveError::Which(
            "no scenario of this run is externally-controlled, so no load can be changed; its options settle it"
                .to_owned(),
        )),
        several => Err(LiveError::Which(format!(
            "several scenarios can be changed; say which: `runtime scale {}`, or one of {}",
            several[0],
            several[1..].join(", ")
        ))),
    }
}

fn ask(client: &Client, method: &str, path: &str, body: Option<&Value>) -> Result<Value, LiveError> {
    Ok(client.ask(method, path, body)?)
}

/// Asks, and prints the status that comes back.
fn tell(run: &RunAt, act: impl FnOnce(&Client) -> Result<Value, LiveError>) -> Exit {
    let text = run.client().map_err(LiveError::from).and_then(|client| {
        let answer = act(&client)?;
        Ok(if run.json { format!("{answer:#}\n") } else { as_text(&serde_json::from_value(answer)?) })
    });
    match text {
        Ok(text) => print(&text),
        Err(error @ LiveError::Field(_)) => refuse(&error),
        Err(error) => {
            complain(&error);
            Exit::Failed
        }
    }
}

impl RunAt {
    fn client(&self) -> Result<Client, FieldError> {
        let variable = |name: &str| {
            let lookup = |prefix: &str| std::env::var(format!("{prefix}{name}")).ok().filter(|value| !value.is_empty());
            lookup(crate::options::PREFIX).or_else(|| lookup("K6_"))
        };
        let text = self.address.clone().or_else(|| variable("ADDRESS")).unwrap_or_else(|| DEFAULT_ADDRESS.to_owned());
        let token = self.api_token.clone().or_else(|| variable("API_TOKEN"));
        if let Some(token) = &token {
            // A line break in it would become a header.
            crate::control::access::Token::parse(token)?;
        }
        Ok(Client { address: parse_address("--address", &text)?, token })
    }
}

fn as_text(status: &Status) -> String {
    let mut text = String::new();
    let mut line = |line: String| {
        // The words of a module must not command the terminal.
        let _ = writeln!(text, "{}", printable(&line));
    };
    let seconds = |seconds: f64| duration::format(Duration::from_secs_f64((seconds * 10.0).round().max(0.0) / 10.0));
    let mut first = format!("{}: {}", status.name, status.state.as_str());
    if status.paused && status.state.as_str() != "paused" {
        first.push_str(", paused");
    }
    let _ = write!(first, ", {} of load", seconds(status.elapsed_seconds));
    if status.paused_seconds > 0.0 {
        let _ = write!(first, " and {} of pauses", seconds(status.paused_seconds));
    }
    let _ = write!(first, ", {} of {} VUs active", status.active_vus, status.initialised_vus);
    line(first);
    if let Some(reason) = &status.stop_reason {
        line(format!("  stopped early: {reason}"));
    }
    if let Some(code) = status.exit_code {
        line(format!("  exit code {code}"));
    }
    status.scenarios.iter().map(of_scenario).for_each(line);
    text
}

fn of_scenario(scenario: &Scenario) -> String {
    let count = scenario.iterations;
    let mut text = format!(
        "  {} ({}): {}, {} VUs, {} iterations complete, {:.1}/s",
        scenario.name,
        scenario.executor,
        scenario.phase,
        scenario.active_vus,
        count.completed + count.failed,
        scenario.iterations_per_second
    );
    for (number, what) in [(count.failed, "failed"), (count.interrupted, "interrupted"), (count.dropped, "dropped")] {
        if number > 0 {
            let _ = write!(text, ", {number} {what}");
        }
    }
    match &scenario.control {
        Some(Control::Vus { vus, max_vus }) => {
            let _ = write!(text, "; set to {vus} of at most {max_vus} VUs");
        }
        Some(Control::Rate { rate, time_unit }) => {
            let _ = write!(text, "; set to {rate} iterations per {time_unit}");
        }
        None => {}
    }
    text
}
