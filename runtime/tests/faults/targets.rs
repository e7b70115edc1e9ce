//! Targets that misbehave: the load goes on, failures are counted under their codes, and not one request is lost.

use serde_json::json;

use crate::attack::{Attack, conserved, conserved_within, with_code};
use crate::support::{Run, Server, guest};
use crate::target::{Behaviour, Target, Welcome};

/// 300 requests by 10 virtual users, with a short rest after each.
fn attack(target: &Target, args: &[&str]) -> Run {
    let url = target.base_url("/");
    Attack::new(&guest("caller")).args(&["-e", &url, "-u", "10", "-i", "300"]).args(args).run().exits(0)
}

#[test]
fn a_target_without_fault_sees_what_is_reported() {
    let target = Target::always(Behaviour::Answer);
    let run = attack(&target, &["-e", "BODY_BYTES=100000"]);
    let seen = target.settled();
    conserved(&run, &seen);
    assert_eq!((seen.requests, seen.answered, seen.connections), (300, 300, 10));
    assert_eq!(run.metric("http_req_failed", "passes"), 0.0);
    assert!(seen.bytes > 300 * 100_000);
}

#[test]
fn connections_end_with_their_request_or_iteration_if_asked_to() {
    for option in ["--no-connection-reuse", "--no-vu-connection-reuse"] {
        let target = Target::always(Behaviour::Answer);
        let run = attack(&target, &[option]);
        let seen = target.settled();
        conserved(&run, &seen);
        assert_eq!((seen.requests, seen.connections), (300, 300), "{option}");
    }
}

#[test]
fn requests_that_wait_for_their_turn_are_not_counted_when_they_are_cut_off() {
    let target = Target::always(Behaviour::Answer);
    let url = target.base_url("/");
    let scenario = json!({"executor": "shared-iterations", "vus": 3, "iterations": 100, "maxDuration": "2500ms", "gracefulStop": "0s"});
    let attack = Attack::new(&guest("caller")).scenarios(json!({"slow": scenario}));
    let run = attack.args(&["-e", &url, "--rps", "1"]).run().exits(0);
    let seen = target.settled();
    conserved(&run, &seen);
    assert!(seen.requests < 10 && run.metric_or_zero("http_reqs_interrupted", "count") <= 1.0, "{}", run.stdout);
}

#[test]
fn a_target_that_accepts_and_never_answers_costs_timeouts() {
    let target = Target::start(|_, number| if number % 30 == 7 { Behaviour::Silence } else { Behaviour::Answer });
    let run = attack(&target, &["-e", "TIMEOUT=0.5"]);
    conserved(&run, &target.settled());
    // A busy machine may be too slow for some others as well.
    assert!(with_code(&run, 1050) >= 10, "{}", run.stdout);
    assert!(run.stdout.contains("request timeout (1050)"), "{}", run.stdout);

    let target = Target::always(Behaviour::Silence);
    let url = target.base_url("/");
    let run =
        Attack::new(&guest("caller")).args(&["-e", &url, "-e", "TIMEOUT=0.5", "-u", "10", "-i", "20"]).run().exits(0);
    conserved(&run, &target.settled());
    assert_eq!(with_code(&run, 1050), 20);
    assert!(run.stdout.contains("every request failed"), "{}", run.stdout);
}

#[test]
fn a_target_that_refuses_is_never_reached() {
    let target = Target::always(Behaviour::Answer);
    target.go_down();
    let before = target.seen();
    let run = attack(&target, &[]);
    assert_eq!(with_code(&run, 1212), 300);
    assert!(run.stdout.contains("connection refused (1212)"), "{}", run.stdout);
    assert_eq!(target.seen(), before);
    conserved(&run, &target.settled());
}

#[test]
fn a_target_that_resets_before_it_reads() {
    let door = |number| if number % 2 == 0 { Welcome::Reset } else { Welcome::Serve };
    let target = Target::with_door(door, |_, _| Behaviour::AnswerAndClose);
    let run = attack(&target, &[]);
    let seen = target.settled();
    conserved(&run, &seen);
    // To the client it may look like a reset, or like a pipe that breaks while it writes.
    assert!(seen.turned_away >= 100, "{seen:?}");
    assert!(with_code(&run, 1220) + with_code(&run, 1201) >= seen.turned_away, "{}", run.stdout);
}

#[test]
fn a_target_that_resets_after_it_read_and_in_the_middle_of_its_answer() {
    for behaviour in [Behaviour::Reset, Behaviour::ResetInAnswer] {
        let target = Target::start(move |_, number| if number % 3 == 0 { behaviour } else { Behaviour::Answer });
        let run = attack(&target, &["-e", "BODY_BYTES=5000"]);
        conserved(&run, &target.settled());
        assert_eq!(with_code(&run, 1220), 100, "{behaviour:?}\n{}", run.stdout);
        assert!(run.stdout.contains("(1220)"), "{}", run.stdout);
    }
}

#[test]
fn a_target_that_answers_garbage() {
    let target = Target::start(|_, number| if number % 3 == 0 { Behaviour::Garbage } else { Behaviour::Answer });
    let run = attack(&target, &[]);
    conserved(&run, &target.settled());
    assert_eq!(with_code(&run, 1000), 100, "{}", run.stdout);
    assert!(run.stdout.contains("answer is not HTTP (1000)"), "{}", run.stdout);
}

