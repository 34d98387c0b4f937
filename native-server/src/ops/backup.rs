//! `isopoint backup` and `restore`: every backup is a whole data folder.
//!
//! ```text
//! DEST/20261124T174500Z/     VERSION, manifest/, wal/, db1/…: what `isopoint serve --data-dir` opens
//! DEST/20261125T174500Z/     the next; a block file that an earlier one has is a hard link to it
//! ```
//!
//! So a backup costs what is new, and any of them may be deleted on its own. One that is being made has the ending
//! `.part` until it is whole and durable.

use super::view::{self, Listing, Unreadable};
use super::{Failure, FolderArgs, at, bar};
use crate::cli::Exit;
use crate::host::{clock, files::Files};
use indicatif::{HumanBytes, ProgressBar};
use isopoint_core::store::FileName;
use isopoint_core::store::manifest::Manifest;
use isopoint_core::time::Timestamp;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct BackupArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// Folder that holds the backups, one folder each; made when missing
    #[arg(value_name = "DEST")]
    dest: PathBuf,
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct RestoreArgs {
    /// A backup, or a folder of backups: then the latest of them
    #[arg(value_name = "BACKUP")]
    from: PathBuf,
    /// Data folder to make; it must be missing or empty
    #[arg(long, env = "ISOPOINT_DATA_DIR", default_value = "isopoint-data", value_name = "DIR")]
    data_dir: PathBuf,
}

pub(super) fn backup(args: &BackupArgs) -> Result<Exit, Failure> {
    let (source, dest) = (&args.folder.data_dir, &args.dest);
    fs::create_dir_all(dest).map_err(at(dest))?;
    let earlier = blocks_of_backups(dest).map_err(at(dest))?;
    let name = name_of(clock::now());
    let (part, whole) = (dest.join(format!("{name}.part")), dest.join(&name));
    if whole.exists() {
        return Err(Failure::failed(format!("{} is there already; try again in a second", whole.display())));
    }
    let copied = view::consistent(source, |files, listing| {
        let wanted = live(files, listing)?;
        let copy = Copy::new(source, &part, wanted.iter().map(|(_, len)| len).sum(), "backup");
        match copy.all(&wanted, &earlier) {
            Ok(copied) => Ok(copied),
            Err(error) => Err(Unreadable::Io(error)),
        }
    })?;
    let copied = copied.map_err(|error| {
        let _ = fs::remove_dir_all(&part);
        Failure::failed(format!("{}: {error}", source.display()))
    })?;
    // What cannot be opened is no backup.
    let opened = view::View::open(&part)?;
    fs::rename(&part, &whole).map_err(at(&whole))?;
    File::open(dest).and_then(|folder| folder.sync_all()).map_err(at(dest))?;
    println!(
        "{}: {} block files, {} points in logs; {} copied, {} linked to earlier backups",
        whole.display(),
        opened.report.files,
        opened.report.points,
        HumanBytes(copied.copied),
        HumanBytes(copied.linked),
    );
    Ok(Exit::Done)
}

pub(super) fn restore(args: &RestoreArgs) -> Result<Exit, Failure> {
    let from = match latest(&args.from).map_err(at(&args.from))? {
        Some(backup) => backup,
        None => args.from.clone(),
    };
    let target = &args.data_dir;
    let occupied = target.exists() && fs::read_dir(target).map_err(at(target))?.next().is_some();
    if occupied {
        return Err(Failure::folder(format!("{} is not empty; name another with --data-dir", target.display())));
    }
    // A damaged backup is found before anything is made of it.
    let source = view::View::open(&from)?;
    let part = target.with_extension("restoring");
    if part.exists() {
        fs::remove_dir_all(&part).map_err(at(&part))?;
    }
    let wanted: Vec<_> = source.listing.clone();
    let copy = Copy::new(&from, &part, wanted.iter().map(|(_, len)| len).sum(), "restore");
    let copied = copy.all(&wanted, &HashMap::new()).map_err(at(&part))?;
    if target.exists() {
        fs::remove_dir(target).map_err(at(target))?;
    }
    fs::rename(&part, target).map_err(at(target))?;
    println!("{} restored from {}: {}", target.display(), from.display(), HumanBytes(copied.copied));
    Ok(Exit::Done)
}

