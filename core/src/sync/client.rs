//! The page's side: a replica of one database, fed with the tail and with parts of files.
//!
//! ```text
//! tail(bytes) ─► manifest? ─► wants() ─► host reads ─► give(bytes) ─► … ─► in force
//!             └► points ─► memtable of their generation
//! ```
//!
//! A manifest is in force only once the index of every file it names is here; until then the one before it is, together
//! with the memtables that the new files replace. So no point is missing or counted twice at any moment.

use super::wire::{Manifest, ManifestFile, ManifestShard, TailFrame, read_frame};
use crate::catalog::shard_range;
use crate::codec::DecodeError;
use crate::index::{IndexWriter, SeriesId};
use crate::model::{SeriesKey, WriteBatch};
use crate::sorted::{SortedMap, SortedSet};
use crate::store::blockfile::{FileIndex, Footer};
use crate::store::delete::fields_without_values;
use crate::store::memtable::{FrozenMemtable, Places};
use crate::store::snapshot::{BlockFile, Database, Fields, Policy, Shard};
use crate::store::tombstone::{Deleted, Tombstone};
use crate::store::wal;
use crate::store::{ByteRange, FileName};
use crate::time::TimeRange;
use bytes::Bytes;
use std::sync::Arc;

/// What a piece of the tail came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Bytes taken, whole frames only.
    pub used: usize,
    pub points: u64,
    /// A manifest was taken: see [`Replica::wants`].
    pub manifest: bool,
    /// All that the source had when the tail began is here.
    pub caught_up: bool,
}

/// Points that are not in a file yet: memtable, policy, start of the shard.
type TailKey = (u64, String, i64);

#[derive(Debug)]
struct TailTable {
    points: Arc<FrozenMemtable>,
    fields: Fields,
}

/// One database of a source.
#[derive(Debug)]
pub struct Replica {
    name: String,
    index: IndexWriter,
    files: SortedMap<FileName, Arc<BlockFile>>,
    /// In force.
    manifest: Option<Manifest>,
    /// Waits for indexes.
    next: Option<Manifest>,
    /// Footers that are here while their index is not.
    footers: SortedMap<FileName, Footer>,
    asked: Vec<Want>,
    tail: SortedMap<TailKey, TailTable>,
    /// Names of fields, each once.
    names: SortedMap<Box<str>, Arc<str>>,
    view: Option<Arc<Database>>,
}

/// A file up to this size is asked for whole: its footer, its index and its columns in one go.
const SMALL_FILE: u64 = 64 << 10;

#[derive(Clone, Debug)]
struct Want {
    file: ManifestFile,
    range: ByteRange,
}

impl Replica {
    pub fn new(database: &str) -> Self {
        Self {
            name: database.to_owned(),
            index: IndexWriter::default(),
            files: SortedMap::new(),
            manifest: None,
            next: None,
            footers: SortedMap::new(),
            asked: Vec::new(),
            tail: SortedMap::new(),
            names: SortedMap::new(),
            view: None,
        }
    }

    /// A replica for a new connection: what is known of files is kept (their bytes never change), points are not.
    pub fn restart(&self) -> Self {
        let mut fresh = Self::new(&self.name);
        for file in self.files.values() {
            // Series get numbers of the new replica: a file's table names them all.
            let reopened = fresh.block_file(&file.name, file.len, file.index.clone());
            if let Ok(reopened) = reopened {
                fresh.files.insert(file.name.clone(), Arc::new(reopened));
            }
        }
        fresh
    }

    /// Files in force.
    pub fn files(&self) -> impl Iterator<Item = &ManifestFile> {
        self.manifest.iter().flat_map(shards_of).flat_map(|(_, shard)| &shard.files)
    }

    /// Takes whole frames from the start of `bytes`, up to and including the first manifest.
    pub fn tail(&mut self, bytes: &[u8]) -> Result<Taken, DecodeError> {
        let mut taken = Taken::default();
        while let Some((frame, used)) = read_frame(&bytes[taken.used..])? {
            taken.used += used;
            match frame {
                TailFrame::Points { generation, policy, batch } => {
                    taken.points += self.points(generation, policy, batch)?;
                }
                TailFrame::Manifest(manifest) => {
                    self.next = Some(manifest);
                    self.promote();
                    taken.manifest = true;
                    break;
                }
                TailFrame::Clock(_) => taken.caught_up |= self.manifest.is_some() && self.next.is_none(),
            }
        }
        if taken.points > 0 || taken.manifest {
            self.view = None;
        }
        Ok(taken)
    }

