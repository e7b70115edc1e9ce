//! `cargo xtask services`: what a person orders.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clap::Subcommand;
use rustix::process::{Pid, Signal, kill_process};

use super::state::{self, Started};
use super::{ALL, Facts, Service, home, service, start};
use crate::shell::Failure;

/// How long a service may take to end before it is killed.
const GRACE: Duration = Duration::from_secs(15);

/// What is done with services.
#[derive(Clone, Debug, Subcommand)]
pub enum Order {
    /// Install what is missing, start services in the background, and print their URLs.
    Up {
        /// Which ones; all of them if none is named.
        names: Vec<String>,
    },
    /// Stop services that `up` started.
    Down {
        /// Which ones; all of them if none is named.
        names: Vec<String>,
    },
    /// Say which services run, and where.
    Status,
}

/// Does it.
///
/// # Errors
/// If a service cannot be had, started or stopped.
pub fn obey(order: &Order) -> Result<(), Failure> {
    let _lock = state::lock()?;
    let mut all = state::read()?;
    match order {
        Order::Up { names } => {
            for service in chosen(names)? {
                up(service, &mut all)?;
            }
        }
        Order::Down { names } => {
            for service in chosen(names)? {
                down(service.name(), &mut all)?;
            }
        }
        Order::Status => {
            for service in ALL {
                match all.get(service.name()) {
                    Some(started) if started.is_alive() => tell(service.name(), started.pid, &started.facts),
                    _ => print(&format_args!("{}: not running", service.name())),
                }
            }
        }
    }
    Ok(())
}

fn chosen(names: &[String]) -> Result<Vec<&'static dyn Service>, Failure> {
    if names.is_empty() { Ok(ALL.to_vec()) } else { names.iter().map(|name| service(name)).collect() }
}

fn up(service: &dyn Service, all: &mut BTreeMap<String, Started>) -> Result<(), Failure> {
    let name = service.name();
    if let Some(started) = all.get(name).filter(|started| started.is_alive()) {
        tell(name, started.pid, &started.facts);
        return Ok(());
    }
    service.install()?;
    let folder = home().join(name);
    let (pid, facts) = start::start_to_stay(service, &folder)?;
    tell(name, pid, &facts);
    let began = state::began(pid).ok_or_else(|| format!("{name} ended at once"))?;
    all.insert(name.to_owned(), Started { pid, began, folder, facts });
    state::write(all)
}

fn down(name: &str, all: &mut BTreeMap<String, Started>) -> Result<(), Failure> {
    let Some(started) = all.remove(name) else {
        print(&format_args!("{name}: not running"));
        return Ok(());
    };
    let begun = Instant::now();
    // Only what is still the process that was started here.
    while started.is_alive() {
        let pid = i32::try_from(started.pid).ok().and_then(Pid::from_raw).ok_or("0 is no process")?;
        let signal = if begun.elapsed() < GRACE { Signal::TERM } else { Signal::KILL };
        let _ = kill_process(pid, signal);
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = std::fs::remove_dir_all(&started.folder);
    print(&format_args!("{name}: stopped"));
    state::write(all)
}

fn tell(name: &str, pid: u32, facts: &Facts) {
    print(&format_args!("{name}: process {pid}"));
    for (fact, value) in facts {
        print(&format_args!("  {fact:<16} {value}"));
    }
}

#[expect(clippy::print_stdout, reason = "what was asked for")]
fn print(line: &dyn std::fmt::Display) {
    println!("{line}");
}
