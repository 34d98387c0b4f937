//! Opening a data folder: the manifest, the indexes of live files, then the log.
//!
//! A state machine as the store is: the host lists the folder, then reads what is [needed](RecoveryStep::Need) until a
//! [`Store`] comes out. Nothing is changed on the way; a crash meanwhile costs nothing. What the store then asks for
//! first is to cut torn tails off and to sync what was read, since it may not have been durable yet: a host does these
//! before it answers anyone.
//!
//! A log's torn tail is a bad frame in its last segment: it was never acknowledged. A bad frame anywhere else, a live
//! file that is missing, or a gap between segments is damage, and opening fails and says where.

use super::blockfile::{FileIndex, Footer};
use super::error::StoreError;
use super::flush::block_file;
use super::log::{self, Read};
use super::manifest::{FileEntry, Manifest};
use super::staged::{Rules, Staged};
use super::state::State;
use super::wal::{self, Record, Wal};
use super::{Action, ByteRange, FORMAT, FileName, Store, StoreConfig};
use crate::catalog::Command;
use crate::model::SeriesKey;
use crate::order::sort_by;
use crate::sorted::{SortedMap, SortedSet};
use crate::time::Timestamp;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;

/// Opening, under way.
#[derive(Debug)]
pub struct Recovery {
    config: StoreConfig,
    now: Timestamp,
    /// Of the folder.
    format: u32,
    /// Every file there is, with its length.
    files: SortedMap<FileName, u64>,
    manifest: Option<Manifest>,
    state: State,
    footers: Vec<Footer>,
    /// Segments still to be replayed.
    segments: VecDeque<u64>,
    wal: Wal,
    /// Logs to cut, with the length they keep.
    cuts: Vec<(FileName, u64)>,
    /// Live files whose shard is no more.
    dropped: Vec<FileEntry>,
    report: RecoveryReport,
    next: Next,
    /// Bytes of what the last step needed.
    needed: usize,
    supplied: Vec<Bytes>,
}

#[derive(Clone, Copy, Debug)]
enum Next {
    List,
    Start,
    Footers,
    Indexes,
    Segment,
    End,
}

/// What opening comes to next.
#[derive(Debug)]
pub enum RecoveryStep {
    /// Read these and [`Recovery::supply`] them, in this order.
    Need(Vec<ByteRange>),
    Done(Box<Store>, RecoveryReport),
}

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// The folder was empty.
    pub fresh: bool,
    pub files: u64,
    pub segments: u64,
    /// Batches and commands replayed from the log, and points in them.
    pub records: u64,
    pub points: u64,
    /// Bytes cut off the end of logs: what was being written when the program stopped.
    pub torn_bytes: u64,
}

impl Recovery {
    /// `files`: every file below the folder, with its length.
    pub fn new(config: StoreConfig, now: Timestamp, files: impl IntoIterator<Item = (FileName, u64)>) -> Self {
        Self {
            config,
            now,
            format: FORMAT,
            files: files.into_iter().collect(),
            manifest: None,
            state: State::default(),
            footers: Vec::new(),
            segments: VecDeque::new(),
            wal: Wal::new(1, 1, 0, 0),
            cuts: Vec::new(),
            dropped: Vec::new(),
            report: RecoveryReport::default(),
            next: Next::List,
            needed: 0,
            supplied: Vec::new(),
        }
    }

    /// The bytes that [`RecoveryStep::Need`] asked for, in its order.
    pub fn supply(&mut self, bytes: Vec<Bytes>) {
        self.supplied = bytes;
    }

    pub fn step(&mut self) -> Result<RecoveryStep, StoreError> {
        loop {
            let bytes = std::mem::take(&mut self.supplied);
            if bytes.len() != self.needed {
                return Err(StoreError::Missing { file: "the bytes asked for".into() });
            }
            self.needed = 0;
            let need = match self.next {
                Next::List => match self.list()? {
                    Some(need) => need,
                    None => {
                        let store = Box::new(Store::new(self.config.clone()));
                        return Ok(RecoveryStep::Done(store, RecoveryReport { fresh: true, ..self.report }));
                    }
                },
                Next::Start => self.start(&bytes)?,
                Next::Footers => self.footers(&bytes)?,
                Next::Indexes => self.indexes(&bytes)?,
                Next::Segment => self.segment(&bytes)?,
                Next::End => return Ok(RecoveryStep::Done(Box::new(self.finish()), self.report)),
            };
            if !need.is_empty() {
                self.needed = need.len();
                return Ok(RecoveryStep::Need(need));
            }
        }
    }

