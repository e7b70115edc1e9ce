//! SIGINT and SIGTERM: heeded by whoever drives the run, and by a thread of their own when nobody does.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::display::Display;
use crate::exit::Exit;

/// So many signals that nobody heeds end the process: it is stuck in a write to a terminal or a pipe that takes nothing.
const UNHEEDED: u32 = 3;

/// SIGINT and SIGTERM, counted.
#[derive(Debug)]
pub struct Signals {
    both: Both,
    /// How many came.
    pub count: u32,
    /// Where to say what they do.
    pub display: Display,
    seen: Arc<Seen>,
}

/// How far the thread that only counts has come, and how far those who act.
#[derive(Debug, Default)]
struct Seen {
    came: AtomicU32,
    heeded: AtomicU32,
}

#[derive(Debug)]
struct Both {
    interrupt: Signal,
    terminate: Signal,
}

impl Both {
    fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

impl Signals {
    /// Takes the signals over from the system, which would end the process.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn listen(display: Display) -> io::Result<Self> {
        let seen = Arc::<Seen>::default();
        watch(Arc::clone(&seen))?;
        Ok(Self { both: Both::listen()?, count: 0, display, seen })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        self.both.next().await;
        self.count += 1;
        // Several may have come as one; or this one has not been counted there yet.
        self.seen.heeded.store(self.seen.came.load(SeqCst).max(self.count), SeqCst);
    }
}

/// Ends the process when signals come and nobody heeds them.
fn watch(seen: Arc<Seen>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let mut both = {
        let _inside = runtime.enter();
        Both::listen()?
    };
    let watcher = async move {
        loop {
            both.next().await;
            let came = seen.came.fetch_add(1, SeqCst) + 1;
            if came.saturating_sub(seen.heeded.load(SeqCst)) >= UNHEEDED {
                crate::terminal::leave();
                std::process::exit(Exit::Signal as i32);
            }
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || runtime.block_on(watcher)).map(drop)
}

/// Lets a write fail that would make a file longer than `ulimit -f` allows. Unheard, its signal ends the process; once heard, it stays so.
///
/// # Errors
/// When the system refuses.
pub fn survive_file_limits() -> io::Result<()> {
    signal(SignalKind::from_raw(libc::SIGXFSZ)).map(drop)
}
