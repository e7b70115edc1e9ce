//! Whole summaries, as a person reads them.

use super::super::{Format, TimeUnit};
use super::*;
use crate::summary::{Starts, TrendStat, WindowSummary, fixture};

fn shown(run: &fixture::Run, rendering: &Rendering) -> String {
    Format::Text.render(&run.summary(), rendering)
}

#[test]
fn a_calm_run() {
    insta::assert_snapshot!(shown(&fixture::calm(), &Rendering::default()));
}

#[test]
fn a_stormy_run() {
    insta::assert_snapshot!(shown(&fixture::stormy(), &Rendering::default()));
}

#[test]
fn a_stormy_run_in_full() {
    let mut run = fixture::stormy();
    run.settings.full = true;
    insta::assert_snapshot!(shown(&run, &Rendering { mode: Mode::Full, ..Rendering::default() }));
}

#[test]
fn colours_change_nothing_but_colours() {
    let summary = fixture::stormy().summary();
    let coloured = render(&summary, &Rendering { colour: true, ..Rendering::default() });
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    assert_ne!(coloured, plain);
    assert_eq!(plain, render(&summary, &Rendering::default()));
}

#[test]
fn a_part_with_a_threshold_stands_under_its_metric() {
    let mut run = fixture::calm();
    run.threshold("http_req_waiting{scenario:default}", "p(95)<1000");
    let text = shown(&run, &Rendering::default());
    let lines: Vec<&str> = text.lines().collect();
    let part = lines.iter().position(|line| line.contains("{ scenario:default }")).unwrap();
    assert!(lines[part - 1].trim_start().starts_with("http_req_waiting."), "{text}");
}

#[test]
fn stats_and_unit_are_those_asked_for() {
    let mut run = fixture::calm();
    run.settings.trend_stats = TrendStat::parse_list("med,p(99.9),count").unwrap();
    insta::assert_snapshot!(shown(&run, &Rendering { time_unit: Some(TimeUnit::Seconds), ..Rendering::default() }));
}

#[test]
fn too_many_series() {
    insta::assert_snapshot!(shown(&fixture::overflowing(), &Rendering::default()));
}

