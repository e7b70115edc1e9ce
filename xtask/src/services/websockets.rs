//! A WebSocket server of Python's `websockets`, in httpbin's environment.

use std::path::Path;
use std::process::Command;

use super::httpbin::{Httpbin, environment};
use super::{Facts, Plan, Service, free_ports, listens};
use crate::shell::Failure;

const PROGRAM: &str = include_str!("websockets.py");

/// The service.
pub(super) struct Websockets;

impl Service for Websockets {
    fn name(&self) -> &'static str {
        "websockets"
    }

    fn install(&self) -> Result<(), Failure> {
        Httpbin.install()
    }

    fn plan(&self, folder: &Path) -> Result<Plan, Failure> {
        let [port] = free_ports()?;
        let program = folder.join("websockets_server.py");
        std::fs::write(&program, PROGRAM)?;
        let mut command = Command::new(environment().join("bin/python"));
        command.arg(program).arg(port.to_string());
        let facts = Facts::from([("url".to_owned(), format!("ws://127.0.0.1:{port}"))]);
        Ok(Plan { command, facts, ready: Box::new(move || listens(port)) })
    }
}
