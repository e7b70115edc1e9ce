//! What a step asks for.

use flashcrowd::http::Request;
use flashcrowd::prelude::*;

fn get() -> String {
    "GET".to_owned()
}

/// One request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Names the step in what is told, and the request in its samples.
    pub name: String,
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
    /// In seconds.
    pub timeout: Option<f64>,
    /// How long to wait before, in seconds.
    #[serde(default)]
    pub pause: f64,
}

impl Step {
    pub fn request(&self) -> Request<'_> {
        let mut request = http::request(&self.method, &self.url).name(&self.name).headers(pairs(&self.headers));
        for (name, value) in &self.query {
            request = request.query(name, value);
        }
        if let Some(body) = &self.body {
            request = request.body(body.as_bytes());
        }
        if let Some(length) = self.bytes {
            request = request.body((0..=255_u8).cycle().take(length).collect::<Vec<u8>>());
        }
        if let Some(json) = &self.json {
            request = request.json(json);
        }
        if let Some(form) = &self.form {
            request = request.form(pairs(form));
        }
        if let Some(timeout) = self.timeout {
            request = request.timeout(timeout);
        }
        request
    }
}

fn pairs(list: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    list.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}
