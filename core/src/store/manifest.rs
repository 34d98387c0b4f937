//! Which block files are live, what of them is deleted, from where the WAL is to be replayed, and the catalog as it was
//! there.
//!
//! A manifest is a log file (see [`log`]) with magic `ISOPMAN1` and frames of one kind: edits. The first
//! edit of a file says everything; the file is put as a whole with it, so the highest number there is holds what is
//! true, and a bad frame after the first is the torn tail of an edit that never was.
//!
//! ```text
//! kind 2  edit    u8 has checkpoint; [varint first WAL segment to replay, varint number of the next memtable,
//!                     varint deletes so far, catalog, documents]
//!                 varint files removed, each: 16 bytes hash (little-endian)
//!                 varint files added, each:
//!                     varint database id, varint policy id, varint shard id, zigzag shard start,
//!                     varint sequence number, varint deletes that it settled, varint length, 16 bytes hash
//!                 varint tombstones removed, each: varint number
//!                 varint tombstones added, each: see `tombstone`
//! kind 1  edit    of format 1, only read: u8 has checkpoint;
//!                     [varint first WAL segment to replay, varint number of the next memtable, catalog]
//!                 varint files added, each: as above without deletes settled
//!                 varint files removed, each: 16 bytes hash
//!                 with a checkpoint, unless there are none: documents, to the end
//! ```
//!
//! The catalog and the segment belong together: commands in that segment and after it are replayed on that catalog.

use super::error::StoreError;
use super::layout::FileName;
use super::log::{self, Read};
use super::tombstone::Tombstone;
use crate::catalog::{Catalog, Documents};
use crate::codec::DecodeError;
use crate::codec::varint::{self, Reader};
use std::sync::Arc;

const MAGIC: log::Magic = *b"ISOPMAN1";
const EDIT_V1: u8 = 1;
const EDIT: u8 = 2;

/// A live block file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileEntry {
    pub database: u32,
    pub policy: u32,
    pub shard: u64,
    pub shard_start: i64,
    /// Of the memtable it was flushed from; of files that were compacted, the greatest.
    pub sequence: u64,
    /// See [`BlockFile::settled`](super::snapshot::BlockFile).
    pub settled: u64,
    pub len: u64,
    pub hash: u128,
}

impl FileEntry {
    pub fn name(&self) -> FileName {
        FileName::block(self.database, self.policy, self.shard_start, self.hash)
    }
}

/// From where the WAL is replayed, and on what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    pub replay_from: u64,
    pub next_memtable: u64,
    /// Deletes so far: the number of the last tombstone.
    pub deletes: u64,
    pub catalog: Arc<Catalog>,
}

/// One change of what is live.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    pub checkpoint: Option<Checkpoint>,
    pub added: Vec<FileEntry>,
    pub removed: Vec<u128>,
    pub tombstones_added: Vec<Arc<Tombstone>>,
    pub tombstones_removed: Vec<u64>,
}

/// What is durably live, and the file that says so.
#[derive(Debug)]
pub struct Manifest {
    number: u64,
    len: u64,
    first_len: u64,
    /// What a failed append left behind could not be cut off: only a put will do.
    must_rewrite: bool,
    pub checkpoint: Checkpoint,
    /// In the order they were added.
    pub files: Vec<FileEntry>,
    /// By number.
    pub tombstones: Vec<Arc<Tombstone>>,
}

impl Manifest {
    /// A folder's first manifest, and its bytes.
    pub fn first() -> (Self, Vec<u8>) {
        let checkpoint = Checkpoint { replay_from: 1, next_memtable: 1, ..Checkpoint::default() };
        let (files, tombstones) = (Vec::new(), Vec::new());
        let mut manifest = Self { number: 0, len: 0, first_len: 0, must_rewrite: true, checkpoint, files, tombstones };
        let bytes = manifest.rewritten(&Edit::default());
        manifest.rewrote(Edit::default(), bytes.len() as u64);
        (manifest, bytes)
    }

    /// Reads a manifest. A torn tail is left out; [`good_len`](Self::good_len) says where it begins.
    pub fn read(number: u64, bytes: &[u8]) -> Result<Self, StoreError> {
        let damaged = |offset: usize, why: String| StoreError::Damaged {
            file: FileName::manifest(number).to_string(),
            offset: offset as u64,
            why,
        };
        if !log::has_header(MAGIC, number, bytes) {
            return Err(damaged(0, "not a manifest of this number".into()));
        }
        let mut manifest = Self {
            number,
            len: log::HEADER_LEN as u64,
            first_len: 0,
            must_rewrite: false,
            checkpoint: Checkpoint::default(),
            files: Vec::new(),
            tombstones: Vec::new(),
        };
        let mut at = log::HEADER_LEN;
        loop {
            match log::read_frame(bytes, at) {
                Read::Frame { kind: kind @ (EDIT_V1 | EDIT), payload, next } => {
                    let edit = Edit::decode(kind, payload).map_err(|error| damaged(at, error.to_string()))?;
                    manifest.apply(edit);
                    at = next;
                    if manifest.first_len == 0 {
                        manifest.first_len = at as u64;
                    }
                }
                Read::Frame { .. } => return Err(damaged(at, "unknown kind of record".into())),
                Read::Bad(why) if manifest.first_len == 0 => return Err(damaged(at, why.into())),
                Read::End if manifest.first_len == 0 => return Err(damaged(at, "no record".into())),
                Read::End | Read::Bad(_) => break,
            }
        }
        manifest.len = at as u64;
        Ok(manifest)
    }