    /// The parts of files needed before the newest manifest is in force: small files whole; of others the footer first,
    /// then the index.
    pub fn wants(&mut self) -> Vec<ByteRange> {
        let files = self.next.iter().flat_map(shards_of).flat_map(|(_, shard)| &shard.files);
        let unknown = files.filter_map(|file| {
            let name = FileName::new(file.name.as_str());
            if self.files.contains_key(&name) {
                return None;
            }
            let (offset, len) = match self.footers.get(&name) {
                Some(footer) => (footer.index_offset, footer.index_len),
                None if file.size <= SMALL_FILE => (0, file.size as u32),
                None => (file.size.saturating_sub(Footer::LEN as u64), Footer::LEN as u32),
            };
            Some(Want { file: file.clone(), range: ByteRange { file: name, offset, len } })
        });
        self.asked = unknown.collect();
        self.asked.iter().map(|want| want.range.clone()).collect()
    }

    /// What [`wants`](Self::wants) asked for last, in its order.
    pub fn give(&mut self, parts: Vec<Bytes>) -> Result<(), DecodeError> {
        for (want, bytes) in std::mem::take(&mut self.asked).into_iter().zip(parts) {
            let name = want.range.file;
            match self.footers.remove(&name) {
                None if want.range.offset == 0 && bytes.len() as u64 == want.file.size => {
                    let file = self.block_file(&name, want.file.size, FileIndex::open(&bytes)?)?;
                    self.files.insert(name, Arc::new(file));
                }
                None => {
                    let footer = Footer::parse(&bytes, want.file.size)?;
                    self.footers.insert(name, footer);
                }
                Some(footer) => {
                    let index = FileIndex::parse(bytes, footer)?;
                    let file = self.block_file(&name, want.file.size, index)?;
                    self.files.insert(name, Arc::new(file));
                }
            }
        }
        self.promote();
        Ok(())
    }

    /// Everything here, as queries read it; `None` before the first manifest is in force.
    pub fn database(&mut self) -> Option<Arc<Database>> {
        if self.view.is_none() {
            self.view = Some(Arc::new(self.build()?));
        }
        self.view.clone()
    }

    /// Puts the waiting manifest in force if all its files are known, and drops what it replaces.
    fn promote(&mut self) {
        let Some(next) = &self.next else { return };
        let known = |file: &ManifestFile| self.files.contains_key(&FileName::new(file.name.as_str()));
        if !shards_of(next).all(|(_, shard)| shard.files.iter().all(known)) {
            return;
        }
        let first = next.first_generation;
        self.tail.retain(|(generation, _, _), _| *generation >= first);
        let live: SortedSet<_> = shards_of(next)
            .flat_map(|(_, shard)| &shard.files)
            .map(|file| (FileName::new(file.name.as_str()), ()))
            .collect();
        let before = self.files.len();
        self.files.retain(|name, _| live.contains_key(name));
        let dropped = self.files.len() < before;
        let before = std::mem::replace(&mut self.manifest, self.next.take());
        let deleted = self.delete(before.as_ref());
        if dropped || deleted {
            self.forget();
        }
        self.view = None;
    }

    /// Lays the manifest's tombstones beside its files, but for those that `before`, the manifest in force until now, laid
    /// beside them already. Whether there are any.
    fn delete(&mut self, before: Option<&Manifest>) -> bool {
        let Some(manifest) = &self.manifest else { return false };
        let files = before.into_iter().flat_map(shards_of).flat_map(|(_, shard)| &shard.files);
        let settled: SortedMap<&str, u64> = files.map(|file| (file.name.as_str(), file.settled)).collect();
        let mut any = false;
        for listed in shards_of(manifest).flat_map(|(_, shard)| &shard.files) {
            let Some(file) = self.files.get_mut(&FileName::new(listed.name.as_str())) else { continue };
            let of =
                |manifest: &Manifest| later(manifest, listed).map(|tombstone| tombstone.number).collect::<Vec<_>>();
            let laid = match before.filter(|_| settled.get(listed.name.as_str()) == Some(&listed.settled)) {
                Some(before) => of(before) == of(manifest),
                // A new file has nothing beside it yet.
                None => file.settled == listed.settled && !file.is_amended() && of(manifest).is_empty(),
            };
            if laid {
                any |= file.is_amended();
                continue;
            }
            let later = later(manifest, listed);
            // An index that does not decode fails every query of the file.
            let mut index = file.index.original().unwrap_or_else(|_| file.index.clone());
            let deleted = Deleted::of(later, &mut index).unwrap_or_default();
            if index.is_renamed() || file.is_amended() || !deleted.is_empty() || file.settled != listed.settled {
                any |= !deleted.is_empty() || index.is_renamed();
                let slots = match index.is_renamed() || file.index.is_renamed() {
                    true => slots_of(&mut self.index, &index).map_or_else(|_| Arc::clone(&file.slots), Arc::new),
                    false => Arc::clone(&file.slots),
                };
                *file =
                    Arc::new(BlockFile { settled: listed.settled, deleted, index, slots, ..BlockFile::clone(file) });
            }
        }
        any
    }