    /// `None`: there is nothing, a store begins here.
    fn list(&mut self) -> Result<Option<Vec<ByteRange>>, StoreError> {
        let version = self.files.contains_key(&FileName::version());
        let manifest = self.files.keys().filter_map(FileName::as_manifest).max();
        let missing = match manifest {
            Some(number) if version => {
                self.next = Next::Start;
                return Ok(Some(vec![self.whole(FileName::version())?, self.whole(FileName::manifest(number))?]));
            }
            Some(_) => FileName::version(),
            None => FileName::manifest(1),
        };
        // A first start that did not come to its end wrote no points yet.
        match self.files.keys().find(|file| file.as_wal().is_some() || file.is_block()) {
            Some(_) => Err(StoreError::Missing { file: missing.to_string() }),
            None => Ok(None),
        }
    }

    /// VERSION and the manifest are there: footers are next.
    fn start(&mut self, bytes: &[Bytes]) -> Result<Vec<ByteRange>, StoreError> {
        self.format = read_version(&bytes[0])?;
        let number = self.files.keys().filter_map(FileName::as_manifest).max().unwrap_or_default();
        let manifest = Manifest::read(number, &bytes[1])?;
        self.torn(manifest.file(), manifest.good_len());
        self.state.active.number = manifest.checkpoint.next_memtable;
        self.state.deletes = manifest.checkpoint.deletes;
        let mut staged = Staged::new(&self.state);
        staged.catalog = Arc::clone(&manifest.checkpoint.catalog);
        self.state.commit(staged);
        for tombstone in &manifest.tombstones {
            if let Some(database) = self.state.databases.get_mut(&tombstone.database) {
                database.tombstones.push(Arc::clone(tombstone));
            }
        }
        let mut need = Vec::with_capacity(manifest.files.len());
        for entry in &manifest.files {
            let file = entry.name();
            match self.files.get(&file) {
                None => return Err(StoreError::Missing { file: file.to_string() }),
                Some(len) if *len != entry.len => {
                    let why = format!("{len} bytes long instead of {}", entry.len);
                    return Err(StoreError::Damaged { file: file.to_string(), offset: 0, why });
                }
                Some(len) => need.push(range(file, len.saturating_sub(Footer::LEN as u64), *len)?),
            }
        }
        self.plan_replay(manifest.checkpoint.replay_from)?;
        self.manifest = Some(manifest);
        self.next = Next::Footers;
        Ok(need)
    }

    /// Which segments are replayed: all from `from` on, and none may be missing between.
    fn plan_replay(&mut self, from: u64) -> Result<(), StoreError> {
        let segments: Vec<u64> =
            self.files.keys().filter_map(FileName::as_wal).filter(|number| *number >= from).collect();
        for (expected, found) in (from..).zip(&segments) {
            if expected != *found {
                return Err(StoreError::Missing { file: FileName::wal(expected).to_string() });
            }
        }
        self.wal = Wal::new(from, from, 0, 0);
        self.segments = segments.into();
        Ok(())
    }

    fn footers(&mut self, bytes: &[Bytes]) -> Result<Vec<ByteRange>, StoreError> {
        let mut need = Vec::with_capacity(bytes.len());
        for (entry, tail) in self.entries().iter().zip(bytes) {
            let file = entry.name();
            let footer = Footer::parse(tail, entry.len);
            let footer = footer.map_err(|source| StoreError::Block { file: file.to_string(), source })?;
            let end = footer.index_offset + u64::from(footer.index_len);
            need.push(range(file, footer.index_offset, end)?);
            self.footers.push(footer);
        }
        self.next = Next::Indexes;
        Ok(need)
    }

