//! Where `handle_summary`'s texts go: standard output, standard error, and files below a folder that was granted.

use std::io::Write;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;

/// The folder that a module may write below, if any was granted.
#[derive(Debug)]
pub struct Destinations {
    granted: Option<(PathBuf, Dir)>,
}

/// Why a text was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Nobody granted a folder: the person's choice, and no fault.
    #[error("`{0}` was not written: no folder is granted; allow it with --allow-write .")]
    NotGranted(String),
    /// A path that leads out of the folder, a full disk, a folder that cannot be written.
    #[error("`{path}` was not written below {folder}: {reason}")]
    File {
        /// As the module gave it.
        path: String,
        /// As granted.
        folder: String,
        /// The system's word.
        reason: std::io::Error,
    },
    /// Standard output or standard error.
    #[error("{stream} cannot be written: {reason}")]
    Stream {
        /// `stdout` or `stderr`.
        stream: &'static str,
        /// The system's word.
        reason: std::io::Error,
    },
}

/// The folder is none.
#[derive(Debug, thiserror::Error)]
#[error("--allow-write {folder}: cannot be opened ({reason}); give a folder that exists")]
pub struct FolderError {
    folder: String,
    reason: String,
}

impl Destinations {
    /// Opens the granted folder, before the load.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn new(granted: Option<&Path>) -> Result<Self, FolderError> {
        let open = |folder: &Path| match Dir::open_ambient_dir(folder, ambient_authority()) {
            Ok(dir) => Ok((folder.to_owned(), dir)),
            Err(error) => Err(FolderError { folder: folder.display().to_string(), reason: error.to_string() }),
        };
        Ok(Self { granted: granted.map(open).transpose()? })
    }

    /// Writes one text.
    ///
    /// # Errors
    /// When the destination is not granted, or cannot be written.
    pub fn write(&self, destination: &str, content: &[u8]) -> Result<(), WriteError> {
        match destination {
            "stdout" => print(&mut std::io::stdout().lock(), "stdout", content),
            "stderr" => print(&mut std::io::stderr().lock(), "stderr", content),
            path => self.write_file(path, content),
        }
    }

    /// The folder is a capability: a path that leads out of it, by `..`, from the root or over a link, is refused by the library.
    fn write_file(&self, path: &str, content: &[u8]) -> Result<(), WriteError> {
        let Some((folder, dir)) = &self.granted else { return Err(WriteError::NotGranted(path.to_owned())) };
        let parent = Path::new(path).parent().filter(|parent| !parent.as_os_str().is_empty());
        let made = parent.map_or(Ok(()), |parent| dir.create_dir_all(parent));
        made.and_then(|()| dir.write(path, content)).map_err(|reason| WriteError::File {
            path: path.to_owned(),
            folder: folder.display().to_string(),
            reason,
        })
    }
}

/// Prints a text, to the last byte: what stays in a buffer would be lost without a word. A reader that has gone away has seen what it wanted.
///
/// # Errors
/// When the stream takes no more, as on a full disk.
pub fn print(stream: &mut impl Write, name: &'static str, content: &[u8]) -> Result<(), WriteError> {
    match stream.write_all(content).and_then(|()| stream.flush()) {
        Err(reason) if reason.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(WriteError::Stream { stream: name, reason })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_outside_the_granted_folder() {
        let outer = std::env::temp_dir().join(format!("flashcrowd-destinations-{}", std::process::id()));
        let inner = outer.join("inner");
        std::fs::create_dir_all(&inner).unwrap();
        std::os::unix::fs::symlink(&outer, inner.join("link")).unwrap();
        let destinations = Destinations::new(Some(&inner)).unwrap();
        destinations.write("a/b.txt", b"inside").unwrap();
        assert_eq!(std::fs::read(inner.join("a/b.txt")).unwrap(), b"inside");
        for path in ["../out.txt", "a/../../out.txt", "link/out.txt"] {
            assert!(destinations.write(path, b"outside").is_err(), "{path}");
        }
        assert!(destinations.write(&outer.join("out.txt").display().to_string(), b"outside").is_err());
        assert!(!outer.join("out.txt").exists());
        let none = Destinations::new(None).unwrap().write("a.txt", b"").unwrap_err();
        assert!(none.to_string().contains("--allow-write"), "{none}");
        std::fs::remove_dir_all(outer).unwrap();
    }
}
