//! The files that are granted to a module.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;

use crate::field_error::FieldError;

/// Reads each granted file, once for all virtual users.
///
/// # Errors
/// One that cannot be read, naming the flag.
pub(super) fn read(files: &BTreeMap<String, PathBuf>) -> Result<BTreeMap<String, Bytes>, FieldError> {
    let read = |(name, path): (&String, &PathBuf)| match std::fs::read(path) {
        Ok(bytes) => Ok((name.clone(), bytes.into())),
        Err(error) => Err(FieldError::new(
            "--file",
            format!("{name}={}", path.display()),
            format!("cannot be read ({error}); give a file that is there"),
        )),
    };
    files.iter().map(read).collect()
}
