//! A frozen view of everything acknowledged: what queries read. Cheap to take, immutable, `Send + Sync`.
//!
//! ```text
//! Snapshot > Database > Policy > Shard > runs of a series (block file entries, memtable chunks)
//!                 └── index: Measurement > series, tags
//! ```

use super::block::BlockEntry;
use super::blockfile::FileIndex;
use super::layout::FileName;
use super::memtable::{Chunk, FrozenMemtable};
pub use super::tombstone::mask_of;
use super::tombstone::{Cuts, Deleted, Masks, Tombstone, left_of};
use crate::catalog::Documents;
use crate::codec::DecodeError;
use crate::hash::Map;
use crate::index::{DatabaseIndex, SeriesId};
use crate::memo::Memo;
use crate::order::sort_few;
use crate::sorted::SortedMap;
use crate::time::TimeRange;
use crate::value::FieldType;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// Everything at one moment. Databases in order of creation.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub databases: Arc<Vec<Arc<Database>>>,
    pub documents: Arc<Documents>,
}

#[derive(Clone, Debug)]
pub struct Database {
    pub id: u32,
    pub name: String,
    /// In order of creation.
    pub policies: Vec<Arc<Policy>>,
    /// A name; the policy may have been dropped.
    pub default_policy: String,
    pub index: Arc<DatabaseIndex>,
    /// What some of the files have not settled, by number.
    pub tombstones: Vec<Arc<Tombstone>>,
}

#[derive(Clone, Debug)]
pub struct Policy {
    pub id: u32,
    pub name: String,
    /// Nanoseconds data is kept; 0 is forever.
    pub duration: i64,
    pub shard_duration: i64,
    pub replication: u32,
    /// By start; they do not overlap.
    pub shards: Vec<Arc<Shard>>,
}

/// All data of one database and policy in one time range.
#[derive(Clone, Debug)]
pub struct Shard {
    pub id: u64,
    pub range: TimeRange,
    /// Oldest first: a later file's value wins.
    pub files: Vec<Arc<BlockFile>>,
    /// Memtables, oldest first, all later than the files.
    pub memtables: Vec<Arc<FrozenMemtable>>,
    /// The type of every field: measurement, field.
    pub fields: Arc<Fields>,
}

/// The type of every field of a shard: measurement, field.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    types: SortedMap<String, SortedMap<String, FieldType>>,
    memo: Memo,
}

impl Fields {
    /// What somebody derives from these fields, until others are there.
    pub fn memo(&self) -> &Memo {
        &self.memo
    }
}

impl Deref for Fields {
    type Target = SortedMap<String, SortedMap<String, FieldType>>;

    fn deref(&self) -> &Self::Target {
        &self.types
    }
}

impl DerefMut for Fields {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.memo.clear();
        &mut self.types
    }
}

/// A live block file and where the database's series are in it.
#[derive(Clone, Debug)]
pub struct BlockFile {
    pub name: FileName,
    /// Bytes of the file.
    pub len: u64,
    /// The memtable it was flushed from: a later file has a higher number.
    pub sequence: u64,
    /// Of the file's bytes, as in its name.
    pub hash: u128,
    pub index: FileIndex,
    /// Slot of each series that the file holds.
    pub slots: Arc<Map<SeriesId, u32>>,
    /// Tombstones up to this number left nothing behind in the file.
    pub settled: u64,
    /// What later ones say of it.
    pub deleted: Deleted,
}

/// Points of one series from one place, in the order they were written: a later run's value wins.
#[derive(Clone, Debug)]
pub enum Run {
    Chunk(Arc<Chunk>),
    /// Rows within `cuts` are deleted, and values of fields within those of `masks`.
    Block {
        file: Arc<BlockFile>,
        entry: BlockEntry,
        cuts: Cuts,
        masks: Masks,
    },
}

impl Snapshot {
    pub fn database(&self, name: &str) -> Option<&Arc<Database>> {
        self.databases.iter().find(|database| database.name == name)
    }
}

impl Database {
    /// The policy of that name; `None` asks for the default one.
    pub fn policy(&self, name: Option<&str>) -> Option<&Arc<Policy>> {
        let name = name.unwrap_or(&self.default_policy);
        self.policies.iter().find(|policy| policy.name == name)
    }
}

impl Policy {
    pub fn shards_in(&self, range: TimeRange) -> impl DoubleEndedIterator<Item = &Arc<Shard>> {
        self.shards.iter().filter(move |shard| shard.range.overlaps(range))
    }

    /// Every type that a field has in shards that meet `range`, in the order of preference.
    pub fn field_types(&self, measurement: &str, field: &str, range: TimeRange) -> Vec<FieldType> {
        let mut types: Vec<_> =
            self.shards_in(range).filter_map(|shard| shard.fields.get(measurement)?.get(field).copied()).collect();
        sort_few(&mut types);
        types.dedup();
        types
    }
}

impl Shard {
    /// The runs of a series, in the order they were written.
    pub fn runs(&self, series: SeriesId) -> Result<Vec<Run>, DecodeError> {
        let mut runs = Vec::new();
        for file in &self.files {
            let Some(slot) = file.slots.get(&series) else { continue };
            let (deleted, masks) = (file.deleted.cuts(*slot), file.deleted.masks(*slot));
            for entry in file.index.blocks(*slot)? {
                let entry = entry?;
                if let Some(cuts) = left_of(&deleted, &masks, &entry) {
                    runs.push(Run::Block { file: Arc::clone(file), entry, cuts, masks: masks.clone() });
                }
            }
        }
        for memtable in &self.memtables {
            runs.extend(memtable.chunks(series).iter().map(|chunk| Run::Chunk(Arc::clone(chunk))));
        }
        Ok(runs)
    }
}
