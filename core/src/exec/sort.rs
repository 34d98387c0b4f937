//! A group's rows in the order of a column.

use super::accumulate::rank;
use super::cursor::{ColumnDef, Lease, Rows};
use super::table::{Table, row_bytes};
use super::task::QueryError;
use super::walk::Walk;
use crate::order::sort_by;
use crate::value::Value;
use std::cmp::Ordering;

pub(super) struct Sorting {
    kept: Table,
    column: usize,
    descending: bool,
    row_bytes: usize,
}

impl Sorting {
    pub(super) fn new(columns: &[ColumnDef], column: usize, descending: bool) -> Self {
        Self { kept: Table::new(columns), column, descending, row_bytes: row_bytes(columns) }
    }
}

impl Walk for Sorting {
    fn rows(&mut self, rows: &Rows<'_>, _: &mut Table, lease: &mut Lease) -> Result<(), QueryError> {
        lease.grow(rows.len() * self.row_bytes)?;
        self.kept.extend(rows);
        Ok(())
    }

    fn finish(&mut self, out: &mut Table) {
        let rows = self.kept.rows();
        let mut order: Vec<u32> = (0..self.kept.len() as u32).collect();
        if let Some(view) = rows.columns.get(self.column).copied() {
            sort_by(&mut order, |a, b| match (view.get(*a as usize), view.get(*b as usize)) {
                (Some(a), Some(b)) if self.descending => by_value(b, a),
                (Some(a), Some(b)) => by_value(a, b),
                (a, b) => b.is_some().cmp(&a.is_some()),
            });
        }
        out.gather(&rows, &order);
    }
}

/// Numbers by size whatever their type, then texts, then truths.
fn by_value(a: Value<'_>, b: Value<'_>) -> Ordering {
    let class = |value: Value<'_>| match value {
        Value::Float(_) | Value::Integer(_) | Value::Unsigned(_) => 0,
        Value::String(_) => 1,
        Value::Boolean(_) => 2,
    };
    class(a).cmp(&class(b)).then_with(|| rank(a, b))
}