    /// Takes series without a point out of the index.
    fn forget(&mut self) {
        let view = self.index.view();
        let series = view.measurements().flat_map(|(_, index)| index.series()).map(|(series, _)| series);
        let tail = |series: SeriesId| self.tail.values().any(|table| !table.points.chunks(series).is_empty());
        let files = |series| self.files.values().any(|file| file.has_points(series).unwrap_or(true));
        let gone: crate::hash::Set<SeriesId> = series.filter(|series| !tail(*series) && !files(*series)).collect();
        drop(view);
        if !gone.is_empty() {
            self.index.remove(&gone);
        }
    }

    fn block_file(&mut self, name: &FileName, len: u64, index: FileIndex) -> Result<BlockFile, DecodeError> {
        let slots = slots_of(&mut self.index, &index)?;
        let sequence = index.meta().max_sequence;
        let hash = name.block_hash().unwrap_or_default();
        let (slots, settled, deleted) = (Arc::new(slots), 0, Deleted::default());
        Ok(BlockFile { name: name.clone(), hash, len, sequence, index, slots, settled, deleted })
    }

    fn points(&mut self, generation: u64, policy: &str, batch: &[u8]) -> Result<u64, DecodeError> {
        let newest = self.next.as_ref().or(self.manifest.as_ref());
        if newest.is_some_and(|manifest| generation < manifest.first_generation) {
            // Said before the manifest whose files hold them, and heard after it.
            return Ok(0);
        }
        let mut points = WriteBatch::new();
        wal::decode_batch(batch, &mut points)?;
        let batch = points;
        let manifest = self.next.as_ref().or(self.manifest.as_ref());
        let known = manifest.and_then(|manifest| manifest.policies.iter().find(|known| known.name == policy));
        let Some(known) = known else {
            return Err(DecodeError { what: "points of an unknown retention policy", offset: 0 });
        };
        let known = known.clone();
        let shard_start = |time: i64| {
            let listed = known.shards.iter().find(|shard| shard.min_time <= time && time <= shard.max_time);
            listed.map_or_else(|| shard_range(time, known.shard_duration).min, |shard| shard.min_time)
        };
        let places = self.places(&batch)?;
        // Rows of one shard mostly come together: its table is looked up once a run.
        for rows in batch.rows.chunk_by(|left, right| shard_start(left.time) == shard_start(right.time)) {
            let start = shard_start(rows[0].time);
            let tail = self.tail.or_insert_with((generation, policy.to_owned(), start), || TailTable {
                points: Arc::new(FrozenMemtable::new(generation)),
                fields: Fields::default(),
            });
            let table = Arc::make_mut(&mut tail.points);
            let mut seen = vec![false; batch.field_count()];
            for row in rows {
                let cells = batch.cells_of(row);
                for cell in cells.iter().filter(|cell| !std::mem::replace(&mut seen[cell.field as usize], true)) {
                    let measurement = tail.fields.or_default(batch.field_measurement(cell.field).to_owned());
                    measurement.or_insert_with(batch.field_name(cell.field).to_owned(), || cell.field_type);
                }
                let cells = cells.iter().map(|cell| (&places.names[cell.field as usize], batch.value(cell)));
                table.tail(places.series[row.series as usize]).push(row.time, cells);
            }
        }
        Ok(batch.len() as u64)
    }

