//! A data folder: one process at a time.

use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::path::Path;

/// A folder that is this process's until dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    _lock: File,
}

impl Folder {
    /// Makes the folder when it is missing and locks it. The error is one sentence that says what to do.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        make(path).map_err(|error| {
            format!("cannot make the data folder {shown}: {error}; choose another with --data-dir or change its owner")
        })?;
        let lock = path.join("LOCK");
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&lock).map_err(|error| {
            format!("cannot write to the data folder {shown}: {error}; choose another with --data-dir or change its owner")
        })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let owner = fs::read_to_string(&lock).unwrap_or_default();
                let owner = owner.trim();
                let who = if owner.is_empty() { String::new() } else { format!(" (process {owner})") };
                return Err(format!(
                    "the data folder {shown} is in use by another server{who}; stop that one or choose another with --data-dir"
                ));
            }
            Err(TryLockError::Error(error)) => return Err(format!("cannot lock the data folder {shown}: {error}")),
        }
        // For the message above only; the lock is the system's, so a stale number harms nobody.
        let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Self { _lock: file })
    }
}

/// A new folder is its owner's only.
fn make(path: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_owner() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let first = Folder::open(&path).unwrap();
        let refusal = Folder::open(&path).unwrap_err();
        assert!(refusal.contains("in use by another server") && refusal.contains("--data-dir"), "{refusal}");
        drop(first);
        Folder::open(&path).unwrap();
    }
}
