//! Broken and hostile modules: each is contained, counted and explained, and the others' numbers are unharmed.

use std::path::Path;

use crate::attack::{Attack, conserved, counts_agree, with_code};
use crate::support::{Run, finish, guest, runtime};
use crate::target::{Behaviour, Target};

/// A run whose figures agree with each other, whatever its module does.
#[track_caller]
fn run(module: &Path, args: &[&str]) -> Run {
    let run = Attack::new(module).args(args).run();
    counts_agree(&run);
    run
}

/// As [`run`], against a target that has seen all that was sent.
#[track_caller]
fn run_against(target: &Target, module: &Path, args: &[&str]) -> Run {
    let run = Attack::new(module).args(args).run();
    conserved(&run, &target.settled());
    run
}

#[test]
fn an_endless_loop_is_interrupted_and_the_others_go_on() {
    let target = Target::always(Behaviour::Answer);
    let url = target.base_url("");
    let args = ["-e", &url, "-u", "4", "-d", "4s", "--cpu-limit", "200ms"];
    let run = run_against(&target, &guest("endless-loop"), &args).exits(0);
    assert!(run.metric("iteration_errors", "count") >= 1.0, "{}", run.stdout);
    assert!(
        run.stdout.contains("endless loop") || run.stderr.contains("endless loop"),
        "{}\n{}",
        run.stdout,
        run.stderr
    );
    let (passes, fails) = run.check("the others work");
    assert_eq!(fails, 0);
    assert!(passes >= 30, "three others, 10 ms an iteration: {passes}");
    assert_eq!(run.check("health is 200"), (passes, 0));
    assert_eq!(run.metric("http_req_failed", "value"), 0.0);
}

#[test]
fn memory_without_end_is_denied_and_explained() {
    let run = run(&guest("memory-hog"), &["-u", "4", "-d", "2s", "-e", "HOG_VU=2", "--memory-limit", "16MiB"]).exits(0);
    assert!(run.metric("iteration_errors", "count") >= 1.0, "{}", run.stdout);
    assert!(run.stderr.contains("more than its 16 MiB"), "{}", run.stderr);
    assert!(run.stderr.contains("--memory-limit"), "{}", run.stderr);
    let (passes, fails) = run.check("the others work");
    assert!(passes >= 20 && fails == 0, "{passes} {fails}");
}

#[test]
fn a_panic_ends_its_iteration_and_nothing_else() {
    let run = run(&guest("panics"), &["-u", "2", "-i", "30"]).exits(0);
    let errors = run.metric("iteration_errors", "count");
    // Each virtual user panics in its third, sixth, ninth … iteration, however the 30 fall to the two.
    assert!((9.0..=10.0).contains(&errors), "{errors}");
    assert_eq!(run.metric("iterations", "count"), 30.0);
    assert_eq!(run.check("iterations that do not panic end"), (30 - errors as u64, 0));
    assert_eq!(run.check("the instance is fresh after a panic"), (30, 0));
    assert!(run.stderr.contains("the third iteration always panics"), "{}", run.stderr);
    assert_eq!(run.stderr.matches("the third iteration always panics").count(), 1, "logged once: {}", run.stderr);
    assert!(run.stdout.contains("the third iteration always panics"), "and in the summary: {}", run.stdout);
}

#[test]
fn a_host_that_was_not_granted_is_not_called() {
    let target = Target::always(Behaviour::Answer);
    let url = target.base_url("/");
    let run = run_against(&target, &guest("stranger"), &["-u", "2", "-i", "10", "-e", &url]).exits(0);
    assert_eq!(with_code(&run, 1111), 10);
    assert_eq!(run.check("a host that was not granted is not called"), (10, 0));
    assert_eq!(run.check("the error names the flag"), (10, 0));
    assert_eq!(run.check("a granted host is called"), (10, 0));
    assert_eq!(run.metric("http_reqs", "count"), 20.0);
    assert_eq!(run.metric("http_req_failed", "value"), 0.5);
    assert_eq!(run.stderr.matches("--allow-host stranger.test").count(), 1, "told once: {}", run.stderr);
    assert!(run.stdout.contains("stranger.test"), "and in the summary: {}", run.stdout);
}