/// The files of a listing that make its state, without what only waits to be deleted.
fn live(files: &Files, listing: &Listing) -> Result<Listing, Unreadable> {
    let (name, number, bytes) = view::manifest(files, listing)?;
    let manifest = Manifest::read(number, &bytes).map_err(Unreadable::Store)?;
    let from = manifest.checkpoint.replay_from;
    let mut wanted: Listing = manifest.files.iter().map(|entry| (entry.name(), entry.len)).collect();
    wanted.extend(listing.iter().filter(|(file, _)| file.as_wal().is_some_and(|segment| segment >= from)).cloned());
    wanted.push((name, bytes.len() as u64));
    wanted.extend(listing.iter().filter(|(file, _)| *file == FileName::version()).cloned());
    Ok(wanted)
}

/// `20261124T174500Z`
fn name_of(now: Timestamp) -> String {
    let mut text = Vec::new();
    isopoint_core::time::write_rfc3339(now.nanos(), 0, &mut text);
    let text = String::from_utf8_lossy(&text).into_owned();
    text.chars().take_while(|c| *c != '.' && *c != 'Z').filter(|c| *c != '-' && *c != ':').chain(['Z']).collect()
}

/// The backups in a folder, oldest first.
fn backups(dest: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dest)? {
        let path = entry?.path();
        if path.extension().is_none() && path.join(FileName::version().as_str()).exists() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn latest(dest: &Path) -> io::Result<Option<PathBuf>> {
    Ok(backups(dest)?.pop())
}

/// Where earlier backups have a block file, by its hash.
fn blocks_of_backups(dest: &Path) -> io::Result<HashMap<u128, PathBuf>> {
    let mut found = HashMap::new();
    for backup in backups(dest)? {
        for (file, _) in Files::new(&backup).list()? {
            if let Some(hash) = file.block_hash() {
                found.insert(hash, backup.join(file.as_str()));
            }
        }
    }
    Ok(found)
}

#[derive(Clone, Copy, Debug, Default)]
struct Copied {
    copied: u64,
    linked: u64,
}

struct Copy<'a> {
    from: &'a Path,
    to: &'a Path,
    bar: ProgressBar,
}

impl<'a> Copy<'a> {
    fn new(from: &'a Path, to: &'a Path, total: u64, what: &'static str) -> Self {
        Self { from, to, bar: bar(total, what) }
    }

    /// Copies or links every file and makes them durable. What an earlier try left there is used where it is whole.
    fn all(&self, wanted: &[(FileName, u64)], earlier: &HashMap<u128, PathBuf>) -> io::Result<Copied> {
        let mut done = Copied::default();
        let mut folders = vec![self.to.to_owned()];
        // Logs of an earlier try belong to another moment.
        for kind in ["wal", "manifest"] {
            match fs::remove_dir_all(self.to.join(kind)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        for (file, len) in wanted {
            let target = self.to.join(file.as_str());
            let folder = target.parent().expect("a name lies below the root");
            fs::create_dir_all(folder)?;
            folders.extend(folder.ancestors().take_while(|parent| *parent != self.to).map(Path::to_owned));
            let earlier = file.block_hash().and_then(|hash| earlier.get(&hash));
            if target.exists() && file.is_block() {
                self.bar.inc(*len);
            } else if earlier.is_some_and(|earlier| fs::hard_link(earlier, &target).is_ok()) {
                done.linked += len;
                self.bar.inc(*len);
            } else {
                self.copy(file, *len, &target)?;
                done.copied += len;
            }
        }
        folders.sort();
        folders.dedup();
        folders.iter().try_for_each(|folder| File::open(folder)?.sync_all())?;
        self.bar.finish_and_clear();
        Ok(done)
    }

    /// The first `len` bytes; a file that is shorter by now is an error.
    fn copy(&self, file: &FileName, len: u64, target: &Path) -> io::Result<()> {
        let mut source = File::open(self.from.join(file.as_str()))?.take(len);
        let temporary = target.with_extension("tmp");
        let mut out = File::create(&temporary)?;
        let mut buffer = vec![0; 1 << 20];
        let mut left = len;
        while left > 0 {
            let read = source.read(&mut buffer)?;
            if read == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{file} became shorter")));
            }
            out.write_all(&buffer[..read])?;
            self.bar.inc(read as u64);
            left -= read as u64;
        }
        out.sync_all()?;
        fs::rename(&temporary, target)
    }
}
