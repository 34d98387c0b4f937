//! The server's side: what is live, and the points that no file has yet.

use super::wire::{Manifest, ManifestFile, ManifestPolicy, ManifestShard, TailFrame, write_frame};
use crate::model::WriteBatch;
use crate::store::memtable::Chunk;
use crate::store::snapshot::Database;
use crate::store::tombstone::Tombstone;
use crate::store::wal;

/// Rows of one frame of points.
const FRAME_ROWS: usize = 10_000;

/// What is live in a database. `first_memtable` is that of the store at the same moment.
pub fn manifest(database: &Database, first_memtable: u64) -> Manifest {
    let policies = database.policies.iter().map(|policy| ManifestPolicy {
        name: policy.name.clone(),
        duration: policy.duration,
        shard_duration: policy.shard_duration,
        replication: policy.replication,
        shards: policy
            .shards
            .iter()
            .map(|shard| ManifestShard {
                id: shard.id,
                min_time: shard.range.min,
                max_time: shard.range.max,
                files: shard
                    .files
                    .iter()
                    .map(|file| ManifestFile {
                        name: file.name.as_str().to_owned(),
                        size: file.len,
                        settled: file.settled,
                    })
                    .collect(),
            })
            .collect(),
    });
    Manifest {
        database: database.name.clone(),
        default_policy: database.default_policy.clone(),
        policies: policies.collect(),
        first_generation: first_memtable,
        tombstones: database
            .tombstones
            .iter()
            .map(|tombstone| Tombstone { database: 0, ..Tombstone::clone(tombstone) })
            .collect(),
    }
}

/// Hands out the points that no file has yet as frames of the tail, each at most about 10,000 rows, in an order in which
/// later values come later.
pub fn memtable_frames(database: &Database, mut frame: impl FnMut(Vec<u8>)) {
    let mut batch = WriteBatch::new();
    for policy in &database.policies {
        for shard in &policy.shards {
            for table in &shard.memtables {
                let mut send = |batch: &mut WriteBatch| {
                    if batch.is_empty() {
                        return;
                    }
                    let mut points = Vec::new();
                    wal::encode_batch(batch, &mut points);
                    let mut out = Vec::new();
                    write_frame(
                        &TailFrame::Points { generation: table.number, policy: &policy.name, batch: &points },
                        &mut out,
                    );
                    batch.clear();
                    frame(out);
                };
                for (series, chunks) in table.series() {
                    let keys = database.index.measurements().find_map(|(name, index)| Some((name, index.key(series)?)));
                    let Some((measurement, key)) = keys else { continue };
                    for chunk in chunks {
                        let slot = batch.intern_key(measurement, key.as_bytes());
                        push_rows(chunk, slot, &mut batch);
                    }
                    if batch.len() >= FRAME_ROWS {
                        send(&mut batch);
                    }
                }
                send(&mut batch);
            }
        }
    }
}

fn push_rows(chunk: &Chunk, series: u32, batch: &mut WriteBatch) {
    for (row, time) in chunk.times.iter().enumerate() {
        batch.begin_row(series, *time);
        for (name, column) in &chunk.columns {
            if let Some(value) = column.get(row) {
                batch.push_value(name, value);
            }
        }
    }
}