#[test]
fn a_target_that_answers_a_byte_a_second() {
    let target = Target::start(|_, number| if number % 30 == 3 { Behaviour::Trickle } else { Behaviour::Answer });
    let run = attack(&target, &["-e", "TIMEOUT=2.5"]);
    conserved(&run, &target.settled());
    assert!(with_code(&run, 1050) >= 10, "{}", run.stdout);
    // The timeout is for the whole exchange, however busy the line.
    let answer_would_take = 60_000.0;
    assert!(run.metric("http_req_duration", "max") < answer_would_take, "{}", run.stdout);
}

#[test]
fn a_target_that_closes_kept_connections_as_it_likes() {
    // As good as random, and the same each time.
    let closes = |number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 62 == 0;
    let script = move |_: &str, number| if closes(number) { Behaviour::AnswerAndClose } else { Behaviour::Answer };
    for pause in ["PAUSE=0", "PAUSE=0.01"] {
        let target = Target::start(script);
        let run = attack(&target, &["-e", pause]);
        let seen = target.settled();
        conserved(&run, &seen);
        let closed = (0..seen.requests).filter(|number| closes(*number)).count();
        assert!(closed > 50, "{closed}");
        // A request may cross the closing of its connection, and is not sent twice then: it may have had its effect.
        let failed = with_code(&run, 1220) + with_code(&run, 1201);
        assert!(failed <= closed as u64, "{failed} failed, {closed} connections were closed\n{}", run.stdout);
    }
}

#[test]
fn a_target_that_is_gone_for_a_while() {
    let target = Target::always(Behaviour::Answer);
    let url = target.base_url("/");
    let vus = 20;
    let mut going = Attack::new(&guest("caller")).args(&["-e", &url, "-u", "20", "-d", "100s"]).start();
    going.wait_for_request(&target, "/", 200);
    target.go_down();
    going.wait_for("connection refused");
    target.come_back();
    let requests = target.seen().requests;
    going.wait_for_request(&target, "/", requests + 200);
    going.signal("INT");
    let run = going.finish().exits(105);
    // Whoever had been connected by the kernel, and was not yet accepted when the listener closed, was never seen.
    conserved_within(&run, &target.settled(), vus);
    assert!(with_code(&run, 1212) > 0, "{}", run.stdout);
    let (passes, fails) = run.check("status is 200");
    assert!(passes >= 200 && fails > 0, "{passes} {fails}");
}

#[test]
fn a_server_that_is_killed_and_started_again() {
    let server = Server::start(&[]);
    let authority = server.authority().to_owned();
    let url = server.base_url("/points/1");
    let going = Attack::new(&guest("caller")).args(&["-e", &url, "-u", "20", "-d", "100s"]).start();
    server.wait_for("/points", 200.0);
    let (data, _folder) = server.kill();
    going.wait_for("request failed");
    let server = Server::start_at(&authority, &data, &[]);
    server.wait_for("/points", 200.0);
    going.signal("INT");
    let run = going.finish().exits(105);
    crate::attack::counts_agree(&run);
    assert!(with_code(&run, 1212) + with_code(&run, 1220) > 0, "{}", run.stdout);
    // The first process took its count with it. The second has seen no more than was sent, and all that was acknowledged beyond the first.
    let counted = server.counted("/points");
    let (passes, _) = run.check("status is 200");
    assert!(counted >= 200.0 && counted <= run.metric("http_reqs", "count"), "{counted}");
    assert!(passes as f64 >= counted - 20.0 + 200.0, "{passes} acknowledged, {counted} counted by the second process");
}

#[test]
fn a_server_that_runs_out_of_file_descriptors() {
    let server = Server::start_after("ulimit -n 48", &[]);
    let url = server.base_url("/points/1");
    let run =
        Attack::new(&guest("caller")).args(&["-e", &url, "-e", "TIMEOUT=1", "-u", "100", "-d", "3s"]).run().exits(0);
    crate::attack::counts_agree(&run);
    let (passes, fails) = run.check("status is 200");
    assert!(passes > 0 && fails > 0, "{passes} {fails}");
    assert!(with_code(&run, 1050) + with_code(&run, 1220) > 0, "{}", run.stdout);
    // Connections wait in the kernel's queue, and what was written into them may be read long after it was given up: so the server has
    // answered what was acknowledged at least, and what was sent at most.
    let counted = server.counted("/points");
    assert!(passes as f64 <= counted && counted <= run.metric("http_reqs", "count"), "{passes} {counted}");
}

#[test]
fn an_open_model_goes_on_at_its_rate_whatever_the_target_does() {
    let target = Target::start(|_, number| match number % 4 {
        0 => Behaviour::Answer,
        1 => Behaviour::Reset,
        2 => Behaviour::Garbage,
        _ => Behaviour::AnswerAndClose,
    });
    let url = target.base_url("/");
    let run = Attack::new(&guest("caller"))
        .args(&["-e", &url, "-e", "PAUSE=0"])
        .scenarios(json!({"steady": {
            "executor": "constant-arrival-rate", "rate": 100, "duration": "2s", "preAllocatedVUs": 50, "exec": "default",
        }}))
        .run()
        .exits(0);
    conserved(&run, &target.settled());
    let ran = run.metric("iterations", "count") + run.metric_or_zero("dropped_iterations", "count");
    assert_eq!(ran, 200.0, "100 a second for two seconds are due");
}
