//! What a request does beyond one exchange: a compiled scenario checks it from inside, and the samples are looked at from outside.

use serde_json::json;

use crate::answering::{Asked, answer, echo, start};
use crate::support::{Folder, Run, guest, run};

/// The server that the module `requester` is written for.
fn server() -> String {
    start(reply)
}

fn reply(asked: &Asked) -> Vec<u8> {
    let path = asked.path.split('?').next().unwrap_or_default();
    let query = |name: &str| asked.query(name).pop().unwrap_or_default();
    let to = |url: &str| answer(302, &[("location", url)], "elsewhere");
    match path {
        "/to" => {
            let status = query("status").parse().expect("a status");
            answer(status, &[("location", &query("url"))], "elsewhere")
        }
        "/loop" => to("/loop"),
        "/slow-loop" => {
            std::thread::sleep(std::time::Duration::from_millis(20));
            to("/slow-loop")
        }
        "/nowhere" => answer(302, &[], ""),
        "/status" => answer(query("status").parse().expect("a status"), &[], "so it is"),
        "/set" => {
            let cookies = asked.query("cookie");
            let headers: Vec<_> = cookies.iter().map(|cookie| ("set-cookie", cookie.as_str())).collect();
            answer(200, &headers, "")
        }
        "/same" => answer(200, &[("content-encoding", asked.header("content-encoding"))], &asked.body),
        "/broken" => answer(200, &[("content-encoding", "gzip")], "no gzip at all"),
        "/bomb" => answer(200, &[("content-encoding", "gzip")], bomb()),
        "/length" => answer(200, &[], format!("{} of {}", asked.body.len(), asked.header("content-length"))),
        "/digest" if asked.header("authorization").starts_with("Digest username=\"ann\"") => echo(asked),
        "/digest" | "/digest-never" => {
            let challenge = "Digest realm=\"r\", qop=\"auth\", algorithm=SHA-256, nonce=\"7ypf/xlj9XXwfDPEoM4URrv\"";
            answer(401, &[("www-authenticate", "Basic realm=\"r\""), ("www-authenticate", challenge)], "who?")
        }
        "/set-and-go" => answer(302, &[("location", "/echo"), ("Set-Cookie", "went=1; Path=/")], ""),
        _ => echo(asked),
    }
}

/// 20 MiB of zeros in 20 KiB.
fn bomb() -> Vec<u8> {
    use std::io::Write as _;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&vec![0; 20 << 20]).expect("a Vec takes it");
    gzip.finish().expect("a Vec takes it")
}

/// Runs a part of the module against two servers, with further arguments and thresholds; every check must pass.
#[track_caller]
fn part(name: &str, thresholds: serde_json::Value, args: &[&str]) -> Run {
    let folder = Folder::new();
    let config = folder.file("config.json");
    std::fs::write(&config, json!({"thresholds": thresholds}).to_string()).expect("a config file");
    let (base, other) = (format!("BASE_URL={}", server()), format!("OTHER_URL={}", server()));
    let part = format!("PART={name}");
    let all = [&["-e", &part, "-e", &base, "-e", &other, "-c", config.to_str().expect("UTF-8")], args].concat();
    let run = run(&guest("requester"), &all).exits(0);
    assert_eq!(run.metric("checks", "value"), 1.0, "{}\n{}", run.stdout, run.stderr);
    assert_eq!(run.metric_or_zero("iteration_errors", "count"), 0.0, "{}\n{}", run.stdout, run.stderr);
    run
}

#[test]
fn redirects_are_followed_and_each_hop_is_a_sample() {
    let thresholds = json!({
        // The name that the scenario gave is that of all hops.
        "http_reqs{name:a hop}": ["count==2"],
        "http_reqs{name:a hop,status:302}": ["count==1"],
        "http_reqs{name:a hop,status:200}": ["count==1"],
        // Others are told apart by their own URLs and methods.
        "http_reqs{method:POST}": ["count==1"],
        "http_reqs{method:PUT,status:200}": ["count==2"],
        "http_reqs{error_code:1050}": ["count==1"],
        "http_req_failed{expected_response:true}": ["rate==0"],
    });
    let run = part("redirects", thresholds, &[]);
    assert_eq!(run.stderr.matches("redirected 3 times (maxRedirects)").count(), 1, "{}", run.stderr);
}

#[test]
fn the_number_of_redirects_is_an_option() {
    let base = format!("BASE_URL={}", server());
    for (most, requests) in [("0", 1.0), ("4", 5.0)] {
        let module = guest("caller");
        let url = format!("{base}/loop");
        let run = run(&module, &["-e", &url, "-i", "1", "--max-redirects", most]).exits(0);
        assert_eq!(run.metric("http_reqs", "count"), requests);
    }
    let run = run(&guest("caller"), &["-e", &format!("{base}/loop"), "-i", "1"]).exits(0);
    assert_eq!(run.metric("http_reqs", "count"), 11.0, "ten are followed by default");
}

#[test]
fn what_is_meant_for_one_host_never_goes_to_another() {
    part("secrets", json!({}), &[]);
}

