//! Compressed bodies, both ways.

use std::io::{Read, Write};

use serde_json::{Value, json};

use crate::faulty::{Faulty, send};
use crate::probe::{Case, Probe, case, hash};
use crate::servers::{httpbin_url, nginx, nginx_url};

#[test]
fn answers_that_servers_compress() {
    let httpbin = |path: &str, what: &str, coding: &str| {
        let expected =
            json!({"status": 200, "error_code": 0, "body": {what: true}, "headers": {"content-encoding": coding}});
        case(path, json!({"url": httpbin_url(path), "compressed": true}), expected)
    };
    let page = |name: &'static str, port: &str, compressed: bool| {
        let coding = if compressed { json!("gzip") } else { Value::Null };
        let step = json!({"url": nginx_url(port, "/page.html"), "compressed": compressed});
        case(name, step, json!({"status": 200, "headers": {"content-encoding": coding}}))
    };
    let told = Probe::new([
        httpbin("/gzip", "gzipped", "gzip"),
        httpbin("/deflate", "deflated", "deflate"),
        httpbin("/brotli", "brotli", "br"),
        page("plain", "http", false),
        page("compressed", "http", true),
        page("over TLS", "tls13", true),
        page("over HTTP/2", "https", true),
    ])
    .trusting(nginx().fact("authority"))
    .holds();
    for name in ["compressed", "over TLS", "over HTTP/2"] {
        assert_eq!(told.of(name)["hash"], told.of("plain")["hash"], "{name}");
    }
    // What is counted is what came over the wire.
    let received = |compressed: bool| {
        let told = Probe::new([page("page", "http", compressed)]).holds();
        (told.run.metric("data_received", "count"), told.of("page")["length"].as_f64().unwrap())
    };
    let ((plain, length), (compressed, same)) = (received(false), received(true));
    assert_eq!(length, same);
    assert!(plain > length && compressed < length / 5.0, "{plain} and {compressed} for {length} bytes");
}

/// A coding's name, and the body in it.
fn coded(coding: &str, body: &[u8]) -> Vec<u8> {
    fn finished(mut encoder: impl Write, body: &[u8]) {
        encoder.write_all(body).expect("memory takes everything");
        encoder.flush().expect("memory takes everything");
    }
    let mut into = Vec::new();
    match coding {
        "gzip" => finished(flate2::write::GzEncoder::new(&mut into, flate2::Compression::default()), body),
        "deflate" => finished(flate2::write::ZlibEncoder::new(&mut into, flate2::Compression::default()), body),
        "br" => drop(brotli::CompressorReader::new(body, 4096, 5, 22).read_to_end(&mut into)),
        "zstd" => into = zstd::encode_all(body, 3).expect("memory takes everything"),
        other => panic!("{other} is no coding"),
    }
    into
}

const CODINGS: [&str; 4] = ["gzip", "deflate", "br", "zstd"];

