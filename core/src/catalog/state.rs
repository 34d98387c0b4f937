//! The catalog itself: a value that commands change and that a manifest keeps.
//!
//! Layout of an encoded catalog (varints are LEB128, texts a varint length and UTF-8):
//!
//! ```text
//! varint  next database id     varint  next policy id     varint  next shard id
//! varint  databases, each:
//!     varint id, text name, text default policy
//!     varint policies, each:
//!         varint id, text name, varint duration, varint shard duration, varint replication
//!         varint shards, each: varint id, zigzag first instant, zigzag last instant
//! ```
//!
//! Documents have a place of their own: see [`Documents`].

use super::{CatalogError, Command, Documents, PolicyChanges, PolicyOptions, check_name, shard_duration};
use crate::codec::DecodeError;
use crate::codec::varint::{self, Reader};
use crate::time::{NANOS_PER_HOUR, TimeRange};
use std::sync::Arc;

/// The policy a database gets when it is made without one.
pub const AUTOGEN: &str = "autogen";

/// Every database, policy, shard and document. Ids are never used twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// In order of creation.
    pub databases: Vec<DatabaseEntry>,
    pub documents: Arc<Documents>,
    next_database: u32,
    next_policy: u32,
    next_shard: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseEntry {
    pub id: u32,
    pub name: String,
    /// A name; the policy may have been dropped.
    pub default_policy: String,
    /// In order of creation.
    pub policies: Vec<PolicyEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyEntry {
    pub id: u32,
    pub name: String,
    /// Nanoseconds data is kept; 0 is forever.
    pub duration: i64,
    pub shard_duration: i64,
    pub replication: u32,
    /// By start; they do not overlap.
    pub shards: Vec<ShardEntry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardEntry {
    pub id: u64,
    pub range: TimeRange,
}

impl Catalog {
    pub fn database(&self, name: &str) -> Option<&DatabaseEntry> {
        self.databases.iter().find(|database| database.name == name)
    }

    pub fn database_by_id(&self, id: u32) -> Option<&DatabaseEntry> {
        self.databases.iter().find(|database| database.id == id)
    }

    pub fn policy_by_id(&self, database: u32, policy: u32) -> Option<&PolicyEntry> {
        self.database_by_id(database)?.policies.iter().find(|entry| entry.id == policy)
    }

    /// Every shard, with its database and policy.
    pub fn shards(&self) -> impl Iterator<Item = (&DatabaseEntry, &PolicyEntry, &ShardEntry)> {
        self.databases.iter().flat_map(|database| {
            database
                .policies
                .iter()
                .flat_map(move |policy| policy.shards.iter().map(move |shard| (database, policy, shard)))
        })
    }

    /// The shard of a policy that holds `time`, made when there is none; `None` when the policy is not there.
    pub fn make_shard(&mut self, database: u32, policy: u32, time: i64) -> Option<ShardEntry> {
        let next = self.next_shard + 1;
        let database = self.databases.iter_mut().find(|entry| entry.id == database)?;
        let policy = database.policies.iter_mut().find(|entry| entry.id == policy)?;
        if let Some(shard) = policy.shard_at(time) {
            return Some(shard);
        }
        let mut range = super::shard_range(time, policy.shard_duration);
        // An altered shard duration may make a range that reaches into its neighbours.
        let at = policy.shards.partition_point(|shard| shard.range.max < time);
        if let Some(before) = at.checked_sub(1).and_then(|before| policy.shards.get(before)) {
            range.min = range.min.max(before.range.max + 1);
        }
        if let Some(after) = policy.shards.get(at) {
            range.max = range.max.min(after.range.min - 1);
        }
        let shard = ShardEntry { id: next, range };
        policy.shards.insert(at, shard);
        self.next_shard = next;
        Some(shard)
    }

    /// Takes shards out of the catalog; ids that are not there are passed over. `false` when none was.
    pub fn drop_shards(&mut self, ids: &[u64]) -> bool {
        let mut dropped = false;
        for policy in self.databases.iter_mut().flat_map(|database| &mut database.policies) {
            let before = policy.shards.len();
            policy.shards.retain(|shard| !ids.contains(&shard.id));
            dropped |= policy.shards.len() < before;
        }
        dropped
    }

    /// Does a command; `false` when it had nothing to do. A refused one changes nothing.
    pub fn apply(&mut self, command: &Command) -> Result<bool, CatalogError> {
        match command {
            Command::CreateDatabase { name, policy } => self.create_database(name, policy.as_ref()),
            Command::DropDatabase { name } => {
                let before = self.databases.len();
                self.databases.retain(|database| database.name != *name);
                Ok(self.databases.len() < before)
            }
            Command::CreatePolicy { database, name, options, default } => {
                self.create_policy(database, name, options, *default)
            }
            Command::AlterPolicy { database, name, changes, default } => {
                self.alter_policy(database, name, changes, *default)
            }
            Command::DropPolicy { database, name } => {
                let Some(database) = self.databases.iter_mut().find(|entry| entry.name == *database) else {
                    return Ok(false);
                };
                let before = database.policies.len();
                database.policies.retain(|policy| policy.name != *name);
                Ok(database.policies.len() < before)
            }
            Command::Documents(changes) => Arc::make_mut(&mut self.documents).apply(changes),
            Command::Delete(delete) => {
                self.database_mut(&delete.database)?;
                Ok(!delete.targets.is_empty())
            }
            // Whether the name is there and the other one free is for the store to say.
            Command::Rename(rename) => self.database_mut(&rename.database).map(|_| true),
            Command::DropShard { id } => Ok(self.drop_shards(&[*id])),
        }
    }

    fn create_database(&mut self, name: &str, options: Option<&PolicyOptions>) -> Result<bool, CatalogError> {
        check_name(name)?;
        let policy_name = options.and_then(|options| options.name.as_deref()).unwrap_or(AUTOGEN);
        check_name(policy_name)?;
        let wanted = options.cloned().unwrap_or_default();
        check_duration(wanted.duration)?;
        if let Some(database) = self.database(name)
            && (options.is_none() || !database.policies.is_empty())
        {
            let matches = database.default_policy == policy_name
                && database.policies.iter().any(|policy| policy.name == policy_name && policy.matches(&wanted));
            return if options.is_none() || matches { Ok(false) } else { Err(CatalogError::PolicyConflicts) };
        }
        let policy = PolicyEntry::new(self.next_policy + 1, policy_name, &wanted)?;
        self.next_policy += 1;
        match self.databases.iter_mut().find(|entry| entry.name == name) {
            Some(database) => {
                database.default_policy = policy.name.clone();
                database.policies.push(policy);
            }
            None => {
                self.next_database += 1;
                self.databases.push(DatabaseEntry {
                    id: self.next_database,
                    name: name.to_owned(),
                    default_policy: policy.name.clone(),
                    policies: vec![policy],
                });
            }
        }
        Ok(true)
    }

    fn create_policy(
        &mut self,
        database: &str,
        name: &str,
        options: &PolicyOptions,
        default: bool,
    ) -> Result<bool, CatalogError> {
        check_name(name)?;
        check_duration(options.duration)?;
        let policy = PolicyEntry::new(self.next_policy + 1, name, options)?;
        let database = self.database_mut(database)?;
        if let Some(existing) = database.policies.iter().find(|entry| entry.name == name) {
            let same = existing.replication == policy.replication
                && existing.duration == policy.duration
                && existing.shard_duration == policy.shard_duration;
            return match (same, default && database.default_policy != name) {
                (false, _) => Err(CatalogError::PolicyExists),
                (true, true) => Err(CatalogError::PolicyConflicts),
                (true, false) => Ok(false),
            };
        }
        if default {
            database.default_policy = name.to_owned();
        }
        database.policies.push(policy);
        self.next_policy += 1;
        Ok(true)
    }

    fn alter_policy(
        &mut self,
        database: &str,
        name: &str,
        changes: &PolicyChanges,
        default: bool,
    ) -> Result<bool, CatalogError> {
        let database = self.database_mut(database)?;
        let policy = database.policies.iter_mut().find(|entry| entry.name == name);
        let policy = policy.ok_or_else(|| CatalogError::PolicyNotFound(name.to_owned()))?;
        check_duration(changes.duration)?;
        let duration = changes.duration.unwrap_or(policy.duration);
        // InfluxDB compares with the shard duration as it was given, before a default or the minimum replaces it.
        let given = changes.shard_duration.unwrap_or(policy.shard_duration);
        if (changes.duration.is_some() || changes.shard_duration.is_some()) && duration > 0 && duration < given {
            return Err(CatalogError::DurationBelowShard);
        }
        policy.duration = duration;
        if let Some(given) = changes.shard_duration {
            policy.shard_duration = shard_duration(given, duration);
        }
        policy.replication = changes.replication.unwrap_or(policy.replication);
        if default {
            database.default_policy = name.to_owned();
        }
        Ok(true)
    }

    fn database_mut(&mut self, name: &str) -> Result<&mut DatabaseEntry, CatalogError> {
        let database = self.databases.iter_mut().find(|entry| entry.name == name);
        database.ok_or_else(|| CatalogError::DatabaseNotFound(name.to_owned()))
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        varint::write(u64::from(self.next_database), out);
        varint::write(u64::from(self.next_policy), out);
        varint::write(self.next_shard, out);
        varint::write(self.databases.len() as u64, out);
        for database in &self.databases {
            varint::write(u64::from(database.id), out);
            varint::write_bytes(database.name.as_bytes(), out);
            varint::write_bytes(database.default_policy.as_bytes(), out);
            varint::write(database.policies.len() as u64, out);
            for policy in &database.policies {
                varint::write(u64::from(policy.id), out);
                varint::write_bytes(policy.name.as_bytes(), out);
                varint::write(policy.duration as u64, out);
                varint::write(policy.shard_duration as u64, out);
                varint::write(u64::from(policy.replication), out);
                varint::write(policy.shards.len() as u64, out);
                for shard in &policy.shards {
                    varint::write(shard.id, out);
                    varint::write_signed(shard.range.min, out);
                    varint::write_signed(shard.range.max, out);
                }
            }
        }
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut catalog = Self {
            next_database: read_u32(reader)?,
            next_policy: read_u32(reader)?,
            next_shard: reader.varint("shard id")?,
            databases: Vec::new(),
            documents: Arc::default(),
        };
        for _ in 0..reader.length(reader.remaining(), "number of databases")? {
            let mut database = DatabaseEntry {
                id: read_u32(reader)?,
                name: reader.text("database name")?.to_owned(),
                default_policy: reader.text("policy name")?.to_owned(),
                policies: Vec::new(),
            };
            for _ in 0..reader.length(reader.remaining(), "number of policies")? {
                database.policies.push(decode_policy(reader)?);
            }
            catalog.databases.push(database);
        }
        Ok(catalog)
    }
}

impl PolicyEntry {
    fn new(id: u32, name: &str, options: &PolicyOptions) -> Result<Self, CatalogError> {
        let duration = options.duration.unwrap_or(0);
        let shard_duration = shard_duration(options.shard_duration.unwrap_or(0), duration);
        if duration > 0 && duration < shard_duration {
            return Err(CatalogError::DurationBelowShard);
        }
        let replication = options.replication.unwrap_or(1);
        Ok(Self { id, name: name.to_owned(), duration, shard_duration, replication, shards: Vec::new() })
    }

    /// Whether every option given is as it is here.
    fn matches(&self, options: &PolicyOptions) -> bool {
        let duration = options.duration.unwrap_or(self.duration);
        duration == self.duration
            && options.replication.is_none_or(|replication| replication == self.replication)
            && shard_duration(options.shard_duration.unwrap_or(0), duration) == self.shard_duration
    }

    pub fn shard_at(&self, time: i64) -> Option<ShardEntry> {
        let at = self.shards.partition_point(|shard| shard.range.max < time);
        self.shards.get(at).filter(|shard| shard.range.contains(time)).copied()
    }
}

fn check_duration(duration: Option<i64>) -> Result<(), CatalogError> {
    match duration {
        Some(duration) if duration != 0 && duration < NANOS_PER_HOUR => Err(CatalogError::DurationTooLow),
        _ => Ok(()),
    }
}

fn decode_policy(reader: &mut Reader<'_>) -> Result<PolicyEntry, DecodeError> {
    let mut policy = PolicyEntry {
        id: read_u32(reader)?,
        name: reader.text("policy name")?.to_owned(),
        duration: read_duration(reader)?,
        shard_duration: read_duration(reader)?,
        replication: read_u32(reader)?,
        shards: Vec::new(),
    };
    for _ in 0..reader.length(reader.remaining(), "number of shards")? {
        let id = reader.varint("shard id")?;
        let range = TimeRange::new(reader.signed("shard start")?, reader.signed("shard end")?);
        if range.is_empty() || policy.shards.last().is_some_and(|last: &ShardEntry| last.range.max >= range.min) {
            return Err(reader.error("shards out of order"));
        }
        policy.shards.push(ShardEntry { id, range });
    }
    Ok(policy)
}

fn read_u32(reader: &mut Reader<'_>) -> Result<u32, DecodeError> {
    let value = reader.varint("number")?;
    u32::try_from(value).map_err(|_| reader.error("number too large"))
}

fn read_duration(reader: &mut Reader<'_>) -> Result<i64, DecodeError> {
    let value = reader.varint("duration")?;
    i64::try_from(value).map_err(|_| reader.error("duration too long"))
}
