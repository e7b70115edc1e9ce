//! Real servers, which nobody here wrote, on free ports of 127.0.0.1.
//!
//! `cargo xtask services up` starts them to stay, until `down`. A test starts what it needs with [`start`]: the server ends with the test's
//! process, however that ends. Either way a server has a folder of its own under `target/services`, and what is missing on the machine is
//! installed first.
//!
//! A further service is a file here that implements [`Service`], and a line in [`ALL`].

mod httpbin;
mod install;
mod nginx;
mod orders;
mod start;
mod state;
mod tinyproxy;
mod websockets;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use install::needed;
pub use orders::{Order, obey};
pub use start::{Running, start, tool};

use crate::shell::{Failure, target_dir};

/// Every service there is.
pub const ALL: &[&dyn Service] = &[&nginx::Nginx, &httpbin::Httpbin, &tinyproxy::Tinyproxy, &websockets::Websockets];

/// What others need to know to use a service: URLs, and files such as certificates, by name.
pub type Facts = BTreeMap<String, String>;

/// Something that can be installed, started and stopped.
pub trait Service: Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// Installs what is missing; nothing if nothing is. One process at a time does this.
    ///
    /// # Errors
    /// If it cannot be had here: with the remedy.
    fn install(&self) -> Result<(), Failure>;

    /// Writes its files into an empty folder and says how it is started.
    ///
    /// # Errors
    /// If the files cannot be written.
    fn plan(&self, folder: &Path) -> Result<Plan, Failure>;
}

/// How a service is started.
pub struct Plan {
    /// The program, which stays in the foreground and ends on SIGTERM.
    pub command: Command,
    /// What its users need to know.
    pub facts: Facts,
    /// Whether it answers by now.
    pub ready: Box<dyn Fn() -> bool>,
}

/// The service of this name.
///
/// # Errors
/// If there is none: with those that there are.
pub fn service(name: &str) -> Result<&'static dyn Service, Failure> {
    ALL.iter().copied().find(|service| service.name() == name).ok_or_else(|| {
        let names: Vec<&str> = ALL.iter().map(|service| service.name()).collect();
        format!("there is no service {name:?}; there are {}", names.join(", ")).into()
    })
}

/// Where services live.
fn home() -> PathBuf {
    target_dir().join("services")
}

/// Ports that nobody listens on at this moment, all of them different.
fn free_ports<const N: usize>() -> Result<[u16; N], Failure> {
    let mut listeners = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        *port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

/// Whether somebody listens on this port.
fn listens(port: u16) -> bool {
    std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Whether `GET PATH` on this port is answered with status 200.
fn answers(port: u16, path: &str) -> bool {
    use std::io::{Read, Write};

    let ask = || -> std::io::Result<bool> {
        let mut stream = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(std::time::Duration::from_secs(10)))?;
        write!(stream, "GET {path} HTTP/1.0\r\nhost: 127.0.0.1:{port}\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer.starts_with(b"HTTP/1.") && answer[8..].starts_with(b" 200"))
    };
    ask().unwrap_or(false)
}
