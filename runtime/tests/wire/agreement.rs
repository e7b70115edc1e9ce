//! What curl, nghttp, h2load and openssl say of the same servers.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use xtask::services;

use crate::probe::{Probe, case, hash};
use crate::servers::{httpbin_url, nginx, nginx_saw, nginx_url};
use crate::support::Folder;

/// A program of a Debian package, by a name that this machine has it under.
fn tool(program: &str, package: &str) -> Command {
    let file = services::tool(program, package)
        .unwrap_or_else(|error| panic!("NOT TESTED: agreement with {program}: {error}"));
    let mut command = Command::new(file);
    command.stdin(Stdio::null());
    command
}

fn printed(mut command: Command) -> String {
    let output = command.output().expect("it starts");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?} ended with {}\n{stdout}{stderr}", output.status);
    format!("{stdout}{stderr}")
}

/// What curl gets: in the shape of the probe's answer.
pub(crate) fn by_curl(url: &str, arguments: &[String]) -> Value {
    let folder = Folder::new();
    let (head, body) = (folder.file("head"), folder.file("body"));
    let mut curl = tool("curl", "curl");
    curl.args(["--silent", "--show-error", "--compressed", "--cacert", nginx().fact("authority")]).args(arguments);
    curl.args(["--write-out", "%{http_code} %{http_version}", "--dump-header"])
        .arg(&head)
        .arg("--output")
        .arg(&body)
        .arg(url);
    let said = printed(curl);
    let (status, version) = said.split_once(' ').expect("a status and a version");
    let body = std::fs::read(body).unwrap_or_default();
    let head = std::fs::read(head).expect("curl writes the head");
    let mut headers = BTreeMap::<String, String>::new();
    for line in String::from_utf8_lossy(&head).lines() {
        if let Some((name, value)) = line.split_once(": ") {
            let entry = headers.entry(name.to_lowercase()).or_default();
            *entry = if entry.is_empty() { value.to_owned() } else { format!("{entry}, {value}") };
        }
    }
    json!({
        "status": status.parse::<u16>().expect("a status"),
        "protocol": if version == "2" { "HTTP/2.0".to_owned() } else { format!("HTTP/{version}") },
        "headers": headers,
        "length": body.len(),
        "hash": hash(&body),
    })
}

/// Headers that tell of a moment, or of a connection.
const OF_THE_MOMENT: [&str; 4] = ["date", "connection", "keep-alive", "server-timing"];

