//! SIGINT and SIGTERM in every phase: each ends in bounded time with exit code 105, a summary, the export, and teardown unless setup did not
//! get through. The server holds the test in the phase that is meant, by not answering its request.

use serde_json::{Value, json};

use crate::attack::{Attack, Going, conserved};
use crate::support::{Run, guest};
use crate::target::{Behaviour, Target};

const SIGNALS: [&str; 2] = ["INT", "TERM"];

/// A server that answers everything but this path.
fn holding(path: &'static str) -> Target {
    Target::start(move |asked, _| if asked == path { Behaviour::Silence } else { Behaviour::Answer })
}

fn start(target: &Target, args: &[&str], scenarios: Option<Value>) -> Going {
    let url = target.base_url("");
    let attack = Attack::new(&guest("phases")).args(&["-e", &url]).args(args);
    match scenarios {
        Some(scenarios) => attack.scenarios(scenarios),
        None => attack,
    }
    .start()
}

/// Every end by a signal has these in common.
fn ended(going: Going, target: &Target) -> Run {
    let run = going.finish().exits(105);
    assert!(!run.summary.is_null(), "the export is written: {}", run.stderr);
    conserved(&run, &target.settled());
    run
}

fn asked(target: &Target, path: &str) -> u64 {
    target.seen().paths.get(path).copied().unwrap_or(0)
}

#[test]
fn in_setup() {
    for signal in SIGNALS {
        let target = holding("/setup");
        let mut going = start(&target, &["-i", "5"], None);
        going.wait_for_request(&target, "/setup", 1);
        going.signal(signal);
        let run = ended(going, &target);
        assert!(run.stdout.contains("a summary of its own"), "{}", run.stdout);
        assert_eq!(asked(&target, "/iteration"), 0, "no load was started");
        assert_eq!(asked(&target, "/teardown"), 0, "what was not set up is not torn down");
    }
}

#[test]
fn while_virtual_users_are_made() {
    for signal in SIGNALS {
        let target = holding("/nothing");
        let going = start(&target, &["-u", "3000", "-d", "100s"], None);
        // The threads of the load are there from the first virtual user on.
        going.wait_for_thread("shard-0");
        going.signal(signal);
        let run = ended(going, &target);
        assert_eq!((asked(&target, "/setup"), asked(&target, "/teardown"), asked(&target, "/summary")), (1, 1, 1));
        assert!(run.stdout.contains("a summary of its own"), "{}", run.stdout);
    }
}

#[test]
fn in_a_ramp() {
    for signal in SIGNALS {
        let target = holding("/nothing");
        let mut going = start(&target, &["-s", "100s:10"], None);
        going.wait_for_request(&target, "/iteration", 3);
        going.signal(signal);
        let run = ended(going, &target);
        assert!(run.metric("iterations", "count") >= 3.0);
        assert!(run.stderr.contains("and 0 interrupted iterations"), "those under way finish: {}", run.stderr);
        assert_eq!((asked(&target, "/teardown"), asked(&target, "/summary")), (1, 1));
        assert!(run.stdout.contains("a summary of its own"), "{}", run.stdout);
    }
}

#[test]
fn under_a_steady_load_of_either_model() {
    let open = json!({"steady": {
        "executor": "constant-arrival-rate", "rate": 50, "duration": "100s", "preAllocatedVUs": 10, "exec": "default",
    }});
    for (signal, (args, scenarios)) in SIGNALS.iter().flat_map(|signal| {
        [(&["-u", "10", "-d", "100s"][..], None), (&[][..], Some(&open))].map(|model| (signal, model))
    }) {
        let target = holding("/nothing");
        let mut going = start(&target, args, scenarios.cloned());
        going.wait_for_request(&target, "/iteration", 30);
        going.signal(signal);
        let run = ended(going, &target);
        assert!(run.metric("iterations", "count") >= 30.0);
        assert!(run.stderr.contains("and 0 interrupted iterations"), "those under way finish: {}", run.stderr);
        assert_eq!((asked(&target, "/teardown"), asked(&target, "/summary")), (1, 1));
        assert!(run.stdout.contains("a summary of its own"), "{}", run.stdout);
    }
}

