//! gRPC through nginx, whose HTTP/2 nobody here wrote, to the target server, and on a server that misbehaves.

use serde_json::json;

use crate::proxies;
use crate::servers::{nginx, nginx_url, tinyproxy};
use crate::support::{Folder, Run, Server, finish, guest, runtime};

/// Runs the module's `play` against a URL.
fn play(url: &str, play: &str, backend: &str, options: &serde_json::Value) -> Run {
    play_with(url, play, backend, options, &[])
}

fn play_with(url: &str, play: &str, backend: &str, options: &serde_json::Value, args: &[&str]) -> Run {
    let folder = Folder::new();
    let (config, export) = (folder.file("options.json"), folder.file("summary.json"));
    std::fs::write(&config, options.to_string()).expect("the options are written");
    let mut command = runtime();
    command.arg("run").arg(guest("grpc")).arg("--config").arg(&config).args(args);
    for (name, value) in [("URL", url), ("PLAY", play), ("BACKEND", backend)] {
        command.arg("-e").arg(format!("{name}={value}"));
    }
    command.env("SSL_CERT_FILE", nginx().fact("authority"));
    command.arg("--summary-export").arg(&export).current_dir(folder.path());
    finish(command, &export).exits(0)
}

#[track_caller]
fn says(run: &Run, line: &str) {
    assert!(run.stderr.contains(line), "`{line}` is missing in:\n{}\n{}", run.stderr, run.stdout);
}

#[test]
fn calls_and_streams_through_nginx() {
    let server = Server::start(&["--grpc", "127.0.0.1:0"]);
    let backend = server.grpc_url();
    let backend = backend.trim_start_matches("http://");
    for port in ["https", "h2c"] {
        let options = match port {
            "https" => json!({"thresholds": {"grpc_req_duration{tls_version:tls1.3,status:0}": ["max>0"]}}),
            _ => json!({}),
        };
        let run = play(&nginx_url(port, ""), "all", backend, &options);
        for line in [
            "balance: Some(1000",
            "metadata: Some(\"seven\") Some([0, 255])",
            "charge: Some(1000",
            "nobody: None 5 (NOT_FOUND) there is no buyer 99 [0]",
            "details: Some((3, \"type.googleapis.com/google.rpc.BadRequest\"))",
            "nothing: None 12 (UNIMPLEMENTED)",
            "watched 1000: Some(Code(0))",
            "late: Some(Err(\"gRPC status 4 (DEADLINE_EXCEEDED)",
        ] {
            says(&run, line);
        }
        assert_eq!(run.metric_or_zero("iteration_errors", "count"), 0.0, "{}", run.stderr);
    }
}

#[test]
fn a_proxy_without_its_backend_is_unavailable() {
    let run = play(&nginx_url("https", ""), "one", "127.0.0.1:1", &json!({}));
    says(&run, "one: None 14 (UNAVAILABLE)");
    says(&run, "[1502]");
}

#[test]
fn what_the_options_forbid_is_not_called() {
    let server = Server::start(&["--grpc", "127.0.0.1:0"]);
    let url = server.grpc_url();
    let port = url.rsplit(':').next().expect("a port");
    let run = play(&url, "one", "-", &json!({"blacklistIPs": ["127.0.0.0/8"]}));
    says(&run, "one: None 14 (UNAVAILABLE) address blocked");
    says(&run, "[1110]");
    let named = format!("http://points.test:{port}");
    let run = play(&named, "one", "-", &json!({"blockHostnames": ["*.test"]}));
    says(&run, "one: None 14 (UNAVAILABLE) host blocked");
    says(&run, "[1111]");
    // Nobody knows this name but the options.
    let options = json!({"hosts": {"points.test": "127.0.0.1"}});
    says(&play(&named, "one", "-", &options), "one: Some(");
}

#[test]
fn a_server_that_says_goaway_costs_no_call() {
    let server = Server::start(&["--grpc", "127.0.0.1:0"]);
    let backend = server.grpc_url();
    let options = json!({"scenarios": {"default": {"executor": "per-vu-iterations", "vus": 1, "iterations": 20}}});
    let run = play(&nginx_url("h2-few", ""), "one", backend.trim_start_matches("http://"), &options);
    let failed = run.stderr.lines().filter(|line| line.contains("one: None")).count();
    assert_eq!(failed, 0, "{}", run.stderr);
    assert!(run.stderr.contains("one: Some("), "{}", run.stderr);
}

#[test]
fn through_a_proxys_tunnel() {
    let server = Server::start(&["--grpc", "127.0.0.1:0"]);
    // A port whose tunnels no other test counts.
    let (url, secure) = (server.grpc_url(), nginx_url("https-other", ""));
    let backend = url.trim_start_matches("http://");
    for (url, tunnel) in [(&*url, backend), (&*secure, secure.trim_start_matches("https://"))] {
        let run = play_with(url, "one", backend, &json!({}), &["--proxy", &proxies::known()]);
        says(&run, "one: Some(");
        let log = std::fs::read_to_string(tinyproxy().fact("access-log")).expect("the proxy writes a log");
        assert!(log.contains(&format!("CONNECT {tunnel} HTTP/1.1")), "{tunnel}\n{log}");
        let refused = play_with(url, "one", backend, &json!({}), &["--proxy", tinyproxy().fact("url")]);
        says(&refused, "one: None 14 (UNAVAILABLE)");
        says(&refused, "[1210]");
    }
}
