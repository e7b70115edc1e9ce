//! Keys in the terminal while a run is on.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::live::Live;
use crate::terminal;

/// How often somebody looks whether a key was pressed.
const TICK: Duration = Duration::from_millis(50);
/// How a process ends by a signal, to its shell.
const BY_SIGNAL: i32 = 128;

/// Which keys there are.
pub const HINT: &str = "keys: p pause or resume, + and - more or less load, q stop, ? help";
const HELP: &str = "\
keys: p  pause: iterations under way finish, and none starts; p again resumes
      +  more load, -  less: a tenth of the virtual users or of the rate, of scenarios that are externally-controlled
      q  stop: iterations under way may finish
      Ctrl-C stops as well; twice interrupts what is under way";

/// Listens to keys until this is dropped; the terminal is then what it was.
#[derive(Debug)]
pub struct Keys {
    end: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Signals that end or stop the process, which must not leave its terminal without an echo.
struct Interruptions {
    suspend: Signal,
    resume: Signal,
    quit: Signal,
    hang_up: Signal,
}

impl Keys {
    /// Listens on a thread of its own.
    ///
    /// # Errors
    /// When the system refuses the thread, or the signals.
    pub fn listen(live: Arc<Live>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let signals = {
            let _inside = runtime.enter();
            Interruptions {
                suspend: signal(SignalKind::from_raw(libc::SIGTSTP))?,
                resume: signal(SignalKind::from_raw(libc::SIGCONT))?,
                quit: signal(SignalKind::quit())?,
                hang_up: signal(SignalKind::hangup())?,
            }
        };
        let end = CancellationToken::new();
        let until = end.clone();
        let body = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = until.cancelled() => {}
                    () = watch(&live, signals) => {}
                }
            });
            terminal::restore();
        };
        let thread = std::thread::Builder::new().name("keys".to_owned()).spawn(body)?;
        Ok(Self { end, thread: Some(thread) })
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.end.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        terminal::leave();
    }
}

async fn watch(live: &Live, mut signals: Interruptions) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut gone = false;
    loop {
        tokio::select! {
            biased;
            _ = signals.suspend.recv() => {
                terminal::restore();
                // As the signal would have done by itself; the process goes on from here.
                let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
            }
            _ = signals.resume.recv() => terminal::restore(),
            _ = signals.quit.recv() => end_by(libc::SIGQUIT),
            _ = signals.hang_up.recv() => end_by(libc::SIGHUP),
            _ = ticks.tick(), if !gone => match terminal::take_keys().then(terminal::pressed) {
                Some(Some(keys)) => keys.into_iter().for_each(|key| press(live, key)),
                // The terminal is gone, and keys with it; signals are not.
                Some(None) => gone = true,
                None => {}
            },
        }
    }
}

fn end_by(signal: i32) {
    terminal::leave();
    std::process::exit(BY_SIGNAL + signal);
}

fn press(live: &Live, key: u8) {
    let who = format!("the key {}", char::from(key));
    let result = match key {
        b'p' | b'P' if live.status().paused => live.resume(&who).map(drop),
        b'p' | b'P' => live.pause(&who).map(drop),
        b'+' | b'=' => {
            live.step(true, &who);
            Ok(())
        }
        b'-' | b'_' => {
            live.step(false, &who);
            Ok(())
        }
        b'q' | b'Q' => {
            live.stop(false, &who);
            Ok(())
        }
        b'?' | b'h' => {
            live.note(HELP);
            Ok(())
        }
        _ => Ok(()),
    };
    if let Err(refusal) = result {
        live.note(&refusal.to_string());
    }
}
