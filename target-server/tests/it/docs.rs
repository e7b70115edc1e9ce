//! Every example of `docs/target-server.md` is made against the real server, and answers what the page shows.

use std::collections::VecDeque;

use axum::http::Request;
use http_body_util::Full;
use hyper::body::Bytes;

use crate::common::{Process, Result};

const PAGE: &str = include_str!("../../../docs/target-server.md");

#[tokio::test]
async fn the_examples_answer_what_the_page_shows() -> Result {
    let data = tempfile::tempdir()?;
    let server = Process::start(data.path(), &[])?;
    let mut client = server.client().await?;
    let mut made = 0;
    for block in PAGE.split("```console\n").skip(1) {
        let block = block.split("\n```").next().unwrap_or_default();
        for example in block.split("$ ").skip(1) {
            let (command, shown) = example.split_once('\n').unwrap_or((example, ""));
            if command.starts_with("target-server ") {
                assert_eq!(shown.trim_end(), "listening on http://127.0.0.1:8080");
                continue;
            }
            let curl = Curl::read(command)?;
            let answer = client.send(curl.request()?).await?;
            let written = curl.write_out.replace("%{http_code}", answer.status.as_str()).replace("\\n", "\n");
            let got = format!("{}{written}", answer.text);
            assert_eq!(got.trim_end(), shown.trim_end(), "{command}");
            made += 1;
        }
    }
    assert!(made >= 18, "only {made} examples were found");
    Ok(())
}

#[tokio::test]
async fn the_page_lists_every_check_and_every_flag() -> Result {
    let data = tempfile::tempdir()?;
    let server = Process::start(data.path(), &[])?;
    let report = server.client().await?.get("/audit").await?.json();
    for check in report["checks"].as_array().into_iter().flatten() {
        let (name, invariant) = (check["name"].as_str().unwrap_or("?"), check["invariant"].as_str().unwrap_or("?"));
        let row = format!("| `{name}` | {invariant} |");
        assert!(PAGE.contains(&row), "the page lacks: {row}");
    }
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_target-server")).arg("--help").output()?;
    let help = String::from_utf8(help.stdout)?;
    for word in
        help.split_whitespace().filter(|word| word.starts_with("--") && *word != "--help" && *word != "--version")
    {
        assert!(PAGE.contains(&format!("`{word}")), "the page lacks {word}");
    }
    let metrics = server.client().await?.get("/metrics").await?.text;
    for line in metrics.lines() {
        if let Some(name) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split(' ').next()) {
            assert!(PAGE.contains(&format!("`{name}")), "the page lacks the metric {name}");
        }
    }
    Ok(())
}

/// As much of curl as the page uses, so that the test needs no curl.
#[derive(Default)]
struct Curl {
    post: bool,
    headers: Vec<(String, String)>,
    body: String,
    write_out: String,
    path: String,
}

impl Curl {
    fn read(command: &str) -> Result<Self> {
        let mut words = words(command);
        assert_eq!(words.pop_front().as_deref(), Some("curl"));
        let mut curl = Self::default();
        while let Some(word) = words.pop_front() {
            let mut value = || words.pop_front().ok_or_else(|| format!("{word} has no value in {command}"));
            match word.as_str() {
                "-s" => {}
                "-X" => curl.post = value()? == "POST",
                "-d" => {
                    curl.body = value()?;
                    curl.post = true;
                }
                "-H" => {
                    let header = value()?;
                    let (name, value) = header.split_once(": ").ok_or("a header without a value")?;
                    curl.headers.push((name.to_owned(), value.to_owned()));
                }
                "-w" => curl.write_out = value()?,
                url => curl.path = url.strip_prefix("$URL").ok_or_else(|| format!("{url:?} in {command}"))?.to_owned(),
            }
        }
        Ok(curl)
    }

    fn request(&self) -> Result<Request<Full<Bytes>>> {
        let method = if self.post { "POST" } else { "GET" };
        let mut request = Request::builder().method(method).uri(&self.path).header("host", "t");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        Ok(request.body(Full::new(Bytes::from(self.body.clone())))?)
    }
}

/// Splits at spaces outside single quotes.
fn words(command: &str) -> VecDeque<String> {
    let (mut words, mut quoted) = (VecDeque::from([String::new()]), false);
    for c in command.chars() {
        match (c, words.back_mut()) {
            ('\'', _) => quoted = !quoted,
            (' ', _) if !quoted => words.push_back(String::new()),
            (c, Some(word)) => word.push(c),
            (_, None) => {}
        }
    }
    words
}
