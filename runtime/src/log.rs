//! Lines from modules and from the runtime itself, for the person who watches.
//!
//! A module may print from ten thousand virtual users at once. The load must not wait for a terminal, and a flood must not bury the
//! one line that matters: identical lines within a second are printed once with a count, and a second holds so many lines.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::time::Instant;

/// Lines waiting to be printed; more are counted and dropped.
const QUEUED_LINES: usize = 4096;
/// How long identical lines are counted together.
const WINDOW: Duration = Duration::from_secs(1);
/// Distinct lines printed in a window.
const LINES_PER_WINDOW: usize = 50;
/// A longer line is cut.
const MAX_LINE_BYTES: usize = 4096;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Only with `--verbose`.
    Debug,
    /// What a scenario prints.
    Info,
    /// Something is odd.
    Warn,
    /// Something failed.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        })
    }
}

/// Who a line is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The runtime.
    Runtime,
    /// `setup`, `teardown` and the like, by name; where there are several modules, with whose it is.
    Stage(Cow<'static, str>),
    /// A virtual user while it is made, by its number.
    VuInit(u64),
    /// A virtual user in one of its iterations.
    Vu {
        /// From 1.
        vu: u64,
        /// From 0.
        iteration: u64,
    },
}

#[derive(Debug)]
enum Entry {
    /// Thinned out, if there are many.
    Line(Line),
    /// Printed whole.
    Block(Vec<String>),
}

#[derive(Debug)]
struct Line {
    level: Level,
    source: Source,
    text: String,
}

/// Where lines are sent. Cloning is cheap; sending never waits.
#[derive(Debug, Clone)]
pub struct Log {
    lines: SyncSender<Entry>,
    least: Level,
    dropped: Arc<AtomicU64>,
}

/// The thread that prints. It ends when the last [`Log`] is gone.
#[derive(Debug)]
pub struct Printer {
    thread: JoinHandle<()>,
    dropped: Arc<AtomicU64>,
}

impl Log {
    /// Starts the printer: `print` gets whole lines, without a line feed, that are at least of level `least`.
    ///
    /// # Panics
    /// When the system has no thread left.
    pub fn start(least: Level, print: impl FnMut(&str) + Send + 'static) -> (Self, Printer) {
        let (sender, receiver) = sync_channel(QUEUED_LINES);
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&dropped);
        let thread = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || Thinner { print, window: HashMap::new(), dropped: counter }.run(&receiver))
            .expect("a thread for the log");
        (Self { lines: sender, least, dropped: Arc::clone(&dropped) }, Printer { thread, dropped })
    }

    /// Writes a line, or counts it as dropped when the printer cannot keep up.
    pub fn write(&self, level: Level, source: Source, text: &str) {
        if level < self.least {
            return;
        }
        let text = printable(text);
        if self.lines.try_send(Entry::Line(Line { level, source, text })).is_err() {
            self.dropped.fetch_add(1, Relaxed);
        }
    }

    /// Writes lines that belong together under a heading, whatever the level; they are printed whole, or counted as dropped when
    /// the printer cannot keep up.
    pub fn show(&self, what: &str, source: &Source, lines: Vec<String>) {
        let count = lines.len() as u64 + 1;
        let heading = match source {
            Source::Runtime => format!("{what}:"),
            Source::Stage(stage) => format!("{what} [{stage}]:"),
            Source::VuInit(vu) => format!("{what} [vu {vu} init]:"),
            Source::Vu { vu, iteration } => format!("{what} [vu {vu} iter {iteration}]:"),
        };
        let lines = lines.iter().map(|line| format!("  {}", printable(line)));
        let block = std::iter::once(heading).chain(lines).collect();
        if self.lines.try_send(Entry::Block(block)).is_err() {
            self.dropped.fetch_add(count, Relaxed);
        }
    }

    /// How many lines were left out so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// A line of the runtime's own.
    pub fn runtime(&self, level: Level, text: &str) {
        self.write(level, Source::Runtime, text);
    }
}

impl Printer {
    /// Waits until everything is printed; gives how many lines were left out. All [`Log`]s must be gone, or go.
    pub fn finish(self) -> u64 {
        // The printing thread panics only if `print` does: nothing is left to be done then.
        let _ = self.thread.join();
        self.dropped.load(Relaxed)
    }
}

/// A module's text must not move the cursor, ring the bell or forge another line.
pub(crate) fn printable(text: &str) -> String {
    let mut clean: String = text
        .char_indices()
        .take_while(|(at, _)| *at < MAX_LINE_BYTES)
        .map(|(_, c)| if c.is_control() && c != '\t' { '\u{fffd}' } else { c })
        .collect();
    if text.len() > MAX_LINE_BYTES {
        clean.push('…');
    }
    clean
}

struct Thinner<P> {
    print: P,
    /// Lines printed in this window, and how often each came again.
    window: HashMap<(Level, String), u64>,
    dropped: Arc<AtomicU64>,
}

