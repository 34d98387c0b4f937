//! Deletes in memory: points leave memtables, files get a tombstone beside them, and series, measurements and fields
//! whose last point went are known no more.
//!
//! Whether a block has a point left is told from its entry: its first and last time are those of points. Only when both
//! are deleted, by deletes that leave a gap between them, may a block have none left that is taken for one that has; until
//! a compaction has looked.

use super::memtable::FrozenMemtable;
use super::snapshot::BlockFile;
use super::state::{DatabaseState, ShardState, State};
use super::tombstone::{Tombstone, cuts_in};
use crate::catalog::{Delete, Target};
use crate::codec::DecodeError;
use crate::hash::Set;
use crate::index::{MeasurementIndex, SeriesId};
use crate::sorted::SortedMap;
use crate::time::TimeRange;
use crate::value::FieldType;
use std::sync::Arc;

impl State {
    /// Deletes what is there now.
    pub(super) fn delete(&mut self, delete: &Delete) {
        self.deletes += 1;
        let Some(database) = self.catalog.database(&delete.database) else { return };
        let id = database.id;
        let shards = database.policies.iter().flat_map(|policy| &policy.shards);
        let shards: Vec<u64> =
            shards.filter(|shard| shard.range.overlaps(delete.range)).map(|shard| shard.id).collect();
        let Delete { range, targets, .. } = delete.clone();
        let tombstone = Tombstone { number: self.deletes, database: id, range, targets };
        let Some(database) = self.databases.get_mut(&id) else { return };
        let series = database.named(&tombstone.targets);
        let mut needed = self.flushing.is_some();
        for shard in &shards {
            for memtable in self.flushing.iter_mut().chain([&mut self.active]) {
                if let Some(table) = memtable.shards.get_mut(shard) {
                    let table = Arc::make_mut(table);
                    series.iter().for_each(|series| table.delete(*series, range));
                }
            }
            let Some(state) = database.shards.get_mut(shard) else { continue };
            for file in &mut state.files {
                let mut deleted = file.deleted.clone();
                // An index that does not decode fails every query of the file: nothing of it is seen.
                if deleted.add(&tombstone, &file.index) == Ok(true) {
                    *file = Arc::new(BlockFile { deleted, ..BlockFile::clone(file) });
                    needed = true;
                }
            }
        }
        let tombstone = Arc::new(tombstone);
        if needed {
            database.tombstones.push(Arc::clone(&tombstone));
        }
        self.sweep(&tombstone);
    }

    /// Forgets series and fields that a tombstone left without a point.
    pub(super) fn sweep(&mut self, tombstone: &Tombstone) {
        let Some(database) = self.databases.get_mut(&tombstone.database) else { return };
        let named = database.named(&tombstone.targets);
        self.forget_series(tombstone.database, named);
        let tables = self.memtables();
        let Some(database) = self.databases.get_mut(&tombstone.database) else { return };
        let shards: Vec<u64> = database.shards.keys().copied().collect();
        for shard in shards {
            for target in &tombstone.targets {
                let dead = database.dead_fields(shard, &target.measurement, &tables);
                let Some(state) = database.shards.get_mut(&shard).filter(|_| !dead.is_empty()) else { continue };
                state.view = None;
                let fields = Arc::make_mut(&mut state.fields);
                if let Some(known) = fields.get_mut(&target.measurement) {
                    known.retain(|name, _| !dead.contains(name));
                    if known.is_empty() {
                        fields.remove(&target.measurement);
                    }
                }
            }
        }
        database.shards.values_mut().for_each(|shard| shard.view = None);
        database.view = None;
        self.view = None;
    }

    /// Takes those of some series out of the index that have no point left.
    pub(super) fn forget_series(&mut self, database: u32, mut series: Vec<SeriesId>) {
        let tables = self.memtables();
        let Some(database) = self.databases.get_mut(&database) else { return };
        series.retain(|series| {
            let mut shards = database.shards.iter();
            !shards.any(|(shard, state)| state.has_points(*series, tables_of(&tables, *shard)))
        });
        if !series.is_empty() {
            database.index.remove(&series.into_iter().collect());
            database.view = None;
            self.view = None;
        }
    }

    /// Lets go of tombstones that every file has settled.
    pub(super) fn prune_tombstones(&mut self) {
        let pending = self.flushing.is_some();
        for database in self.databases.values_mut().filter(|database| !database.tombstones.is_empty()) {
            let files = || database.shards.values().flat_map(|shard| &shard.files);
            let needed = |tombstone: &Tombstone| {
                files()
                    .any(|file| file.settled < tombstone.number && file.index.footer().times.overlaps(tombstone.range))
            };
            let kept: Vec<_> =
                database.tombstones.iter().filter(|tombstone| pending || needed(tombstone)).cloned().collect();
            if kept.len() < database.tombstones.len() {
                database.tombstones = kept;
                database.view = None;
                self.view = None;
            }
        }
    }