    fn indexes(&mut self, bytes: &[Bytes]) -> Result<Vec<ByteRange>, StoreError> {
        let footers = std::mem::take(&mut self.footers);
        for ((entry, footer), bytes) in self.entries().into_iter().zip(footers).zip(bytes) {
            let index = FileIndex::parse(bytes.clone(), footer);
            let index = index.map_err(|source| StoreError::Block { file: entry.name().to_string(), source })?;
            self.open_file(entry, index)?;
            self.report.files += 1;
        }
        for database in self.state.databases.values_mut() {
            for shard in database.shards.values_mut() {
                sort_by(&mut shard.files, |a, b| a.sequence.cmp(&b.sequence));
            }
        }
        let tombstones: Vec<_> = self.state.tombstones().cloned().collect();
        self.state.sweep_all(&tombstones);
        self.next = Next::Segment;
        self.next_segment()
    }

    /// A live file joins its shard; its series and fields are known from now on.
    fn open_file(&mut self, entry: FileEntry, index: FileIndex) -> Result<(), StoreError> {
        let damaged = |source| StoreError::Block { file: entry.name().to_string(), source };
        if !self.state.has_shard(entry.database, entry.shard) {
            self.dropped.push(entry);
            return Ok(());
        }
        let Some(database) = self.state.databases.get_mut(&entry.database) else { return Ok(()) };
        let mut renamed = index.clone();
        for tombstone in database.tombstones.iter().filter(|tombstone| tombstone.number > entry.settled) {
            if let Some(name) = &tombstone.rename {
                renamed.rename(name).map_err(damaged)?;
            }
        }
        let mut keys = renamed.series_keys();
        while let Some((_, key)) = keys.next().map_err(damaged)? {
            if database.index.find(key).is_none() {
                let key = SeriesKey::from_canonical(key);
                let why = crate::codec::DecodeError { what: "series key not canonical", offset: 0 };
                database.index.insert(&key.ok_or_else(|| damaged(why))?);
            }
        }
        let file = block_file(&entry, index, database)?;
        let Some(shard) = database.shards.get_mut(&entry.shard) else { return Ok(()) };
        let fields = Arc::make_mut(&mut shard.fields);
        for field in file.index.fields().iter().filter(|field| !field.name.is_empty()) {
            fields.or_default(field.measurement.clone()).insert(field.name.clone(), field.field_type);
        }
        shard.files.push(Arc::new(file));
        Ok(())
    }

    fn next_segment(&mut self) -> Result<Vec<ByteRange>, StoreError> {
        match self.segments.front() {
            Some(segment) => Ok(vec![self.whole(FileName::wal(*segment))?]),
            None => {
                self.next = Next::End;
                Ok(Vec::new())
            }
        }
    }

    fn segment(&mut self, bytes: &[Bytes]) -> Result<Vec<ByteRange>, StoreError> {
        if let (Some(segment), Some(bytes)) = (self.segments.pop_front(), bytes.first()) {
            let good_len = self.replay(segment, bytes)? as u64;
            self.torn(FileName::wal(segment), good_len);
            self.wal.follow(segment, good_len);
            self.report.segments += 1;
        }
        self.next_segment()
    }

    /// The length of the segment up to its torn tail; without one, its length.
    fn replay(&mut self, segment: u64, bytes: &[u8]) -> Result<usize, StoreError> {
        let last = self.segments.is_empty();
        let damaged = |at: usize, why: String| StoreError::Damaged {
            file: FileName::wal(segment).to_string(),
            offset: at as u64,
            why,
        };
        if !log::has_header(wal::MAGIC, segment, bytes) {
            return if last { Ok(0) } else { Err(damaged(0, "not a segment of this number".into())) };
        }
        let mut at = log::HEADER_LEN;
        loop {
            match log::read_frame(bytes, at) {
                Read::End => return Ok(at),
                Read::Bad(_) if last => return Ok(at),
                Read::Bad(why) => return Err(damaged(at, why.into())),
                Read::Frame { kind, payload, next } => {
                    let record = wal::decode_record(kind, payload);
                    self.apply(record.map_err(|error| damaged(at, error.to_string()))?)
                        .map_err(|why| damaged(at, why))?;
                    at = next;
                }
            }
        }
    }

