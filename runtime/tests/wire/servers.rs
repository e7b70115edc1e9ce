//! The real servers: one of each for all tests of this process.

use std::sync::OnceLock;

use serde_json::Value;
use xtask::services::{self, Running};

fn started(slot: &'static OnceLock<Result<Running, String>>, name: &str) -> &'static Running {
    let start = || services::service(name).and_then(services::start).map_err(|error| error.to_string());
    slot.get_or_init(start).as_ref().unwrap_or_else(|error| panic!("NOT TESTED: {name}: {error}"))
}

/// nginx: its ports are in `xtask/src/services/nginx.conf`.
pub(crate) fn nginx() -> &'static Running {
    static NGINX: OnceLock<Result<Running, String>> = OnceLock::new();
    started(&NGINX, "nginx")
}

/// A URL of nginx.
pub(crate) fn nginx_url(port: &str, path: &str) -> String {
    format!("{}{path}", nginx().fact(port))
}

/// httpbin behind gunicorn.
pub(crate) fn httpbin() -> &'static Running {
    static HTTPBIN: OnceLock<Result<Running, String>> = OnceLock::new();
    started(&HTTPBIN, "httpbin")
}

/// A URL of httpbin.
pub(crate) fn httpbin_url(path: &str) -> String {
    format!("{}{path}", httpbin().fact("url"))
}

/// A proxy.
pub(crate) fn tinyproxy() -> &'static Running {
    static TINYPROXY: OnceLock<Result<Running, String>> = OnceLock::new();
    started(&TINYPROXY, "tinyproxy")
}

/// A URL of the server of Python's `websockets`.
pub(crate) fn websockets_url(path: &str) -> String {
    static WEBSOCKETS: OnceLock<Result<Running, String>> = OnceLock::new();
    format!("{}{path}", started(&WEBSOCKETS, "websockets").fact("url"))
}

/// The lines of nginx's access log whose URI has this text, which is the test's own.
pub(crate) fn nginx_saw(mark: &str) -> Vec<Value> {
    let log = std::fs::read_to_string(nginx().fact("access-log")).expect("nginx writes a log");
    let lines =
        log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}")));
    lines.filter(|line| line["uri"].as_str().is_some_and(|uri| uri.contains(mark))).collect()
}
