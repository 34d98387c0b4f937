//! How a write ends, and what can be wrong with a data folder.

use crate::codec::DecodeError;
use crate::value::FieldType;
use thiserror::Error;

/// A write or a command that was accepted. A batch may be accepted in part: the good points are stored, durable, and
/// counted here together with what was refused and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    pub points: u64,
    pub values: u64,
    /// Points refused; the rest of the batch is stored.
    pub dropped: u64,
    /// The first reason.
    pub refusal: Option<Refusal>,
}

/// Why a point was refused while the rest of its batch was kept.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error("field {field:?} of {measurement:?} is {given}, stored as {stored}")]
    FieldType { measurement: String, field: String, given: FieldType, stored: FieldType },
    #[error("older than the retention policy keeps")]
    BeyondRetention,
    #[error("a field of {measurement:?} is called time")]
    FieldNamedTime { measurement: String },
    #[error("a tag of {measurement:?} is called time")]
    TagNamedTime { measurement: String },
    #[error("{0}")]
    Limit(crate::limits::Exceeded),
}

/// A write or a command that was refused whole: nothing of it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WriteError {
    #[error("database not found: {0}")]
    DatabaseNotFound(String),
    #[error("retention policy not found: {0}")]
    PolicyNotFound(String),
    /// A command's own refusal: the catalog names which, the dialect words it.
    #[error(transparent)]
    Catalog(#[from] crate::catalog::CatalogError),
    /// The log could not be made durable. Reads go on, writes do not, until a restart; whether this one is stored shows
    /// then.
    #[error("writes have stopped: {0}")]
    Poisoned(String),
    /// The host had no room for the log ("No space left on device"); a later write may succeed.
    #[error("not stored: {0}")]
    Host(String),
    /// Too much is waiting to be made durable, or the memtable is at its limit.
    #[error("too many writes are waiting")]
    Overloaded,
}

/// A data folder that cannot be used as it is.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    #[error("{file} is damaged at byte {offset}: {why}")]
    Damaged { file: String, offset: u64, why: String },
    #[error("{file} is missing")]
    Missing { file: String },
    #[error("{file}: {source}")]
    Block { file: String, source: DecodeError },
    #[error("the data folder has format {found}, this program reads up to {known}")]
    Newer { found: u32, known: u32 },
}
