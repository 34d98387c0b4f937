//! Databases, retention policies and documents: what exists, apart from points.
//!
//! A change is a [`Command`]; the store logs it and applies it in the same order as writes.

pub mod delete;
mod documents;
pub mod rename;
mod state;
mod wire;

pub use delete::{Delete, Target};
pub use documents::{DocumentChanges, Documents, Space};
pub use rename::{Named, NewName, Rename};
pub use state::{AUTOGEN, Catalog, DatabaseEntry, PolicyEntry, ShardEntry};

use crate::time::{NANOS_PER_DAY, NANOS_PER_HOUR, NANOS_PER_WEEK, TimeRange, Timestamp};
use thiserror::Error;

/// A change of the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Again: nothing happens. With options, the policy they describe is made and is the default; otherwise `autogen`.
    CreateDatabase {
        name: String,
        policy: Option<PolicyOptions>,
    },
    /// Absent: nothing happens.
    DropDatabase {
        name: String,
    },
    CreatePolicy {
        database: String,
        name: String,
        options: PolicyOptions,
        default: bool,
    },
    AlterPolicy {
        database: String,
        name: String,
        changes: PolicyChanges,
        default: bool,
    },
    /// Absent: nothing happens.
    DropPolicy {
        database: String,
        name: String,
    },
    Documents(DocumentChanges),
    /// Points go; the catalog stays as it is.
    Delete(Delete),
    /// Series or fields get another name; the catalog stays as it is.
    Rename(Rename),
    /// Absent: nothing happens.
    DropShard {
        id: u64,
    },
}

/// A policy as asked for; absent members take their defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyOptions {
    pub name: Option<String>,
    /// 0 is forever.
    pub duration: Option<i64>,
    pub replication: Option<u32>,
    /// 0 is the default for the duration.
    pub shard_duration: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyChanges {
    pub duration: Option<i64>,
    pub replication: Option<u32>,
    pub shard_duration: Option<i64>,
}

/// Why a command was refused. The dialect that sent it has the words.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CatalogError {
    #[error("invalid name")]
    InvalidName,
    #[error("name too long")]
    NameTooLong,
    #[error("database not found: {0}")]
    DatabaseNotFound(String),
    #[error("retention policy not found: {0}")]
    PolicyNotFound(String),
    #[error("retention policy already exists")]
    PolicyExists,
    #[error("retention policy conflicts with an existing policy")]
    PolicyConflicts,
    #[error("retention policy duration must be at least 1h0m0s")]
    DurationTooLow,
    #[error("retention policy duration must be greater than the shard duration")]
    DurationBelowShard,
    /// There is nothing of the name that is to be changed.
    #[error("{0} not found")]
    NothingNamed(String),
    #[error("{0} already exists")]
    NameTaken(String),
    /// Decide again on what is there now.
    #[error("the documents of {0} have changed meanwhile")]
    DocumentsChanged(String),
}

/// The shard duration InfluxDB 1.x gives a policy that keeps data for `duration` (0: forever) when none is asked for.
pub const fn default_shard_duration(duration: i64) -> i64 {
    if duration == 0 || duration >= 180 * NANOS_PER_DAY {
        NANOS_PER_WEEK
    } else if duration >= 2 * NANOS_PER_DAY {
        NANOS_PER_DAY
    } else {
        NANOS_PER_HOUR
    }
}

/// The shard duration a policy really gets: 0 asks for the default, and none is below an hour.
pub const fn shard_duration(given: i64, duration: i64) -> i64 {
    match given {
        0 => default_shard_duration(duration),
        given if given < NANOS_PER_HOUR => NANOS_PER_HOUR,
        given => given,
    }
}

/// Nanoseconds from Monday 0001-01-01, from which InfluxDB counts shards, to 1970-01-01.
const SHARD_ORIGIN_NANOS: i128 = 62_135_596_800 * 1_000_000_000;

/// The range of the shard that holds `time`: a multiple of the shard duration from Monday 0001-01-01 on, cut to the
/// instants that points may have.
pub fn shard_range(time: i64, shard_duration: i64) -> TimeRange {
    let (time, width) = (i128::from(time), i128::from(shard_duration.max(1)));
    let start = (time + SHARD_ORIGIN_NANOS).div_euclid(width) * width - SHARD_ORIGIN_NANOS;
    let clip = |nanos: i128| nanos.clamp(i128::from(Timestamp::MIN.nanos()), i128::from(Timestamp::MAX.nanos())) as i64;
    TimeRange::new(clip(start), clip(start + width - 1))
}

/// InfluxDB's rule for names of databases and policies.
fn check_name(name: &str) -> Result<(), CatalogError> {
    let printable = |c: char| c == ' ' || !(c.is_control() || c.is_whitespace());
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\\']) || !name.chars().all(printable) {
        return Err(CatalogError::InvalidName);
    }
    if name.len() > 255 {
        return Err(CatalogError::NameTooLong);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
