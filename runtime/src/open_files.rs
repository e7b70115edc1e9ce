//! Whether this process may open as many files as the plan will need: every VU keeps a connection.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are not connections: libraries, outputs, event loops.
const OWN_FILES: u64 = 64;

/// Raises the limit as far as allowed; gives a warning if the plan may still not fit.
#[must_use]
pub fn make_room(peak_vus: u32) -> Option<String> {
    let needed = u64::from(peak_vus) + OWN_FILES;
    let limits = getrlimit(Resource::Nofile);
    // `None` stands for no limit.
    let (Some(soft), hard) = (limits.current, limits.maximum) else { return None };
    // A VU may talk to several hosts at once, so all that is allowed is taken; without a hard limit, what is surely enough.
    let wanted = hard.unwrap_or(needed * 8).max(soft);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: hard }).is_ok();
    let available = if raised { wanted } else { soft };
    (available < needed).then(|| {
        format!(
            "{peak_vus} VUs may open {needed} files at once and this process may open {available}: connections beyond that will fail; raise \
             the limit (`ulimit -Hn {needed}` as root, or LimitNOFILE), or use fewer VUs"
        )
    })
}