    fn apply(&mut self, record: Record) -> Result<(), String> {
        let mut staged = Staged::new(&self.state);
        let (mut prepared, mut delete, mut rename) = (None, None, None);
        match record {
            Record::Command(command) => {
                staged.command(&command).map_err(|error| error.to_string())?;
                match command {
                    Command::Delete(wanted) => delete = Some(wanted),
                    Command::Rename(wanted) => rename = Some(wanted),
                    _ => {}
                }
            }
            Record::DropShards(ids) => staged.drop_shards(&ids),
            Record::Batch { database, policy, batch } => {
                if staged.catalog.policy_by_id(database, policy).is_none() {
                    return Err("points of a database or policy that is not there".into());
                }
                let batch = staged.write(&self.state, Rules::Replay, database, policy, *batch);
                self.report.points += batch.written.points;
                prepared = Some(batch);
            }
        }
        self.report.records += 1;
        let dropped = self.state.commit(staged);
        if !dropped.is_empty() {
            let dropped = dropped.iter().map(|file| file.hash);
            let hashes: crate::hash::Set<u128> = dropped.collect();
            let entries = self.entries().into_iter().filter(|entry| hashes.contains(&entry.hash));
            self.dropped.extend(entries);
        }
        if let Some(prepared) = prepared {
            self.state.apply(self.now, &prepared);
        }
        if let Some(delete) = delete {
            self.state.delete(&delete);
        }
        if let Some(rename) = rename {
            self.state.rename(&rename);
        }
        Ok(())
    }

    fn finish(&mut self) -> Store {
        let manifest = self.manifest.take().expect("`start` has read it");
        let live: SortedSet<FileName> = manifest.files.iter().map(|file| (file.name(), ())).collect();
        let (number, first) = (manifest.file(), manifest.checkpoint.replay_from);
        let swept = self.files.keys().filter(|file| {
            let old_log = file.as_wal().is_some_and(|segment| segment < first)
                || file.as_manifest().is_some() && **file != number;
            old_log || file.is_temporary() || file.is_block() && !live.contains_key(file)
        });
        let sweep = swept.cloned().collect();
        self.state.prune_tombstones();
        let state = std::mem::take(&mut self.state);
        let wal = std::mem::replace(&mut self.wal, Wal::new(1, 1, 0, 0));
        let segment = self.files.contains_key(&wal.file()).then(|| wal.file());
        let mut store = Store::with_state(self.config.clone(), state, manifest, wal);
        store.sweep = sweep;
        for (file, len) in std::mem::take(&mut self.cuts) {
            store.act_opening(|id| Action::Truncate { id, file, len });
        }
        for file in std::iter::once(number).chain(segment) {
            store.act_opening(|id| Action::Sync { id, file });
        }
        if self.format < FORMAT {
            store.put_version();
        }
        store.remove_files(std::mem::take(&mut self.dropped).iter().map(|entry| (entry.name(), entry.hash)));
        store
    }

    fn entries(&self) -> Vec<FileEntry> {
        self.manifest.as_ref().map_or_else(Vec::new, |manifest| manifest.files.clone())
    }

    fn torn(&mut self, file: FileName, good_len: u64) {
        let len = self.files.get(&file).copied().unwrap_or(0);
        if len > good_len {
            self.report.torn_bytes += len - good_len;
            self.cuts.push((file, good_len));
        }
    }

    fn whole(&self, file: FileName) -> Result<ByteRange, StoreError> {
        let len = self.files.get(&file).copied();
        let len = len.ok_or_else(|| StoreError::Missing { file: file.to_string() })?;
        range(file, 0, len)
    }
}

fn range(file: FileName, from: u64, to: u64) -> Result<ByteRange, StoreError> {
    let Ok(len) = u32::try_from(to - from) else {
        let why = "longer than any this program writes".into();
        return Err(StoreError::Damaged { file: file.to_string(), offset: from, why });
    };
    Ok(ByteRange { file, offset: from, len })
}

fn read_version(bytes: &[u8]) -> Result<u32, StoreError> {
    let text = std::str::from_utf8(bytes).ok();
    let Some(found) = text.and_then(|text| text.trim_end().parse::<u32>().ok()) else {
        let why = "not a number".into();
        return Err(StoreError::Damaged { file: FileName::version().to_string(), offset: 0, why });
    };
    if found > FORMAT { Err(StoreError::Newer { found, known: FORMAT }) } else { Ok(found) }
}
