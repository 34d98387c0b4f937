//! `isopoint repair`: a folder that does not open becomes one that does, by taking out what is damaged.
//!
//! It says what it would take out and does it only with `--yes`. Nothing is deleted: files and the ends of logs go to
//! `damaged/` in the folder.

use super::verify::{check_file, read_manifest};
use super::view::{Listing, Unreadable, recover};
use super::{Failure, FolderArgs, at, bar};
use crate::cli::Exit;
use crate::host::files::{DAMAGED, Files};
use crate::host::folder::Folder;
use bytes::Bytes;
use isopoint_core::store::manifest::{Edit, FileEntry, Manifest};
use isopoint_core::store::{FileName, StoreError};
use std::fs;
use std::path::Path;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct RepairArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// Do it; without this the command only says what it would do
    #[arg(long)]
    yes: bool,
}

/// What is to be taken out, and why.
#[derive(Debug, Default)]
struct Plan {
    /// Block files that the manifest shall no longer name.
    blocks: Vec<(FileEntry, String)>,
    /// Logs that keep only so many bytes.
    cuts: Vec<(FileName, u64, String)>,
    /// Logs that are no use without one that is missing.
    aside: Vec<(FileName, String)>,
}

pub(super) fn repair(args: &RepairArgs) -> Result<Exit, Failure> {
    let path = &args.folder.data_dir;
    let _folder = Folder::open(path).map_err(Failure::folder)?;
    let files = Files::new(path);
    let listing = files.list().map_err(at(path))?;
    let beyond = |error: &dyn std::fmt::Display| {
        Failure::folder(format!("{}: {error}; this cannot be repaired: restore a backup", path.display()))
    };
    let manifest = read_manifest(&files, &listing).map_err(|error| beyond(&error))?;
    let mut plan = Plan::default();
    let bar = bar(manifest.files.iter().map(|entry| entry.len).sum(), "verify");
    for entry in &manifest.files {
        if let Err(why) = check_file(&files, entry, &bar) {
            plan.blocks.push((*entry, why));
        }
    }
    bar.finish_and_clear();
    // Each round takes out one thing, so it ends; a folder has no more things than files, and cuts shorten.
    loop {
        let after = plan.listing(&listing);
        let bytes = Bytes::from(plan.manifest(&manifest));
        let read = |range: &isopoint_core::store::ByteRange| match range.file == manifest.next_file() {
            true => Ok(bytes.clone()),
            false => files.read_grown(range),
        };
        let mut listing = after;
        listing.push((manifest.next_file(), bytes.len() as u64));
        match recover(&listing, read) {
            Ok(_) => break,
            Err(Unreadable::Store(error)) => plan.add(&error, &listing).ok_or_else(|| beyond(&error))?,
            Err(error @ Unreadable::Io(_)) => return Err(beyond(&error)),
        }
    }
    if plan.is_empty() {
        println!("{}: nothing to repair", path.display());
        return Ok(Exit::Done);
    }
    plan.tell();
    if !args.yes {
        println!("nothing is changed yet; `isopoint repair --yes` does it");
        return Ok(Exit::Failed);
    }
    plan.carry_out(path, &files, &manifest).map_err(at(path))?;
    println!("{}: done; what was taken out is in {DAMAGED}", path.display());
    Ok(Exit::Done)
}

impl Plan {
    fn is_empty(&self) -> bool {
        self.blocks.is_empty() && self.cuts.is_empty() && self.aside.is_empty()
    }

    /// The folder's files as they will be, without the manifest.
    fn listing(&self, listing: &Listing) -> Listing {
        let kept = listing
            .iter()
            .filter(|(file, _)| file.as_manifest().is_none() && !self.aside.iter().any(|(aside, _)| aside == file));
        kept.map(|(file, len)| {
            let cut = self.cuts.iter().rev().find(|(cut, ..)| cut == file);
            (file.clone(), cut.map_or(*len, |(_, len, _)| *len))
        })
        .collect()
    }

    /// The manifest without the damaged files.
    fn manifest(&self, manifest: &Manifest) -> Vec<u8> {
        let removed = self.blocks.iter().map(|(entry, _)| entry.hash).collect();
        manifest.rewritten(&Edit { removed, ..Edit::default() })
    }

    /// Adds the remedy for what opening failed with; `None`: there is none.
    fn add(&mut self, error: &StoreError, listing: &Listing) -> Option<()> {
        let (file, offset) = match error {
            StoreError::Damaged { file, offset, .. } => (FileName::new(file.clone()), Some(*offset)),
            StoreError::Missing { file } => (FileName::new(file.clone()), None),
            StoreError::Block { .. } | StoreError::Newer { .. } => return None,
        };
        let segment = file.as_wal()?;
        let len = listing.iter().find(|(listed, _)| *listed == file).map(|(_, len)| *len);
        match (offset, len) {
            // Not even its beginning is good: to the log it is as if it were not there.
            (Some(0), Some(_)) => self.aside.push((file, error.to_string())),
            (Some(offset), Some(len)) if offset < len => self.cuts.push((file, offset, error.to_string())),
            (Some(_), _) => return None,
            (None, _) => {
                let after = |(file, _): &&(FileName, u64)| file.as_wal().is_some_and(|number| number > segment);
                let later: Vec<_> = listing.iter().filter(after).map(|(file, _)| file.clone()).collect();
                if later.is_empty() {
                    return None;
                }
                self.aside.extend(later.into_iter().map(|file| (file, format!("it follows {error}"))));
            }
        }
        Some(())
    }

    fn tell(&self) {
        for (entry, why) in &self.blocks {
            println!("take out {} ({} bytes): {why}", entry.name(), entry.len);
        }
        for (file, len, why) in &self.cuts {
            println!("cut {file} to {len} bytes: {why}");
        }
        for (file, why) in &self.aside {
            println!("take out {file}: {why}");
        }
    }

    /// Copies of what goes are durable first, then the manifest, then the logs: cut off anywhere, it can be done again.
    fn carry_out(&self, root: &Path, files: &Files, manifest: &Manifest) -> std::io::Result<()> {
        let keep = |file: &FileName| -> std::io::Result<()> {
            match fs::read(root.join(file.as_str())) {
                Ok(bytes) => files.put(&FileName::new(format!("{DAMAGED}{file}")), &bytes),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
            }
        };
        self.blocks.iter().try_for_each(|(entry, _)| keep(&entry.name()))?;
        self.cuts.iter().try_for_each(|(file, ..)| keep(file))?;
        self.aside.iter().try_for_each(|(file, _)| keep(file))?;
        files.put(&manifest.next_file(), &self.manifest(manifest))?;
        self.cuts.iter().try_for_each(|(file, len, _)| files.truncate(file, *len))?;
        self.aside.iter().try_for_each(|(file, _)| fs::remove_file(root.join(file.as_str())))?;
        self.blocks.iter().try_for_each(|(entry, _)| files.delete(&entry.name()))
    }
}
