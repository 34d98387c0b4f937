//! Statements that change the catalog, as commands for the store.

use super::ast::{self, Statement};
use super::error::StatementError;
use crate::catalog::{Command, PolicyChanges, PolicyOptions};

/// The command that a statement is; `None` when it changes nothing.
pub(super) fn command(statement: &Statement) -> Result<Option<Command>, StatementError> {
    Ok(Some(match statement {
        Statement::CreateDatabase { name, policy } => Command::CreateDatabase {
            name: name.clone(),
            policy: policy.as_ref().map(|first| options(&first.options, first.name.clone())).transpose()?,
        },
        Statement::DropDatabase { name } => Command::DropDatabase { name: name.clone() },
        Statement::CreateRetentionPolicy { name, database, options: given, default } => Command::CreatePolicy {
            database: database.clone(),
            name: name.clone(),
            options: options(given, None)?,
            default: *default,
        },
        Statement::AlterRetentionPolicy { name, database, options: given, default } => {
            let PolicyOptions { duration, replication, shard_duration, .. } = options(given, None)?;
            Command::AlterPolicy {
                database: database.clone(),
                name: name.clone(),
                changes: PolicyChanges { duration, replication, shard_duration },
                default: *default,
            }
        }
        Statement::DropRetentionPolicy { name, database } => {
            Command::DropPolicy { database: database.clone(), name: name.clone() }
        }
        Statement::DropShard { id } => Command::DropShard { id: *id },
        _ => return Ok(None),
    }))
}

fn options(given: &ast::PolicyOptions, name: Option<String>) -> Result<PolicyOptions, StatementError> {
    let replication = given.replication.map(u32::try_from).transpose();
    let replication = replication.map_err(|_| StatementError::Fixed("replication factor must be greater than 0"))?;
    Ok(PolicyOptions { name, duration: given.duration, replication, shard_duration: given.shard_duration })
}
