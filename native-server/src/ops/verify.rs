//! `isopoint verify`: reads everything, believes nothing.

use super::view::{self, Listing, Unreadable};
use super::{Failure, bar};
use crate::cli::Exit;
use crate::host::files::Files;
use bytes::Bytes;
use indicatif::ProgressBar;
use isopoint_core::codec::DecodeError;
use isopoint_core::model::Column;
use isopoint_core::store::block::{BlockReader, FileSlice};
use isopoint_core::store::blockfile::{FileIndex, content_name};
use isopoint_core::store::manifest::{FileEntry, Manifest};
use std::path::Path;

/// What was found whole.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Checked {
    pub(super) series: u64,
    pub(super) blocks: u64,
    pub(super) values: u64,
}

pub(super) fn verify(folder: &Path) -> Result<Exit, Failure> {
    let checked = view::consistent(folder, |files, listing| {
        let manifest = read_manifest(files, listing)?;
        let bar = bar(manifest.files.iter().map(|entry| entry.len).sum(), "verify");
        let mut total = Checked::default();
        let mut damage = Vec::new();
        for entry in &manifest.files {
            match check_file(files, entry, &bar) {
                Ok(found) => {
                    total.series += found.series;
                    total.blocks += found.blocks;
                    total.values += found.values;
                }
                Err(why) => damage.push(format!("{}: {why}", entry.name())),
            }
        }
        bar.finish_and_clear();
        let recovered = view::recover(listing, |range| files.read_grown(range));
        let log = match recovered {
            Ok((_, report)) => Some(report),
            // A file that went while it was read is read again; what stays wrong is damage.
            Err(error @ Unreadable::Io(_)) => return Err(error),
            Err(error) => {
                damage.push(error.to_string());
                None
            }
        };
        Ok((manifest.files.len(), total, log, damage))
    })?;
    let (files, total, log, mut damage) =
        checked.map_err(|error| Failure::folder(format!("{}: {error}", folder.display())))?;
    damage.dedup();
    println!(
        "{files} block files, {} blocks of {} series in files, {} values: {}",
        total.blocks,
        total.series,
        total.values,
        if damage.is_empty() { "all whole" } else { "of those that are whole" }
    );
    if let Some(log) = log {
        println!(
            "{} log segments, {} records, {} points; {} bytes of a torn end",
            log.segments, log.records, log.points, log.torn_bytes
        );
    }
    for line in &damage {
        println!("damaged: {line}");
    }
    if damage.is_empty() {
        return Ok(Exit::Done);
    }
    Err(Failure::failed(format!("{} found; `isopoint repair` says what can be saved", damage.len())))
}

pub(super) fn read_manifest(files: &Files, listing: &Listing) -> Result<Manifest, Unreadable> {
    let (_, number, bytes) = view::manifest(files, listing)?;
    Manifest::read(number, &bytes).map_err(Unreadable::Store)
}

/// A block file from its first byte to its last: name, index, and every column decoded.
pub(super) fn check_file(files: &Files, entry: &FileEntry, bar: &ProgressBar) -> Result<Checked, String> {
    let bytes = files.whole(&entry.name()).map_err(|error| error.to_string())?;
    let outcome = check_bytes(&bytes, entry);
    bar.inc(entry.len);
    outcome
}

fn check_bytes(bytes: &Bytes, entry: &FileEntry) -> Result<Checked, String> {
    if bytes.len() as u64 != entry.len {
        return Err(format!("{} bytes long instead of {}", bytes.len(), entry.len));
    }
    if content_name(bytes) != format!("{:032x}", entry.hash) {
        // Where, if a part of it says so itself.
        return Err(match check_blocks(bytes) {
            Ok(_) => "its bytes are not those of its name".into(),
            Err(error) => error.to_string(),
        });
    }
    check_blocks(bytes).map_err(|error| error.to_string())
}

fn check_blocks(bytes: &Bytes) -> Result<Checked, DecodeError> {
    let index = FileIndex::open(bytes)?;
    let mut found = Checked { series: u64::from(index.series_count()), ..Checked::default() };
    let mut times = Vec::new();
    for slot in 0..index.series_count() {
        for block in index.blocks(slot)? {
            let block = block?;
            let reader = BlockReader::new(&block, FileSlice { offset: 0, bytes })?;
            times.clear();
            reader.times(&mut times)?;
            for column in &block.columns {
                reader.column(column, &mut Column::new(column.field_type))?;
                found.values += u64::from(column.count);
            }
            found.blocks += 1;
        }
    }
    Ok(found)
}
