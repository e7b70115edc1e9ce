//! gRPC through a compiled module, against the target server. What servers can do wrong is tested beside the client.

use std::net::TcpListener;

use crate::support::{Folder, Run, Server, guest, run};

fn play(url: &str, play: &str, args: &[&str]) -> Run {
    let (url, play) = (format!("URL={url}"), format!("PLAY={play}"));
    run(&guest("grpc"), &[&["-e", &url, "-e", &play], args].concat()).exits(0)
}

#[track_caller]
fn says(run: &Run, line: &str) {
    assert!(run.stderr.contains(line), "`{line}` is missing in:\n{}\n{}", run.stderr, run.stdout);
}

#[test]
fn calls_and_streams_are_measured_as_k6_does() {
    let server = Server::start(&["--grpc", "127.0.0.1:0"]);
    let folder = Folder::new();
    let config = folder.file("options.json");
    let service = "service:points.v1.Points";
    let options = serde_json::json!({"thresholds": {
        format!("grpc_req_duration{{{service},method:Balance,status:0}}"): ["max>0"],
        format!("grpc_req_duration{{{service},method:Balance,status:5}}"): ["max>0"],
        format!("grpc_req_duration{{{service},name:charge,status:0}}"): ["max>0"],
        format!("grpc_streams{{{service},method:Watch}}"): ["count==4"],
    }});
    std::fs::write(&config, options.to_string()).unwrap();
    let args = ["-u", "2", "-i", "2", "--summary-mode", "full", "--config", config.to_str().unwrap()];
    let run = play(&server.grpc_url(), "all", &args);
    for line in [
        "balance: Some(1000",
        "metadata: Some(\"seven\") Some([0, 255])",
        "details: Some((3, \"type.googleapis.com/google.rpc.BadRequest\"))",
        "charge: Some(1000",
        "nobody: None 5 (NOT_FOUND) there is no buyer 99 [0]",
        "nonsense: None 3 (INVALID_ARGUMENT) buyer_id: -1 is not a positive integer [0]",
        "nothing: None 12 (UNIMPLEMENTED)",
        "badly: None 3 (INVALID_ARGUMENT) invalid gRPC method: `Balance`; write it as /package.Service/Method [1000]",
        "reserved: None 13 (INTERNAL) invalid metadata: `grpc-status`",
        "small: None 8 (RESOURCE_EXHAUSTED) message too long",
        "watched 1000: Some(Code(0))",
        "late: Some(Err(\"gRPC status 4 (DEADLINE_EXCEEDED)",
    ] {
        says(&run, line);
    }
    assert_eq!(run.metric("grpc_streams", "count"), 4.0);
    assert_eq!(run.metric("grpc_streams_msgs_sent", "count"), 4.0);
    assert!(run.metric("grpc_streams_msgs_received", "count") > 2_000.0);
    assert!(run.metric("data_sent", "count") > 1_000.0 && run.metric("data_received", "count") > 10_000.0);
    assert_eq!(run.metric_or_zero("iteration_errors", "count"), 0.0, "{}", run.stderr);
    assert_eq!(run.metric_or_zero("http_reqs", "count"), 0.0);
    assert!(run.stdout.contains("GRPC"), "{}", run.stdout);
}

#[test]
fn a_server_that_is_not_there_or_not_granted_is_a_status() {
    let server = Server::start(&["--grpc", "127.0.0.1:0"]);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = play(&format!("http://{nobody}"), "all", &[]);
    says(&run, "balance: None 14 (UNAVAILABLE) connection refused: ");
    says(&run, "[1212]");
    let run = play(server.grpc_url().trim_start_matches("http:"), "all", &[]);
    says(&run, "--allow-host");
    says(&run, "[1110]");
    // The target server's other port speaks HTTP/2, and no gRPC.
    let run = play(&server.url, "all", &[]);
    says(&run, "balance: None 12 (UNIMPLEMENTED) answer is not gRPC: HTTP status 404");
    says(&run, "[1404]");
}

#[test]
fn a_stream_ends_with_its_iteration_and_the_connection_stays() {
    let server = Server::start(&["--grpc", "127.0.0.1:0"]);
    let run = play(&server.grpc_url(), "keep", &["-u", "1", "-i", "2"]);
    says(&run, "kept: Some(Err(\"gRPC status 1 (CANCELLED): cancelled: the iteration that began this call is over\"))");
    assert_eq!(run.metric("grpc_streams", "count"), 2.0);
    assert_eq!(run.metric("grpc_streams_msgs_received", "count"), 2.0);
}

#[test]
fn the_end_of_the_load_cuts_a_stream_off() {
    let server = Server::start(&["--grpc", "127.0.0.1:0"]);
    let folder = Folder::new();
    let config = folder.file("options.json");
    let options =
        r#"{"scenarios": {"default": {"executor": "constant-vus", "vus": 3, "duration": "1s", "gracefulStop": "0s"}}}"#;
    std::fs::write(&config, options).unwrap();
    let run = play(&server.grpc_url(), "hold", &["--config", config.to_str().unwrap()]);
    assert_eq!(run.metric("grpc_streams", "count"), 3.0);
    assert!(run.metric("grpc_streams_msgs_received", "count") > 3.0, "{}", run.stdout);
}