#[test]
fn a_redirect_to_a_host_that_is_not_granted_sends_nothing() {
    let stranger = start(|asked| panic!("a request reached the host that was not granted: {}", asked.path));
    // As a variable of the scenario's options it would be granted: only -e grants.
    let folder = Folder::new();
    let url = stranger.replace("127.0.0.1", "127.0.0.2");
    let config = folder.file("config.json");
    let scenario = json!({"executor": "shared-iterations", "env": {"STRANGER_URL": url}});
    let thresholds =
        json!({"http_reqs{status:0}": ["count==1"], "http_reqs{status:302,expected_response:true}": ["count==1"]});
    std::fs::write(&config, json!({"scenarios": {"default": scenario}, "thresholds": thresholds}).to_string()).unwrap();
    let base = format!("BASE_URL={}", server());
    let args = ["-e", "PART=refused", "-e", &base, "-c", config.to_str().unwrap()];
    let run = run(&guest("requester"), &args).exits(0);
    assert_eq!(run.metric("checks", "value"), 1.0, "{}\n{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("--allow-host 127.0.0.2"), "{}", run.stderr);
}

#[test]
fn expected_statuses_decide_what_is_a_failure() {
    part("statuses", json!({"http_reqs{status:302,expected_response:true}": ["count==1"]}), &[]);
    let folder = Folder::new();
    let config = folder.file("config.json");
    let scenario = json!({"executor": "shared-iterations", "iterations": 3, "expectedStatuses": [404, "500-503"]});
    std::fs::write(&config, json!({"scenarios": {"default": scenario}}).to_string()).unwrap();
    for (status, failed) in [(404, 0.0), (502, 0.0), (200, 1.0)] {
        let base = format!("BASE_URL={}/status?status={status}", server());
        let run = run(&guest("caller"), &["-e", &base, "-c", config.to_str().unwrap()]).exits(0);
        assert_eq!(run.metric("http_req_failed", "value"), failed, "{status}");
    }
}

#[test]
fn cookies_are_kept_and_sent_by_their_rules() {
    let run = part("cookies", json!({}), &[]);
    assert_eq!(run.stderr.matches("was not kept").count(), 1, "a full jar is told once: {}", run.stderr);
    part("own-cookies", json!({}), &[]);
}

#[test]
fn cookies_of_one_virtual_user_never_reach_another() {
    let run = part("private-cookies", json!({}), &["-u", "8", "-i", "40"]);
    assert_eq!(run.metric("iterations", "count"), 40.0);
}

#[test]
fn cookies_are_kept_between_iterations_if_that_is_wanted() {
    part("kept-cookies", json!({}), &["-i", "3", "--no-cookies-reset"]);
}

#[test]
fn bodies_are_compressed_and_decompressed() {
    let thresholds = json!({"http_reqs{error_code:1701}": ["count==2"], "http_req_failed": ["rate<0.2"]});
    let run = part("codings", thresholds, &["--memory-limit", "16MiB"]);
    // Twenty mebibytes came as twenty kibibytes.
    assert!(run.metric("data_received", "count") < f64::from(1 << 20), "{}", run.stdout);
}

#[test]
fn files_are_sent_from_the_host() {
    let folder = Folder::new();
    let (large, small) = (folder.file("large.bin"), folder.file("cat.jpg"));
    std::fs::write(&large, vec![b'x'; 5_000_000]).unwrap();
    std::fs::write(&small, "meow").unwrap();
    let (large, small) = (format!("large={}", large.display()), format!("small={}", small.display()));
    // Five megabytes do not fit into an instance of four.
    part("files", json!({}), &["--file", &large, "--file", &small, "--memory-limit", "4MiB"]);
}

#[test]
fn a_file_that_was_not_granted_names_the_flag() {
    let base = format!("BASE_URL={}", server());
    let run = run(&guest("requester"), &["-e", "PART=missing", "-e", &base]).exits(0);
    assert_eq!(run.metric("iteration_errors", "count"), 1.0);
    assert!(run.stderr.contains("grant it with --file secret=PATH"), "{}", run.stderr);
    let run =
        self::run(&guest("requester"), &["-e", "PART=missing", "-e", &base, "--file", "secret=nowhere"]).exits(104);
    assert!(run.stderr.contains("--file: secret=nowhere cannot be read"), "{}", run.stderr);
}

#[test]
fn digest_challenges_are_answered_by_their_own_host_alone() {
    let thresholds = json!({
        // The first challenge is no failure; those that cannot be answered are.
        "http_reqs{status:401,expected_response:true}": ["count==2"],
        "http_reqs{status:401,expected_response:false}": ["count==2"],
    });
    part("digest", thresholds, &[]);
}

#[test]
fn a_request_has_a_version_of_its_own_and_a_tag_with_the_address_on_request() {
    let thresholds = json!({
        "http_reqs{proto:HTTP/1.1}": ["count==1"],
        "http_reqs{ip:127.0.0.1}": ["count>=1"],
        "http_req_duration{ip:127.0.0.1,status:200}": ["avg>0"],
    });
    let with_ip = ["--http-version", "2", "--system-tags", "proto,status,ip"];
    part("versions", thresholds, &with_ip);
    let by_default = part(
        "versions",
        json!({"http_reqs{ip:127.0.0.1}": ["count<1"]}),
        &["--http-version", "2", "--no-data", "pass"],
    );
    assert_eq!(by_default.metric("http_reqs", "count"), 3.0);
}
