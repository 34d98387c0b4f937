//! Deletes and changes of names in memory: points leave memtables, files get a tombstone beside them, and series, measurements and fields
//! whose last point went are known no more.
//!
//! Whether a block has a point left is told from its entry: its first and last time are those of points. Only when both
//! are deleted, by deletes that leave a gap between them, may a block have none left that is taken for one that has; until
//! a compaction has looked.

use super::memtable::FrozenMemtable;
use super::snapshot::BlockFile;
use super::state::{DatabaseState, ShardState, State};
use super::tombstone::{Tombstone, cuts_in, left_of, mask_of};
use crate::catalog::{CatalogError, Delete, Named, NewName, Rename, Target};
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
        let Delete { range, targets, fields, .. } = delete.clone();
        let tombstone = Tombstone { number: self.deletes, database: id, range, targets, fields, rename: None };
        let Some(database) = self.databases.get_mut(&id) else { return };
        let series = database.named(&tombstone.targets);
        let mut needed = self.flushing.is_some();
        for shard in &shards {
            for memtable in self.flushing.iter_mut().chain([&mut self.active]) {
                if let Some(table) = memtable.shards.get_mut(shard) {
                    let table = Arc::make_mut(table);
                    series.iter().for_each(|series| table.delete(*series, range, &tombstone.fields));
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

    /// Gives what is there now another name. A series keeps its number, so that chunks and slots of files stay as they are.
    pub(super) fn rename(&mut self, rename: &Rename) {
        self.deletes += 1;
        let Some(id) = self.catalog.database(&rename.database).map(|database| database.id) else { return };
        let Some(database) = self.databases.get_mut(&id) else { return };
        let name = &rename.name;
        let mut needed = self.flushing.is_some();
        for state in database.shards.values_mut() {
            state.view = None;
            for file in &mut state.files {
                let mut index = file.index.clone();
                // An index that does not decode fails every query of the file: nothing of it is seen.
                if index.rename(name) == Ok(true) {
                    *file = Arc::new(BlockFile { index, ..BlockFile::clone(file) });
                    needed = true;
                }
            }
            let fields = Arc::make_mut(&mut state.fields);
            match name.what {
                Named::Measurement => {
                    if let Some(known) = fields.remove(&name.from) {
                        fields.insert(name.to.clone(), known);
                    }
                }
                Named::Field => {
                    let known = fields.get_mut(&name.measurement);
                    if let Some((known, kind)) =
                        known.and_then(|known| known.remove(&name.from).map(|kind| (known, kind)))
                    {
                        known.insert(name.to.clone(), kind);
                    }
                }
                Named::Tag => {}
            }
        }
        if name.what == Named::Field {
            let to = database.intern(&name.to);
            let all = Target { measurement: name.measurement.clone(), series: None };
            let series = database.named(&[all]);
            for memtable in self.flushing.iter_mut().chain([&mut self.active]) {
                for (_, table) in memtable.shards.iter_mut().filter(|(shard, _)| database.shards.contains_key(shard)) {
                    let table = Arc::make_mut(table);
                    series.iter().for_each(|series| table.rename_field(*series, &name.from, &to));
                }
            }
        } else {
            database.index.rename(&name.measurement, |key| name.key(key));
        }
        if needed {
            database.tombstones.push(Arc::new(Tombstone::renaming(self.deletes, id, name.clone())));
        }
        database.view = None;
        self.view = None;
    }

    /// Why something may not be renamed: it is not there, or the new name is taken.
    pub(super) fn refuse_rename(&self, rename: &Rename) -> Option<CatalogError> {
        let NewName { what, measurement, from, to } = &rename.name;
        let database = self.catalog.database(&rename.database)?.id;
        let database = self.databases.get(&database)?;
        if to.is_empty() {
            return Some(CatalogError::InvalidName);
        }
        let view = database.index.view();
        let Some(index) = view.measurement(measurement) else {
            return Some(CatalogError::NothingNamed(["measurement ", measurement].concat()));
        };
        let field = |name: &str| {
            let fields =
                |shard: &ShardState| shard.fields.get(measurement).is_some_and(|known| known.contains_key(name));
            database.shards.values().any(fields)
        };
        let tag = |name: &str| index.tag_values(name).next().is_some();
        let (word, found, taken) = match what {
            Named::Measurement => ("measurement ", true, view.measurement(to).is_some()),
            Named::Tag => ("tag key ", tag(from), to == "time" || tag(to)),
            Named::Field => ("field ", field(from), to == "time" || field(to)),
        };
        if !found {
            return Some(CatalogError::NothingNamed([word, from].concat()));
        }
        taken.then(|| CatalogError::NameTaken([word, to].concat()))
    }

    /// Whether a change of a name is in the log alone: no file may settle it before the manifest knows it, since the log
    /// would then change the name once more.
    pub(super) fn renamed_since(&self, known: u64) -> bool {
        self.tombstones().any(|tombstone| tombstone.rename.is_some() && tombstone.number > known)
    }

    /// Forgets series and fields that tombstones left without a point. What one named may have another name by now: then
    /// everything of its database is looked at.
    pub(super) fn sweep_all(&mut self, tombstones: &[Arc<Tombstone>]) {
        let renamed: Set<u32> = tombstones
            .iter()
            .filter(|tombstone| tombstone.rename.is_some())
            .map(|tombstone| tombstone.database)
            .collect();
        for tombstone in tombstones.iter().filter(|tombstone| !renamed.contains(&tombstone.database)) {
            self.sweep(tombstone);
        }
        for id in renamed {
            let Some(database) = self.databases.get(&id) else { continue };
            let mut names: Set<String> =
                database.index.view().measurements().map(|(name, _)| name.to_string()).collect();
            names.extend(database.shards.values().flat_map(|shard| shard.fields.keys().cloned()));
            let targets = names.into_iter().map(|measurement| Target { measurement, series: None }).collect();
            let (number, range, fields) = (self.deletes, TimeRange::ALL, Vec::new());
            self.sweep(&Tombstone { number, database: id, range, targets, fields, rename: None });
        }
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
    /// Whether it is to be read otherwise than it was written: a compaction ends that.
    pub fn is_amended(&self) -> bool {
        !self.deleted.is_empty() || self.index.is_renamed()
    }

    /// Whether a series has a point here that is not deleted.
    pub fn has_points(&self, series: SeriesId) -> Result<bool, DecodeError> {
        let Some(slot) = self.slots.get(&series) else { return Ok(false) };
        if self.deleted.is_empty() {
            return Ok(true);
        }
        let (cuts, masks) = (self.deleted.cuts(*slot), self.deleted.masks(*slot));
        for entry in self.index.blocks(*slot)? {
            if left_of(&cuts, &masks, &entry?).is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Names and types of the columns of a series that have a value that is not deleted; again for each block.
    fn each_column(&self, series: SeriesId, mut each: impl FnMut(&str, FieldType)) -> Result<(), DecodeError> {
        let Some(slot) = self.slots.get(&series) else { return Ok(()) };
        let (cuts, masks) = (self.deleted.cuts(*slot), self.deleted.masks(*slot));
        for entry in self.index.blocks(*slot)? {
            for column in entry?.columns.iter().filter(|column| mask_of(&masks, column).is_some()) {
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