    pub fn file(&self) -> FileName {
        FileName::manifest(self.number)
    }

    pub fn next_file(&self) -> FileName {
        FileName::manifest(self.number + 1)
    }

    /// Bytes that are durable and whole.
    pub fn good_len(&self) -> u64 {
        self.len
    }

    /// Whether the next edit is to put a new file: this one is longer than `rewrite_len` and than eight times what it
    /// began with, or only a put will do. Stays so until one has succeeded: whether one that failed left the new file
    /// there is not known, and what is appended to this one then would not be read.
    pub fn wants_rewrite(&self, rewrite_len: u64) -> bool {
        self.must_rewrite || self.len > rewrite_len.max(8 * self.first_len)
    }

    /// From now on only putting the next file will do.
    pub fn require_rewrite(&mut self) {
        self.must_rewrite = true;
    }

    /// The next file, with an edit done.
    pub fn rewritten(&self, edit: &Edit) -> Vec<u8> {
        let (files, tombstones) = (self.files.clone(), self.tombstones.clone());
        let mut after =
            Self { number: self.number + 1, checkpoint: self.checkpoint.clone(), files, tombstones, ..*self };
        after.apply(edit.clone());
        let everything = Edit {
            checkpoint: Some(after.checkpoint),
            added: after.files,
            tombstones_added: after.tombstones,
            ..Edit::default()
        };
        let mut bytes = Vec::new();
        log::write_header(MAGIC, after.number, &mut bytes);
        everything.write(&mut bytes);
        bytes
    }

    /// The edit is durable, as a frame of `len` bytes.
    pub fn appended(&mut self, edit: Edit, len: u64) {
        self.apply(edit);
        self.len += len;
    }

    /// The edit is durable, in the next file, which has `len` bytes.
    pub fn rewrote(&mut self, edit: Edit, len: u64) {
        self.apply(edit);
        self.number += 1;
        (self.len, self.first_len, self.must_rewrite) = (len, len, false);
    }

    fn apply(&mut self, edit: Edit) {
        if let Some(checkpoint) = edit.checkpoint {
            self.checkpoint = checkpoint;
        }
        self.files.retain(|file| !edit.removed.contains(&file.hash));
        self.files.extend(edit.added);
        self.tombstones.retain(|tombstone| !edit.tombstones_removed.contains(&tombstone.number));
        self.tombstones.extend(edit.tombstones_added);
    }
}

impl Edit {
    /// Appends the edit's frame.
    pub fn write(&self, out: &mut Vec<u8>) {
        log::write_frame(EDIT, out, |out| self.encode(out));
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.checkpoint.is_some()));
        if let Some(checkpoint) = &self.checkpoint {
            varint::write(checkpoint.replay_from, out);
            varint::write(checkpoint.next_memtable, out);
            varint::write(checkpoint.deletes, out);
            checkpoint.catalog.encode(out);
            checkpoint.catalog.documents.encode(out);
        }
        varint::write(self.removed.len() as u64, out);
        self.removed.iter().for_each(|hash| out.extend(hash.to_le_bytes()));
        varint::write(self.added.len() as u64, out);
        for file in &self.added {
            varint::write(u64::from(file.database), out);
            varint::write(u64::from(file.policy), out);
            varint::write(file.shard, out);
            varint::write_signed(file.shard_start, out);
            varint::write(file.sequence, out);
            varint::write(file.settled, out);
            varint::write(file.len, out);
            out.extend(file.hash.to_le_bytes());
        }
        varint::write(self.tombstones_removed.len() as u64, out);
        self.tombstones_removed.iter().for_each(|number| varint::write(*number, out));
        varint::write(self.tombstones_added.len() as u64, out);
        self.tombstones_added.iter().for_each(|tombstone| tombstone.encode(out));
    }

    fn decode(kind: u8, payload: &[u8]) -> Result<Self, DecodeError> {
        let old = kind == EDIT_V1;
        let mut reader = Reader::new(payload);
        let mut edit = Self::default();
        match reader.byte("flag")? {
            0 => {}
            1 => {
                let replay_from = reader.varint("WAL segment")?;
                let next_memtable = reader.varint("memtable number")?;
                let deletes = if old { 0 } else { reader.varint("number of deletes")? };
                let mut catalog = Catalog::decode(&mut reader)?;
                if !old {
                    catalog.documents = Arc::new(Documents::decode(&mut reader)?);
                }
                edit.checkpoint = Some(Checkpoint { replay_from, next_memtable, deletes, catalog: Arc::new(catalog) });
            }
            _ => return Err(reader.error("flag neither 0 nor 1")),
        }
        let id = |reader: &mut Reader<'_>| {
            let id = reader.varint("id")?;
            u32::try_from(id).map_err(|_| reader.error("id too large"))
        };
        if !old {
            edit.removed = hashes(&mut reader)?;
        }
        for _ in 0..reader.length(reader.remaining(), "number of files")? {
            edit.added.push(FileEntry {
                database: id(&mut reader)?,
                policy: id(&mut reader)?,
                shard: reader.varint("shard id")?,
                shard_start: reader.signed("shard start")?,
                sequence: reader.varint("sequence number")?,
                settled: if old { 0 } else { reader.varint("number of deletes")? },
                len: reader.varint("length of a file")?,
                hash: reader.array("hash").map(u128::from_le_bytes)?,
            });
        }
        if !old {
            for _ in 0..reader.length(reader.remaining(), "number of tombstones")? {
                edit.tombstones_removed.push(reader.varint("number of a tombstone")?);
            }
            for _ in 0..reader.length(reader.remaining(), "number of tombstones")? {
                edit.tombstones_added.push(Arc::new(Tombstone::decode(&mut reader)?));
            }
            reader.finish()?;
            return Ok(edit);
        }
        edit.removed = hashes(&mut reader)?;
        if let Some(checkpoint) = &mut edit.checkpoint
            && reader.remaining() > 0
        {
            let documents = Arc::new(Documents::decode(&mut reader)?);
            Arc::make_mut(&mut checkpoint.catalog).documents = documents;
        }
        reader.finish()?;
        Ok(edit)
    }
}