#[test]
fn a_url_in_a_default_of_the_module_grants_nothing_and_a_flag_does() {
    let target = Target::always(Behaviour::Answer);
    let url = target.url("/");
    // The address is granted as a network: that is a flag's word, and it holds.
    let stranger = format!("STRANGER_URL={url}");
    let args = ["-i", "1", "--allow-host", "127.0.0.0/8", "-e", &stranger];
    let network = run(&guest("stranger"), &args).exits(0);
    assert_eq!(network.check("a host that was not granted is not called"), (0, 1), "it was granted, so it was called");
    let port = url.trim_end_matches('/').rsplit(':').next().unwrap();
    let other = run(&guest("stranger"), &["-i", "1", "--allow-host", &format!("127.0.0.1:{port}")]).exits(0);
    assert_eq!(other.check("a host that was not granted is not called"), (1, 0));
}

#[test]
fn a_recursion_without_end_is_contained() {
    let run = run(&guest("stack-overflow"), &["-u", "2", "-i", "6"]).exits(0);
    assert_eq!(run.metric("iteration_errors", "count"), 6.0);
    assert_eq!(run.check("iterations begin"), (6, 0));
    assert!(run.stderr.contains("call stack exhausted: a recursion without end?"), "{}", run.stderr);
    // The module's own stack, in its memory, ends first where frames are wide.
    let wide = self::run(&guest("stack-overflow"), &["-u", "2", "-i", "6", "-e", "WIDE_FRAMES=1"]).exits(0);
    assert_eq!(wide.metric("iteration_errors", "count"), 6.0);
    assert_eq!(wide.check("iterations begin"), (6, 0));
    assert!(wide.stderr.contains("the module's stack is exhausted (a recursion without end"), "{}", wide.stderr);
}

#[test]
fn a_million_series_are_refused_loudly_and_the_totals_stay_exact() {
    let run = run(&guest("series"), &["-u", "4", "-i", "20000", "--max-series", "500"]).exits(0);
    assert_eq!(run.metric("orders", "count"), 20_000.0, "nothing is lost from the total");
    assert!(run.stdout.contains("order"), "{}", run.stdout);
    assert!(
        run.stdout.contains("--max-series") || run.stderr.contains("--max-series"),
        "{}\n{}",
        run.stdout,
        run.stderr
    );
}

#[test]
fn the_host_keeps_no_long_texts_for_a_module() {
    for what in ["tag", "tags", "group", "check", "vu-tag", "name"] {
        let run = run(&guest("hoarder"), &["-e", &format!("WHAT={what}"), "--allow-host", "127.0.0.1:1"]).exits(0);
        assert_eq!(run.metric("iteration_errors", "count"), 3.0, "{what}: {}", run.stdout);
        assert!(run.stderr.contains("the most"), "{what}: {}", run.stderr);
    }
    let url = run(&guest("hoarder"), &["-e", "WHAT=url", "--allow-host", "127.0.0.1:1"]).exits(0);
    assert_eq!(url.check("a long URL is refused"), (3, 0), "{}", url.stderr);
    assert!(url.stdout.len() < 10_000, "and not printed either");
}

#[test]
fn requests_that_fail_say_why_once_and_are_no_success() {
    let run = run(&guest("sleepy"), &["-e", "BASE_URL=http://127.0.0.1:1/", "-e", "PAUSE=0", "-i", "5"]).exits(0);
    assert_eq!(run.stderr.matches("connection refused: 127.0.0.1:1").count(), 1, "{}", run.stderr);
    assert!(run.stdout.contains("every request failed"), "{}", run.stdout);
}

#[test]
fn a_module_sees_nothing_of_the_machine_and_ordinary_crates_work() {
    let run = run(&guest("std-things"), &["-i", "2"]).exits(0);
    assert_eq!(run.metric("checks", "value"), 1.0, "{}", run.stdout);
    assert!(run.stderr.contains("[vu 1 iter 0]: printed by println! (hello)"), "{}", run.stderr);
    assert!(run.stderr.contains("printed by eprintln!"), "{}", run.stderr);
}

#[test]
fn errors_are_grouped_by_message_and_counted_apart_from_iterations() {
    let run = run(&guest("fail-iteration"), &[]).exits(0);
    assert_eq!(run.metric("iterations", "count"), 9.0);
    assert_eq!(run.metric("iteration_errors", "count"), 6.0);
    for reason in ["no seat left", "the seat was taken"] {
        assert!(run.stdout.contains(reason), "{reason} in the summary: {}", run.stdout);
        assert_eq!(run.stderr.matches(reason).count(), 1, "{reason} logged once: {}", run.stderr);
    }
}

