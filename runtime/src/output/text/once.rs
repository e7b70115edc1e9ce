//! What `--once` prints: each function with its checks.

use super::style::{Paint, Style, plain};
use super::{Rendering, numbers};

/// One iteration of one function.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tried {
    /// The scenario that it stands for.
    pub scenario: String,
    /// The function.
    pub function: String,
    /// How long it took, in milliseconds.
    pub took_ms: f64,
    /// Requests.
    pub requests: u64,
    /// Those of them that failed.
    pub failed_requests: u64,
    /// In the order in which they were made.
    pub checks: Vec<TriedCheck>,
    /// Why the iteration failed, if it did.
    pub error: Option<String>,
}

/// A check of one iteration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TriedCheck {
    /// With its group, such as `::buy::status is 200`, or the bare name outside of groups.
    pub name: String,
    /// How often it passed.
    pub passes: u64,
    /// How often it failed.
    pub fails: u64,
}

/// The functions that ran, and whether all is well; `planned` were to run.
#[must_use]
pub fn render(tried: &[Tried], planned: usize, rendering: &Rendering) -> String {
    let paint = Paint(rendering.colour);
    let mut text = String::from("\n");
    for one in tried {
        let well = one.error.is_none() && one.checks.iter().all(|check| check.fails == 0);
        let scenario =
            if one.scenario == one.function { String::new() } else { format!(" (scenario {})", plain(&one.scenario)) };
        let requests = if one.requests == 1 { "1 request".to_owned() } else { format!("{} requests", one.requests) };
        let failed =
            if one.failed_requests > 0 { format!(", {} of them failed", one.failed_requests) } else { String::new() };
        text += &format!(
            "  {} {}{scenario}: {}, {requests}{failed}\n",
            mark(paint, well),
            paint.with(Style::Bold, &plain(&one.function)),
            numbers::time(one.took_ms, rendering.time_unit)
        );
        for check in &one.checks {
            let times = match (check.passes, check.fails) {
                (_, 0) => String::new(),
                (0, 1) => ": failed".to_owned(),
                (passes, fails) => format!(": failed {fails} of {} times", passes + fails),
            };
            text += &format!("      {} {}{times}\n", mark(paint, check.fails == 0), plain(&check.name));
        }
        if let Some(error) = &one.error {
            let lines: Vec<String> = error.lines().map(plain).collect();
            text += &format!("      {} {}\n", paint.with(Style::Red, "failed:"), lines.join("\n        "));
        }
    }
    text + &format!("\n  {}\n", verdict(tried, planned, paint))
}

fn mark(paint: Paint, well: bool) -> String {
    if well { paint.with(Style::Green, "✓") } else { paint.with(Style::Red, "✗") }
}

fn verdict(tried: &[Tried], planned: usize, paint: Paint) -> String {
    let failed = tried.iter().filter(|one| one.error.is_some()).count();
    let checks = tried.iter().flat_map(|one| &one.checks).filter(|check| check.fails > 0).count();
    let functions = if planned == 1 { "1 function".to_owned() } else { format!("{planned} functions") };
    let mut parts = Vec::new();
    if failed > 0 {
        parts.push(format!("{failed} of {functions} failed"));
    }
    if tried.len() < planned {
        parts.push(format!("{} of {functions} did not run", planned - tried.len()));
    }
    if checks > 0 {
        parts.push(if checks == 1 { "1 check failed".to_owned() } else { format!("{checks} checks failed") });
    }
    if parts.is_empty() {
        return format!("{}  {functions} ran once", paint.with(Style::Green, "✓ FINE"));
    }
    format!("{}  {}", paint.with(Style::Red, "✗ NOT YET"), parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_function_has_its_checks_and_what_went_wrong() {
        let check = |name: &str, passes, fails| TriedCheck { name: name.to_owned(), passes, fails };
        let fine = Tried {
            scenario: "warmup".to_owned(),
            function: "issue_coupon".to_owned(),
            took_ms: 183.25,
            requests: 1,
            checks: vec![check("status is 200", 1, 0)],
            ..Tried::default()
        };
        let wrong = Tried {
            scenario: "browse".to_owned(),
            function: "browse".to_owned(),
            took_ms: 12.0,
            requests: 3,
            failed_requests: 2,
            checks: vec![check("::buy::has a code", 1, 1), check("fresh\x1b[2J", 0, 1)],
            error: Some("panicked at src/lib.rs:12:5:\nno code".to_owned()),
        };
        let both = render(&[fine.clone(), wrong], 3, &Rendering::default());
        insta::assert_snapshot!(format!("{both}{}", render(&[fine], 1, &Rendering::default())), @r"

          ✓ issue_coupon (scenario warmup): 183.25ms, 1 request
              ✓ status is 200
          ✗ browse: 12ms, 3 requests, 2 of them failed
              ✗ ::buy::has a code: failed 1 of 2 times
              ✗ fresh\u{1b}[2J: failed
              failed: panicked at src/lib.rs:12:5:
                no code

          ✗ NOT YET  1 of 3 functions failed; 1 of 3 functions did not run; 2 checks failed

          ✓ issue_coupon (scenario warmup): 183.25ms, 1 request
              ✓ status is 200

          ✓ FINE  1 function ran once
        ");
    }
}
