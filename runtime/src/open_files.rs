//! Whether this process may open as many files as the plan will need: every VU keeps a connection.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are not connections: libraries, outputs, event loops.
const OWN_FILES: u64 = 64;

/// With less than this, and so many more for each worker thread, no run gets through: found by trying.
const LEAST_FILES: u64 = 20;
const LEAST_FILES_PER_SHARD: u64 = 4;

/// Taken where nothing limits it: what Linux allows by default at most.
const PLENTY: u64 = 1 << 20;

/// The limit is too low to run anything at all.
#[derive(Debug, thiserror::Error)]
#[error(
    "this process may open {available} files and needs {needed} for itself, connections apart; raise the limit (`ulimit -n {advised}`, \
     `ulimit -Hn {advised}` as root, or LimitNOFILE)"
)]
pub struct TooFewFiles {
    available: u64,
    needed: u64,
    advised: u64,
}

/// Raises the limit as far as allowed: a VU may talk to several hosts at once, and nobody knows to how many.
///
/// # Errors
/// When even this is too little for the run itself.
pub fn make_room(shards: usize) -> Result<(), TooFewFiles> {
    let limits = getrlimit(Resource::Nofile);
    // `None` stands for no limit.
    let Some(soft) = limits.current else { return Ok(()) };
    let wanted = limits.maximum.unwrap_or(PLENTY).max(soft);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limits.maximum }).is_ok();
    let available = if raised { wanted } else { soft };
    let needed = LEAST_FILES + LEAST_FILES_PER_SHARD * shards as u64;
    if available < needed { Err(TooFewFiles { available, needed, advised: needed + OWN_FILES }) } else { Ok(()) }
}

/// What to say before the load if the plan may not fit. It is no error: which VUs will have connections open at the same time, and how many,
/// is the scenario's secret, and those that find no room fail one by one, counted.
#[must_use]
pub fn advice(peak_vus: u32) -> Option<String> {
    let needed = u64::from(peak_vus) + OWN_FILES;
    let available = getrlimit(Resource::Nofile).current?;
    (available < needed).then(|| {
        format!(
            "{peak_vus} VUs may open {needed} files at once and this process may open {available}: connections beyond that will fail \
             with error code 1210; raise the limit (`ulimit -Hn {needed}` as root, or LimitNOFILE), or use fewer VUs"
        )
    })
}
