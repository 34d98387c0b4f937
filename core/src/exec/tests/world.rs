//! Snapshots made by hand, and plans run over them.

use crate::catalog::Target;
use crate::exec::{Budget, Pool, QueryError, QueryStats, QueryTask, Step};
use crate::hash::Map;
use crate::index::{IndexWriter, SeriesId};
use crate::limits::Limits;
use crate::model::{Column, SeriesKey};
use crate::plan::{Node, Scalar};
use crate::store::blockfile::{BlockFileWriter, FileIndex, FileMeta};
use crate::store::layout::FileName;
use crate::store::memtable::{Chunk, FrozenMemtable};
use crate::store::snapshot::{BlockFile, Database, Policy, Shard, Snapshot};
use crate::store::tombstone::{Deleted, Tombstone};
use crate::time::TimeRange;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A written point: series, time, fields.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) series: usize,
    pub(super) time: i64,
    pub(super) fields: Vec<(&'static str, Scalar)>,
}

/// A group's rows, all frames of it joined.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) tags: Vec<(String, String)>,
    pub(super) input: usize,
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<(i64, Vec<Option<Scalar>>)>,
}

/// A database `db` with one policy, and the bytes of its files.
pub(super) struct World {
    pub(super) snapshot: Snapshot,
    pub(super) files: BTreeMap<FileName, Bytes>,
}

/// Where a part of the writes goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    File,
    Chunk,
}

/// Threads that do not exist, but a task cannot know: lanes are run from the last to the first, or every other one first.
#[derive(Debug)]
pub(super) struct Reordered {
    pub(super) evens_first: bool,
}

impl Pool for Reordered {
    fn worth(&self) -> u64 {
        50
    }

    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        if self.evens_first {
            (0..jobs).step_by(2).chain((0..jobs).skip(1).step_by(2)).for_each(job);
        } else {
            (0..jobs).rev().for_each(job);
        }
    }
}

/// Shards are this long, the first beginning at 0.
pub(super) const SHARD: i64 = 1_000;

impl World {
    /// `parts` in the order they were written; files come before chunks, as in the store.
    pub(super) fn new(series: &[SeriesKey], parts: &[(Place, Vec<Write>)]) -> Self {
        Self::with_shards(SHARD, series, parts)
    }

    /// The same with shards of another length.
    pub(super) fn with_shards(shard_len: i64, series: &[SeriesKey], parts: &[(Place, Vec<Write>)]) -> Self {
        let mut index = IndexWriter::default();
        let ids: Vec<SeriesId> = series.iter().map(|key| index.insert(key)).collect();
        let mut files = BTreeMap::new();
        let last = parts.iter().flat_map(|(_, writes)| writes).map(|write| write.time / shard_len).max().unwrap_or(0);
        let mut shards = Vec::new();
        for number in 0..=last {
            let range = TimeRange::new(number * shard_len, (number + 1) * shard_len - 1);
            let mut shard =
                Shard { id: number as u64, range, files: Vec::new(), memtables: Vec::new(), fields: Arc::default() };
            for (sequence, (place, writes)) in parts.iter().enumerate() {
                let mut chunks: BTreeMap<usize, Chunk> = BTreeMap::new();
                for write in writes.iter().filter(|write| range.contains(write.time)) {
                    let fields: Vec<_> =
                        write.fields.iter().map(|(name, value)| (Arc::from(*name), value.clone())).collect();
                    let fields = fields.iter().map(|(name, value)| (name, value.as_value()));
                    chunks.entry(write.series).or_default().push(write.time, fields);
                }
                if chunks.is_empty() {
                    continue;
                }
                match place {
                    Place::Chunk => {
                        let mut memtable = FrozenMemtable::new(sequence as u64);
                        chunks.into_iter().for_each(|(at, chunk)| memtable.push_chunk(ids[at], Arc::new(chunk)));
                        shard.memtables.push(Arc::new(memtable));
                    }
                    Place::File => {
                        let mut by_key: Vec<_> = chunks.into_iter().map(|(at, chunk)| (&series[at], chunk)).collect();
                        by_key.sort_by_key(|(key, _)| *key);
                        let meta = FileMeta {
                            database: "db".to_owned(),
                            retention_policy: "rp".to_owned(),
                            shard: range,
                            min_sequence: sequence as u64,
                            max_sequence: sequence as u64,
                        };
                        let mut writer = BlockFileWriter::new(meta);
                        for (key, chunk) in &by_key {
                            push_series(&mut writer, key, chunk);
                        }
                        let bytes = Bytes::from(writer.finish());
                        let name = FileName::new(format!("{number}/{sequence}"));
                        let file = open(&bytes, &name, sequence as u64, |key| index.find(key));
                        files.insert(name, bytes);
                        shard.files.push(Arc::new(file));
                    }
                }
            }
            shards.push(Arc::new(shard));
        }
        let policy =
            Policy { id: 1, name: "rp".to_owned(), duration: 0, shard_duration: shard_len, replication: 1, shards };
        let database = Database {
            id: 1,
            name: "db".to_owned(),
            policies: vec![Arc::new(policy)],
            default_policy: "rp".to_owned(),
            index: index.view(),
            tombstones: Vec::new(),
        };
        Self { snapshot: Snapshot { databases: Arc::new(vec![Arc::new(database)]), ..Snapshot::default() }, files }
    }