fn answer(coding: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A text that is worth compressing.
fn text() -> Vec<u8> {
    (0..2_000).flat_map(|line| format!("line {line} of a text, 쿠폰 included\n").into_bytes()).collect()
}

/// What a server may send in any coding: by path, name, and body on the wire.
fn right() -> Vec<(String, String, Vec<u8>)> {
    let text = text();
    let mut right: Vec<_> =
        CODINGS.iter().map(|coding| (format!("/{coding}"), (*coding).to_owned(), coded(coding, &text))).collect();
    let (first, second) = text.split_at(text.len() / 2);
    right.extend([
        ("/members".to_owned(), "gzip".to_owned(), [coded("gzip", first), coded("gzip", second)].concat()),
        ("/twice".to_owned(), "br, gzip".to_owned(), coded("gzip", &coded("br", &text))),
        ("/x-gzip".to_owned(), "x-gzip".to_owned(), coded("gzip", &text)),
        ("/identity".to_owned(), "identity".to_owned(), text.clone()),
        // Bare, without the zlib format's head and checksum: what some servers take the name for.
        ("/bare".to_owned(), "deflate".to_owned(), {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(&text).and_then(|()| encoder.finish()).expect("memory takes everything")
        }),
    ]);
    right
}

#[test]
fn every_coding_is_understood() {
    let right = right();
    let server =
        Faulty::start(right.iter().map(|(path, coding, body)| (path.clone(), vec![send(answer(coding, body))])));
    let text = text();
    let whole = json!({"status": 200, "error_code": 0, "length": text.len(), "hash": hash(&text)});
    Probe::new(right.iter().map(|(path, ..)| case(path, json!({"url": server.url(path)}), whole.clone()))).holds();
    // curl's gzip ends with the first member.
    for (path, ..) in right.iter().filter(|(path, ..)| path != "/members") {
        let by_curl = crate::agreement::by_curl(&server.url(path), &[]);
        assert_eq!((&by_curl["length"], &by_curl["hash"]), (&whole["length"], &whole["hash"]), "curl's {path}");
    }
}

#[test]
fn codings_that_are_not_known_are_left_as_they_are() {
    let server = Faulty::start([("/".to_owned(), vec![send(answer("dcb", b"as it is"))])]);
    Probe::new([case(
        "unknown",
        json!({"url": server.url("/")}),
        json!({"status": 200, "error_code": 0, "text": "as it is"}),
    )])
    .holds();
}

#[test]
fn bodies_that_are_not_what_they_say() {
    let text = text();
    let mut broken: Vec<(String, &str, Vec<u8>)> = Vec::new();
    for coding in CODINGS {
        let whole = coded(coding, &text);
        broken.push((format!("{coding}-cut"), coding, whole[..whole.len() / 2].to_vec()));
        broken.push((format!("{coding}-none"), coding, b"no such thing at all".to_vec()));
        let mut garbled = whole.clone();
        garbled[whole.len() / 2..].fill(0xa5);
        broken.push((format!("{coding}-garbled"), coding, garbled));
    }
    // More of nothing than the instance may hold.
    let nothing = vec![0; 40 << 20];
    broken.extend(CODINGS.map(|coding| (format!("{coding}-bomb"), coding, coded(coding, &nothing))));
    let server =
        Faulty::start(broken.iter().map(|(path, coding, body)| (format!("/{path}"), vec![send(answer(coding, body))])));
    let cases: Vec<Case> = broken
        .iter()
        .flat_map(|(path, ..)| {
            let wrong = json!({"status": 200, "error_code": 1701, "length": 0});
            let good = json!({"status": 200, "error_code": 0, "text": "good"});
            [
                case(path, json!({"url": server.url(&format!("/{path}"))}), wrong),
                case(format!("{path}; then"), json!({"url": server.url("/good")}), good),
            ]
        })
        .collect();
    let told = Probe::new(cases).args(&["--memory-limit", "16MiB"]).holds();
    for coding in CODINGS {
        let error = told.of(&format!("{coding}-bomb"))["error"].as_str().unwrap_or_default().to_owned();
        assert!(error.contains("--memory-limit"), "it says what would help: {error}");
    }
    assert_eq!(server.connections(), 1, "the connection is as good as before");
}

#[test]
fn bodies_are_sent_in_each_coding() {
    use base64::Engine;

    let text = String::from_utf8(text()).expect("UTF-8");
    // As much as the probe tells.
    let text = &text[..4_000];
    let mut cases: Vec<Case> = CODINGS
        .iter()
        .map(|coding| {
            let step = json!({"url": httpbin_url("/post"), "method": "POST", "body": text, "compress": [coding]});
            case(*coding, step, json!({"status": 200, "body": {"headers": {"Content-Encoding": coding}}}))
        })
        .collect();
    let twice = json!({"url": httpbin_url("/post"), "method": "POST", "body": text, "compress": ["br", "gzip"]});
    cases.push(case("br, gzip", twice, json!({"status": 200, "body": {"headers": {"Content-Encoding": "br, gzip"}}})));
    let told = Probe::new(cases).holds();
    for codings in CODINGS.iter().copied().chain(["br, gzip"]) {
        let data = told.of(codings)["body"]["data"].as_str().expect("httpbin says what came").to_owned();
        let data = data.strip_prefix("data:application/octet-stream;base64,").expect("bytes that are no text");
        let mut body = base64::engine::general_purpose::STANDARD.decode(data).expect("base64");
        assert!(body.len() < text.len() / 5, "{codings}: {} bytes", body.len());
        for coding in codings.rsplit(", ") {
            let mut plain = Vec::new();
            let read = match coding {
                "gzip" => flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut plain),
                "deflate" => flate2::read::ZlibDecoder::new(&body[..]).read_to_end(&mut plain),
                "br" => brotli::Decompressor::new(&body[..], 4096).read_to_end(&mut plain),
                _ => {
                    zstd::stream::read::Decoder::new(&body[..]).and_then(|mut decoder| decoder.read_to_end(&mut plain))
                }
            };
            read.unwrap_or_else(|error| panic!("{codings}: {error}"));
            body = plain;
        }
        assert_eq!(body, text.as_bytes(), "{codings}");
    }
}