impl<P: FnMut(&str)> Thinner<P> {
    fn run(mut self, lines: &Receiver<Entry>) {
        let mut window_ends = Instant::now() + WINDOW;
        loop {
            let left = window_ends.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.close_window();
                window_ends = Instant::now() + WINDOW;
                continue;
            }
            match lines.recv_timeout(left) {
                Ok(Entry::Line(line)) => self.line(line),
                Ok(Entry::Block(lines)) => lines.iter().for_each(|line| (self.print)(line)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.close_window();
    }

    fn line(&mut self, Line { level, source, text }: Line) {
        if source == Source::Runtime {
            (self.print)(&format!("{level}: {text}"));
            return;
        }
        let key = (level, text);
        if let Some(repeats) = self.window.get_mut(&key) {
            *repeats += 1;
            return;
        }
        if self.window.len() >= LINES_PER_WINDOW {
            self.dropped.fetch_add(1, Relaxed);
            return;
        }
        let (level, text) = &key;
        match source {
            Source::Vu { vu, iteration } => (self.print)(&format!("{level} [vu {vu} iter {iteration}]: {text}")),
            Source::VuInit(vu) => (self.print)(&format!("{level} [vu {vu} init]: {text}")),
            Source::Stage(stage) => (self.print)(&format!("{level} [{stage}]: {text}")),
            Source::Runtime => {}
        }
        self.window.insert(key, 0);
    }

    fn close_window(&mut self) {
        let mut repeated: Vec<_> = self.window.drain().filter(|(_, repeats)| *repeats > 0).collect();
        repeated.sort();
        for ((level, text), repeats) in repeated {
            let times = if repeats == 1 { "once".to_owned() } else { format!("{repeats} times") };
            (self.print)(&format!("{level} [{times} more]: {text}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn collect(write: impl FnOnce(&Log)) -> (Vec<String>, u64) {
        let printed = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&printed);
        let (log, printer) = Log::start(Level::Info, move |line| sink.lock().unwrap().push(line.to_owned()));
        write(&log);
        drop(log);
        let dropped = printer.finish();
        (Arc::try_unwrap(printed).unwrap().into_inner().unwrap(), dropped)
    }

    #[test]
    fn a_line_says_who_wrote_it_and_cannot_forge_another() {
        let (lines, dropped) = collect(|log| {
            log.write(Level::Info, Source::Vu { vu: 3, iteration: 0 }, "one\x1b[2J\ntwo");
            log.write(Level::Debug, Source::Stage("setup".into()), "hidden");
            log.write(Level::Warn, Source::Stage("setup".into()), "seen");
        });
        assert_eq!(lines, ["info [vu 3 iter 0]: one\u{fffd}[2J\u{fffd}two", "warn [setup]: seen"]);
        assert_eq!(dropped, 0);
    }

    #[test]
    fn what_was_asked_for_is_shown_whole_and_cannot_command_the_terminal() {
        let (lines, dropped) = collect(|log| {
            for iteration in 0..2 {
                log.show("http", &Source::Vu { vu: 1, iteration }, vec!["> a\x1b[2J\nb".to_owned(); 60]);
            }
        });
        assert_eq!((lines.len(), dropped), (122, 0));
        assert_eq!((&*lines[0], &*lines[61]), ("http [vu 1 iter 0]:", "http [vu 1 iter 1]:"));
        assert_eq!(lines[60], "  > a\u{fffd}[2J\u{fffd}b");
    }

    #[test]
    fn identical_lines_are_one_line_with_a_count() {
        let (lines, dropped) = collect(|log| {
            for iteration in 0..100 {
                log.write(Level::Info, Source::Vu { vu: 1, iteration }, "sold out");
            }
        });
        // A window may end in the middle, so the count may be split; nothing is lost.
        assert_eq!(lines[0], "info [vu 1 iter 0]: sold out");
        let repeats = |line: &String| match line.split_once('[')?.1.split_once(" more]")?.0 {
            "once" => Some(1),
            times => times.strip_suffix(" times")?.parse::<u64>().ok(),
        };
        let more: u64 = lines[1..].iter().filter_map(repeats).sum();
        let firsts = lines.iter().filter(|line| line.contains("[vu 1")).count() as u64;
        assert_eq!(more + firsts, 100, "{lines:?}");
        assert_eq!(dropped, 0);
    }

    #[test]
    fn a_flood_is_thinned_out_and_counted() {
        const WRITTEN: u64 = 20_000;
        let (lines, dropped) = collect(|log| {
            for line in 0..WRITTEN {
                log.write(Level::Info, Source::Vu { vu: 1, iteration: 0 }, &format!("line {line}"));
            }
        });
        assert_eq!(lines.len() as u64 + dropped, WRITTEN);
        assert!(dropped > 0);
    }
}
