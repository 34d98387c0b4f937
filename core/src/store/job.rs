//! CPU work that the store hands to its host: runs anywhere, touches nothing but its own data and block files.

use super::ByteRange;
use super::blockfile::{BlockFileWriter, FileMeta};
use super::compact::merge::{Merge, Slice};
use super::manifest::FileEntry;
use super::memtable::{Chunk, FrozenMemtable};
use crate::index::DatabaseIndex;
use crate::model::Column;
use crate::order::sort_by;
use bytes::Bytes;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128;

/// A job; see [`Action::Run`](super::Action::Run).
#[derive(Debug)]
pub struct Job {
    pub(super) task: Task,
}

#[derive(Debug)]
pub(super) enum Task {
    /// Block files of a memtable, one for each shard.
    Flush(Vec<FlushPart>),
    /// A slice of a compaction.
    Compact(Box<Merge>),
}

/// One shard of a memtable on its way to a file.
#[derive(Debug)]
pub(super) struct FlushPart {
    pub(super) database: u32,
    pub(super) policy: u32,
    pub(super) shard: u64,
    pub(super) settled: u64,
    pub(super) meta: FileMeta,
    pub(super) memtable: Arc<FrozenMemtable>,
    pub(super) index: Arc<DatabaseIndex>,
}

/// What a job made.
#[derive(Debug)]
pub struct JobOutput {
    pub(super) made: Made,
}

#[derive(Debug)]
pub(super) enum Made {
    Files(Vec<(FileEntry, Bytes)>),
    Slice(Box<Result<Slice, String>>),
}

impl Job {
    /// `read` gives bytes of block files, or the host's words for why it cannot.
    pub fn run(self, read: &mut dyn FnMut(&ByteRange) -> Result<Bytes, String>) -> JobOutput {
        let made = match self.task {
            Task::Flush(parts) => Made::Files(parts.into_iter().filter_map(FlushPart::run).collect()),
            Task::Compact(merge) => Made::Slice(Box::new(merge.run(read))),
        };
        JobOutput { made }
    }
}

impl FlushPart {
    /// `None` when there are no points.
    fn run(self) -> Option<(FileEntry, Bytes)> {
        let (shard_start, sequence) = (self.meta.shard.min, self.meta.max_sequence);
        let mut writer = BlockFileWriter::new(self.meta);
        for (_, measurement) in self.index.measurements() {
            for (id, key) in measurement.series() {
                match self.memtable.chunks(id) {
                    [] => {}
                    [chunk] if chunk.ascending => push(&mut writer, key.as_bytes(), chunk),
                    chunks => push(&mut writer, key.as_bytes(), &merge(chunks)),
                }
            }
        }
        if writer.is_empty() {
            return None;
        }
        let bytes = Bytes::from(writer.finish());
        let Self { database, policy, shard, settled, .. } = self;
        let (hash, len) = (xxh3_128(&bytes), bytes.len() as u64);
        Some((FileEntry { database, policy, shard, shard_start, sequence, settled, len, hash }, bytes))
    }
}

fn push(writer: &mut BlockFileWriter, key: &[u8], chunk: &Chunk) {
    let columns: Vec<(&str, &Column)> = chunk.columns.iter().map(|(name, column)| (&**name, column)).collect();
    writer.push(key, &chunk.times, &columns);
}

/// The points of chunks in the order of time, one row a time; of the values a field has at one time the latest written.
fn merge(chunks: &[Arc<Chunk>]) -> Chunk {
    let rows = |(at, chunk): (usize, &Arc<Chunk>)| -> Vec<(i64, u32, u32)> {
        (0..).zip(&chunk.times).map(|(row, time)| (*time, at as u32, row)).collect()
    };
    let mut order: Vec<_> = chunks.iter().enumerate().flat_map(rows).collect();
    // Stable: rows of one time stay in the order they were written.
    sort_by(&mut order, |a, b| a.0.cmp(&b.0));
    let times = order.chunk_by(|a, b| a.0 == b.0);
    let mut merged =
        Chunk { times: times.clone().map(|rows| rows[0].0).collect(), columns: Vec::new(), ascending: true };
    for (name, column) in chunks.iter().flat_map(|chunk| &chunk.columns) {
        if merged.column(name).is_some() {
            continue;
        }
        let sources: Vec<_> = chunks.iter().map(|chunk| chunk.column(name)).collect();
        let mut values = Column::new(column.field_type());
        for rows in times.clone() {
            let latest = rows.iter().rev().find_map(|(_, chunk, row)| sources[*chunk as usize]?.get(*row as usize));
            values.push(latest);
        }
        merged.columns.push((Arc::clone(name), values));
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    #[test]
    fn the_latest_value_of_each_field_stays() {
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let mut first = Chunk::default();
        first.push(5, [(&a, Value::Integer(50)), (&b, Value::Integer(51))].into_iter());
        first.push(1, [(&a, Value::Integer(10))].into_iter());
        first.push(5, [(&a, Value::Integer(52))].into_iter());
        let mut second = Chunk::default();
        second.push(1, [(&b, Value::Integer(11))].into_iter());
        second.push(3, [(&b, Value::Integer(31))].into_iter());
        let merged = merge(&[Arc::new(first), Arc::new(second)]);
        assert_eq!(merged.times, [1, 3, 5]);
        let column = |name| (0..3).map(|row| merged.column(name).unwrap().get(row)).collect::<Vec<_>>();
        let value = |value| Some(Value::Integer(value));
        assert_eq!(column("a"), [value(10), None, value(52)]);
        assert_eq!(column("b"), [value(11), value(31), value(51)]);
    }
}
