//! Memtables into block files, and what is live into the manifest.
//!
//! ```text
//! freeze ─► Run ─► Put each file ─► edit of the manifest ─► files in the view, memtable out ─► Delete WAL segments
//! ```
//!
//! A flush that fails waits and tries again; its memtable stays readable. Edits of the manifest go one at a time.

use super::blockfile::{FileIndex, FileMeta, Footer};
use super::commit::{Pending, Work};
use super::compact::Compacted;
use super::error::StoreError;
use super::job::{FlushPart, Job, Task};
use super::manifest::{Checkpoint, Edit, FileEntry};
use super::snapshot::BlockFile;
use super::state::DatabaseState;
use super::tombstone::{Deleted, Tombstone};
use super::{Action, FileName, Store};
use crate::hash::Map;
use crate::sorted::SortedSet;
use crate::time::Timestamp;
use bytes::Bytes;
use std::sync::Arc;

/// A memtable on its way to files.
#[derive(Debug)]
pub(super) struct Flush {
    checkpoint: Checkpoint,
    /// Those of the checkpoint's deletes that the manifest is to know.
    tombstones: Vec<Arc<Tombstone>>,
    /// Bytes of the WAL segments that the files will replace.
    wal_bytes: u64,
    files: Vec<FlushFile>,
    /// Puts under way.
    putting: usize,
    retry_at: Option<Timestamp>,
}

#[derive(Debug)]
struct FlushFile {
    entry: FileEntry,
    index: FileIndex,
    /// `None` when they are durable.
    bytes: Option<Bytes>,
}

/// An edit of the manifest that is being made durable.
#[derive(Debug)]
pub(super) struct Editing {
    edit: Edit,
    after: After,
    len: u64,
    /// While the edit waits to be tried again.
    retry_at: Option<Timestamp>,
}

/// What is to be done once an edit is durable.
#[derive(Debug)]
pub(super) enum After {
    Flush,
    Delete(Vec<FileName>),
    Compact(Box<Compacted>),
}

impl Store {
    /// Flushes what the memtable holds as soon as may be.
    pub fn flush(&mut self, _now: Timestamp) {
        self.want_flush = true;
    }

    /// Flushes what memtables are due, tries again what failed, lets go of what retention does not keep.
    pub fn tick(&mut self, now: Timestamp) {
        if self.poisoned.is_some() {
            return;
        }
        self.want_flush |= self.flush_deadline().is_some_and(|deadline| deadline <= now);
        if let Some(flush) = &mut self.flushing
            && flush.putting == 0
            && flush.retry_at.is_some_and(|at| at <= now)
        {
            flush.retry_at = None;
            self.put_files();
        }
        if let Some(editing) = &mut self.editing
            && editing.retry_at.is_some_and(|at| at <= now)
        {
            editing.retry_at = None;
            self.make_edit();
        }
        self.expire_shards(now);
        self.compact_due(now);
    }

