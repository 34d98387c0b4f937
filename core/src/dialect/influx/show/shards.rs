//! SHOW SHARDS and SHOW SHARD GROUPS. A group is one shard, which has the number of the group.

use super::super::answer::Part;
use super::super::query::Context;
use super::named;
use crate::model::Column;
use crate::store::snapshot::{Database, Policy, Shard};
use crate::time::write_rfc3339;
use crate::value::{FieldType, Value};

/// A series for each database, also for one without shards.
pub(super) fn shards(context: &Context<'_>) -> Vec<Part> {
    let part = |database: &std::sync::Arc<Database>| {
        let columns =
            ["id", "database", "retention_policy", "shard_group", "start_time", "end_time", "expiry_time", "owners"];
        let mut table = Table::new(&database.name, columns);
        for (policy, shard) in each(database) {
            let [start, end, expiry] = times(policy, shard);
            table.row(&[
                Cell::Number(shard.id),
                Cell::Text(&database.name),
                Cell::Text(&policy.name),
                Cell::Number(shard.id),
                Cell::Text(&start),
                Cell::Text(&end),
                Cell::Text(&expiry),
                Cell::Text(""),
            ]);
        }
        table.part
    };
    context.snapshot.databases.iter().map(part).collect()
}

pub(super) fn groups(context: &Context<'_>) -> Part {
    let columns = ["id", "database", "retention_policy", "start_time", "end_time", "expiry_time"];
    let mut table = Table::new("shard groups", columns);
    for database in context.snapshot.databases.iter() {
        for (policy, shard) in each(database) {
            let [start, end, expiry] = times(policy, shard);
            table.row(&[
                Cell::Number(shard.id),
                Cell::Text(&database.name),
                Cell::Text(&policy.name),
                Cell::Text(&start),
                Cell::Text(&end),
                Cell::Text(&expiry),
            ]);
        }
    }
    table.part
}

fn each(database: &Database) -> impl Iterator<Item = (&Policy, &Shard)> {
    database.policies.iter().flat_map(|policy| policy.shards.iter().map(move |shard| (&**policy, &**shard)))
}

/// When a shard begins, ends (the first instant after it) and may be dropped: at its end, where data is kept forever.
fn times(policy: &Policy, shard: &Shard) -> [String; 3] {
    let end = shard.range.max.saturating_add(1);
    [shard.range.min, end, end.saturating_add(policy.duration)].map(|nanos| {
        let mut text = Vec::new();
        write_rfc3339(nanos, 0, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    })
}

#[derive(Clone, Copy)]
enum Cell<'a> {
    Number(u64),
    Text(&'a str),
}

struct Table {
    part: Part,
}

impl Table {
    fn new<const N: usize>(name: &str, columns: [&str; N]) -> Self {
        let kind = |column: &str| {
            if column == "id" || column == "shard_group" { FieldType::Integer } else { FieldType::String }
        };
        let values = columns.iter().map(|column| Column::new(kind(column))).collect();
        Self { part: Part { name: name.to_owned(), columns: named(columns), values, ..Part::default() } }
    }

    fn row(&mut self, cells: &[Cell<'_>]) {
        for (column, cell) in self.part.values.iter_mut().zip(cells) {
            column.push(Some(match cell {
                Cell::Number(number) => Value::Integer(*number as i64),
                Cell::Text(text) => Value::String(text),
            }));
        }
    }
}
