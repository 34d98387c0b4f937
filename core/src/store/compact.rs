//! Block files into fewer.
//!
//! ```text
//! pick ─► Run a slice ─► Append it to a temporary file ─► … ─► Rename ─► edit of the manifest ─► file in the view ─► Delete
//! ```
//!
//! One compaction at a time, of files that follow each other in one shard: those of which something is deleted and those
//! that overlap first; then the newest, together with older ones that are not much larger, so that a point is written
//! anew about once each time its file quadruples; a cold shard ends as one file, once nothing was flushed for a minute. Between slices a compaction waits as
//! long as its bytes take at the configured rate. Whatever interrupts it leaves the old files in force and at most a
//! temporary one, which the next opening sweeps.

pub(super) mod merge;

use super::blockfile::FileIndex;
use super::commit::Work;
use super::flush::{After, block_file};
use super::job::{Job, Task};
use super::manifest::{Edit, FileEntry};
use super::snapshot::BlockFile;
use super::{Action, FileName, Store};
use crate::time::{NANOS_PER_HOUR, NANOS_PER_MINUTE, NANOS_PER_SEC, TimeRange, Timestamp};
use merge::{Merge, Slice, Then};
use std::ops::Range;
use std::sync::Arc;

/// Files of about one size that are worth compacting, when they do not overlap.
const FEW_FILES: usize = 4;
/// An older file joins newer ones when it is no larger than so many times all of them.
const SIZE_RATIO: u64 = 2;
/// A shard is cold so long after its end.
const COLD_AFTER: i64 = NANOS_PER_HOUR;
/// How often it is looked whether a shard has become cold.
const LOOK_EVERY: i64 = NANOS_PER_MINUTE;

/// A compaction under way.
#[derive(Debug)]
pub(super) struct Compaction {
    place: Place,
    inputs: Vec<Arc<BlockFile>>,
    temporary: FileName,
    /// The next slice, while it waits for its time.
    waiting: Option<(Timestamp, Box<Merge>)>,
    /// What comes after the bytes that are being appended.
    then: Option<Then>,
    /// When the slice was begun, and bytes it moved.
    begun: Timestamp,
    moved: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    database: u32,
    policy: u32,
    shard: u64,
    shard_start: i64,
    /// Deletes when the compaction began: it heeds them all.
    settled: u64,
}

/// What took the place of files.
#[derive(Debug)]
pub(super) struct Compacted {
    shard: u64,
    inputs: Vec<Arc<BlockFile>>,
    /// `None` when nothing was left.
    output: Option<(FileEntry, Box<FileIndex>)>,
}

impl Store {
    /// Compacts every shard to one file, as fast as may be. Done when the store [is idle](Self::is_idle).
    pub fn compact(&mut self) {
        self.compact_all = true;
        self.compact_after = Timestamp::MIN;
    }

    /// Whether a compaction is under way.
    pub fn is_compacting(&self) -> bool {
        self.compacting.is_some()
    }

    /// When [`compact_due`](Self::compact_due) has something to do.
    pub(super) fn compact_deadline(&self) -> Option<Timestamp> {
        if (self.config.compact_bytes_per_sec == 0 && !self.compact_all) || self.closing || self.replacing {
            return None;
        }
        match &self.compacting {
            None if self.compact_all => Some(Timestamp::MIN),
            Some(compaction) => compaction.waiting.as_ref().map(|(at, _)| *at),
            None => {
                self.state.databases.values().any(|database| !database.shards.is_empty()).then_some(self.compact_after)
            }
        }
    }

    /// Begins a compaction or its next slice, if it is time.
    pub(super) fn compact_due(&mut self, now: Timestamp) {
        if self.poisoned.is_some()
            || self.opening > 0
            || self.closing
            || self.compact_deadline().is_none_or(|at| at > now)
        {
            return;
        }
        if self.compacting.is_none() {
            if self.flushed.0 != self.stats.flushes {
                self.flushed = (self.stats.flushes, now);
            }
            if self.state.renamed_since(self.manifest.checkpoint.deletes) {
                self.want_flush = true;
                self.compact_after = Timestamp::from_nanos(now.nanos().saturating_add(LOOK_EVERY));
                return;
            }
            match self.pick(now) {
                Some((place, inputs)) => self.begin_compaction(now, place, inputs),
                None => {
                    let later = Timestamp::from_nanos(now.nanos().saturating_add(LOOK_EVERY));
                    self.compact_after = if self.compact_all { Timestamp::MIN } else { later };
                    self.compact_all = false;
                    return;
                }
            }
        }
        let Some(compaction) = &mut self.compacting else { return };
        if let Some((_, merge)) = compaction.waiting.take() {
            if !self.state.has_shard(compaction.place.database, compaction.place.shard) {
                self.abandon_compaction();
                return;
            }
            compaction.begun = now;
            let job = Job { task: Task::Compact(merge) };
            self.act(Work::CompactSlice, |id| Action::Run { id, job });
        }
    }