    pub(super) fn tombstones(&self) -> impl Iterator<Item = &Arc<Tombstone>> {
        self.databases.values().flat_map(|database| &database.tombstones)
    }

    /// The points that are in no file, by shard, oldest first.
    fn memtables(&self) -> Vec<(u64, Arc<FrozenMemtable>)> {
        let memtables = self.flushing.iter().chain([&self.active]);
        memtables
            .flat_map(|memtable| memtable.shards.iter().map(|(shard, table)| (*shard, Arc::clone(table))))
            .collect()
    }
}

fn tables_of(tables: &[(u64, Arc<FrozenMemtable>)], shard: u64) -> impl Iterator<Item = &FrozenMemtable> {
    tables.iter().filter(move |(of, _)| *of == shard).map(|(_, table)| &**table)
}

impl DatabaseState {
    /// The series that targets name.
    fn named(&self, targets: &[Target]) -> Vec<SeriesId> {
        let view = self.index.view();
        let mut named = Vec::new();
        for target in targets {
            match (&target.series, view.measurement(&target.measurement)) {
                (None, Some(index)) => named.extend(index.series().map(|(series, _)| series)),
                (Some(keys), _) => named.extend(keys.iter().filter_map(|key| self.index.find(key.as_bytes()))),
                (None, None) => {}
            }
        }
        named
    }

    /// The fields of a measurement of which a shard has no value left.
    fn dead_fields(&self, shard: u64, measurement: &str, tables: &[(u64, Arc<FrozenMemtable>)]) -> Set<String> {
        let Some(state) = self.shards.get(&shard) else { return Set::default() };
        let Some(known) = state.fields.get(measurement) else { return Set::default() };
        let view = self.index.view();
        let Some(index) = view.measurement(measurement) else { return known.keys().cloned().collect() };
        let tables: Vec<_> = tables_of(tables, shard).collect();
        fields_without_values(known, index, &state.files, &tables)
    }
}

/// Those of the known fields of a measurement of which neither a file nor a memtable of a shard has a value.
pub(crate) fn fields_without_values(
    known: &SortedMap<String, FieldType>,
    index: &MeasurementIndex,
    files: &[Arc<BlockFile>],
    tables: &[&FrozenMemtable],
) -> Set<String> {
    let mut unseen: SortedMap<&str, _> = known.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
    for (series, _) in index.series() {
        if unseen.is_empty() {
            break;
        }
        for chunk in tables.iter().flat_map(|table| table.chunks(series)) {
            chunk.columns.iter().filter(|(_, column)| column.count() > 0).for_each(|(name, _)| {
                unseen.remove(&**name);
            });
        }
        for file in files {
            let seen = file.each_column(series, |name, kind| {
                if unseen.get(name) == Some(&kind) {
                    unseen.remove(name);
                }
            });
            if seen.is_err() {
                return Set::default();
            }
        }
    }
    unseen.keys().map(|name| (*name).to_owned()).collect()
}

impl ShardState {
    fn has_points<'a>(&self, series: SeriesId, mut tables: impl Iterator<Item = &'a FrozenMemtable>) -> bool {
        tables.any(|table| !table.chunks(series).is_empty())
            || self.files.iter().any(|file| file.has_points(series).unwrap_or(true))
    }
}

impl BlockFile {
    /// Whether a series has a point here that is not deleted.
    pub fn has_points(&self, series: SeriesId) -> Result<bool, DecodeError> {
        let Some(slot) = self.slots.get(&series) else { return Ok(false) };
        if self.deleted.is_empty() {
            return Ok(true);
        }
        let cuts = self.deleted.cuts(*slot);
        for entry in self.index.blocks(*slot)? {
            if cuts_in(&cuts, entry?.time_range()).is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Names and types of the columns of a series that have a value that is not deleted; again for each block.
    fn each_column(&self, series: SeriesId, mut each: impl FnMut(&str, FieldType)) -> Result<(), DecodeError> {
        let Some(slot) = self.slots.get(&series) else { return Ok(()) };
        let cuts = self.deleted.cuts(*slot);
        for entry in self.index.blocks(*slot)? {
            for column in &entry?.columns {
                let extent = TimeRange::new(column.first_time, column.last_time);
                if let (Some(_), Some(field)) = (cuts_in(&cuts, extent), self.index.fields().get(column.field as usize))
                {
                    each(&field.name, field.field_type);
                }
            }
        }
        Ok(())
    }
}
