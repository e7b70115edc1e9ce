//! What a step asks for.

use flashcrowd::http::{Multipart, Request};
use flashcrowd::prelude::*;

fn get() -> String {
    "GET".to_owned()
}

const fn patience() -> f64 {
    20.0
}

/// A part of a form with files.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    name: String,
    /// A field of this text.
    text: Option<String>,
    /// A granted file of this name.
    file: Option<String>,
    /// A file of all bytes, over and over, this long.
    #[serde(default)]
    bytes: usize,
}

/// One request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Names the step in what is told, and the request in its samples.
    pub name: String,
    #[serde(default)]
    pub url: String,
    #[serde(default = "get")]
    pub method: String,
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    #[serde(default)]
    pub query: Vec<(String, String)>,
    /// A body of this text.
    pub body: Option<String>,
    /// A body of all bytes, over and over, this long.
    pub bytes: Option<usize>,
    /// A body of this value.
    pub json: Option<serde_json::Value>,
    /// A body of these fields.
    pub form: Option<Vec<(String, String)>>,
    /// A body that is a granted file of this name.
    pub file: Option<String>,
    /// A body that is a form with files.
    #[serde(default)]
    pub parts: Vec<Part>,
    /// Sends the body in chunks.
    #[serde(default)]
    pub chunked: bool,
    /// Asks whether the body is wanted.
    #[serde(default)]
    pub expect_continue: bool,
    /// The same to each of these URLs, at once, in place of `url`.
    #[serde(default)]
    pub batch: Vec<String>,
    /// Reads the answer piece by piece.
    #[serde(default)]
    pub stream: bool,
    /// Reads the answer as events.
    #[serde(default)]
    pub events: bool,
    /// Closes the stream after so many pieces or events.
    pub leave: Option<usize>,
    /// How long each is waited for, in seconds.
    #[serde(default = "patience")]
    pub patience: f64,
    /// The most redirects that are followed.
    pub redirects: Option<u32>,
    /// Ranges of statuses that are expected.
    #[serde(default)]
    pub expect: Vec<(u16, u16)>,
    /// Cookies of this request alone.
    #[serde(default)]
    pub cookies: Vec<(String, String)>,
    /// `Set-Cookie` headers that the jar takes before.
    #[serde(default)]
    pub set_cookies: Vec<String>,
    /// Empties the jar before.
    #[serde(default)]
    pub clear_cookies: bool,
    /// A name and a password.
    pub basic: Option<(String, String)>,
    /// A name and a password for digest authentication.
    pub digest: Option<(String, String)>,
    /// Codings that the body is sent in, one after the other.
    #[serde(default)]
    pub compress: Vec<String>,
    /// Asks for a compressed answer.
    #[serde(default)]
    pub compressed: bool,
    /// A token.
    pub bearer: Option<String>,
    /// In seconds.
    pub timeout: Option<f64>,
    /// How long to wait before, in seconds.
    #[serde(default)]
    pub pause: f64,
    /// Tells nothing of it.
    #[serde(default)]
    pub quiet: bool,
}

impl Step {
    /// What the jar is told before.
    pub fn prepare(&self) {
        if self.clear_cookies {
            http::cookies(&self.url).clear();
        }
        for cookie in &self.set_cookies {
            http::cookies(&self.url).set_cookie(cookie);
        }
    }

    pub fn request(&self) -> Request<'_> {
        self.request_to(&self.url)
    }

    pub fn request_to<'a>(&'a self, url: &'a str) -> Request<'a> {
        let mut request = http::request(&self.method, url).name(&self.name).headers(pairs(&self.headers));
        for (name, value) in &self.query {
            request = request.query(name, value);
        }
        if let Some(body) = &self.body {
            request = request.body(body.as_bytes());
        }
        if let Some(length) = self.bytes {
            request = request.body(octets(length));
        }
        if let Some(file) = &self.file {
            request = request.body_file(file);
        }
        if !self.parts.is_empty() {
            request = request.multipart(self.form_with_files());
        }
        if self.chunked {
            request = request.chunked();
        }
        if self.expect_continue {
            request = request.expect_continue();
        }
        if let Some(json) = &self.json {
            request = request.json(json);
        }
        if let Some(form) = &self.form {
            request = request.form(pairs(form));
        }
        if let Some(most) = self.redirects {
            request = request.redirects(most);
        }
        for (first, last) in &self.expect {
            request = request.expect_status(*first..=*last);
        }
        for (name, value) in &self.cookies {
            request = request.cookie(name, value);
        }
        if let Some((user, password)) = &self.basic {
            request = request.basic_auth(user, password);
        }
        if let Some((user, password)) = &self.digest {
            request = request.digest_auth(user, password);
        }
        for coding in &self.compress {
            request = request.compress(coding);
        }
        if self.compressed {
            request = request.compressed();
        }
        if let Some(token) = &self.bearer {
            request = request.bearer_auth(token);
        }
        if let Some(timeout) = self.timeout {
            request = request.timeout(timeout);
        }
        request
    }
}

impl Step {
    fn form_with_files(&self) -> Multipart<'_> {
        let kind = "application/octet-stream";
        self.parts.iter().fold(http::multipart(), |form, Part { name, text, file, bytes }| match (text, file) {
            (Some(text), _) => form.text(name, text),
            (None, Some(file)) => form.file(name, file, &format!("{name}.bin"), kind),
            (None, None) => form.bytes(name, &format!("{name}.bin"), kind, octets(*bytes)),
        })
    }
}

fn octets(length: usize) -> Vec<u8> {
    (0..=255).cycle().take(length).collect()
}

fn pairs(list: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    list.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}
