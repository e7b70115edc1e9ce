//! The other end of the API, for `runtime status` and its like: one request, one answer.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// How long the run may take to be reached, and to answer: more than what the server waits for its totals.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(15);
/// More than ten thousand metrics take.
const MOST_BYTES: u64 = 16 << 20;

/// Asks one run.
#[derive(Debug, Clone)]
pub struct Client {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it wants.
    pub token: Option<String>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error(
        "no run answers at {address} ({reason}); start one with `runtime run … --address {address}`, or say where it listens with --address"
    )]
    Nobody {
        /// Where.
        address: SocketAddr,
        /// The system's word.
        reason: std::io::Error,
    },
    /// Somebody listens, and does not speak as a run does.
    #[error("{address}: what answers there is no run ({reason}); say where the run listens with --address")]
    NoRun {
        /// Where.
        address: SocketAddr,
        /// What is wrong.
        reason: String,
    },
    /// The run does not do it.
    #[error("{problem}{}", if *.status == 401 { " (here: --api-token or FLASHCROWD_API_TOKEN)" } else { "" })]
    Refused {
        /// HTTP's status.
        status: u16,
        /// The run's word.
        problem: String,
    },
}

impl Client {
    /// Sends a request, with a body if there is one.
    ///
    /// # Errors
    /// When nobody answers, or the run refuses.
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, ClientError> {
        let nobody = |reason| ClientError::Nobody { address: self.address, reason };
        let mut stream = TcpStream::connect_timeout(&self.address, CONNECT).map_err(nobody)?;
        let bytes = self.exchange(&mut stream, method, path, body).map_err(nobody)?;
        let no_run = |reason: String| ClientError::NoRun { address: self.address, reason };
        let (status, body) = parse(&bytes).map_err(no_run)?;
        let value: Value =
            serde_json::from_slice(body).map_err(|error| no_run(format!("its answer is not JSON: {error}")))?;
        if (200..300).contains(&status) {
            return Ok(value);
        }
        match value["error"].as_str() {
            Some(problem) => Err(ClientError::Refused { status, problem: problem.to_owned() }),
            None => Err(no_run(format!("it answers with status {status}"))),
        }
    }

    fn exchange(
        &self,
        stream: &mut TcpStream,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> std::io::Result<Vec<u8>> {
        stream.set_read_timeout(Some(ANSWER))?;
        stream.set_write_timeout(Some(ANSWER))?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let token = self.token.as_ref().map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{token}\r\n{body}",
            self.address,
            body.len(),
        );
        stream.write_all(request.as_bytes())?;
        let mut bytes = Vec::new();
        stream.take(MOST_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Status and body of an answer that ends with its connection. The server says the length of all its answers.
fn parse(bytes: &[u8]) -> Result<(u16, &[u8]), String> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(bytes) {
        Ok(httparse::Status::Complete(head)) => {
            let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
            let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.trim().parse::<usize>().ok());
            let body = length.and_then(|length| bytes.get(head..head + length)).ok_or("its answer is not whole")?;
            Ok((response.code.unwrap_or_default(), body))
        }
        Ok(httparse::Status::Partial) => Err("it closed the connection".to_owned()),
        Err(error) => Err(format!("it does not speak HTTP/1.1: {error}")),
    }
}

/// A name as a part of a path.
#[must_use]
pub fn path_segment(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}
