//! Outputs that cannot be written: found out before the load where that can be, told and paid for with an exit code where not, and never at
//! the expense of the others.

use std::io::Read;

use crate::attack::{Attack, conserved};
use crate::support::{Folder, Run, guest};
use crate::target::{Behaviour, Target};

fn attack(target: &Target, shell: &str, args: &[&str]) -> Attack {
    let url = target.base_url("/");
    Attack::new(&guest("caller")).after(shell).args(&["-e", &url, "-u", "2", "-i", "20"]).args(args)
}

/// A run of [`attack`], with what must hold whatever is broken.
fn run(shell: &str, args: &[&str], code: i32) -> Run {
    let target = Target::always(Behaviour::Answer);
    let run = attack(&target, shell, args).run().exits(code);
    assert_eq!(target.settled().requests, 20, "the load itself is whole");
    run
}

#[test]
fn a_full_disk_under_the_export() {
    let run = run("", &["--summary-export", "/dev/full"], 1);
    assert!(run.stderr.contains("--summary-export /dev/full: cannot be written (No space left"), "{}", run.stderr);
    assert!(run.stdout.contains("http_req_duration"), "the summary is there: {}", run.stdout);
}

/// Files of 2 MiB at most: a module's memory is a file to the kernel as well, and must fit.
const SHORT_FILES: &str = "ulimit -f 4096";

/// More than that.
const TOO_LONG: &str = "SUMMARY_BYTES=4000000";

#[test]
fn an_export_longer_than_a_file_may_be() {
    let run = Attack::new(&guest("long-summary")).after(SHORT_FILES).run().exits(1);
    assert!(run.stderr.contains("cannot be written (File too large"), "{}", run.stderr);
    assert!(run.summary.is_null(), "no half of it is left");
    assert!(run.stdout.contains("checks_total"), "the summary is there: {}", run.stdout.len());
}

#[test]
fn standard_output_longer_than_a_file_may_be() {
    let target = Target::always(Behaviour::Answer);
    let url = target.base_url("");
    let run = Attack::new(&guest("phases"))
        .after(&format!("{SHORT_FILES}; exec >out.txt"))
        .args(&["-e", &url, "-e", TOO_LONG])
        .run()
        .exits(1);
    assert!(run.stderr.contains("handle_summary: stdout cannot be written: File too large"), "{}", run.stderr);
    assert_eq!(run.metric("iterations", "count"), 1.0, "the export is there");
    conserved(&run, &target.settled());
}

#[test]
fn paths_that_cannot_be_written_are_found_out_before_the_load() {
    let folder = Folder::new();
    std::fs::write(folder.file("file"), "").unwrap();
    let paths = [folder.path().to_owned(), folder.file("missing/export.json"), folder.file("file/export.json")];
    for path in paths {
        let path = path.to_str().unwrap();
        let target = Target::always(Behaviour::Answer);
        let run = attack(&target, "", &["--summary-export", path]).run().exits(104);
        assert!(run.stderr.contains(&format!("--summary-export {path}: cannot be written")), "{}", run.stderr);
        let run = attack(&target, "", &["--allow-write", &format!("{path}/none")]).run().exits(104);
        assert!(run.stderr.contains("--allow-write"), "{}", run.stderr);
        assert_eq!(target.seen().connections, 0, "nothing was attacked");
    }
}

#[test]
fn standard_output_on_a_full_disk() {
    let run = run("exec >/dev/full", &[], 1);
    assert!(run.stderr.contains("stdout cannot be written: No space left"), "{}", run.stderr);
    assert_eq!(run.metric("http_reqs", "count"), 20.0, "the export is there");
    // The module's own words are no better off.
    let target = Target::always(Behaviour::Answer);
    let url = target.base_url("");
    let run = Attack::new(&guest("phases")).after("exec >/dev/full").args(&["-e", &url]).run().exits(1);
    assert!(run.stderr.contains("handle_summary: stdout cannot be written: No space left"), "{}", run.stderr);
    conserved(&run, &target.settled());
}

