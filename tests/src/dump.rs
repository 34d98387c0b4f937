//! Every value of a snapshot as text, for comparisons.

use bytes::Bytes;
use isopoint_core::model::{Column, SeriesKey};
use isopoint_core::store::block::{BlockReader, FileSlice};
use isopoint_core::store::snapshot::{Run, Shard};
use isopoint_core::store::tombstone::{mask_of, masked, uncut};
use isopoint_core::store::{ByteRange, Snapshot};
use std::collections::{BTreeMap, BTreeSet};

/// Database, policy, series as line protocol writes it, time, field: the value as it prints with its type.
pub type Dump = BTreeMap<(String, String, String, i64, String), String>;

/// Reads everything. Checks on the way what holds of every snapshot: points lie in their shard, and no memtable is there
/// both as such and as the file it became.
pub fn dump(snapshot: &Snapshot, mut read: impl FnMut(&ByteRange) -> Bytes) -> Dump {
    let mut out = Dump::new();
    for database in snapshot.databases.iter() {
        for policy in &database.policies {
            for shard in &policy.shards {
                check_sources(shard);
                let measurements = database.index.measurements();
                for (id, key) in measurements.flat_map(|(_, measurement)| measurement.series()) {
                    for run in shard.runs(id).expect("an index decodes") {
                        read_run(&run, &mut read, |time, field, value| {
                            assert!(shard.range.contains(time), "a point outside its shard");
                            let series = series_text(key);
                            let key = (database.name.clone(), policy.name.clone(), series, time, field.to_owned());
                            out.insert(key, value);
                        });
                    }
                }
            }
        }
    }
    out
}

fn check_sources(shard: &Shard) {
    let files = shard.files.iter().map(|file| file.sequence);
    let sources: Vec<u64> = files.chain(shard.memtables.iter().map(|memtable| memtable.number)).collect();
    assert!(sources.is_sorted(), "sources out of order: {sources:?}");
    assert_eq!(sources.iter().collect::<BTreeSet<_>>().len(), sources.len(), "a source is there twice: {sources:?}");
}

fn read_run(run: &Run, read: &mut impl FnMut(&ByteRange) -> Bytes, mut each: impl FnMut(i64, &str, String)) {
    let mut emit = |times: &[i64], name: &str, column: &Column| {
        assert_eq!(times.len(), column.len());
        for (row, time) in times.iter().enumerate() {
            if let Some(value) = column.get(row) {
                each(*time, name, format!("{value:?}"));
            }
        }
    };
    match run {
        Run::Chunk(chunk) => chunk.columns.iter().for_each(|(name, column)| emit(&chunk.times, name, column)),
        Run::Block { file, entry, cuts, masks } => {
            let range = entry.range();
            let len = u32::try_from(range.len).expect("a block is small");
            let bytes = read(&ByteRange { file: file.name.clone(), offset: range.offset, len });
            let slice = FileSlice { offset: range.offset, bytes: &bytes };
            let reader = BlockReader::new(entry, slice).expect("a block's checksum holds");
            let mut times = Vec::new();
            reader.times(&mut times).expect("times decode");
            let kept = uncut(cuts, &times);
            let left: Vec<i64> = kept.iter().map(|row| times[*row as usize]).collect();
            for column in &entry.columns {
                let Some(hidden) = mask_of(masks, column) else { continue };
                let mut values = Column::new(column.field_type);
                reader.column(column, &mut values).expect("a column decodes");
                let values = masked(&values, &times, hidden);
                emit(&left, &file.index.fields()[column.field as usize].name, &values.gather(&kept));
            }
        }
    }
}

/// `measurement,key=value,…`
pub fn series_text(key: &SeriesKey) -> String {
    let tags = key.tags().map(|(name, value)| format!(",{name}={value}"));
    key.measurement().into_owned() + &tags.collect::<String>()
}
