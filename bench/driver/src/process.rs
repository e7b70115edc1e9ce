//! Programs that are measured: started on a core, looked at from outside, and ended when dropped.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use procfs::process::Process;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use crate::Failure;

const POLL: Duration = Duration::from_millis(20);

/// Nanoseconds of the monotonic clock, which all processes of the machine share.
pub(crate) fn now_ns() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    // The monotonic clock is never negative.
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// A line that a program printed.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// When it came; see [`now_ns`].
    pub(crate) at_ns: u64,
    pub(crate) text: String,
}

/// A program that runs. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    name: String,
    /// Just before it was started.
    pub(crate) started_ns: u64,
    stdout: Reader,
    stderr: Reader,
    peak_kib: u64,
}

/// What a program left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The most memory that it and its children had resident, in KiB.
    pub(crate) peak_kib: u64,
}

/// Memory of a program, in KiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Memory {
    /// As often as a page is mapped.
    pub(crate) resident_kib: u64,
    /// Each page once.
    pub(crate) proportional_kib: u64,
    /// In huge pages, which the kernel makes of many small ones, used or not.
    pub(crate) huge_kib: u64,
}

#[derive(Debug)]
struct Reader {
    lines: Arc<Mutex<Vec<Line>>>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    fn new(pipe: Option<impl Read + Send + 'static>) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let thread = pipe.map(|pipe| {
            std::thread::spawn(move || {
                for text in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                    let line = Line { at_ns: now_ns(), text: String::from_utf8_lossy(&text).into_owned() };
                    sink.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
            })
        });
        Self { lines, thread }
    }

    fn lines(&self) -> Vec<Line> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn read_to_end(&mut self) -> String {
        if let Some(thread) = self.thread.take() {
            // A reader does not panic; if it did, what it has read is still there.
            let _ = thread.join();
        }
        self.lines().iter().map(|line| format!("{}\n", line.text)).collect()
    }
}

impl Running {
    /// Starts a program, on a core of its own if one is named.
    pub(crate) fn start(mut command: Command, core: Option<usize>) -> Result<Self, Failure> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A child inherits the cores of the thread that starts it.
        let before = sched_getaffinity(None)?;
        if let Some(core) = core {
            let mut cores = CpuSet::new();
            cores.set(core);
            sched_setaffinity(None, &cores)?;
        }
        let started_ns = now_ns();
        let child = command.spawn();
        sched_setaffinity(None, &before)?;
        let mut child = child.map_err(|error| format!("{name} cannot be started: {error}"))?;
        let (stdout, stderr) = (Reader::new(child.stdout.take()), Reader::new(child.stderr.take()));
        Ok(Self { child, name, started_ns, stdout, stderr, peak_kib: 0 })
    }

    /// The lines on standard output so far.
    pub(crate) fn stdout(&self) -> Vec<Line> {
        self.stdout.lines()
    }

    /// The lines on standard error so far.
    pub(crate) fn stderr(&self) -> Vec<Line> {
        self.stderr.lines()
    }

    /// Whether it has ended, and how.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>, Failure> {
        Ok(self.child.try_wait()?)
    }

    /// Waits until `found` finds something; an error if the program ends first or `patience` is over.
    pub(crate) fn until<T>(
        &mut self,
        what: &str,
        patience: Duration,
        mut found: impl FnMut(&Self) -> Result<Option<T>, Failure>,
    ) -> Result<T, Failure> {
        let until = Instant::now() + patience;
        loop {
            let over = self.ended()?;
            if let Some(found) = found(self)? {
                return Ok(found);
            }
            if let Some(status) = over {
                return Err(format!(
                    "{} ended ({status}) before {what}:\n{}",
                    self.name,
                    tail(&self.stderr.read_to_end())
                )
                .into());
            }
            if Instant::now() > until {
                let said = tail(&self.stderr().iter().map(|line| format!("{}\n", line.text)).collect::<String>());
                return Err(format!("{} was not done with {what} after {patience:?}:\n{said}", self.name).into());
            }
            std::thread::sleep(POLL);
        }
    }

    /// CPU time that it and its children have used so far, user and system, in seconds; to 10 ms, as the kernel tells it.
    pub(crate) fn cpu_seconds(&self) -> Result<f64, Failure> {
        let mut ticks = 0;
        for process in self.tree() {
            let stat = process.stat()?;
            ticks += stat.utime + stat.stime;
        }
        Ok(ticks as f64 / procfs::ticks_per_second() as f64)
    }

    /// Memory that it and its children have resident now, in KiB.
    pub(crate) fn resident_kib(&self) -> Result<u64, Failure> {
        let mut pages = 0;
        for process in self.tree() {
            pages += process.statm()?.resident;
        }
        Ok(pages * procfs::page_size() / 1024)
    }

    /// Memory that it and its children have now, with pages that are mapped several times counted once.
    pub(crate) fn memory(&self) -> Result<Memory, Failure> {
        let mut memory = Memory::default();
        for process in self.tree() {
            let rollup = process.smaps_rollup()?.memory_map_rollup;
            let kib = |name| rollup.iter().filter_map(|map| map.extension.map.get(name)).sum::<u64>() / 1024;
            memory.resident_kib += kib("Rss");
            memory.proportional_kib += kib("Pss");
            memory.huge_kib += kib("AnonHugePages");
        }
        Ok(memory)
    }

    /// Waits for its end, and keeps an eye on its memory.
    pub(crate) fn wait(mut self, patience: Duration) -> Result<Ended, Failure> {
        let until = Instant::now() + patience;
        loop {
            if let Some(status) = self.ended()? {
                let (stdout, stderr) = (self.stdout.read_to_end(), self.stderr.read_to_end());
                return Ok(Ended { status, stdout, stderr, peak_kib: self.peak_kib });
            }
            self.note_peak();
            if Instant::now() > until {
                return Err(format!("{} has not ended after {patience:?}", self.name).into());
            }
            std::thread::sleep(POLL);
        }
    }

    /// The greatest resident memory ever, of each process by itself, added up.
    pub(crate) fn note_peak(&mut self) {
        let peaks = self.tree().into_iter().filter_map(|process| process.status().ok()?.vmhwm);
        self.peak_kib = self.peak_kib.max(peaks.sum());
    }

    fn tree(&self) -> Vec<Process> {
        let mut found = Vec::new();
        let mut open = vec![self.child.id()];
        while let Some(pid) = open.pop() {
            let Some(process) = i32::try_from(pid).ok().and_then(|pid| Process::new(pid).ok()) else { continue };
            if let Ok(tasks) = process.tasks() {
                open.extend(tasks.flatten().filter_map(|task| task.children().ok()).flatten());
            }
            found.push(process);
        }
        found
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// An error with what the program said, unless it ended well.
    pub(crate) fn checked(self, name: &str) -> Result<Self, Failure> {
        if self.status.success() {
            return Ok(self);
        }
        Err(format!("{name} failed ({}):\n{}{}", self.status, tail(&self.stdout), tail(&self.stderr)).into())
    }
}

/// The last lines of a text.
fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(8)..].iter().map(|line| format!("    {line}\n")).collect()
}
