//! What is acknowledged, in memory: the catalog, indexes, field types, memtables and live files; and the views of them.
//!
//! Nothing here does or asks for IO. [`Staged`] is a change that is being made durable: it is checked against the state
//! and takes effect in it only when [`State::commit`] is called, or is dropped and leaves no trace.

use super::memtable::{Memtable, Places};
use super::snapshot::{BlockFile, Database, Fields, Policy, Shard, Snapshot};
use super::staged::{Prepared, Staged};
use super::tombstone::Tombstone;
use crate::catalog::{Catalog, DatabaseEntry, ShardEntry};
use crate::hash::Set;
use crate::index::{IndexWriter, SeriesId};
use crate::model::SeriesKey;
use crate::sorted::SortedMap;
use crate::time::Timestamp;
use std::sync::Arc;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) catalog: Arc<Catalog>,
    pub(super) databases: SortedMap<u32, DatabaseState>,
    pub(super) active: Memtable,
    /// The memtable that is becoming files; older than `active`.
    pub(super) flushing: Option<Memtable>,
    /// How many there were: the number of the latest tombstone.
    pub(super) deletes: u64,
    pub(super) view: Option<Snapshot>,
}

#[derive(Debug, Default)]
pub(super) struct DatabaseState {
    pub(super) index: IndexWriter,
    /// Field names, each kept once.
    names: Set<Arc<str>>,
    pub(super) shards: SortedMap<u64, ShardState>,
    /// Those that some file has not settled, by number.
    pub(super) tombstones: Vec<Arc<Tombstone>>,
    pub(super) view: Option<Arc<Database>>,
}

#[derive(Debug, Default)]
pub(super) struct ShardState {
    /// Oldest first.
    pub(super) files: Vec<Arc<BlockFile>>,
    pub(super) fields: Arc<Fields>,
    pub(super) view: Option<Arc<Shard>>,
}

impl State {
    /// Makes a staged change real. Files of what was dropped come back: they are live no more.
    pub(super) fn commit(&mut self, staged: Staged) -> Vec<Arc<BlockFile>> {
        let mut dropped = Vec::new();
        if !Arc::ptr_eq(&self.catalog, &staged.catalog) {
            let before = std::mem::replace(&mut self.catalog, staged.catalog);
            dropped = self.follow_catalog(&before);
        }
        for ((shard, measurement), fields) in staged.fields {
            let state = self.databases.values_mut().find_map(|database| {
                let state = database.shards.get_mut(&shard)?;
                database.view = None;
                Some(state)
            });
            // A shard that was dropped after the write that made it, both in one group.
            let Some(state) = state else { continue };
            state.view = None;
            Arc::make_mut(&mut state.fields).or_default(measurement).extend(fields);
        }
        self.view = None;
        dropped
    }

    /// Makes and takes away states so that they are those of the catalog's databases and shards.
    fn follow_catalog(&mut self, before: &Catalog) -> Vec<Arc<BlockFile>> {
        let mut dropped = Vec::new();
        let mut live: SortedMap<u32, Set<u64>> = SortedMap::new();
        for database in &self.catalog.databases {
            let shards = database.policies.iter().flat_map(|policy| policy.shards.iter().map(|shard| shard.id));
            live.insert(database.id, shards.collect());
            self.databases.or_default(database.id);
        }
        let mut orphans: Vec<(u32, Vec<SeriesId>)> = Vec::new();
        let mut forget = |shard: u64, state: ShardState, memtables: [Option<&mut Memtable>; 2]| {
            let mut series: Set<SeriesId> = state.files.iter().flat_map(|file| file.slots.keys().copied()).collect();
            dropped.extend(state.files);
            for memtable in memtables.into_iter().flatten() {
                if let Some(table) = memtable.shards.remove(&shard) {
                    series.extend(table.series().map(|(series, _)| series));
                }
            }
            series
        };
        for (id, database) in self.databases.iter_mut() {
            if before.database_by_id(*id) == self.catalog.database_by_id(*id) {
                continue;
            }
            database.view = None;
            let shards = live.remove(id).unwrap_or_default();
            for shard in &shards {
                database.shards.or_default(*shard);
            }
            let gone: Vec<_> = database.shards.keys().copied().filter(|shard| !shards.contains(shard)).collect();
            let mut series = Set::default();
            for shard in gone {
                let state = database.shards.remove(&shard).unwrap_or_default();
                series.extend(forget(shard, state, [Some(&mut self.active), self.flushing.as_mut()]));
            }
            if !series.is_empty() {
                orphans.push((*id, series.into_iter().collect()));
            }
        }
        let catalog = &self.catalog;
        self.databases.retain(|id, _| catalog.database_by_id(*id).is_some());
        orphans.into_iter().for_each(|(database, series)| self.forget_series(database, series));
        dropped
    }

