//! Databases and retention policies: what exists, apart from points.
//!
//! A change is a [`Command`]; the store logs it and applies it in the same order as writes.

use crate::time::{NANOS_PER_DAY, NANOS_PER_HOUR, NANOS_PER_WEEK};
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