    /// The files that are to be one.
    fn pick(&self, now: Timestamp) -> Option<(Place, Vec<Arc<BlockFile>>)> {
        let mut best: Option<((bool, bool, usize), Place, Vec<Arc<BlockFile>>)> = None;
        // Else old points on their way in, from an import, would be written anew with every flush.
        let quiet = self.flushed.1.nanos().saturating_add(LOOK_EVERY) <= now.nanos();
        for (database, policy, shard) in self.state.catalog.shards() {
            let Some(state) = self.state.databases.get(&database.id).and_then(|state| state.shards.get(&shard.id))
            else {
                continue;
            };
            let memtables = self.state.flushing.iter().chain([&self.state.active]);
            let warm = !quiet
                || memtables.into_iter().any(|memtable| memtable.shards.contains_key(&shard.id))
                || shard.range.max.saturating_add(COLD_AFTER) > now.nanos();
            let files = &state.files;
            let Some(window) = window(files, self.compact_all || !warm) else { continue };
            let inputs = files[window].to_vec();
            let deleted = inputs.iter().any(|file| file.is_amended());
            let score = (deleted, overlap(&inputs), inputs.len());
            if best.as_ref().is_none_or(|(other, ..)| score > *other) && !self.uncompactable.contains(&shard.id) {
                let settled = self.state.deletes;
                let (database, policy, shard_start) = (database.id, policy.id, shard.range.min);
                best = Some((score, Place { database, policy, shard: shard.id, shard_start, settled }, inputs));
            }
        }
        best.map(|(_, place, inputs)| (place, inputs))
    }

    fn begin_compaction(&mut self, now: Timestamp, place: Place, inputs: Vec<Arc<BlockFile>>) {
        self.compactions += 1;
        let temporary = FileName::compacting(place.database, place.policy, place.shard_start, self.compactions);
        let merge = Box::new(Merge::new(inputs.clone(), self.config.compact_slice_bytes));
        let waiting = Some((now, merge));
        self.compacting = Some(Compaction { place, inputs, temporary, waiting, then: None, begun: now, moved: 0 });
    }

    pub(super) fn slice_done(&mut self, outcome: Result<Slice, String>) {
        let Some(compaction) = &mut self.compacting else { return };
        let Ok(Slice { bytes, moved, then }) = outcome else {
            // A file that cannot be read is left as it is; so is its shard, until a restart.
            self.uncompactable.insert(compaction.place.shard);
            self.abandon_compaction();
            return;
        };
        compaction.moved = moved;
        compaction.then = Some(then);
        let file = compaction.temporary.clone();
        if bytes.is_empty() {
            self.slice_appended();
        } else {
            self.act(Work::CompactAppend, |id| Action::Append { id, file, bytes });
        }
    }

    pub(super) fn slice_appended(&mut self) {
        let Some(compaction) = &mut self.compacting else { return };
        let place = compaction.place;
        match compaction.then.take() {
            Some(Then::More(merge)) => {
                let rate = i128::from(self.config.compact_bytes_per_sec.max(1));
                let nanos = i128::from(compaction.moved) * i128::from(NANOS_PER_SEC) / rate;
                let wait = if self.compact_all { 0 } else { i64::try_from(nanos).unwrap_or(i64::MAX) };
                let at = Timestamp::from_nanos(compaction.begun.nanos().saturating_add(wait));
                compaction.waiting = Some((at, merge));
            }
            Some(Then::End { hash, len, index }) => {
                let Place { database, policy, shard, shard_start, settled } = place;
                let sequence = index.meta().max_sequence;
                let entry = FileEntry { database, policy, shard, shard_start, sequence, settled, len, hash };
                let (from, to) = (compaction.temporary.clone(), entry.name());
                compaction.then = Some(Then::End { hash, len, index });
                self.act(Work::CompactRename(entry), |id| Action::Rename { id, from, to });
            }
            Some(Then::Nothing) => self.replace_files(None),
            None => {}
        }
    }

