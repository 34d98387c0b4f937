//! DELETE, DELETE FIELD, DROP FIELD, DROP SERIES and DROP MEASUREMENT: which series and times they name.

use super::ast::{Expr, NameMatch, Source, Statement};
use super::compile::{Bounds, pattern, split};
use super::error::StatementError;
use super::query::Context;
use super::show::tags::TagCondition;
use super::show::{find, name_match};
use crate::catalog::{Command, Delete, Target};
use crate::index::MeasurementIndex;
use crate::store::snapshot::Database;
use crate::time::TimeRange;

/// `None` when there is nothing to delete.
pub(super) fn delete(statement: &Statement, context: &Context<'_>) -> Result<Option<Command>, StatementError> {
    let database = find(None, context)?;
    let mut of_fields: &[String] = &[];
    let (sources, condition, timed) = match statement {
        Statement::DropMeasurement { name } => {
            let known = database.index.measurement(name).is_some();
            let targets = known.then(|| Target { measurement: name.clone(), series: None });
            return Ok(command(database, TimeRange::ALL, targets.into_iter().collect(), &[]));
        }
        Statement::DeleteFields { fields, drop, sources, condition } => {
            of_fields = fields;
            (sources, condition, !drop)
        }
        Statement::Delete { sources, condition } => (sources, condition, true),
        Statement::DropSeries { sources, condition } => (sources, condition, false),
        _ => return Ok(None),
    };
    let mut bounds = Bounds::default();
    let condition = match condition {
        Some(condition) => split(condition, context.now, &mut bounds)?,
        None => None,
    };
    if !timed && bounds != Bounds::default() {
        return Err(StatementError::Fixed(match of_fields {
            [] => "DROP SERIES doesn't support time in WHERE clause",
            _ => "DROP FIELD doesn't support time in WHERE clause",
        }));
    }
    let mut targets = Vec::new();
    for (name, index) in selected(sources, database)? {
        if let Some(condition) = &condition {
            refuse_fields(condition, name, database)?;
        }
        let condition =
            condition.as_ref().map(|condition| TagCondition::new(condition)?.without_arithmetic()).transpose()?;
        let series =
            condition.map(|condition| condition.series(index).into_iter().map(|(_, key)| key.clone()).collect());
        if series.as_ref().is_none_or(|series: &Vec<_>| !series.is_empty()) {
            targets.push(Target { measurement: name.to_owned(), series });
        }
    }
    Ok(command(database, bounds.range(), targets, of_fields))
}

fn command(database: &Database, range: TimeRange, targets: Vec<Target>, fields: &[String]) -> Option<Command> {
    let (database, fields) = (database.name.clone(), fields.to_vec());
    (!targets.is_empty() && !range.is_empty()).then(|| Command::Delete(Delete { database, range, targets, fields }))
}

/// The measurements that FROM names, all without it.
fn selected<'a>(
    sources: &[Source],
    database: &'a Database,
) -> Result<Vec<(&'a str, &'a MeasurementIndex)>, StatementError> {
    let mut wanted = Vec::new();
    for source in sources {
        wanted.push(match name_match(source)? {
            NameMatch::Name(name) => (Some(name), None),
            NameMatch::Regex(regex) => (None, Some(pattern(regex)?)),
        });
    }
    let mut selected = Vec::new();
    for (name, index) in database.index.measurements() {
        let named = |(text, regex): &(Option<&String>, Option<crate::pattern::Regex>)| {
            text.is_some_and(|text| **text == **name) || regex.as_ref().is_some_and(|regex| regex.is_match(name))
        };
        if sources.is_empty() || wanted.iter().any(named) {
            selected.push((&**name, &**index));
        }
    }
    Ok(selected)
}

/// A field in the condition is refused, by the first shard that has it.
fn refuse_fields(condition: &Expr, measurement: &str, database: &Database) -> Result<(), StatementError> {
    match condition {
        Expr::Paren(inner) => refuse_fields(inner, measurement, database),
        Expr::Chain(chain) => {
            refuse_fields(&chain.first, measurement, database)?;
            chain.rest.iter().try_for_each(|(_, right)| refuse_fields(right, measurement, database))
        }
        Expr::Variable { name, .. } => {
            let shards = database.policies.iter().flat_map(|policy| &policy.shards);
            let having = shards
                .filter(|shard| shard.fields.get(measurement).is_some_and(|fields| fields.contains_key(name.as_str())));
            match having.map(|shard| shard.id).min() {
                Some(shard) => Err(StatementError::FieldInDelete(shard)),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}
