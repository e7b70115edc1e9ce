//! Where results files lie unless the person says otherwise.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Files that are kept; with a further one the oldest goes.
const KEPT: usize = 20;
/// The end of a results file's name.
const EXTENSION: &str = "fcr";
/// Characters of a module's name that a file's name has.
const NAME_CHARACTERS: usize = 60;
/// Runs of one module that begin within one millisecond.
const MOST_AT_ONCE: u32 = 1_000;

/// Where a run's results go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// A new file in the [`Folder`].
    #[default]
    Default,
    /// This file.
    File(PathBuf),
    /// Nowhere.
    Nowhere,
}

/// The folder of results files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder(PathBuf);

/// There is no such folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no folder for results: neither XDG_STATE_HOME nor HOME is set; set one, or name the file yourself")]
pub struct NoFolder;

impl Folder {
    /// `$XDG_STATE_HOME/flashcrowd/results`, or `~/.local/state/flashcrowd/results`. `variable` looks up a variable of the
    /// process. Relative paths are ignored, as the XDG rules say.
    ///
    /// # Errors
    /// When neither is set.
    pub fn find(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, NoFolder> {
        let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
        Ok(Self(state.ok_or(NoFolder)?.join("flashcrowd").join("results")))
    }

    /// The folder's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A new file for a run of this module that begins now, with the folder if need be. Nobody else has the file.
    ///
    /// # Errors
    /// The system's.
    pub fn create(&self, started: SystemTime, module: &str) -> io::Result<(PathBuf, File)> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        let stem = format!("{}-{}", compact_time(started), file_name(module));
        for number in 1..=MOST_AT_ONCE {
            let again = if number == 1 { String::new() } else { format!("-{number}") };
            let path = self.0.join(format!("{stem}{again}.{EXTENSION}"));
            match File::options().write(true).create_new(true).mode(0o600).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
                Ok(file) => {
                    lock(&file)?;
                    return Ok((path, file));
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// All results files, oldest first.
    ///
    /// # Errors
    /// The system's; a folder that does not exist has no files.
    pub fn files(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match std::fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            let named = path.extension().is_some_and(|extension| extension == EXTENSION);
            if named && entry.file_type()?.is_file() {
                files.push(path);
            }
        }
        // Names begin with the time.
        files.sort();
        Ok(files)
    }

    /// Deletes the oldest files beyond those that are kept. A run that is still going on keeps its file.
    ///
    /// # Errors
    /// The system's.
    pub fn prune(&self) -> io::Result<()> {
        let files = self.files()?;
        for path in &files[..files.len().saturating_sub(KEPT)] {
            let removed = if is_being_written(path) { Ok(()) } else { std::fs::remove_file(path) };
            // Another run may have been faster.
            removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
        }
        Ok(())
    }
}

/// Marks the file as being written, until it is closed.
///
/// # Errors
/// When another run has marked it. A file system without locks is no error.
pub(super) fn lock(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(io::Error::new(io::ErrorKind::ResourceBusy, "another run is writing it")),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// Whether a run has the file open to write its results to it.
#[must_use]
pub(crate) fn is_being_written(path: &Path) -> bool {
    // Dropping the file gives a lock that was got back at once.
    File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// For people and for other programs: `2026-11-21T12:14:51.123Z`.
pub(crate) fn utc(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

/// The same as file names have it: `20261121T121451.123Z`.
fn compact_time(time: SystemTime) -> String {
    utc(time).replace(['-', ':'], "")
}

/// A module chooses its name: what is no plain letter is none in a file's name.
fn file_name(module: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    let name: String = module.chars().take(NAME_CHARACTERS).map(plain).collect();
    if name.is_empty() { "unnamed".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    const START: SystemTime = UNIX_EPOCH;

    fn folder(name: &str) -> (PathBuf, Folder) {
        let state = std::env::temp_dir().join(format!("flashcrowd-results-{name}-{}", std::process::id()));
        let folder = Folder::find(|variable| (variable == "XDG_STATE_HOME").then(|| state.clone().into_os_string()));
        (state.clone(), folder.unwrap())
    }

    #[test]
    fn the_folder_follows_the_rules_of_xdg() {
        let find = |state: &str, home: &str| {
            let value = |text: &str| (!text.is_empty()).then(|| OsString::from(text));
            Folder::find(|name| if name == "HOME" { value(home) } else { value(state) }).map(|folder| folder.0)
        };
        assert_eq!(find("/state", "/home/a"), Ok("/state/flashcrowd/results".into()));
        assert_eq!(find("", "/home/a"), Ok("/home/a/.local/state/flashcrowd/results".into()));
        assert_eq!(find("state", "/home/a"), Ok("/home/a/.local/state/flashcrowd/results".into()));
        assert_eq!(find("", ""), Err(NoFolder));
    }

    #[test]
    fn files_are_private_and_never_shared() {
        let (state, folder) = folder("private");
        let made: Vec<_> = (0..3).map(|_| folder.create(START, "../coupon").unwrap()).collect();
        let names: Vec<_> =
            made.iter().map(|(path, _)| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
        let stem = "19700101T000000.000Z-___coupon";
        assert_eq!(names, [format!("{stem}.fcr"), format!("{stem}-2.fcr"), format!("{stem}-3.fcr")]);
        assert_eq!(made[0].1.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(is_being_written(&made[0].0));
        let (path, file) = made.into_iter().next().unwrap();
        drop(file);
        assert!(!is_being_written(&path));
        std::fs::remove_dir_all(state).unwrap();
    }

    #[test]
    fn the_oldest_go_unless_they_are_being_written() {
        let (state, folder) = folder("prune");
        let create = |second| folder.create(START + Duration::from_secs(second), "a").unwrap();
        let running = create(0);
        (1..=25).for_each(|second| drop(create(second)));
        std::fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        folder.prune().unwrap();
        let files = folder.files().unwrap();
        assert_eq!(files.len(), KEPT + 1);
        assert_eq!(files[0], running.0);
        assert!(files[1].to_string_lossy().contains("T000006"), "{files:?}");
        assert!(folder.path().join("notes.txt").exists());
        std::fs::remove_dir_all(state).unwrap();
    }
}
