//! What each call of the SDK costs, as the module itself measures it.

use serde_json::json;

use crate::figures::Spread;
use crate::parts::load_ended;
use crate::process::Running;
use crate::report::{Section, table};
use crate::runtime::Run;
use crate::{Bench, Failure};

pub(super) fn run(bench: &Bench) -> Result<Section, Failure> {
    let mut calls: Vec<(String, Vec<f64>)> = Vec::new();
    for _ in 0..bench.rounds {
        let run = Run::new(bench, "sdk-calls").args(&["--no-summary", "--shards", "1"]);
        let ended = load_ended(Running::start(run.command(), bench.generator_core())?, 60)?;
        let costs: Vec<_> = ended.stderr.lines().filter_map(cost).collect();
        if costs.is_empty() {
            return Err("the module printed no costs".into());
        }
        for (name, nanoseconds) in costs {
            match calls.iter_mut().find(|(known, _)| known == name) {
                Some((_, rounds)) => rounds.push(nanoseconds),
                None => calls.push((name.to_owned(), vec![nanoseconds])),
            }
        }
    }
    let table = table(
        &["call", "ns"],
        calls.iter().map(|(name, rounds)| {
            let spread = Spread::of(rounds.iter().copied()).map_or("-".to_owned(), |spread| spread.shown(0));
            vec![format!("`{name}`"), spread]
        }),
    );
    Ok(Section {
        text: format!(
            "A module makes each call 20,000 times in a loop on one core, takes the time, and subtracts that of an empty loop. What a request \
             costs is told above.\n\n{table}"
        ),
        raw: calls.into_iter().map(|(name, rounds)| (name, json!(rounds))).collect(),
        ..Section::default()
    })
}

/// `info [vu 1 iter 5]: call Trend::add 95.66`.
fn cost(line: &str) -> Option<(&str, f64)> {
    let (name, nanoseconds) = line.split_once("]: call ")?.1.rsplit_once(' ')?;
    Some((name, nanoseconds.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_names_a_call_and_its_cost() {
        let line = "info [vu 1 iter 6]: call Trend::add_with_tags, one tag 169.84";
        assert_eq!(cost(line), Some(("Trend::add_with_tags, one tag", 169.84)));
        assert_eq!(cost("running (0.1s), 0/1 VUs, 19 complete and 0 interrupted iterations"), None);
    }
}