#[test]
fn a_thousand_virtual_users_that_trap_for_ever_disturb_nobody() {
    let target = Target::always(Behaviour::Answer);
    let url = target.base_url("/");
    let mut going = Attack::new(&guest("trap-storm")).args(&["-e", &url, "-u", "1000", "-d", "100s"]).start();
    going.wait_for_request(&target, "/", 5);
    let early = going.resident_kib().unwrap();
    // Whoever does not trap gets his turn, again and again.
    going.wait_for_request(&target, "/", 20);
    let late = going.resident_kib().unwrap();
    going.signal("INT");
    let run = going.finish().exits(105);
    conserved(&run, &target.settled());
    let (iterations, errors) = (run.metric("iterations", "count"), run.metric("iteration_errors", "count"));
    assert!(errors >= 2_000.0, "{errors}");
    assert_eq!(iterations - errors, run.metric("http_reqs", "count"), "all but the first trap: {}", run.stdout);
    assert_eq!(run.check("the others work").1, 0);
    assert!(late < early + early / 4, "memory grows: {early} KiB, then {late} KiB");
    assert!(run.stderr.len() < 100_000, "a flood of traps is no flood of lines");
}

#[test]
fn tables_without_end_are_denied_and_explained() {
    let component = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/components").join(name);
    let grows = Attack::new(&component("table-hog.wasm")).args(&["-u", "2", "-i", "6"]).run().exits(0);
    assert_eq!(grows.metric("iteration_errors", "count"), 6.0, "{}", grows.stdout);
    assert!(grows.stderr.contains("more than 20000 elements in a table"), "{}", grows.stderr);
    // One that wants them from the beginning never begins.
    let declares = Attack::new(&component("table-huge.wasm")).args(&["-u", "2", "-i", "6"]).run().exits(107);
    assert!(declares.stderr.contains("cannot be described: out of table room"), "{}", declares.stderr);
}

#[test]
fn a_million_series_take_no_more_memory_than_the_cap() {
    let memory = |iterations: &str| {
        let module = guest("series");
        let args = ["-u", "2", "-i", iterations, "-e", "PER_ITERATION=1000"];
        let (run, most) = Attack::new(&module).args(&args).start().finish_watching_memory();
        (run.exits(0), most)
    };
    let (few, few_kib) = memory("20");
    assert_eq!(few.metric("orders", "count"), 20_000.0);
    let (many, many_kib) = memory("1000");
    assert_eq!(many.metric("orders", "count"), 1_000_000.0, "nothing is lost from the total");
    assert!(many.stdout.contains("--max-series"), "{}", many.stdout);
    assert!(many_kib < few_kib + few_kib / 3, "20,000 series: {few_kib} KiB; a million: {many_kib} KiB");
}

#[test]
fn a_module_that_computes_for_ever_outside_of_the_load() {
    let run_with = |phase: &str| {
        let target = Target::always(Behaviour::Answer);
        let (url, spin) = (target.base_url(""), format!("SPIN={phase}"));
        let args = ["-e", &url, "-e", &spin, "-i", "5", "--cpu-limit", "200ms"];
        let run = Attack::new(&guest("phases")).args(&args).run();
        conserved(&run, &target.settled());
        (run, target.seen())
    };
    let (setup, seen) = run_with("setup");
    let setup = setup.exits(107);
    assert!(
        setup.stderr.contains("setup failed, so no load was started: interrupted: computed for"),
        "{}",
        setup.stderr
    );
    assert_eq!(seen.paths.get("/iteration"), None);
    let (teardown, _) = run_with("teardown");
    let teardown = teardown.exits(107);
    assert!(teardown.stderr.contains("teardown failed: interrupted: computed for"), "{}", teardown.stderr);
    assert_eq!(teardown.metric("iterations", "count"), 5.0);
    let (summary, _) = run_with("summary");
    let summary = summary.exits(0);
    assert!(summary.stderr.contains("handle_summary failed, so here is the usual summary"), "{}", summary.stderr);
    assert!(summary.stdout.contains("http_req_duration"), "{}", summary.stdout);

    // One that computes while it is asked what it is: nobody has to wait for it, whether it is to be run or only looked at.
    let module = guest("spins-describe");
    for words in [&["run"][..], &["inspect"]] {
        let mut command = runtime();
        command.args(words).arg(&module);
        let run = finish(command, Path::new("none")).exits(107);
        assert!(run.stderr.contains("cannot be described: interrupted: computed for"), "{}", run.stderr);
        assert!(run.stdout.is_empty(), "{}", run.stdout);
    }
}