    /// When [`tick`](Self::tick) will have something to do.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        if self.poisoned.is_some() {
            return None;
        }
        let flush = self.flush_deadline().filter(|_| self.flushing.is_none());
        let retry = self.flushing.as_ref().filter(|flush| flush.putting == 0).and_then(|flush| flush.retry_at);
        let edit = self.editing.as_ref().and_then(|editing| editing.retry_at);
        [flush, retry, edit, self.expiry_deadline(), self.compact_deadline()].into_iter().flatten().min()
    }

    fn flush_deadline(&self) -> Option<Timestamp> {
        let since = self.state.active.since?;
        Some(Timestamp::from_nanos(since.nanos().saturating_add(self.config.flush_after)))
    }

    /// Begins a flush that is wanted, between groups: then the log up to a segment holds just what is frozen.
    pub(super) fn start_flush(&mut self) {
        let full = self.state.active.bytes >= self.config.flush_bytes
            // Commands alone lengthen the log too, and so do points of shards that were dropped.
            || self.wal.bytes() >= self.config.flush_bytes.saturating_mul(2).max(2 * self.config.wal_segment_bytes);
        if !(self.want_flush || full) || self.flushing.is_some() || self.group.is_some() || self.opening > 0 {
            return;
        }
        self.want_flush = false;
        if self.state.active.is_empty() && self.wal.bytes() == 0 {
            return;
        }
        let replay_from = self.wal.rotate();
        let catalog = Arc::clone(&self.state.catalog);
        self.state.freeze();
        let (next_memtable, deletes) = (self.state.active.number, self.state.deletes);
        let known = self.manifest.checkpoint.deletes;
        let tombstones = self.state.tombstones().filter(|tombstone| tombstone.number > known).cloned().collect();
        let job = Job { task: Task::Flush(self.flush_parts()) };
        self.flushing = Some(Flush {
            checkpoint: Checkpoint { replay_from, next_memtable, deletes, catalog },
            tombstones,
            wal_bytes: self.wal.bytes(),
            files: Vec::new(),
            putting: 0,
            retry_at: None,
        });
        self.act(Work::FlushJob, |id| Action::Run { id, job });
    }

    fn flush_parts(&self) -> Vec<FlushPart> {
        let Some(frozen) = &self.state.flushing else { return Vec::new() };
        let part = |(shard, memtable): (&u64, &Arc<_>)| {
            let (database, policy, entry) = self.state.catalog.shards().find(|(.., entry)| entry.id == *shard)?;
            let index = self.state.databases.get(&database.id)?.index.view();
            let meta = FileMeta {
                database: database.name.clone(),
                retention_policy: policy.name.clone(),
                shard: entry.range,
                min_sequence: frozen.number,
                max_sequence: frozen.number,
            };
            let (database, policy, shard, settled) = (database.id, policy.id, *shard, self.state.deletes);
            Some(FlushPart { database, policy, shard, settled, meta, memtable: Arc::clone(memtable), index })
        };
        frozen.shards.iter().filter_map(part).collect()
    }

    pub(super) fn job_done(&mut self, files: Vec<(FileEntry, Bytes)>) {
        let Some(flush) = &mut self.flushing else { return };
        for (entry, bytes) in files {
            let index = open_index(&entry.name(), &bytes).expect("the file was written just now");
            flush.files.push(FlushFile { entry, index, bytes: Some(bytes) });
        }
        self.put_files();
    }

    /// Puts what is not yet durable; then the manifest is to know.
    fn put_files(&mut self) {
        let Some(flush) = &mut self.flushing else { return };
        let state = &self.state;
        let mut dropped = Vec::new();
        flush.files.retain(|file| {
            let live = state.has_shard(file.entry.database, file.entry.shard);
            if !live {
                dropped.push(file.entry.name());
            }
            live
        });
        let puts: Vec<_> = (0..)
            .zip(&flush.files)
            .filter_map(|(at, file)| Some((at, file.entry.name(), file.bytes.clone()?)))
            .collect();
        flush.putting = puts.len();
        dropped.into_iter().for_each(|name| self.delete(name));
        if puts.is_empty() {
            let Some(flush) = &self.flushing else { return };
            let added = flush.files.iter().map(|file| file.entry).collect();
            let edit = Edit {
                checkpoint: Some(flush.checkpoint.clone()),
                added,
                tombstones_added: flush.tombstones.clone(),
                ..Edit::default()
            };
            self.edits.push_back((edit, After::Flush));
            self.next_edit();
        }
        for (at, file, bytes) in puts {
            self.act(Work::PutFile(at), |id| Action::Put { id, file, bytes });
        }
    }

    pub(super) fn file_put(&mut self, now: Timestamp, at: usize, outcome: Result<(), String>) {
        let retry_at = self.retry_at(now);
        let Some(flush) = &mut self.flushing else { return };
        match (outcome, flush.files.get_mut(at)) {
            (Ok(()), Some(file)) => file.bytes = None,
            _ => flush.retry_at = Some(retry_at),
        }
        flush.putting -= 1;
        if flush.putting == 0 && flush.retry_at.is_none() {
            self.put_files();
        }
    }

    /// Files that are live no more: the manifest is told, then they are deleted.
    pub(super) fn remove_files(&mut self, files: impl IntoIterator<Item = (FileName, u128)>) {
        let (names, removed): (Vec<_>, Vec<_>) = files.into_iter().unzip();
        if names.is_empty() {
            return;
        }
        self.edits.push_back((Edit { removed, ..Edit::default() }, After::Delete(names)));
        self.next_edit();
    }

    /// Takes the next edit in hand when there is none.
    pub(super) fn next_edit(&mut self) {
        if self.editing.is_some() || self.opening > 0 || self.poisoned.is_some() {
            return;
        }
        let Some((mut edit, after)) = self.edits.pop_front() else { return };
        let needed: SortedSet<u64> = self.state.tombstones().map(|tombstone| (tombstone.number, ())).collect();
        let numbers = self.manifest.tombstones.iter().map(|tombstone| tombstone.number);
        edit.tombstones_removed = numbers.filter(|number| !needed.contains_key(number)).collect();
        self.editing = Some(Editing { edit, after, len: 0, retry_at: None });
        self.make_edit();
    }

    fn make_edit(&mut self) {
        let Some(editing) = &mut self.editing else { return };
        if self.manifest.wants_rewrite(self.config.manifest_bytes) {
            let (file, bytes) = (self.manifest.next_file(), Bytes::from(self.manifest.rewritten(&editing.edit)));
            editing.len = bytes.len() as u64;
            self.act(Work::PutManifest, |id| Action::Put { id, file, bytes });
        } else {
            let mut bytes = Vec::new();
            editing.edit.write(&mut bytes);
            editing.len = bytes.len() as u64;
            let (file, bytes) = (self.manifest.file(), Bytes::from(bytes));
            self.act(Work::AppendEdit, |id| Action::Append { id, file, bytes });
        }
    }

    pub(super) fn edit_appended(&mut self, outcome: Result<(), String>) {
        let file = self.manifest.file();
        match outcome {
            Ok(()) => self.act(Work::SyncEdit, |id| Action::Sync { id, file }),
            Err(_) => {
                let len = self.manifest.good_len();
                self.act(Work::CutEdit, |id| Action::Truncate { id, file, len });
            }
        }
    }

    /// The edit did not get into the manifest. `cut`: nor is a part of it left there.
    pub(super) fn edit_failed(&mut self, now: Timestamp, cut: bool) {
        let retry_at = self.retry_at(now);
        if !cut {
            self.manifest.require_rewrite();
        }
        if let Some(editing) = &mut self.editing {
            editing.retry_at = Some(retry_at);
        }
    }

    pub(super) fn edit_done(&mut self, rewritten: bool) {
        let Some(editing) = self.editing.take() else { return };
        if rewritten {
            let old = self.manifest.file();
            self.manifest.rewrote(editing.edit, editing.len);
            self.delete(old);
        } else {
            self.manifest.appended(editing.edit, editing.len);
        }
        match editing.after {
            After::Flush => self.flush_done(),
            After::Delete(names) => names.into_iter().for_each(|name| self.delete(name)),
            After::Compact(compacted) => self.files_replaced(*compacted),
        }
        self.next_edit();
    }

    /// The files are live: they take the memtable's place, and the log before them may go.
    fn flush_done(&mut self) {
        let Some(flush) = self.flushing.take() else { return };
        let mut files = Vec::with_capacity(flush.files.len());
        for file in flush.files {
            let shard = file.entry.shard;
            if let Some(database) = self.state.databases.get(&file.entry.database) {
                let file = block_file(&file.entry, file.index, database).expect("the file was written just now");
                files.push((shard, Arc::new(file)));
            } else {
                self.remove_files([(file.entry.name(), file.entry.hash)]);
            }
        }
        let dropped = self.state.flushed(files);
        self.state.prune_tombstones();
        self.remove_files(dropped.iter().map(|file| (file.name.clone(), file.hash)));
        for segment in self.wal.release(flush.checkpoint.replay_from, flush.wal_bytes) {
            self.delete(segment);
        }
        self.stats.flushes += 1;
        self.compact_after = Timestamp::MIN;
    }

    /// Asks for shards to be dropped that end before their policy's duration reaches back.
    fn expire_shards(&mut self, now: Timestamp) {
        if self.expiring || now < self.expire_after {
            return;
        }
        let ids: Vec<u64> = self.expiries().filter(|(deadline, _)| *deadline <= now).map(|(_, shard)| shard).collect();
        if !ids.is_empty() {
            self.expiring = true;
            self.pending.push_back(Pending::drop_shards(now, ids));
        }
    }

    fn expiry_deadline(&self) -> Option<Timestamp> {
        let first = self.expiries().map(|(deadline, _)| deadline.max(self.expire_after)).min();
        first.filter(|_| !self.expiring)
    }

    /// When each shard that will go may go.
    fn expiries(&self) -> impl Iterator<Item = (Timestamp, u64)> {
        self.state.catalog.shards().filter(|(_, policy, _)| policy.duration > 0).map(|(_, policy, shard)| {
            let deadline = shard.range.max.saturating_add(policy.duration).saturating_add(1);
            (Timestamp::from_nanos(deadline), shard.id)
        })
    }

    pub(super) fn delete(&mut self, file: FileName) {
        self.act(Work::Delete, |id| Action::Delete { id, file });
    }

    pub(super) fn retry_at(&self, now: Timestamp) -> Timestamp {
        Timestamp::from_nanos(now.nanos().saturating_add(self.config.retry_after))
    }
}