#[test]
fn standard_output_that_nobody_wants() {
    // Closed, or a pipe whose reader has gone: whoever does so has no use for the summary.
    for shell in ["exec >&-", "exec > >(true)"] {
        // Only some shells know the second.
        let shell = if shell.contains("(true)") { "mkfifo p; (true <p) & exec >p; wait" } else { shell };
        let run = run(shell, &[], 0);
        assert_eq!(run.metric("http_reqs", "count"), 20.0, "the export is there");
        assert!(!run.stderr.contains("error"), "{}", run.stderr);
    }
}

#[test]
fn standard_error_that_nobody_can_write() {
    for shell in ["exec 2>&-", "exec 2>/dev/full"] {
        let target = Target::always(Behaviour::Answer);
        let run = attack(&target, shell, &[]).run().exits(0);
        assert_eq!(run.metric("http_reqs", "count"), 20.0);
        assert!(run.stdout.contains("http_req_duration"), "{}", run.stdout);
    }
}

#[test]
fn files_of_a_summary_of_its_own() {
    let summary = guest("summary-custom");
    // A folder has the name of one of the two files.
    let attack = Attack::new(&summary).args(&["--allow-write", "."]);
    std::fs::create_dir(attack.folder().file("orders.txt")).unwrap();
    let run = attack.run().exits(1);
    assert!(
        run.stderr.contains("handle_summary: `orders.txt` was not written below .: Is a directory"),
        "{}",
        run.stderr
    );
    assert!(!run.stderr.contains("`summary.json` was not written"), "the other is: {}", run.stderr);
    assert_eq!(run.stdout, "orders: 4\n");
    assert_eq!(run.metric("orders", "count"), 4.0, "and the export");
    // A file is longer than it may be.
    let target = Target::always(Behaviour::Answer);
    let url = target.base_url("");
    let run = Attack::new(&guest("phases"))
        .after(SHORT_FILES)
        .args(&["-e", &url, "-e", TOO_LONG, "-e", "SUMMARY=summary.txt", "--allow-write", "."])
        .run()
        .exits(1);
    let said = "handle_summary: `summary.txt` was not written below .: File too large";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    // Nothing was granted: that is a choice, and no failure.
    let run = Attack::new(&summary).run().exits(0);
    assert!(run.stderr.contains("--allow-write"), "{}", run.stderr);
}

#[test]
fn a_reader_that_takes_nothing_does_not_keep_a_signal_from_ending_the_run() {
    for signal in ["INT", "TERM"] {
        let target = Target::always(Behaviour::Answer);
        let url = target.base_url("");
        // More than any pipe holds.
        let mut going = Attack::new(&guest("phases")).args(&["-e", &url, "-e", TOO_LONG, "-i", "3"]).start();
        let mut first = [0];
        let mut stdout = going.child.stdout.take().unwrap();
        stdout.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"x", "it is being written");
        going.signal(signal);
        let run = going.finish().exits(105);
        assert_eq!(run.metric("iterations", "count"), 3.0, "the export is there: {}", run.stderr);
        conserved(&run, &target.settled());
    }
}

#[test]
fn lines_that_nobody_takes_do_not_keep_signals_from_ending_the_run() {
    for signal in ["INT", "TERM"] {
        let target = Target::always(Behaviour::Answer);
        // A pipe that is full, and has a reader that reads nothing: the next line waits for ever.
        let shell = "mkfifo full; exec 2<>full; head -c 65536 /dev/zero >&2";
        let mut going = attack(&target, shell, &[]).start();
        going.wait_for_request(&target, "/", 20);
        // Whoever presses Ctrl-C again and again gets out.
        while going.child.try_wait().unwrap().is_none() {
            going.signal(signal);
            going.pause();
        }
        assert_eq!(going.child.wait().unwrap().code(), Some(105));
        assert_eq!(target.settled().requests, 20);
    }
}