    /// Deletes a range of time from all series of `cpu`, as a tombstone does.
    pub(super) fn cut(&mut self, range: TimeRange) {
        let database = Arc::make_mut(&mut Arc::make_mut(&mut self.snapshot.databases)[0]);
        let policy = Arc::make_mut(&mut database.policies[0]);
        let targets = vec![Target { measurement: "cpu".to_owned(), series: None }];
        let tombstone = Tombstone { number: 1, database: 1, range, targets, fields: Vec::new(), rename: None };
        for file in policy.shards.iter_mut().flat_map(|shard| &mut Arc::make_mut(shard).files) {
            let file = Arc::make_mut(file);
            file.deleted.add(&tombstone, &file.index).unwrap();
        }
    }

    pub(super) fn run(&self, plan: &Node) -> (Vec<Group>, QueryStats) {
        self.try_run(plan, &Limits::default(), Budget::UNBOUNDED).expect("the plan runs")
    }

    pub(super) fn try_run(
        &self,
        plan: &Node,
        limits: &Limits,
        budget: Budget,
    ) -> Result<(Vec<Group>, QueryStats), QueryError> {
        let mut task = QueryTask::new(plan.clone(), self.snapshot.clone(), limits)?;
        let mut groups: Vec<Group> = Vec::new();
        let mut more = false;
        loop {
            match task.step(budget)? {
                Step::Need(ranges) => {
                    assert!(!ranges.is_empty(), "a task that waits has asked for something");
                    let read = |range: &crate::store::ByteRange| {
                        let start = range.offset as usize;
                        self.files[&range.file].slice(start..start + range.len as usize)
                    };
                    task.supply(ranges.iter().map(read).collect());
                }
                Step::Frame(frame) => {
                    assert!(frame.rows() > 0);
                    let columns: Vec<_> = frame.columns.iter().map(|column| column.name.clone()).collect();
                    let value = |column: &Column, row| column.get(row).map(Scalar::from);
                    let rows = frame.times.iter().enumerate().map(|(row, time)| {
                        (*time, frame.columns.iter().map(|column| value(&column.column, row)).collect())
                    });
                    if !more {
                        let (name, tags, input) = (frame.name.clone(), frame.tags.clone(), frame.input);
                        groups.push(Group { name, tags, input, columns, rows: Vec::new() });
                    }
                    groups.last_mut().unwrap().rows.extend(rows);
                    more = frame.more;
                }
                Step::Yield => {}
                Step::Done(stats) => {
                    assert!(!more, "a group's last frame says so");
                    return Ok((groups, stats));
                }
            }
        }
    }
}

/// What a flush does: sorted, one row a time, the later value of a field.
fn push_series(writer: &mut BlockFileWriter, key: &SeriesKey, chunk: &Chunk) {
    let mut rows: BTreeMap<i64, Vec<Option<Scalar>>> = BTreeMap::new();
    for (row, time) in chunk.times.iter().enumerate() {
        let values = rows.entry(*time).or_insert_with(|| vec![None; chunk.columns.len()]);
        for (value, (_, column)) in values.iter_mut().zip(&chunk.columns) {
            if let Some(later) = column.get(row) {
                *value = Some(later.into());
            }
        }
    }
    let times: Vec<i64> = rows.keys().copied().collect();
    let mut columns: Vec<_> = chunk.columns.iter().map(|(_, column)| Column::new(column.field_type())).collect();
    for values in rows.values() {
        for (column, value) in columns.iter_mut().zip(values) {
            column.push(value.as_ref().map(Scalar::as_value));
        }
    }
    let fields: Vec<_> = chunk.columns.iter().zip(&columns).map(|((name, _), column)| (&**name, column)).collect();
    writer.push(key.as_bytes(), &times, &fields);
}

fn open(bytes: &Bytes, name: &FileName, sequence: u64, find: impl Fn(&[u8]) -> Option<SeriesId>) -> BlockFile {
    let index = FileIndex::open(bytes).unwrap();
    let mut slots = Map::default();
    let mut keys = index.series_keys();
    while let Some((slot, key)) = keys.next().unwrap() {
        slots.insert(find(key).unwrap(), slot);
    }
    BlockFile {
        name: name.clone(),
        len: bytes.len() as u64,
        sequence,
        hash: 0,
        index,
        slots: Arc::new(slots),
        settled: 0,
        deleted: Deleted::default(),
    }
}