    /// Adds checked points, already durable, to the memtable. Rows of a shard that is gone are passed over.
    pub(super) fn apply(&mut self, now: Timestamp, prepared: &Prepared) {
        let Some(database) = self.databases.get_mut(&prepared.database) else { return };
        let batch = &prepared.batch;
        let mut seen = vec![false; batch.series_count()];
        for row in &batch.rows {
            seen[row.series as usize] = true;
        }
        let series = (0..).zip(&seen).map(|(slot, seen)| {
            if !seen {
                return SeriesId(u32::MAX);
            }
            let key = batch.series_key(slot);
            database.index.find(key).unwrap_or_else(|| {
                let key = SeriesKey::from_canonical(key).expect("staging checked the keys of new series");
                database.index.insert(&key)
            })
        });
        let series = series.collect();
        let names = (0..batch.field_count() as u32).map(|field| database.intern(batch.field_name(field))).collect();
        let places = Places { series, names };
        for (shard, rows) in &prepared.runs {
            let Some(state) = database.shards.get_mut(shard) else { continue };
            state.view = None;
            self.active.append(*shard, batch, rows.clone(), &places);
        }
        if !self.active.is_empty() {
            self.active.since.get_or_insert(now);
        }
        database.view = None;
        self.view = None;
    }

    /// The memtable's points are to become files: writes go to a new one.
    pub(super) fn freeze(&mut self) {
        debug_assert!(self.flushing.is_none(), "one flush at a time");
        let next = Memtable::new(self.active.number + 1);
        self.flushing = Some(std::mem::replace(&mut self.active, next));
    }

    /// The files that the frozen memtable became take its place. Those of shards dropped meanwhile come back.
    pub(super) fn flushed(&mut self, files: Vec<(u64, Arc<BlockFile>)>) -> Vec<Arc<BlockFile>> {
        let mut dropped = Vec::new();
        for (shard, file) in files {
            match self.shard_mut(shard) {
                Some(state) => state.files.push(file),
                None => dropped.push(file),
            }
        }
        if let Some(memtable) = self.flushing.take() {
            for shard in memtable.shards.keys() {
                self.shard_mut(*shard);
            }
        }
        self.view = None;
        dropped
    }

    /// A file takes the place of some that follow each other in a shard.
    pub(super) fn compacted(&mut self, shard: u64, inputs: &[Arc<BlockFile>], file: Option<Arc<BlockFile>>) {
        let Some(state) = self.shard_mut(shard) else { return };
        let replaced = |known: &Arc<BlockFile>| inputs.iter().any(|input| input.hash == known.hash);
        let at = state.files.iter().position(replaced).unwrap_or(state.files.len());
        state.files.retain(|known| !replaced(known));
        if let Some(file) = file {
            state.files.insert(at, file);
        }
        self.view = None;
    }

    pub(super) fn has_shard(&self, database: u32, shard: u64) -> bool {
        self.databases.get(&database).is_some_and(|database| database.shards.contains_key(&shard))
    }

    /// A shard whose view is to be made anew.
    pub(super) fn shard_mut(&mut self, shard: u64) -> Option<&mut ShardState> {
        self.databases.values_mut().find_map(|database| {
            let state = database.shards.get_mut(&shard)?;
            database.view = None;
            state.view = None;
            Some(state)
        })
    }

    /// Everything acknowledged. Made anew only where something has changed.
    pub(super) fn snapshot(&mut self) -> Snapshot {
        if let Some(view) = &self.view {
            return view.clone();
        }
        let mut databases = Vec::with_capacity(self.catalog.databases.len());
        for entry in &self.catalog.databases {
            let Some(state) = self.databases.get_mut(&entry.id) else { continue };
            let view = state.view.take().unwrap_or_else(|| {
                let memtables = [self.flushing.as_ref(), Some(&self.active)];
                Arc::new(state.database_view(entry, memtables))
            });
            state.view = Some(Arc::clone(&view));
            databases.push(view);
        }
        let view = Snapshot { databases: Arc::new(databases), documents: Arc::clone(&self.catalog.documents) };
        self.view = Some(view.clone());
        view
    }
}

impl DatabaseState {
    pub(super) fn intern(&mut self, name: &str) -> Arc<str> {
        if let Some(name) = self.names.get(name) {
            return Arc::clone(name);
        }
        let name: Arc<str> = Arc::from(name);
        self.names.insert(Arc::clone(&name));
        name
    }

    fn database_view(&mut self, entry: &DatabaseEntry, memtables: [Option<&Memtable>; 2]) -> Database {
        let mut policies = Vec::with_capacity(entry.policies.len());
        for policy in &entry.policies {
            let shards = policy.shards.iter().filter_map(|shard| {
                let state = self.shards.get_mut(&shard.id)?;
                let view = state.view.take().unwrap_or_else(|| Arc::new(state.shard_view(*shard, memtables)));
                state.view = Some(Arc::clone(&view));
                Some(view)
            });
            policies.push(Arc::new(Policy {
                id: policy.id,
                name: policy.name.clone(),
                duration: policy.duration,
                shard_duration: policy.shard_duration,
                replication: policy.replication,
                shards: shards.collect(),
            }));
        }
        Database {
            id: entry.id,
            name: entry.name.clone(),
            policies,
            default_policy: entry.default_policy.clone(),
            index: self.index.view(),
            tombstones: self.tombstones.clone(),
        }
    }
}

impl ShardState {
    fn shard_view(&self, entry: ShardEntry, memtables: [Option<&Memtable>; 2]) -> Shard {
        let memtables = memtables.into_iter().flatten().filter_map(|memtable| memtable.shards.get(&entry.id));
        Shard {
            id: entry.id,
            range: entry.range,
            files: self.files.clone(),
            memtables: memtables.map(Arc::clone).collect(),
            fields: Arc::clone(&self.fields),
        }
    }
}