    fn places(&mut self, batch: &WriteBatch) -> Result<Places, DecodeError> {
        let damaged = DecodeError { what: "series key is not canonical", offset: 0 };
        let mut places = Places::default();
        for series in 0..batch.series_count() as u32 {
            let bytes = batch.series_key(series);
            let id: SeriesId = match self.index.find(bytes) {
                Some(id) => id,
                None => self.index.insert(&SeriesKey::from_canonical(bytes).ok_or(damaged)?),
            };
            places.series.push(id);
        }
        for field in 0..batch.field_count() as u32 {
            let name = batch.field_name(field);
            let known = self.names.get(name).cloned();
            places.names.push(known.unwrap_or_else(|| {
                let name: Arc<str> = Arc::from(name);
                self.names.insert(Box::from(&*name), Arc::clone(&name));
                name
            }));
        }
        Ok(places)
    }

    fn build(&self) -> Option<Database> {
        let manifest = self.manifest.as_ref()?;
        let index = self.index.view();
        let policies = manifest.policies.iter().zip(0..).map(|(policy, id)| {
            let mut shards: SortedMap<i64, Shard> = SortedMap::new();
            for listed in &policy.shards {
                shards.insert(listed.min_time, self.shard(listed));
            }
            for ((_, _, start), tail) in self.tail.iter().filter(|((_, name, _), _)| *name == policy.name) {
                // A shard that no file has yet: its number is the server's to give, and no answer shows it.
                let shard = shards.or_insert_with(*start, || Shard {
                    id: 0,
                    range: shard_range(*start, policy.shard_duration),
                    files: Vec::new(),
                    memtables: Vec::new(),
                    fields: Arc::default(),
                });
                let fields = Arc::make_mut(&mut shard.fields);
                for (measurement, names) in tail.fields.iter() {
                    let known = fields.or_default(measurement.clone());
                    for (name, field_type) in names.iter() {
                        known.or_insert_with(name.clone(), || *field_type);
                    }
                }
                shard.memtables.push(Arc::clone(&tail.points));
            }
            Arc::new(Policy {
                id,
                name: policy.name.clone(),
                duration: policy.duration,
                shard_duration: policy.shard_duration,
                replication: policy.replication,
                shards: shards.into_iter().map(|(_, shard)| Arc::new(shard)).collect(),
            })
        });
        let policies = policies.collect();
        let default_policy = manifest.default_policy.clone();
        let name = self.name.clone();
        Some(Database { id: 0, name, policies, default_policy, index, tombstones: Vec::new() })
    }

    fn shard(&self, listed: &ManifestShard) -> Shard {
        let mut fields = Fields::default();
        let names = listed.files.iter().map(|file| FileName::new(file.name.as_str()));
        let files: Vec<_> = names.filter_map(|name| self.files.get(&name).cloned()).collect();
        for field in files.iter().flat_map(|file| file.index.fields()).filter(|field| !field.name.is_empty()) {
            // A field that was deleted may have come back with another type.
            fields.or_default(field.measurement.clone()).insert(field.name.clone(), field.field_type);
        }
        if files.iter().any(|file| !file.deleted.is_empty()) {
            let view = self.index.view();
            fields.retain(|measurement, known| {
                let Some(index) = view.measurement(measurement) else { return false };
                let dead = fields_without_values(known, index, &files, &[]);
                known.retain(|name, _| !dead.contains(name));
                !known.is_empty()
            });
        }
        Shard {
            id: listed.id,
            range: TimeRange::new(listed.min_time, listed.max_time),
            files,
            memtables: Vec::new(),
            fields: Arc::new(fields),
        }
    }
}

/// The slot of each series of a file, which are known from now on.
fn slots_of(known: &mut IndexWriter, index: &FileIndex) -> Result<crate::hash::Map<SeriesId, u32>, DecodeError> {
    let mut slots = crate::hash::Map::default();
    let mut keys = index.series_keys();
    while let Some((slot, key)) = keys.next()? {
        let damaged = DecodeError { what: "series key is not canonical", offset: u64::from(slot) };
        let key = SeriesKey::from_canonical(key).ok_or(damaged)?;
        slots.insert(known.insert(&key), slot);
    }
    Ok(slots)
}

/// The tombstones that a file is older than.
fn later<'m>(manifest: &'m Manifest, file: &ManifestFile) -> impl Iterator<Item = &'m Tombstone> {
    let settled = file.settled;
    manifest.tombstones.iter().filter(move |tombstone| tombstone.number > settled)
}

fn shards_of(manifest: &Manifest) -> impl Iterator<Item = (&str, &ManifestShard)> {
    manifest.policies.iter().flat_map(|policy| policy.shards.iter().map(|shard| (policy.name.as_str(), shard)))
}
