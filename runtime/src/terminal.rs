//! A terminal that hands over single keys, and is what it was before when the process ends.
//!
//! Only the gathering of lines and the echo are switched off. Signals of keys (Ctrl-C, Ctrl-Z) and line ends are the terminal's business as
//! ever, so nothing else changes for whoever reads or types.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::stdin;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr};

/// What the terminal was, while it is not.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);
/// Nobody takes keys any more: the process ends.
static LEFT: AtomicBool = AtomicBool::new(false);

/// Can somebody press keys and see what they do?
#[must_use]
pub fn is_interactive() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Is this process the one that the terminal's keys go to? One in the background would be stopped for asking.
fn in_foreground() -> bool {
    tcgetpgrp(stdin()).is_ok_and(|group| group == rustix::process::getpgrp())
}

/// Has the terminal hand over single keys, unless it does already or this process is in the background. False if it does not.
#[must_use]
pub fn take_keys() -> bool {
    if !in_foreground() {
        return false;
    }
    let mut before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
    if LEFT.load(SeqCst) {
        return false;
    }
    if before.is_some() {
        return true;
    }
    let Ok(modes) = tcgetattr(stdin()) else { return false };
    let mut single = modes.clone();
    single.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
    // A read never waits: whoever reads has looked before.
    single.special_codes[SpecialCodeIndex::VMIN] = 0;
    single.special_codes[SpecialCodeIndex::VTIME] = 0;
    let taken = tcsetattr(stdin(), OptionalActions::Now, &single).is_ok();
    if taken {
        *before = Some(modes);
    }
    taken
}

/// Makes the terminal what it was, for good: the process ends.
pub fn leave() {
    {
        // Whoever takes keys at this moment is through then.
        let _taking = BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
        LEFT.store(true, SeqCst);
    }
    restore();
}

/// Makes the terminal what it was. In the background it belongs to somebody else, who has made it what they need.
pub fn restore() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(modes) = before
        && in_foreground()
    {
        // There is nobody to tell if the terminal is gone.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &modes);
    }
}

/// The keys that were pressed since the last look; `None` when the terminal is gone.
#[must_use]
pub fn pressed() -> Option<Vec<u8>> {
    let mut stdin_ready = [PollFd::from_borrowed_fd(stdin(), PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    if poll(&mut stdin_ready, Some(&now)).unwrap_or(0) == 0 {
        return Some(Vec::new());
    }
    let ready = stdin_ready[0].revents();
    if ready.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
        return None;
    }
    let mut keys = [0; 64];
    match rustix::io::read(stdin(), &mut keys) {
        Ok(count) => Some(keys[..count].to_vec()),
        Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Some(Vec::new()),
        Err(_) => None,
    }
}
