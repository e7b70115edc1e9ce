//! Starting a service, to stay or as long as this process lives.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::{Facts, Plan, Service, home, needed, state};
use crate::shell::Failure;

/// Nothing here takes longer unless it hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// Another process may take a free port before the service does.
const ATTEMPTS: u32 = 5;

/// How many this process started: each has a folder of its own.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// Runs a service until standard input ends, which it does when the process at its other end does, however that ends. The service may
/// end before: then so does this.
const GUARD: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- &
service=$!
{ cat <&3 >/dev/null; kill -TERM "$service"; } &
watch=$!
exec 3<&-
wait "$service"
code=$?
kill "$watch" 2>/dev/null
exit "$code"
"#;

/// A service that ends with this value, and with this process.
pub struct Running {
    guard: Child,
    folder: PathBuf,
    facts: Facts,
}

impl Running {
    /// A URL or a file by its name.
    ///
    /// # Panics
    /// If the service has no such fact.
    #[must_use]
    pub fn fact(&self, name: &str) -> &str {
        self.facts.get(name).unwrap_or_else(|| panic!("no fact {name:?} among {:?}", self.facts))
    }

    /// All of them.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Where its files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Where a program is, which a Debian package has; installed if it is missing and this process may do that.
///
/// # Errors
/// If it is missing and cannot be installed.
pub fn tool(program: &str, package: &str) -> Result<PathBuf, Failure> {
    let _lock = state::lock()?;
    needed(program, package)
}

/// Installs what is missing and starts a service that lives no longer than this process.
///
/// # Errors
/// If it cannot be had here, or does not start.
pub fn start(service: &dyn Service) -> Result<Running, Failure> {
    let lock = state::lock()?;
    sweep();
    service.install()?;
    drop(lock);
    let number = STARTED.fetch_add(1, Ordering::Relaxed);
    let folder = home().join(format!("of-{}-{}-{number}", std::process::id(), service.name()));
    let (guard, facts) = launch(service, &folder, |command| {
        let mut guarded = Command::new("sh");
        guarded.arg("-c").arg(GUARD).arg("guard").arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => guarded.env(name, value),
                None => guarded.env_remove(name),
            };
        }
        guarded.stdin(Stdio::piped());
        guarded
    })?;
    Ok(Running { guard, folder, facts })
}

/// Starts a service that outlives this process; gives its process and its facts.
pub(super) fn start_to_stay(service: &dyn Service, folder: &Path) -> Result<(u32, Facts), Failure> {
    use std::os::unix::process::CommandExt;

    let (child, facts) = launch(service, folder, |mut command| {
        // A Ctrl-C in the terminal is not meant for it.
        command.stdin(Stdio::null()).process_group(0);
        command
    })?;
    Ok((child.id(), facts))
}

fn launch(
    service: &dyn Service,
    folder: &Path,
    prepared: impl Fn(Command) -> Command,
) -> Result<(Child, Facts), Failure> {
    let name = service.name();
    for _ in 0..ATTEMPTS {
        let _ = std::fs::remove_dir_all(folder);
        std::fs::create_dir_all(folder)?;
        let Plan { command, facts, ready } = service.plan(folder)?;
        let printed = folder.join("printed.txt");
        let output = File::create(&printed)?;
        let mut command = prepared(command);
        command.current_dir(folder).stdout(output.try_clone()?).stderr(output);
        let mut child = command.spawn().map_err(|error| format!("{name} cannot be started: {error}"))?;
        let begun = Instant::now();
        loop {
            if child.try_wait()?.is_some() {
                break;
            }
            if ready() {
                return Ok((child, facts));
            }
            if begun.elapsed() > PATIENCE {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("{name} does not answer; it printed {}", text(&printed)).into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Err(format!("{name} ends at once; it printed {}", text(&folder.join("printed.txt"))).into())
}

fn text(file: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(file).unwrap_or_default()).into_owned()
}

/// Removes the folders of processes that are gone.
fn sweep() {
    for entry in std::fs::read_dir(home()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name.strip_prefix("of-").and_then(|rest| rest.split('-').next()).map(str::to_owned);
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