fn hashes(reader: &mut Reader<'_>) -> Result<Vec<u128>, DecodeError> {
    let mut hashes = Vec::new();
    for _ in 0..reader.length(reader.remaining(), "number of files")? {
        hashes.push(reader.array("hash").map(u128::from_le_bytes)?);
    }
    Ok(hashes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Command, DocumentChanges};
    use bytes::Bytes;

    fn entry(hash: u128) -> FileEntry {
        FileEntry { database: 1, policy: 2, shard: 3, shard_start: -4, sequence: 5, settled: 7, len: 6, hash }
    }

    #[test]
    fn edits_come_back_and_a_torn_one_never_was() {
        let (mut manifest, mut bytes) = Manifest::first();
        let mut catalog = Catalog::default();
        catalog.apply(&Command::CreateDatabase { name: "db".into(), policy: None }).unwrap();
        let changes = vec![("key".into(), Some(Bytes::from("body")))];
        catalog.apply(&Command::Documents(DocumentChanges { space: "space".into(), revision: 0, changes })).unwrap();
        let checkpoint = Checkpoint { replay_from: 9, next_memtable: 8, deletes: 2, catalog: Arc::new(catalog) };
        let tombstone = |number| {
            let targets = vec![crate::catalog::Target { measurement: "m".into(), series: None }];
            let (range, fields) = (crate::time::TimeRange::ALL, Vec::new());
            Arc::new(Tombstone { number, database: 1, range, targets, fields, rename: None })
        };
        let first = Edit {
            checkpoint: Some(checkpoint),
            added: vec![entry(1), entry(2)],
            tombstones_added: vec![tombstone(1), tombstone(2)],
            ..Edit::default()
        };
        // A file may come again in the edit that takes it away: with more of it settled.
        let second =
            Edit { added: vec![entry(3)], removed: vec![1, 3], tombstones_removed: vec![1], ..Edit::default() };
        let start = bytes.len();
        for edit in [first, second.clone()] {
            let mut frame = Vec::new();
            edit.write(&mut frame);
            manifest.appended(edit, frame.len() as u64);
            bytes.extend(frame);
        }
        let read = Manifest::read(1, &bytes).unwrap();
        assert_eq!(read.files, [entry(2), entry(3)]);
        assert_eq!(read.tombstones, [tombstone(2)]);
        assert_eq!(
            (&read.files, &read.checkpoint, read.good_len()),
            (&manifest.files, &manifest.checkpoint, manifest.good_len())
        );
        for len in 0..bytes.len() {
            match Manifest::read(1, &bytes[..len]) {
                Ok(read) => assert!(len >= start && read.good_len() <= len as u64 && read.files.len() != 1),
                Err(error) => assert!(len < start, "{error}"),
            }
        }
        assert!(Manifest::read(2, &bytes).is_err());
        let rewritten = manifest.rewritten(&Edit { added: vec![entry(4)], ..Edit::default() });
        let read = Manifest::read(2, &rewritten).unwrap();
        assert_eq!(read.files, [entry(2), entry(3), entry(4)]);
        assert_eq!((read.checkpoint, read.tombstones), (manifest.checkpoint, manifest.tombstones));
    }
}
