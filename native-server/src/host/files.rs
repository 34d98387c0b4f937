//! The store's file actions on this machine's file system, and reads of block files through memory maps.

use super::map::map;
use crate::config::Fsync;
use bytes::Bytes;
use isopoint_core::store::{ByteRange, FileName};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Deleted files stay readable this long: a query may hold a snapshot that names them.
const GRACE: Duration = Duration::from_secs(600);

/// Where `isopoint repair` sets aside what it takes out of a folder.
pub(crate) const DAMAGED: &str = "damaged/";

/// Files below a data folder. Appends belong to one thread; reads to any.
#[derive(Debug)]
pub(crate) struct Files {
    root: PathBuf,
    maps: Mutex<Maps>,
}

#[derive(Debug, Default)]
struct Maps {
    live: HashMap<FileName, Bytes>,
    deleted: Vec<(Instant, FileName)>,
}

/// The writing side: open logs, and when they are synced.
#[derive(Debug)]
pub(crate) struct LogFiles {
    fsync: Fsync,
    open: HashMap<FileName, File>,
    /// Appended to since their last sync, under `Fsync::Interval`.
    unsynced: Vec<FileName>,
    last_sync: Instant,
}

impl Files {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), maps: Mutex::default() }
    }

    fn path(&self, name: &FileName) -> PathBuf {
        self.root.join(name.as_str())
    }

    /// Every file below the root but the host's own and temporary ones of a `put` that was cut off, with its length.
    pub(crate) fn list(&self) -> io::Result<Vec<(FileName, u64)>> {
        let mut found = Vec::new();
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                let (path, kind) = (entry.path(), entry.file_type()?);
                if kind.is_dir() {
                    folders.push(path);
                    continue;
                }
                let Some(name) = path.strip_prefix(&self.root).ok().and_then(Path::to_str) else { continue };
                // The audit log is the server's, and grows while the rest stands still.
                if name != "LOCK" && !name.starts_with("audit") && !name.ends_with(".tmp") && !name.starts_with(DAMAGED)
                {
                    found.push((FileName::new(name.replace('\\', "/")), entry.metadata()?.len()));
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// The bytes of part of a file. Shares the file's map: nothing is copied.
    pub(crate) fn read(&self, range: &ByteRange) -> io::Result<Bytes> {
        let whole = self.whole(&range.file)?;
        let end = range.offset.checked_add(u64::from(range.len)).filter(|end| *end <= whole.len() as u64);
        let Some(end) = end else {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("{} is shorter than its index says", range.file),
            ));
        };
        Ok(whole.slice(range.offset as usize..end as usize))
    }

    pub(crate) fn whole(&self, name: &FileName) -> io::Result<Bytes> {
        let mut maps = self.maps.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = maps.live.get(name) {
            return Ok(bytes.clone());
        }
        let bytes = map(&File::open(self.path(name))?)?;
        maps.live.insert(name.clone(), bytes.clone());
        Ok(bytes)
    }

    /// The bytes of a log, read rather than mapped: it will grow.
    pub(crate) fn read_log(&self, name: &FileName) -> io::Result<Bytes> {
        fs::read(self.path(name)).map(Bytes::from)
    }

    /// Part of a file of which a log may have grown since: what is past the end asked for is left out.
    pub(crate) fn read_grown(&self, range: &ByteRange) -> io::Result<Bytes> {
        if range.file.is_block() {
            return self.read(range);
        }
        let whole = self.read_log(&range.file)?;
        let end = range.offset.saturating_add(u64::from(range.len)).min(whole.len() as u64);
        Ok(whole.slice(range.offset.min(end) as usize..end as usize))
    }

    /// Removes what a `put` that was cut off has left. Only the folder's owner may.
    pub(crate) fn sweep(&self) -> io::Result<()> {
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                } else if entry.path().extension().is_some_and(|ending| ending == "tmp") {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(())
    }

    /// Atomic and durable: temporary file, sync, rename, sync of the folder.
    pub(crate) fn put(&self, name: &FileName, bytes: &[u8]) -> io::Result<()> {
        let path = self.path(name);
        let folder = path.parent().expect("a name lies below the root");
        let made_folder = !folder.exists();
        fs::create_dir_all(folder)?;
        let temporary = path.with_extension("tmp");
        let written = (|| {
            let mut file = File::create(&temporary)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)
        })();
        if let Err(error) = written {
            let _ = fs::remove_file(&temporary);
            return Err(error);
        }
        sync_folder(folder)?;
        if made_folder {
            self.sync_parents(folder)?;
        }
        Ok(())
    }

    /// Cuts a log to `len` bytes, durably. One that is not there or no longer than that is left alone.
    pub(crate) fn truncate(&self, name: &FileName, len: u64) -> io::Result<()> {
        let file = match File::options().write(true).open(self.path(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        if file.metadata()?.len() > len {
            file.set_len(len)?;
            file.sync_all()?;
        }
        Ok(())
    }

    /// Makes a file durable under another name: sync, rename, sync of the folder.
    pub(crate) fn rename(&self, from: &FileName, to: &FileName) -> io::Result<()> {
        let (from, to) = (self.path(from), self.path(to));
        File::options().write(true).open(&from)?.sync_all()?;
        fs::rename(&from, &to)?;
        sync_folder(to.parent().expect("a name lies below the root"))
    }

    pub(crate) fn delete(&self, name: &FileName) -> io::Result<()> {
        if !name.is_temporary() {
            // Mapped before it goes, for the snapshots that name it; a file already gone has no reader.
            let _ = self.whole(name);
        }
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut maps = self.maps.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        maps.deleted.push((now, name.clone()));
        let (gone, kept) = std::mem::take(&mut maps.deleted).into_iter().partition(|(at, _)| now - *at > GRACE);
        maps.deleted = kept;
        let gone: Vec<(Instant, FileName)> = gone;
        for (_, name) in gone {
            maps.live.remove(&name);
        }
        Ok(())
    }

    /// New folders are durable once each of their parents is synced.
    fn sync_parents(&self, folder: &Path) -> io::Result<()> {
        let mut folder = folder;
        while let Some(parent) = folder.parent().filter(|_| folder != self.root) {
            sync_folder(parent)?;
            folder = parent;
        }
        Ok(())
    }
}

impl LogFiles {
    pub(crate) fn new(fsync: Fsync) -> Self {
        Self { fsync, open: HashMap::new(), unsynced: Vec::new(), last_sync: Instant::now() }
    }

    pub(crate) fn append(&mut self, files: &Files, name: &FileName, bytes: &[u8]) -> io::Result<()> {
        self.file(files, name)?.write_all(bytes)
    }

    /// The log, opened once; its name in the folder is durable from then on.
    fn file(&mut self, files: &Files, name: &FileName) -> io::Result<&mut File> {
        if !self.open.contains_key(name) {
            let path = files.path(name);
            let folder = path.parent().expect("a name lies below the root");
            fs::create_dir_all(folder)?;
            let file = File::options().create(true).append(true).open(&path)?;
            sync_folder(folder)?;
            files.sync_parents(folder)?;
            self.open.insert(name.clone(), file);
        }
        Ok(self.open.get_mut(name).expect("opened above"))
    }

    /// Makes a log durable now, later or never, as the policy says.
    pub(crate) fn sync(&mut self, files: &Files, name: &FileName) -> io::Result<()> {
        match self.fsync {
            Fsync::Always => self.file(files, name)?.sync_data(),
            Fsync::Interval => {
                if !self.unsynced.contains(name) {
                    self.unsynced.push(name.clone());
                }
                self.sync_due()
            }
            Fsync::Never => Ok(()),
        }
    }

    /// Under `Fsync::Interval`: syncs what was appended when a second has passed.
    pub(crate) fn sync_due(&mut self) -> io::Result<()> {
        if self.unsynced.is_empty() || self.last_sync.elapsed() < Duration::from_secs(1) {
            return Ok(());
        }
        self.last_sync = Instant::now();
        for name in std::mem::take(&mut self.unsynced) {
            if let Some(file) = self.open.get(&name) {
                file.sync_data()?;
            }
        }
        Ok(())
    }

    pub(crate) fn forget(&mut self, name: &FileName) {
        self.open.remove(name);
        self.unsynced.retain(|file| file != name);
    }
}

/// What went wrong with a file, and what to do where that is known.
pub(crate) fn reason(error: &io::Error) -> String {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let advice = match error.kind() {
        StorageFull => {
            "free space on the disk of the data folder, or raise the limit; writes work again as soon as there is room"
        }
        QuotaExceeded | FileTooLarge => {
            "raise the limit of the user that runs this server; writes work again as soon as there is room"
        }
        ReadOnlyFilesystem => "mount the disk of the data folder for writing",
        _ => return error.to_string(),
    };
    format!("{error}: {advice}")
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_put_read_listed_and_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(folder.path());
        let name = FileName::new("db1/rp1/0/abc.blk");
        files.put(&name, b"0123456789").unwrap();
        fs::write(folder.path().join("db1/rp1/0/torn.tmp"), b"x").unwrap();
        assert_eq!(files.list().unwrap(), [(name.clone(), 10)]);
        files.sweep().unwrap();
        assert!(!folder.path().join("db1/rp1/0/torn.tmp").exists());
        let range = |offset, len| ByteRange { file: name.clone(), offset, len };
        assert_eq!(&files.read(&range(3, 4)).unwrap()[..], b"3456");
        assert!(files.read(&range(8, 4)).is_err());
        files.delete(&name).unwrap();
        assert_eq!(files.list().unwrap(), []);
        assert_eq!(&files.read(&range(0, 1)).unwrap()[..], b"0", "a snapshot may still name it");
        files.delete(&name).unwrap();
    }

    #[test]
    fn logs_grow_and_are_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(folder.path());
        let mut logs = LogFiles::new(Fsync::Always);
        let name = FileName::new("wal/00000001.wal");
        for part in [&b"ab"[..], b"cd"] {
            logs.append(&files, &name, part).unwrap();
            logs.sync(&files, &name).unwrap();
        }
        assert_eq!(&files.read_log(&name).unwrap()[..], b"abcd");
    }
}