    pub(super) fn compaction_renamed(&mut self, entry: FileEntry) {
        let then = self.compacting.as_mut().and_then(|compaction| compaction.then.take());
        if let Some(Then::End { index, .. }) = then {
            self.replace_files(Some((entry, index)));
        }
    }

    /// The manifest is told.
    fn replace_files(&mut self, output: Option<(FileEntry, Box<FileIndex>)>) {
        let Some(compaction) = self.compacting.take() else { return };
        if output.is_none() {
            self.delete(compaction.temporary);
        }
        let removed = compaction.inputs.iter().map(|file| file.hash).collect();
        let added = output.iter().map(|(entry, _)| *entry).collect();
        let compacted = Compacted { shard: compaction.place.shard, inputs: compaction.inputs, output };
        self.replacing = true;
        self.edits.push_back((Edit { added, removed, ..Edit::default() }, After::Compact(Box::new(compacted))));
        self.next_edit();
    }

    /// The manifest knows: the file takes the place of those it was made of.
    pub(super) fn files_replaced(&mut self, compacted: Compacted) {
        self.replacing = false;
        let Compacted { shard, inputs, output } = compacted;
        let made = output.as_ref().map(|(entry, _)| entry.name());
        let mut settled = None;
        let mut file = None;
        if let Some((entry, index)) = output {
            match self.state.databases.get(&entry.database).filter(|database| database.shards.contains_key(&shard)) {
                Some(database) => {
                    let made = block_file(&entry, *index, database).expect("the file was written just now");
                    settled = Some(made.settled);
                    file = Some(Arc::new(made));
                }
                None => self.remove_files([(entry.name(), entry.hash)]),
            }
        }
        self.state.compacted(shard, &inputs, file);
        // What the index could not tell before, the file now shows.
        let before = inputs.iter().map(|file| file.settled).min().unwrap_or_default();
        let tombstones = self.state.tombstones().filter(|tombstone| tombstone.number > before);
        let tombstones: Vec<_> =
            tombstones.filter(|tombstone| settled.is_none_or(|settled| tombstone.number <= settled)).cloned().collect();
        self.state.sweep_all(&tombstones);
        self.state.prune_tombstones();
        for file in inputs.iter().filter(|file| Some(&file.name) != made.as_ref()) {
            self.delete(file.name.clone());
        }
        self.stats.compactions += 1;
    }

    /// Lets a compaction go; the files stay as they are.
    pub(super) fn abandon_compaction(&mut self) {
        if let Some(compaction) = self.compacting.take() {
            self.delete(compaction.temporary);
        }
    }

    /// One that failed is tried again after a while.
    pub(super) fn compaction_failed(&mut self, now: Timestamp) {
        self.abandon_compaction();
        self.compact_all = false;
        self.compact_after = self.retry_at(now);
    }
}

/// Which of a shard's files, oldest first, are to be one. `whole`: all that are not yet.
fn window(files: &[Arc<BlockFile>], whole: bool) -> Option<Range<usize>> {
    let deleted = |file: &Arc<BlockFile>| file.is_amended();
    if whole {
        return (files.len() > 1 || files.iter().any(deleted)).then_some(0..files.len());
    }
    if let (Some(first), Some(last)) = (files.iter().position(deleted), files.iter().rposition(deleted)) {
        return Some(first..last + 1);
    }
    let mut total = files.last()?.len;
    let mut start = files.len() - 1;
    while start > 0 && files[start - 1].len <= total.saturating_mul(SIZE_RATIO) {
        start -= 1;
        total += files[start].len;
    }
    let chosen = &files[start..];
    let worth = chosen.len() >= FEW_FILES || (chosen.len() > 1 && overlap(chosen));
    worth.then_some(start..files.len())
}

/// Whether the times of any two files overlap.
fn overlap(files: &[Arc<BlockFile>]) -> bool {
    let times = |file: &Arc<BlockFile>| -> TimeRange { file.index.footer().times };
    (1..files.len()).any(|at| files[..at].iter().any(|other| times(other).overlaps(times(&files[at]))))
}
