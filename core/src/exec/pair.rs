//! Two inputs, group with group, time by time.

use super::bucket::{Buckets, NOWHERE};
use super::cursor::{ColumnDef, Header, Source, Tags};
use super::table::Table;
use super::tables::{self, TablesSource, float_header};
use crate::model::Column;
use crate::model::column::Values;
use crate::plan::{Bucket, PairOp, UNTIL};
use crate::value::{FieldType, Value};
use std::sync::Arc;

pub(super) fn source(
    left: Arc<dyn Source>,
    right: Arc<dyn Source>,
    pairs: &[(u32, u32)],
    named_by_right: bool,
    op: PairOp,
    zeros: [Option<Bucket>; 2],
    ends: Option<[Bucket; 2]>,
) -> Arc<dyn Source> {
    let (mut groups, mut kept) = (Vec::with_capacity(pairs.len()), Vec::with_capacity(pairs.len()));
    for (a, b) in pairs {
        let (Some(first), Some(second)) = (left.groups().get(*a as usize), right.groups().get(*b as usize)) else {
            continue;
        };
        let tags: &Tags = if named_by_right { &second.tags } else { &first.tags };
        let mut header = Header { tags: tags.clone(), ..float_header(first) };
        let untils = [first, second].map(|header| header.columns.iter().position(|column| column.name == UNTIL));
        if ends.is_some() {
            let others = header.columns.iter().filter(|column| column.name != UNTIL).cloned();
            let until = ColumnDef { name: UNTIL.to_owned(), field_type: FieldType::Integer };
            header.columns = others.chain([until]).collect();
        }
        groups.push(header);
        kept.push(Sides { left: *a as usize, right: *b as usize, untils });
    }
    let zeros = zeros.map(|bucket| bucket.map(|bucket| Buckets::new(&bucket, 0)));
    let ends = ends.map(|ends| ends.map(|bucket| Buckets::new(&bucket, 0)));
    Arc::new(TablesSource::new(vec![left, right], groups, Box::new(Joined { pairs: kept, op, zeros, ends })))
}

struct Joined {
    pairs: Vec<Sides>,
    op: PairOp,
    zeros: [Option<Buckets>; 2],
    ends: Option<[Buckets; 2]>,
}

/// The groups of a pair, and which of their columns say when buckets end.
struct Sides {
    left: usize,
    right: usize,
    untils: [Option<usize>; 2],
}

impl tables::Work for Joined {
    fn run(&self, inputs: Vec<Vec<Table>>) -> Vec<Table> {
        let mut inputs = inputs.into_iter();
        let (left, right) = (inputs.next().unwrap_or_default(), inputs.next().unwrap_or_default());
        self.pairs.iter().map(|pair| self.join(&left[pair.left], &right[pair.right], pair.untils)).collect()
    }
}

impl Joined {
    fn join(&self, left: &Table, right: &Table, untils: [Option<usize>; 2]) -> Table {
        if left.len() == 0 || right.len() == 0 {
            return left.emptied();
        }
        let (a, b) = (tables::first(left), tables::first(right));
        let (mut at, mut other) = (0, 0);
        let mut out = left.emptied();
        let mut numbers = Vec::with_capacity(left.len().max(right.len()));
        let (mut until, mut latest) = (Vec::new(), i64::MIN);
        while at < left.len() || other < right.len() {
            let time = match (left.times.get(at), right.times.get(other)) {
                (Some(x), Some(y)) => *x.min(y),
                (Some(x), None) | (None, Some(x)) => *x,
                (None, None) => break,
            };
            let mut sides = [f64::NAN; 2];
            let row = (left.times.get(at) == Some(&time)).then_some(at);
            if let Some(row) = row {
                sides[0] = a[row];
                at += 1;
            }
            let other_row = (right.times.get(other) == Some(&time)).then_some(other);
            if let Some(row) = other_row {
                sides[1] = b[row];
                other += 1;
            }
            if let Some(ends) = &self.ends {
                for (side, (table, row)) in [(left, row), (right, other_row)].into_iter().enumerate() {
                    if let Some(row) = row {
                        latest = latest.max(end_of_row(table, row, untils[side], &ends[side]));
                    }
                }
                until.push(latest);
            }
            for (value, zero) in sides.iter_mut().zip(&self.zeros) {
                let begins = |buckets: &Buckets| buckets.label(buckets.number(time)) == time;
                if value.is_nan() && zero.as_ref().is_some_and(begins) {
                    *value = 0.0;
                }
            }
            out.times.push(time);
            numbers.push(self.op.apply(sides[0], sides[1]));
            for (column, from) in out.columns.iter_mut().zip(&left.columns).skip(1) {
                column.push(row.and_then(|row| from.get(row)));
            }
        }
        if self.ends.is_some() {
            if let Some(at) = untils[0] {
                out.columns.remove(at);
            }
            out.columns.push(Column { values: Values::Integer(until), present: None });
        }
        tables::with_first(out, numbers)
    }
}

/// When the bucket of a row ends.
fn end_of_row(table: &Table, row: usize, until: Option<usize>, buckets: &Buckets) -> i64 {
    if let Some(Value::Integer(until)) = until.and_then(|at| table.columns.get(at)?.get(row)) {
        return until;
    }
    match buckets.number(table.times[row]) {
        NOWHERE => i64::MIN,
        number => buckets.label(number + 1),
    }
}