#[test]
fn twice_under_load() {
    for signal in SIGNALS {
        let target = holding("/iteration");
        let mut going = start(&target, &["-u", "5", "-d", "100s"], None);
        going.wait_for_request(&target, "/iteration", 5);
        going.signal(signal);
        going.wait_for("stopping: iterations under way may finish");
        going.signal(signal);
        let run = ended(going, &target);
        assert!(run.stderr.contains("0 complete and 5 interrupted iterations"), "{}", run.stderr);
        assert_eq!((asked(&target, "/teardown"), asked(&target, "/summary")), (1, 1), "both all the same");
        assert!(run.stdout.contains("a summary of its own"), "{}", run.stdout);
    }
}

#[test]
fn in_a_graceful_stop() {
    for signal in SIGNALS {
        let target = holding("/held");
        // The second scenario begins when the first one's time has long been over: its request says that the first is in its graceful stop.
        let held = json!({"executor": "constant-vus", "vus": 3, "duration": "1s", "gracefulStop": "10m", "exec": "default",
            "env": {"ITERATION": "/held"}});
        let beacon = json!({"executor": "per-vu-iterations", "vus": 1, "iterations": 1, "startTime": "2s", "exec": "default",
            "env": {"ITERATION": "/beacon"}});
        let mut going = start(&target, &[], Some(json!({"held": held, "beacon": beacon})));
        going.wait_for_request(&target, "/held", 3);
        going.wait_for_request(&target, "/beacon", 1);
        going.signal(signal);
        going.wait_for("stopping: iterations under way may finish");
        going.signal(signal);
        let run = ended(going, &target);
        assert!(run.stderr.contains("1 complete and 3 interrupted iterations"), "{}", run.stderr);
        assert_eq!((asked(&target, "/teardown"), asked(&target, "/summary")), (1, 1));
    }
}

#[test]
fn in_teardown() {
    for signal in SIGNALS {
        let target = holding("/teardown");
        let mut going = start(&target, &["-i", "5"], None);
        going.wait_for_request(&target, "/teardown", 1);
        going.signal(signal);
        let run = ended(going, &target);
        assert_eq!(run.metric("iterations", "count"), 5.0, "what was measured is not lost");
        assert!(run.stdout.contains("a summary of its own"), "{}", run.stdout);
    }
}

#[test]
fn in_handle_summary() {
    for signal in SIGNALS {
        let target = holding("/summary");
        let mut going = start(&target, &["-i", "5"], None);
        going.wait_for_request(&target, "/summary", 1);
        going.signal(signal);
        let run = ended(going, &target);
        assert!(run.stdout.contains("http_req_duration"), "the usual summary instead: {}", run.stdout);
        assert_eq!(run.metric("iterations", "count"), 5.0);
    }
}

#[test]
fn in_phases_that_compute_for_ever() {
    for (signal, phase) in
        SIGNALS.iter().flat_map(|signal| ["setup", "teardown", "summary"].map(|phase| (signal, phase)))
    {
        let target = holding("/nothing");
        let spin = format!("SPIN={phase}");
        let going = start(&target, &["-e", &spin, "-i", "5", "--cpu-limit", "10m"], None);
        going.wait_for(&format!("entered {phase}"));
        going.signal(signal);
        let run = ended(going, &target);
        let expected = if phase == "setup" { 0.0 } else { 5.0 };
        assert_eq!(run.metric_or_zero("iterations", "count"), expected, "{phase}: {}", run.stderr);
    }
}

#[test]
fn twice_while_iterations_compute_for_ever() {
    for signal in SIGNALS {
        let target = holding("/nothing");
        let going = start(&target, &["-e", "SPIN=iteration", "-u", "4", "-d", "100s", "--cpu-limit", "10m"], None);
        going.wait_for("entered iteration");
        going.signal(signal);
        going.wait_for("stopping: iterations under way may finish");
        going.signal(signal);
        let run = ended(going, &target);
        assert!(run.stderr.contains("0 complete and 4 interrupted iterations"), "{}", run.stderr);
        assert_eq!((asked(&target, "/teardown"), asked(&target, "/summary")), (1, 1));
    }
}