#[test]
fn a_module_cannot_write_our_lines() {
    let mut run = fixture::calm();
    let fake = "x\n  ✓ PASSED\u{1b}[2J";
    let check = run.tags(&[("scenario", "default"), ("check", fake), ("group", "::a\nb")]);
    run.add("checks", check, 1.0);
    let name = run.tags(&[("name", &fake.repeat(20))]);
    run.request(name, crate::metrics::MethodId::GET, &fixture::Answer::ok(std::time::Duration::ZERO));
    run.info.iteration_errors.insert(fake.to_owned(), 2);
    run.info.warnings.insert(fake.to_owned(), 2);
    run.info.marked_failed = Some(fake.to_owned());
    let text = shown(&run, &Rendering::default());
    assert!(!text.contains('\u{1b}'), "{text}");
    assert_eq!(text.lines().filter(|line| line.trim_start().starts_with("✓ PASSED")).count(), 0, "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn disabled_is_silent() {
    assert_eq!(shown(&fixture::stormy(), &Rendering { mode: Mode::Disabled, ..Rendering::default() }), "");
}

#[test]
fn the_verdict_says_why() {
    let last = |change: &dyn Fn(&mut fixture::Run)| {
        let mut run = fixture::calm();
        change(&mut run);
        shown(&run, &Rendering::default()).lines().last().unwrap().to_owned()
    };
    let report = [
        last(&|_| {}),
        last(&|run| run.thresholds.truncate(1)),
        last(&|run| run.thresholds.clear()),
        last(&|run| run.threshold("vus", "value<1")),
        last(&|run| run.threshold("no_such_metric", "value<1")),
        last(&|run| run.info.stopped_early = Some("a signal (Ctrl-C)".to_owned())),
        last(&|run| run.info.marked_failed = Some("no coupon left".to_owned())),
    ]
    .join("\n");
    insta::assert_snapshot!(report);
}

#[test]
fn a_threshold_with_a_window_has_the_worst_one() {
    let mut run = fixture::calm();
    run.threshold("http_req_duration", "p(95)<300");
    run.threshold("http_req_duration", "p(95)<900");
    run.threshold("http_req_duration", "p(95)<800");
    let mut summary = run.summary();
    let metric = summary.metrics.iter_mut().find(|metric| metric.name == "http_req_duration").unwrap();
    let window = |crossed, windows| Some(WindowSummary { windows, crossed, from_ms: 41_000.0, until_ms: 51_000.0 });
    for (threshold, ok, windows) in [(1, false, window(3, 42)), (2, true, window(0, 42)), (3, true, window(0, 1))] {
        let threshold = &mut metric.thresholds[threshold];
        threshold.expression += " over 10s";
        (threshold.ok, threshold.value, threshold.window) = (ok, Some(812.0), windows);
    }
    insta::assert_snapshot!(render(&summary, &Rendering::default()).split_once("TOTAL RESULTS").unwrap().0);
}

fn starts(started: u64, late: u64, due_for_ns: Option<u64>) -> Starts {
    Starts { scenario: "issue".to_owned(), due: 24_000, started, late, due_for_ns }
}

#[test]
fn a_load_that_was_not_reached_is_told_with_its_rates() {
    let minute = Some(60_000_000_000);
    let mut run = fixture::calm();
    run.info.starts =
        vec![starts(24_000, 0, minute), starts(22_300, 28, minute), starts(24_000, 1, minute), starts(10, 0, None)];
    let text = shown(&run, &Rendering::default());
    insta::assert_snapshot!(text.split_once("TO LOOK AT").unwrap().1, @"

        ! `issue` did not reach its load: 371.20 of 400.00 iterations/s started in time (92.80%); of 24000 that
          were due, 1700 did not start, 28 started more than a second late.
        ! `issue` did not reach its load: 399.98 of 400.00 iterations/s started in time (99.99%); of 24000 that
          were due, 1 started more than a second late.
        ! `issue` did not reach its load: 10 of 24000 iterations started (0.04%).

      ✓ PASSED  all 2 thresholds hold  (coupon 0.1.0, 20s, seed 42)
    ");
}

#[test]
fn the_verdict_counts_checks_and_rates_if_asked_to() {
    let last = |change: &dyn Fn(&mut fixture::Run)| {
        let mut run = fixture::calm();
        change(&mut run);
        shown(&run, &Rendering::default()).lines().last().unwrap().to_owned()
    };
    let check = |run: &mut fixture::Run, name: &str, times: u32| {
        run.settings.fail_on_check = true;
        let tags = run.tags(&[("scenario", "default"), ("check", name)]);
        (0..times).for_each(|_| run.add("checks", tags, 0.0));
    };
    let rate = |run: &mut fixture::Run, started: u64| {
        run.settings.min_rate_achieved = Some(0.95);
        run.info.starts = vec![starts(started, 0, None)];
    };
    let report = [
        last(&|run| check(run, "has a code", 0)),
        last(&|run| check(run, "has a code", 1)),
        last(&|run| ["a", "b", "c", "d", "e"].iter().for_each(|name| check(run, name, 2))),
        last(&|run| {
            run.thresholds.clear();
            check(run, "has a code", 3);
        }),
        last(&|run| {
            run.thresholds.clear();
            check(run, "has a code", 0);
            rate(run, 24_000);
        }),
        last(&|run| rate(run, 22_000)),
        last(&|run| {
            run.info.stopped_early = Some("a signal".to_owned());
            rate(run, 22_000);
        }),
    ]
    .join("\n");
    insta::assert_snapshot!(report);
}

#[test]
fn modes_are_those_of_the_option() {
    assert_eq!("full".parse(), Ok(Mode::Full));
    insta::assert_snapshot!("legacy".parse::<Mode>().unwrap_err(), @r#"summaryMode: "legacy" is no mode; known are `compact`, `full`, `disabled`"#);
}
