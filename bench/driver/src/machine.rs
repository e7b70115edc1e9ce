//! What the figures were measured on.

use std::process::Command;

use serde::Serialize;

/// A machine, and how busy it was.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: f64,
    pub(crate) kernel: String,
    pub(crate) rustc: String,
    pub(crate) date: String,
    /// Over one minute, before the bench began.
    pub(crate) load_average: f32,
    pub(crate) open_files: String,
    pub(crate) max_map_count: String,
    /// Whether the kernel makes huge pages of small ones by itself, which decides what stacks and heaps keep resident.
    pub(crate) huge_pages: String,
}

impl Machine {
    pub(crate) fn look() -> Self {
        let first_line = |program: &str, args: &[&str]| {
            let output = Command::new(program).args(args).output().ok()?;
            Some(String::from_utf8_lossy(&output.stdout).lines().next()?.to_owned())
        };
        let unknown = || "unknown".to_owned();
        let cpu_info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpu_info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let memory_kib = procfs_memory();
        let limits = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        Self {
            cpu: cpu.map_or_else(unknown, |(_, name)| name.trim().to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: memory_kib as f64 / 1024.0 / 1024.0,
            kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease")
                .map_or_else(|_| unknown(), |text| text.trim().to_owned()),
            rustc: first_line("rustc", &["--version"]).unwrap_or_else(unknown),
            date: first_line("date", &["-u", "+%Y-%m-%d %H:%M UTC"]).unwrap_or_else(unknown),
            load_average: load_average(),
            open_files: limits.maximum.map_or_else(|| "unlimited".to_owned(), |files| files.to_string()),
            max_map_count: std::fs::read_to_string(MAX_MAP_COUNT)
                .map_or_else(|_| unknown(), |text| text.trim().to_owned()),
            huge_pages: std::fs::read_to_string(HUGE_PAGES)
                .ok()
                .as_deref()
                .and_then(chosen)
                .map_or_else(unknown, str::to_owned),
        }
    }

    /// Whether something else was running: what one busy task leaves in the load average.
    pub(crate) fn noisy(&self) -> bool {
        self.load_average > 0.5
    }
}

/// How many mappings a process may have.
pub(crate) const MAX_MAP_COUNT: &str = "/proc/sys/vm/max_map_count";

const HUGE_PAGES: &str = "/sys/kernel/mm/transparent_hugepage/enabled";

/// The word in brackets: `always [madvise] never`.
fn chosen(choices: &str) -> Option<&str> {
    Some(choices.split_once('[')?.1.split_once(']')?.0)
}

/// Over the last minute.
pub(crate) fn load_average() -> f32 {
    use procfs::Current as _;
    procfs::LoadAverage::current().map_or(f32::NAN, |load| load.one)
}

fn procfs_memory() -> u64 {
    use procfs::Current as _;
    procfs::Meminfo::current().map_or(0, |memory| memory.mem_total / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_is_in_brackets() {
        assert_eq!(chosen("always [madvise] never\n"), Some("madvise"));
        assert_eq!(chosen(""), None);
    }
}