#[test]
fn curl_gets_the_same_answers() {
    let nginx_paths = ["/short.txt", "/page.html", "/noise.bin", "/empty", "/teapot", "/301", "/headers", "/posted"];
    let nginx_urls =
        ["http", "tls12", "tls13", "https"].into_iter().flat_map(|port| nginx_paths.map(|path| nginx_url(port, path)));
    let httpbin_paths = [
        "/get",
        "/stream-bytes/2000?seed=4",
        "/image/svg",
        "/encoding/utf8",
        "/range/300?chunk_size=50",
        "/status/418",
        "/xml",
        "/response-headers?X-One=1&X-One=2",
        "/cache/60",
        "/etag/abc",
        "/links/3/0",
        "/base64/7L-g7Y-w",
        "/basic-auth/a/b",
        "/gzip",
        "/deflate",
        "/brotli",
    ];
    let urls: Vec<String> = nginx_urls.chain(httpbin_paths.map(httpbin_url)).collect();
    // What the server echoes must be the same, too.
    let same = ["User-Agent: agreement", "Accept: */*"];
    let cases = urls.iter().enumerate().map(|(number, url)| {
        let method = if url.ends_with("/posted") { "POST" } else { "GET" };
        let mut headers: Vec<Vec<&str>> = same.iter().map(|header| header.split(": ").collect()).collect();
        headers.push(vec!["Accept-Encoding", "deflate, gzip, br, zstd"]);
        let mut step = json!({"url": url, "method": method, "headers": headers, "redirects": 0});
        if method == "POST" {
            step["body"] = json!("x=1");
        }
        case(format!("{number}"), step, json!({}))
    });
    let told = Probe::new(cases).trusting(nginx().fact("authority")).send().exits(0);
    let mut differences = Vec::new();
    for (number, url) in urls.iter().enumerate() {
        let mut arguments: Vec<String> =
            same.iter().flat_map(|header| ["--header".to_owned(), (*header).to_owned()]).collect();
        if url.ends_with("/posted") {
            arguments.extend(["--data-raw", "x=1", "--header", "Content-Type:"].map(str::to_owned));
        }
        let (ours, mut curls) = (told.of(&number.to_string()), by_curl(url, &arguments));
        for name in OF_THE_MOMENT {
            curls["headers"].as_object_mut().expect("headers").remove(name);
        }
        for field in ["status", "protocol", "length", "hash"] {
            if ours[field] != curls[field] {
                differences.push(format!("{url}: {field}: curl has {}, we have {}", curls[field], ours[field]));
            }
        }
        for (name, value) in curls["headers"].as_object().expect("headers") {
            if ours["headers"][name] != *value {
                differences.push(format!("{url}: {name}: curl has {value}, we have {}", ours["headers"][name]));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn openssl_agrees_on_the_same_version_and_cipher() {
    for (port, flag) in [("tls12", "-tls1_2"), ("tls13", "-tls1_3"), ("https", "-alpn=h2")] {
        let address = nginx_url(port, "").replace("https://", "");
        let mut openssl = tool("openssl", "openssl");
        openssl.args([
            "s_client",
            "-connect",
            &address,
            "-brief",
            "-CAfile",
            nginx().fact("authority"),
            "-verify_return_error",
        ]);
        match flag.split_once('=') {
            Some((name, value)) => openssl.args([name, value]),
            None => openssl.arg(flag),
        };
        let said = printed(openssl);
        let value = |name: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {said}")).trim().to_owned()
        };
        let told = Probe::new([case("ours", json!({"url": nginx_url(port, "/echo")}), json!({}))])
            .trusting(nginx().fact("authority"))
            .send();
        let ours = &told.of("ours")["body"];
        assert_eq!(
            (&ours["tls"], &ours["cipher"]),
            (&json!(value("Protocol version:")), &json!(value("Ciphersuite:"))),
            "{port}"
        );
    }
}

#[test]
fn nghttp_and_h2load_see_the_same_server() {
    let mut nghttp = tool("nghttp", "nghttp2-client");
    nghttp.args([
        "--null-out",
        "--stat",
        &nginx_url("https", "/page.html?nghttp"),
        &nginx_url("https", "/gone?nghttp"),
    ]);
    let said = printed(nghttp);
    let told = Probe::new([
        case(
            "page",
            json!({"url": nginx_url("https", "/page.html?ours"), "headers": [["accept-encoding", "identity"]]}),
            json!({}),
        ),
        case("gone", json!({"url": nginx_url("https", "/gone?ours")}), json!({})),
    ])
    .trusting(nginx().fact("authority"))
    .send();
    for (name, path) in [("page", "/page.html"), ("gone", "/gone")] {
        // Its table: id, responseEnd, requestStart, process, code, size, path.
        let line = said
            .lines()
            .find(|line| line.ends_with(&format!("{path}?nghttp")))
            .unwrap_or_else(|| panic!("no {path} in {said}"));
        let code = line.split_whitespace().rev().nth(2).expect("a code");
        assert_eq!(told.of(name)["status"].to_string(), code, "{said}");
        let (theirs, ours) = (nginx_saw(&format!("{path}?nghttp")), nginx_saw(&format!("{path}?ours")));
        for field in ["status", "protocol", "tls", "method"] {
            assert_eq!(theirs[0][field], ours[0][field], "{field}");
        }
    }

    let mut h2load = tool("h2load", "nghttp2-client");
    h2load.args(["--requests", "200", "--clients", "4", &nginx_url("https", "/short.txt?h2load")]);
    let said = printed(h2load);
    assert!(said.contains("200 succeeded, 0 failed"), "{said}");
    let told = Probe::new([case("ours", json!({"url": nginx_url("https", "/short.txt?load")}), json!({}))])
        .trusting(nginx().fact("authority"))
        .args(&["--vus", "4", "--iterations", "200"])
        .send();
    assert_eq!(told.run.metric("http_reqs", "count"), 200.0);
    assert_eq!(told.run.metric("http_req_failed", "passes"), 0.0);
    let (theirs, ours) = (nginx_saw("h2load"), nginx_saw("/short.txt?load"));
    assert_eq!((theirs.len(), ours.len()), (200, 200), "the server counts");
    let connections = |lines: &[Value]| {
        lines.iter().map(|line| line["connection"].to_string()).collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eq!((connections(&theirs), connections(&ours)), (4, 4));
    assert!(ours.iter().all(|line| line["protocol"] == "HTTP/2.0" && line["sent"] == theirs[0]["sent"]), "{}", ours[0]);
}