/// Reads footer and index of a whole file, and keeps no more of it in memory.
fn open_index(name: &FileName, bytes: &Bytes) -> Result<FileIndex, StoreError> {
    let damaged = |source| StoreError::Block { file: name.to_string(), source };
    let footer = Footer::parse(bytes, bytes.len() as u64).map_err(damaged)?;
    let start = footer.index_offset as usize;
    let index = Bytes::copy_from_slice(&bytes[start..start + footer.index_len as usize]);
    FileIndex::parse(index, footer).map_err(damaged)
}

/// A live file, its series found in the database's index, which knows them all.
pub(super) fn block_file(
    entry: &FileEntry,
    mut index: FileIndex,
    database: &DatabaseState,
) -> Result<BlockFile, StoreError> {
    let name = entry.name();
    let damaged = |source| StoreError::Block { file: name.to_string(), source };
    let later = database.tombstones.iter().filter(|tombstone| tombstone.number > entry.settled);
    let deleted = Deleted::of(later.map(|tombstone| &**tombstone), &mut index).map_err(damaged)?;
    let mut slots = Map::default();
    slots.reserve(index.series_count() as usize);
    let mut keys = index.series_keys();
    while let Some((slot, key)) = keys.next().map_err(damaged)? {
        if let Some(series) = database.index.find(key) {
            slots.insert(series, slot);
        }
    }
    let FileEntry { len, sequence, hash, settled, .. } = *entry;
    Ok(BlockFile { len, sequence, hash, index, slots: Arc::new(slots), name, settled, deleted })
}
